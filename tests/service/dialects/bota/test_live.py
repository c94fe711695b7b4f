"""Listening to a recording: what is said and how far it has come, over real HTTP."""

import asyncio
import hashlib
from uuid import UUID

import pytest

from adapters.speech.parts import HeardPart
from adapters.speech.transcript import TranscriptWord
from domain.commands import RecordPartHeard
from service.application.blob_names import blob_prefix
from service.application.clock import utc_now
from tests.adapters.audio.samples import tone, wav
from tests.end_to_end.listening import listening
from tests.end_to_end.service_process import short_speech, slices
from tests.service.running_service import TurnedClock, running_service

PDF = b"%PDF-1.7 and nothing else"


@pytest.fixture
async def running(tmp_path):
    """Without a head start: what is said comes from the tests, and from the transcript."""
    settings = {"event_listeners": 6, "listened_recordings": 0}
    async with running_service(tmp_path / "data", TurnedClock(), **settings) as running:
        yield running
        running.service.drain.begin()


@pytest.fixture
def api(running):
    return running.api


async def spoken(api):
    """A recording with words, transcribed."""
    recording = await api.upload([short_speech()], codec="wav")
    await api.finalize(recording, 1)
    return recording, (await api.transcript(recording))["segments"]


def without_index(segments):
    return [{name: value for name, value in segment.items() if name != "index"} for segment in segments]


@pytest.mark.slow
async def test_a_listener_is_told_how_far_a_recording_has_come_then_what_was_said_and_then_the_end(api):
    recording = await api.create(codec="wav")
    chunks = slices(short_speech(), 2)
    async with listening(api, recording) as heard:
        assert (await heard.next()).data == {
            "status": "streaming",
            "chunks_stored": 0,
            "bytes_stored": 0,
            "recognized_ms": 0,
        }
        for number, chunk in enumerate(chunks, 1):
            await api.put(recording, number, chunk)
            told = (await heard.until("progress")).data
            assert (told["chunks_stored"], told["bytes_stored"]) == (number, sum(map(len, chunks[:number])))
        await api.finalize(recording, 2)
        told = await heard.rest()
        assert [one.event for one in told if one.event != "progress"][-1] == "transcript"
        assert told[-2].event == "progress"
        transcription = await api.transcript(recording)
        assert without_index(heard.segments) == transcription["segments"]
        assert told[-2].data == {
            "status": "completed",
            "chunks_stored": 2,
            "bytes_stored": len(short_speech()),
            "total_chunks": 2,
            "audio_ms": transcription["duration_ms"],
            "recognized_ms": transcription["duration_ms"],
        }
        assert told[-1].data == {
            "id": transcription["id"],
            "language": "en",
            "segment_count": len(transcription["segments"]),
            "word_count": transcription["word_count"],
            "duration_ms": transcription["duration_ms"],
            "url": f"/v1/transcriptions/{transcription['id']}",
        }


async def hear(running, recording, number, last_chunk, *texts):
    """Note what is said in a part, a second for each word, as whoever recognizes parts does."""
    stores, its_id = running.stores, UUID(recording["id"].removeprefix("rec_"))
    begins = 10.0 * (number - 1)
    words = [
        TranscriptWord(start=begins + at, end=begins + at + 0.9, text=text, confidence=0.5)
        for at, text in enumerate(texts)
    ]
    heard = HeardPart(
        start_sample=160_000 * (number - 1),
        samples=160_000,
        sha256=hashlib.sha256(" ".join(texts).encode()).hexdigest(),
        heard_by="x",
        words=tuple(words),
        unrecognized=(),
    )
    blob = stores.blobs.put_bytes(blob_prefix(its_id, "part"), heard.to_json())
    command = RecordPartHeard(
        at=utc_now(),
        number=number,
        last_chunk=last_chunk,
        start_ms=heard.start_ms,
        duration_ms=heard.end_ms - heard.start_ms,
        sound_sha256=heard.sha256,
        blob_key=blob.key,
        size_bytes=blob.size_bytes,
        sha256=blob.sha256,
        language="en",
        engine="x",
        word_count=len(words),
        replacements=(await stores.recordings.find(its_id)).replacements,
    )
    await stores.recordings.execute(its_id, command)


