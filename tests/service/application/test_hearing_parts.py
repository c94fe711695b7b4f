"""A long recording is heard part by part, by real workers, and nothing that is known is heard again."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest

from adapters.audio.decoding import SAMPLE_RATE, pcm_blocks
from adapters.blobs.opening import open_store
from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.speech.opening import EngineSpec
from adapters.speech.transcript import Transcript
from adapters.worker_processes import WorkerProcesses
from domain.events import PartHeard
from service import sample
from service.application.project_turns import Turn, Urgency
from service.application.recordings import Recordings
from service.application.stage_parts import Permit
from service.application.transcribing import TranscribeOrder, Transcribing, transcribe_blob
from service.application.turns import Turns
from tests.adapters.audio.samples import wav
from tests.domain.histories import finalize, open_recording, record_stitched, store_chunk
from tests.service.application.test_stage_efforts import HOUR, parts_with

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sound() -> bytes:
    """2 1/2 minutes with ten seconds of speech in the first, and ten in the last, as a WAV file."""
    with sample.audio_file() as path:
        speech = np.concatenate(list(pcm_blocks(lambda: path.open("rb"))))[: 10 * SAMPLE_RATE]
    silence = np.zeros(130 * SAMPLE_RATE, np.int16)
    return wav(np.concatenate([speech, silence, speech]).reshape(1, -1))


class Place:
    """A stitched recording in stores of its own, and what hears it."""

    def __init__(self, tmp_path, sound):
        self.url = f"file://{tmp_path}/blobs"
        self.blobs = open_store(self.url)
        self.log = EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3"))
        self.recordings = Recordings(self.log)
        self.id = uuid4()
        self.audio = self.blobs.put_bytes(f"recordings/{self.id.hex}/audio", sound)
        self.scratch = tmp_path / "scratch"
        self.scratch.mkdir()
        self.workers = WorkerProcesses(3)

    async def stitch(self, duration_ms):
        stitched = replace(
            record_stitched(), blob_key=self.audio.key, size_bytes=self.audio.size_bytes, duration_ms=duration_ms
        )
        for command in (open_recording(), store_chunk(1), finalize(1), stitched):
            await self.recordings.execute(self.id, command)

    async def transcribe(self):
        turns = Turns(2)
        parts = parts_with(
            self.blobs,
            recordings=self.recordings,
            blob_store_url=self.url,
            scratch_dir=self.scratch,
            workers=self.workers,
            engine=EngineSpec(),
            turns=turns,
        )
        async with turns.turn("project", Urgency.SHORT) as turn:
            recording = await self.recordings.find(self.id)
            return await Transcribing(parts).do(self.id, recording, Permit(HOUR, turn))

    async def whole(self):
        """The transcript of the same sound by one job, which hears it from its beginning to its end."""
        order = TranscribeOrder(self.url, self.audio.key, EngineSpec(), "en", f"recordings/{self.id.hex}/whole")
        _, transcript = await self.workers.run(transcribe_blob, order)
        return transcript

    async def heard(self):
        return [each.event for each in await self.log.history(self.id) if isinstance(each.event, PartHeard)]

    async def until_heard(self, count):
        async for _ in self.log.follow(after=0):
            if len(await self.heard()) >= count:
                return

    def transcript(self, command):
        with self.blobs.open(command.blob_key) as reader:
            return Transcript.from_json(reader.read())


@asynccontextmanager
async def place_with(tmp_path, sound):
    place = Place(tmp_path, sound)
    await place.stitch(150_000)
    yield place
    await place.workers.close()
    await place.recordings.close()
    await place.log.close()
    await place.blobs.close()


async def test_its_words_are_those_of_the_whole_and_each_part_is_noted_once(tmp_path, sound):
    async with place_with(tmp_path, sound) as place:
        transcribed = await place.transcribe()
        whole = await place.whole()
        assert place.transcript(transcribed) == whole
        assert whole.word_count > 30
        heard = sorted(await place.heard(), key=lambda part: part.number)
        assert [part.number for part in heard] == list(range(1, len(heard) + 1))
        assert len(heard) >= 3
        assert (await place.recordings.find(place.id)).heard_ms == transcribed.duration_ms == 150_000
        assert list(place.scratch.iterdir()) == []


async def test_work_that_is_cut_off_goes_on_with_the_parts_that_are_not_known(tmp_path, sound):
    async with place_with(tmp_path, sound) as place:
        cut_off = asyncio.create_task(place.transcribe())
        await place.until_heard(1)
        cut_off.cancel()
        await asyncio.gather(cut_off, return_exceptions=True)
        assert list(place.scratch.iterdir()) == []
        assert place.transcript(await place.transcribe()) == await place.whole()
        numbers = sorted(part.number for part in await place.heard())
        assert numbers == list(range(1, len(numbers) + 1))


async def test_a_part_of_other_sound_or_whose_words_are_gone_is_heard_again(tmp_path, sound):
    async with place_with(tmp_path, sound) as place:
        first = await place.transcribe()
        heard = await place.heard()
        await place.blobs.delete(heard[0].blob_key)
        damaged = place.blobs.put_bytes(f"recordings/{place.id.hex}/part", b"{}")
        recording = await place.recordings.find(place.id)
        others = [heard[1].model_copy(update={"blob_key": damaged.key}), *heard[2:-1]]
        others.append(heard[-1].model_copy(update={"sound_sha256": "0" * 64}))
        table = recording.heard
        for part in others:
            table = table.with_chunk(part)
        whole = await place.whole()
        assert place.transcript(first) == whole
        again = await Transcribing(
            parts_with(
                place.blobs,
                recordings=place.recordings,
                blob_store_url=place.url,
                scratch_dir=place.scratch,
                workers=place.workers,
                engine=EngineSpec(),
            )
        ).do(place.id, replace(recording, heard=table), Permit(HOUR, Turn(Urgency.SHORT, 0)))
        assert place.transcript(again) == whole
        with place.blobs.open(heard[0].blob_key) as reader:
            assert reader.read()
