"""Recordings are recognized while they arrive, and their words are the same as without it, whatever happens."""

import asyncio
import hashlib
import os
import signal
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from adapters.audio.decoding import SAMPLE_RATE, pcm_blocks
from adapters.audio.demuxing import Track
from adapters.blobs.opening import open_store
from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.speech.opening import EngineSpec
from adapters.speech.transcript import Transcript
from adapters.worker_processes import WorkerProcesses
from domain.commands import EraseContent, FinalizeRecording
from domain.events import ErasedPart, PartHeard, RecordingKind
from service import sample
from service.application import arriving
from service.application.live_words import LiveWords
from service.application.part_orders import cut_into_parts
from service.application.project_turns import Urgency
from service.application.recordings import Recordings
from service.application.stage_parts import Permit
from service.application.stitching import Stitching, stitch_blobs
from service.application.transcribing import TranscribeOrder, Transcribing, transcribe_blob
from service.application.turns import Turns
from service.followers.head_start import HeadStart
from service.followers.listened_recording import WORTH_BYTES
from tests.adapters.audio.samples import wav
from tests.domain.histories import open_recording, store_chunk
from tests.service.application.test_stage_efforts import HOUR, parts_with

pytestmark = pytest.mark.slow

LANGUAGE = "en"
PATIENCE_SECONDS = 400
"""A machine with much other work recognizes slowly."""


def speech(seconds: int) -> np.ndarray:
    with sample.audio_file() as path:
        return np.concatenate(list(pcm_blocks(lambda: path.open("rb"))))[: seconds * SAMPLE_RATE]


@pytest.fixture(scope="module")
def sound() -> bytes:
    """2 minutes and 10 seconds with speech at the beginning and at the end, as a WAV file."""
    silence = np.zeros(115 * SAMPLE_RATE, np.int16)
    return wav(np.concatenate([speech(10), silence, speech(5)]).reshape(1, -1))


class CountedTurns(Turns):
    """`live`: how many turns were asked for so that who listens hears what is said at once."""

    live = 0

    def turn(self, project, urgency=Urgency.SHORT):
        self.live += urgency is Urgency.ALONG
        return super().turn(project, urgency)


@pytest.fixture(scope="module")
def made_in_one_go(tmp_path_factory, sound) -> Transcript:
    """The transcript of the sound by one job that knows of no parts."""

    async def made():
        async with rig_in(tmp_path_factory.mktemp("whole")) as rig:
            blob = await asyncio.to_thread(rig.blobs.put_bytes, f"recordings/{rig.id.hex}/audio", sound)
            return await rig.in_one_go(blob.key)

    return asyncio.run(made())


_COUNTED = (stitch_blobs, cut_into_parts)


def counted(function, order):
    """In a worker: the function's result, and how many pieces of sound were decoded for it."""
    pieces = 0
    original = Track._pieces

    def counting(track):
        nonlocal pieces
        for piece in original(track):
            pieces += 1
            yield piece

    Track._pieces = counting
    try:
        return function(order), pieces
    finally:
        Track._pieces = original


class CountingWorkers(WorkerProcesses):
    """They count what is decoded to stitch a recording and to cut it, while they are told to."""

    count_decoding = False

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.decoded = {}

    async def run(self, function, *arguments, **how):
        if not self.count_decoding or function not in _COUNTED:
            return await super().run(function, *arguments, **how)
        result, pieces = await super().run(counted, function, *arguments, **how)
        self.decoded[function.__name__] = pieces
        return result