async def told_until(heard, *texts):
    """Listen until what is said is this, and all of it is told of in the progress, too."""
    while [segment["text"] for segment in heard.segments] != list(texts):
        assert await heard.next() is not None
    return (await heard.until("progress")).data


async def test_what_is_said_is_told_part_by_part_while_chunks_arrive_and_never_changes(running, api):
    recording = await api.create()
    for number in (1, 2):
        await api.put(recording, number, b"not heard here")
    async with listening(api, recording) as heard:
        await hear(running, recording, 1, 1, "Good", "morning.", "How", "are")
        assert (await told_until(heard, "Good morning."))["recognized_ms"] == 10_000
        await hear(running, recording, 2, 2, "you?", "Fine.")
        # A pause of some seconds ends a sentence, too.
        assert (await told_until(heard, "Good morning.", "How are", "you?", "Fine."))["recognized_ms"] == 20_000
    assert heard.segments[0] == {"index": 0, "start": 0.0, "end": 1.9, "text": "Good morning.", "confidence": 0.5}
    assert (await api.get(recording))["progress"] == {"recognized_ms": 20_000}
    async with listening(api, recording) as late, listening(api, recording, heard, query="?follow=false") as again:
        await told_until(late, "Good morning.", "How are", "you?", "Fine.")
        assert [one.event for one in await again.rest()] == ["progress"]
    assert late.segments == heard.segments


async def test_what_rests_on_a_chunk_that_is_replaced_is_withdrawn_and_what_does_not_stays(running, api):
    recording = await api.create()
    for number in (1, 2):
        await api.put(recording, number, b"not heard here")
    await hear(running, recording, 1, 1, "One.", "Two.")
    await hear(running, recording, 2, 2, "Three.")
    async with listening(api, recording) as away:
        await told_until(away, "One.", "Two.", "Three.")
    async with listening(api, recording) as heard:
        await told_until(heard, "One.", "Two.", "Three.")
        await api.put(recording, 2, b"others")
        assert (await heard.until("withdrawn")).data == {"from_index": 2}
        await hear(running, recording, 2, 2, "Four.")
        await told_until(heard, "One.", "Two.", "Four.")
        last_id = heard.last_id
    async with listening(api, recording, away, query="?follow=false") as back:
        assert (await back.next()).data == {"from_index": 0}
        await back.rest()
        assert (back.segments, back.last_id) == (heard.segments, last_id)


@pytest.mark.slow
async def test_a_recording_that_is_worked_on_says_how_far_it_has_come(api):
    """Its words take at least as long as it takes to ask a few times: the engine is started for them."""
    recording = await api.upload([short_speech()], codec="wav")
    assert "progress" not in await api.get(recording)
    await api.finalize(recording, 1)
    seen = {}
    while (found := await api.get(recording))["status"] != "completed":
        seen.setdefault(found["status"], found)
    assert seen["processing"]["progress"] == {"audio_ms": found["duration_ms"], "recognized_ms": 0}
    assert "progress" not in found
    assert "progress" not in (await api.call("GET", "/v1/recordings")).json["data"][0]


@pytest.mark.slow
async def test_who_comes_late_is_told_everything_and_who_comes_back_only_the_rest(api):
    recording, segments = await spoken(api)
    async with listening(api, recording) as heard:
        told = await heard.rest()
    assert without_index(heard.segments) == segments
    kinds = [one.event for one in told]
    assert kinds == [*["segment"] * len(segments), "progress", "transcript"]
    for after in range(len(told) - 1):
        for how in ({"last_id": told[after].id}, {"query": f"?last_event_id={told[after].id}"}):
            async with listening(api, recording, **how) as again:
                again.segments = heard.segments[: after + 1]
                assert [one.event for one in await again.rest() if one.event != "progress"] == [
                    kind for kind in kinds[after + 1 :] if kind != "progress"
                ]
                assert again.segments == heard.segments