class Rig:
    """A service's stores and workers, and one recording that arrives."""

    def __init__(self, tmp_path, most=1):
        self.folder = tmp_path
        self.url = f"file://{tmp_path}/blobs"
        self.blobs = open_store(self.url)
        self.log = EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3"))
        self.recordings = Recordings(self.log)
        self.id = uuid4()
        (tmp_path / "scratch").mkdir()
        self.workers = CountingWorkers(6)
        self.listening = []
        self.turns = CountedTurns(2)
        self.parts = parts_with(
            self.blobs,
            recordings=self.recordings,
            blob_store_url=self.url,
            scratch_dir=tmp_path / "scratch",
            workers=self.workers,
            engine=EngineSpec(),
            turns=self.turns,
            language=LANGUAGE,
        )
        self.most = most
        self.running = None

    def start(self):
        """A follower, as after a start of the service."""
        self.live = LiveWords(lambda _: None)
        self.follower = HeadStart(
            self.most, self.new_process, self.parts, log=self.log, recordings=self.recordings, live=self.live
        )
        self.running = asyncio.create_task(self.follower.run())

    async def stop(self):
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)

    def new_process(self):
        self.listening.append(WorkerProcesses(1))
        return self.listening[-1]

    def signal_listening(self, number):
        for pid in frozenset().union(*(each.pids for each in self.listening)):
            with suppress(ProcessLookupError):  # it was killed just before
                os.kill(pid, number)

    async def open(self, **changes):
        await self.recordings.execute(self.id, replace(open_recording(max_chunks=10_000), **changes))

    async def store(self, number, body):
        blob = await asyncio.to_thread(self.blobs.put_bytes, f"recordings/{self.id.hex}/chunk", body)
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        facts = {"blob_key": blob.key, "size_bytes": blob.size_bytes, "sha256": blob.sha256, "md5": md5}
        await self.recordings.execute(self.id, replace(store_chunk(number), **facts))

    async def store_all(self, chunks):
        for number, chunk in enumerate(chunks, start=1):
            await self.store(number, chunk)

    async def finish(self, total, *, trouble="nothing"):
        """The transcript as the stages make it. `trouble`: what happens between the two stages, or just before."""
        await self.recordings.execute(self.id, FinalizeRecording(at=open_recording().at, total_chunks=total))
        if trouble == "kill":
            self.signal_listening(signal.SIGKILL)
        for stage in (Stitching(self.parts), Transcribing(self.parts)):
            async with self.turns.turn("project", Urgency.SHORT) as turn:
                recording = await self.recordings.find(self.id)
                command = await stage.do(self.id, recording, Permit(HOUR, turn))
            await self.recordings.execute(self.id, replace(command, edition=recording.edition))
            if trouble == "restart" and isinstance(stage, Stitching):
                await self.stop()
                self.start()
        with self.blobs.open(command.blob_key) as reader:
            return Transcript.from_json(reader.read())

    async def whole(self):
        """The transcript of the stitched audio by one job that knows of no parts."""
        return await self.in_one_go((await self.recordings.find(self.id)).stitched.blob_key)

    async def in_one_go(self, audio_key):
        order = TranscribeOrder(self.url, audio_key, EngineSpec(), LANGUAGE, f"recordings/{self.id.hex}/whole")
        return (await self.workers.run(transcribe_blob, order))[1]

    async def heard(self):
        return [each.event for each in await self.log.history(self.id) if isinstance(each.event, PartHeard)]

    async def until_read(self):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.follower.position < self.log.head:
                await asyncio.sleep(0.01)

    async def until_heard(self, count):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(await self.heard()) < count:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def rig_in(tmp_path, **how):
    rig = Rig(tmp_path, **how)
    rig.start()
    yield rig
    await rig.stop()
    assert list((tmp_path / "scratch").iterdir()) == []
    assert all(not each.pids for each in rig.listening)
    await rig.workers.close()
    await rig.recordings.close()
    await rig.log.close()
    await rig.blobs.close()


def sliced(content, size):
    return [content[start : start + size] for start in range(0, len(content), size)]


async def arrived_and_heard(rig, sound):
    """The recording's chunks, all of which have come, and all parts but the last are heard."""
    await rig.open()
    chunks = sliced(sound, 300_000)
    await rig.store_all(chunks)
    await rig.until_heard(2)
    return chunks


async def test_parts_are_heard_before_it_is_complete_and_are_not_heard_again(tmp_path, sound):
    async with rig_in(tmp_path) as rig:
        chunks = await arrived_and_heard(rig, sound)
        before = await rig.heard()
        assert [part.number for part in sorted(before, key=lambda part: part.number)] == [1, 2]
        assert all(1 < part.last_chunk <= len(chunks) for part in before)
        assert (await rig.recordings.find(rig.id)).heard_ms > 70_000
        transcript = await rig.finish(len(chunks))
        assert transcript == await rig.whole()
        assert "Good morning" in transcript.text
        assert [part.number for part in (await rig.heard())[2:]] == [3]


async def test_of_what_has_arrived_nothing_is_surveyed_or_decoded_again(tmp_path, sound):
    async with rig_in(tmp_path) as rig:
        chunks = await arrived_and_heard(rig, sound)
        rig.workers.count_decoding = True
        transcript = await rig.finish(len(chunks))
        assert rig.workers.decoded == {"stitch_blobs": 0, "cut_into_parts": 0}
        rig.workers.count_decoding = False
        assert transcript == await rig.whole()


async def test_without_what_arrived_all_is_surveyed_and_decoded(tmp_path, sound):
    async with rig_in(tmp_path, most=0) as rig:
        await rig.open()
        await rig.store(1, sound)
        rig.workers.count_decoding = True
        await rig.finish(1)
        assert all(packets > 0 for packets in rig.workers.decoded.values())
        assert set(rig.workers.decoded) == {"stitch_blobs", "cut_into_parts"}


async def test_stages_do_not_wait_for_parts_of_what_is_known_not_to_come_whole(tmp_path, sound, monkeypatch):
    monkeypatch.setattr(arriving, "PATIENCE", HOUR)
    async with rig_in(tmp_path) as rig, rig.turns.turn("other", Urgency.SHORT), rig.turns.turn("other", Urgency.SHORT):
        await rig.open()
        chunks = sliced(sound, 300_000)
        await rig.store_all(chunks)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not list(tmp_path.glob("scratch/**/part-*")):
                await asyncio.sleep(0.05)
        await rig.store(1, chunks[0][::-1])  # so what was decoded is void, while its parts wait for their turns
        await rig.until_read()
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await rig.parts.arriving.whole(rig.id) is None
        assert await rig.heard() == []


async def test_what_was_heard_is_erased_some_time_after_all_is_in_the_transcript(tmp_path, sound):
    async with rig_in(tmp_path) as rig:
        chunks = await arrived_and_heard(rig, sound)
        await rig.finish(len(chunks))
        recording = await rig.recordings.find(rig.id)
        parts = {part.blob_key for part in await rig.heard()}
        assert not parts & recording.blobs_in_use()
        assert parts == {each.blob_key for each in recording.superseded.values()}
        until = recording.transcribed.at
        erase = EraseContent(at=until, part=ErasedPart.SUPERSEDED, superseded_until=until)
        await rig.recordings.execute(rig.id, erase)
        assert not (await rig.recordings.find(rig.id)).superseded


@settings(
    max_examples=4,
    phases=[Phase.generate],
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    size=st.integers(100_000, 2_000_000),
    order=st.randoms(use_true_random=False),
    trouble=st.lists(st.sampled_from(["kill", "pause", "restart", "replace", "wait"]), min_size=1, max_size=4),
)
def test_the_words_are_the_same_whatever_the_order_the_sizes_replacements_and_kills(
    tmp_path_factory, sound, made_in_one_go, *, size, order, trouble
):
    async def live():
        async with rig_in(tmp_path_factory.mktemp("rig")) as rig:
            await rig.open()
            numbered = list(enumerate(sliced(sound, size), start=1))
            late = order.sample(numbered, k=min(2, len(numbered) - 1))
            await rig.store(1, bytes(len(numbered[0][1])) if "replace" in trouble else numbered[0][1])
            for what, (number, chunk) in zip(
                trouble + ["wait"] * len(numbered), [each for each in numbered if each not in late], strict=False
            ):
                await rig.store(number, chunk)
                if what == "kill":
                    rig.signal_listening(signal.SIGKILL)
                elif what == "pause":
                    rig.signal_listening(signal.SIGSTOP)
                    await asyncio.sleep(0.3)
                    rig.signal_listening(signal.SIGCONT)
                elif what == "restart":
                    await rig.stop()
                    rig.start()
                elif what == "replace":
                    await rig.store(number, chunk[::-1])
                    await rig.store(number, chunk)
                else:
                    await asyncio.sleep(0.3)
            for number, chunk in late:
                await rig.store(number, chunk)
            transcript = await rig.finish(len(numbered), trouble=order.choice(["nothing", "kill", "restart"]))
            assert transcript == made_in_one_go
            assert transcript.text.startswith("Good morning")

    asyncio.run(live())


async def test_what_is_no_audio_or_is_too_small_or_is_bare_samples_takes_no_process(tmp_path, sound):
    async with rig_in(tmp_path) as rig:
        await rig.open(kind=RecordingKind.SAMPLES)
        await rig.store(1, sound)
        rig.id = uuid4()
        await rig.open()
        await rig.store(1, sound[:100_000])
        await rig.until_read()
        assert rig.listening == []
        rig.id = uuid4()
        await rig.open()
        await rig.store(1, bytes(400_000))
        await rig.store(2, bytes(400_000))
        await rig.until_read()
        assert await rig.heard() == []


async def test_a_recording_beyond_the_places_waits_until_another_is_idle_or_complete(tmp_path, sound):
    async with rig_in(tmp_path) as rig:
        await rig.open()
        await rig.store(1, sound[:400_000])
        first, rig.id = rig.id, uuid4()
        await rig.open()
        await rig.store(1, sound[:4_000_000])
        await rig.store(2, sound[4_000_000:])
        await rig.until_read()
        assert await rig.heard() == []
        assert (await rig.finish(2)) == await rig.whole()
        assert first != rig.id
        assert len(rig.listening) == 1


async def test_chunks_that_another_process_stores_are_heard_ahead_too(tmp_path, sound):
    async with rig_in(tmp_path) as rig:
        here = rig.recordings
        rig.recordings = Recordings(rig.log)
        await rig.open()
        chunks = sliced(sound, 100_000)
        await rig.store_all(chunks)
        await rig.until_heard(2)
        await rig.recordings.close()
        rig.recordings = here