@pytest.mark.slow
async def test_after_the_end_there_is_nothing_until_there_is_another_end(api):
    recording = await api.upload([PDF], codec="wav")
    await api.finalize(recording, 1)
    async with listening(api, recording) as heard:
        failed = await heard.until("failed")
        assert await heard.rest() == []
    found = await api.get(recording)
    assert failed.data["failure"] == found["failure"]
    async with listening(api, recording, last_id=failed.id) as again:
        assert (again.status, await again.rest()) == (204, [])
    template = {"chunk_upload_url_template": (await api.get(recording, "/chunks"))["chunk_upload_url_template"]}
    assert (await api.put(template, 1, wav(tone(16_000)))).status == 200
    assert (await api.call("POST", f"/v1/recordings/{recording['id']}/retry")).status == 202
    async with listening(api, recording, last_id=failed.id) as again:
        ended = await again.until("transcript")
    async with listening(api, recording, last_id=ended.id) as again:
        assert again.status == 204


async def test_a_recording_that_is_deleted_ends_the_stream_and_says_so(api):
    recording = await api.create()
    async with listening(api, recording) as heard:
        await heard.until("progress")
        assert (await api.call("DELETE", f"/v1/recordings/{recording['id']}")).status == 204
        (told,) = await heard.rest()
    assert (told.event, told.data) == ("deleted", {"id": recording["id"]})
    async with listening(api, recording) as again:
        assert again.status == 404


async def test_what_there_is_now_can_be_had_without_waiting(api):
    recording = await api.create()
    async with listening(api, recording, query="?follow=false") as heard:
        assert [one.event for one in await heard.rest()] == ["progress"]


async def test_who_joins_another_listener_is_told_of_all_that_was_answered_before(api):
    recording = await api.create()
    async with listening(api, recording) as heard:
        await heard.until("progress")
        for number in range(1, 6):
            await api.put(recording, number, b"1")
            async with listening(api, recording, query="?follow=false") as joined:
                assert (await joined.until("progress")).data["chunks_stored"] == number


@pytest.mark.parametrize("its_id", ["1", "1-2", "x-000000000000", "1-00000000000g", "1-000000000000-1", "\xff"])
async def test_what_is_no_id_of_an_event_is_refused(api, its_id):
    recording = await api.create()
    answer = await api.call("GET", f"/v1/recordings/{recording['id']}/live", headers={"Last-Event-ID": its_id})
    assert (answer.status, answer.error["param"]) == (400, "Last-Event-ID")
    assert answer.error["message"] == (
        "Last-Event-ID: This must be the id of an event of this stream, exactly as given."
    )


@pytest.mark.slow
async def test_segments_of_another_transcript_are_withdrawn_before_those_that_hold_are_told(api):
    recording, segments = await spoken(api)
    async with listening(api, recording, last_id="1-0123456789ab") as heard:
        heard.segments = [{"text": "of a transcript that was made anew since"}]
        told = await heard.rest()
    assert (told[0].event, told[0].data) == ("withdrawn", {"from_index": 0})
    assert without_index(heard.segments) == segments


async def test_so_many_may_listen_and_no_more(api):
    recording = await api.create()
    path = f"/v1/recordings/{recording['id']}/live"
    async with listening(api, recording) as a, listening(api, recording) as b, listening(api, recording) as c:
        for heard in (a, b, c):
            await heard.until("progress")
        refused = await api.call("GET", path)
        assert (refused.status, refused.error["type"]) == (429, "too_many_listeners")
        assert refused.headers["Retry-After"] == "60"


async def test_when_the_service_is_about_to_stop_listeners_are_let_go(running, api):
    recording = await api.create()
    async with listening(api, recording) as heard:
        await heard.until("progress")
        running.service.drain.begin()
        assert await heard.rest() == []
    async with listening(api, recording) as again:
        assert (again.status, await again.rest()) == (200, [])


@pytest.mark.slow
async def test_many_who_listen_are_told_the_same(api):
    recording = await api.create(codec="wav")

    async def listen():
        async with listening(api, recording) as heard:
            return [one.event for one in await heard.rest()][-1], heard.segments

    listeners = [asyncio.create_task(listen()) for _ in range(3)]
    await api.put(recording, 1, short_speech())
    await api.finalize(recording, 1)
    found = await asyncio.gather(*listeners)
    segments = (await api.transcript(recording))["segments"]
    assert all((end, without_index(told)) == ("transcript", segments) for end, told in found)