async def until_said(speech, what):
    """Wait until this is among the settled words."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while what not in " ".join(word.text for window in speech.windows for word in window.words):
            await asyncio.sleep(0.05)


async def test_only_while_somebody_listens_is_it_heard_at_once(tmp_path, sound):
    async with rig_in(tmp_path) as rig:
        await rig.open()
        chunks = sliced(sound, 300_000)
        for number in (1, 2, 3):
            await rig.store(number, chunks[number - 1])
        await rig.until_read()
        assert rig.turns.live == 0
        with rig.live.listened_to(rig.id) as speech:
            await until_said(speech, "Good morning")
            assert await rig.heard() == [], "no part is whole"
        live = rig.turns.live
        for number, chunk in enumerate(chunks[3:], start=4):
            await rig.store(number, chunk)
        await rig.until_heard(2)
        transcript = await rig.finish(len(chunks))
        assert transcript == await rig.whole()
        assert rig.turns.live == live > 0


async def test_a_small_recording_is_heard_too_when_somebody_listens_and_no_stage_waits_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr(arriving, "PATIENCE", HOUR)
    async with rig_in(tmp_path) as rig:
        await rig.open()
        chunks = sliced(wav(speech(7).reshape(1, -1)), 32_000)
        assert sum(map(len, chunks)) < WORTH_BYTES
        with rig.live.listened_to(rig.id) as heard:
            await rig.store_all(chunks)
            await until_said(heard, "Good morning")
            starts = [window.start for window in heard.windows]
            assert starts == [0.0, *(window.end for window in heard.windows)][:-1]
            rig.signal_listening(signal.SIGSTOP)
            transcript = await rig.finish(len(chunks))
        assert transcript == await rig.whole()


async def test_a_stage_that_comes_while_it_is_heard_for_who_listens_ends_no_process_with_its_model(tmp_path):
    async with rig_in(tmp_path) as rig:
        await rig.open()
        chunks = sliced(wav(speech(30).reshape(1, -1)), 100_000)
        with rig.live.listened_to(rig.id):
            await rig.store_all(chunks)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not rig.workers.pids:
                    await asyncio.sleep(0.01)
            before = rig.workers.pids
            transcript = await rig.finish(len(chunks))
            assert before <= rig.workers.pids
        assert transcript == await rig.whole()


async def test_nothing_is_heard_for_who_listens_while_others_have_the_places(tmp_path):
    async with rig_in(tmp_path) as rig:
        await rig.open()
        chunks = sliced(wav(speech(10).reshape(1, -1)), 100_000)
        with rig.live.listened_to(rig.id) as heard:
            async with rig.turns.turn("other", Urgency.SHORT), rig.turns.turn("other", Urgency.SHORT):
                await rig.store_all(chunks)
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while not rig.turns.live:
                        await asyncio.sleep(0.01)
                assert not rig.workers.pids
            await until_said(heard, "Good morning")


async def test_what_is_heard_at_once_goes_on_when_a_worker_is_killed(tmp_path):
    async with rig_in(tmp_path) as rig:
        await rig.open()
        chunks = sliced(wav(speech(12).reshape(1, -1)), 100_000)
        with rig.live.listened_to(rig.id) as heard:
            await rig.store_all(chunks)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not rig.workers.pids:
                    await asyncio.sleep(0.01)
            for pid in rig.workers.pids:
                os.kill(pid, signal.SIGKILL)
            await until_said(heard, "Good morning")
            assert heard.windows[0].start == 0


class FindsLate(Recordings):
    """Reads no recording before it is let to."""

    def __init__(self, log):
        super().__init__(log)
        self.is_asked, self.may_find = asyncio.Event(), asyncio.Event()

    async def find(self, recording_id, *, at_least=0):
        self.is_asked.set()
        await self.may_find.wait()
        return await super().find(recording_id, at_least=at_least)


async def test_who_comes_to_listen_while_a_recording_is_read_for_its_chunk_begins_no_second_process(tmp_path, sound):
    async with rig_in(tmp_path, most=2) as rig:
        await rig.stop()
        others, rig.recordings = rig.recordings, FindsLate(rig.log)
        rig.parts = replace(rig.parts, recordings=rig.recordings)
        rig.start()
        late, rig.recordings = rig.recordings, others
        await rig.open()
        await rig.store(1, sound[:300_000])
        async with asyncio.timeout(PATIENCE_SECONDS):
            await late.is_asked.wait()
        await late.newest(rig.id)
        with rig.live.listened_to(rig.id):
            late.may_find.set()
            await rig.until_read()
            assert len(rig.listening) == 1
        await rig.stop()
        await late.close()
