"""Sessions of chunks: one order, nothing doubled and nothing missing, whatever is sent again or cut off."""

import asyncio

import aiohttp
import numpy as np
import pytest

from tests.end_to_end.dorsum_client import (
    CHUNK,
    Dorsum,
    event_types,
    silence,
    stitched_samples,
    stored_chunks,
)
from tests.end_to_end.service_process import API_PROCESSES, ServiceProcess
from tests.tools import dialogues

RECEIVED = "Chunk received successfully"
STORED = "GET /api/consultations/{session_id}/chunks/{number} and /api/consultations/{session_id}/chunks/all give what"
ENDED = f"The session has ended with its final chunk; start a new one. {STORED} is stored of it."
FULL = f"The session has all the chunks it may have; start a new one. {STORED} is stored of it."


@pytest.fixture
def dorsum(service) -> Dorsum:
    return Dorsum.of(service)


async def finished(dorsum: Dorsum, samples=(), **fields) -> dict:
    answer = await dorsum.send(list(samples), final=True, **fields)
    assert answer.status == 200, answer
    assert answer.json["message"] == "Clinical note generated."
    return answer.json


@pytest.mark.slow
async def test_answers_have_the_pages_fields_and_no_others(dorsum):
    first = await dorsum.send(silence())
    assert first.json == {"message": RECEIVED, "code": 200, "transcription": ""}
    final = await finished(dorsum)
    assert final.keys() == {"message", "code", "task_id", "clinical_notes", "full_transcript"}
    assert (final["code"], final["full_transcript"]) == (200, "")
    assert final["clinical_notes"].startswith("DRAFT, to be reviewed by a clinician.")
    assert final["clinical_notes"].count("(nothing in the transcript)") == 4


async def test_integers_and_floats_give_the_same_stored_bytes(service, dorsum):
    samples = np.random.default_rng(1).integers(-3, 4, CHUNK).astype(np.int16)
    samples[:6] = (-32768, 32767, 0, 1, -1, 12_345)
    stored = []
    for chunk in (samples, samples / 32768, samples.astype(np.float64)):
        session = dorsum.another()
        assert (await session.send(chunk)).status == 200
        stored += await stored_chunks(service, (await finished(session))["task_id"])
    assert sorted(stored) == [b""] * 3 + [samples.astype("<i2").tobytes()] * 3


@pytest.mark.slow
async def test_a_chunk_sent_again_after_a_lost_answer_is_stored_once_and_answered_the_same(service, dorsum):
    speech = dialogues.samples("chest_pain")[:CHUNK]
    answers = [await dorsum.send(speech, previous_transcript="") for _ in range(2)]
    assert answers[0].json["transcription"].startswith("Good morning")
    assert answers[0].body == answers[1].body
    assert (await dorsum.state()).json["chunks_received"] == 1
    final = await finished(dorsum, previous_transcript=answers[0].json["transcription"])
    assert (await stitched_samples(service, final["task_id"]) == speech).all()
    assert (await event_types(service, final["task_id"])).count("ChunkTranscribed") == 1


async def test_equal_samples_with_another_previous_transcript_are_another_chunk(service, dorsum):
    for previous in ("", "a", "a", "b"):
        assert (await dorsum.send(silence(), previous_transcript=previous)).status == 200
    final = await finished(dorsum)
    assert (await stitched_samples(service, final["task_id"]) == np.tile(silence(), 3)).all()


async def test_botas_calls_neither_add_to_a_session_nor_end_it(api, dorsum):
    """A key of the same project sees the recording; the upload is its own dialect's."""
    await dorsum.send(silence())
    listed = (await api.call("GET", "/v1/recordings?limit=100")).json["data"]
    (recording,) = [one for one in listed if one.get("external_id") == dorsum.session_id]
    assert (await api.get(recording, "/chunks"))["chunk_upload_url_template"] is None
    body = {"total_chunks": 1, "final_duration_ms": 30_000}
    answer = await api.call("POST", f"/v1/recordings/{recording['id']}/finalize", body=body)
    assert (answer.status, answer.error["type"]) == (400, "not_streaming_recording")
    assert answer.error["message"] == "The recording was created over another API; upload and finalize it there."
    assert await api.event_types(recording) == ["RecordingOpened", "ChunkStored", "ChunkTranscribed"]


async def test_an_idempotency_key_decides_instead(service, dorsum):
    for key in ("1", "2", "1", "2"):  # silence after silence, and both again
        assert (await dorsum.send(silence(), key=key, previous_transcript=key)).status == 200
    assert (await dorsum.send(silence(), key="2", previous_transcript="other")).status == 200
    other = await dorsum.send(silence(7), key="1")
    assert (other.status, other.json) == (
        409,
        {
            "message": "Chunk 1 came with this Idempotency-Key but other bytes; give each chunk its own key.",
            "code": 409,
        },
    )
    final = await finished(dorsum, key="3")
    assert (await finished(dorsum, key="3")) == final
    assert (await stitched_samples(service, final["task_id"]) == np.tile(silence(), 2)).all()


async def test_a_final_chunk_sent_twice_gets_the_same_answer_and_the_same_task(service, dorsum):
    await dorsum.send(silence())
    last = silence(1)[:1000]
    answers = [await dorsum.send(last, final=True, output_format="json") for _ in range(2)]
    answers += await asyncio.gather(*(dorsum.send(last, final=True, output_format="json") for _ in range(3)))
    assert {answer.body for answer in answers} == {answers[0].body}
    samples = await stitched_samples(service, answers[0].json["task_id"])
    assert (samples == np.concatenate([silence(), last])).all()
    types = await event_types(service, answers[0].json["task_id"])
    assert [types.count(once) for once in ("FinalizeRequested", "Stitched", "Transcribed", "NoteWritten")] == [1] * 4


async def test_a_chunk_that_turns_out_to_be_the_last_is_sent_again_as_the_final_one(service, dorsum):
    await dorsum.send(silence())
    final = await dorsum.send(silence(), final=True)
    assert (await stitched_samples(service, final.json["task_id"]) == silence()).all()


async def test_a_chunk_after_the_final_one_is_refused_and_costs_nothing(service, dorsum):
    await dorsum.send(silence(), previous_transcript="")
    final = await finished(dorsum, silence(1)[:10])
    for chunk, is_final in ((silence(2), False), (silence(), False), (silence(2)[:9], True), (silence(), True)):
        refused = await dorsum.send(chunk, final=is_final, previous_transcript="later")
        assert (refused.status, refused.json) == (
            409,
            {"message": ENDED, "code": 409},
        )
    assert sorted(map(len, await stored_chunks(service, final["task_id"]))) == [20, 2 * CHUNK]
    assert len(await stitched_samples(service, final["task_id"])) == CHUNK + 10


async def test_two_chunks_of_one_session_at_once_are_both_stored_one_after_the_other(service, dorsum):
    chunks = [silence(tag) for tag in range(1, 6)]
    answers = await asyncio.gather(*(dorsum.send(chunk, previous_transcript=str(chunk[1])) for chunk in chunks))
    assert {answer.status for answer in answers} == {200}
    final = await finished(dorsum)
    samples = await stitched_samples(service, final["task_id"])
    tags = [int(samples[start + 1]) for start in range(0, len(samples), CHUNK)]
    assert sorted(tags) == [1, 2, 3, 4, 5]
    assert (samples == np.concatenate([silence(tag) for tag in tags])).all()


async def test_the_same_chunk_twice_at_once_is_one_chunk(service, dorsum):
    answers = await asyncio.gather(*(dorsum.send(silence(3)) for _ in range(4)))
    assert {answer.body for answer in answers} == {answers[0].body}
    final = await finished(dorsum)
    assert (await stitched_samples(service, final["task_id"]) == silence(3)).all()


async def test_a_session_may_be_one_short_chunk_or_no_sound_at_all(service, dorsum):
    short = await finished(dorsum, [5, -5, 300])
    assert (await stitched_samples(service, short["task_id"])).tolist() == [5, -5, 300]
    nothing = await finished(dorsum.another())
    assert (nothing["full_transcript"], len(await stitched_samples(service, nothing["task_id"]))) == ("", 0)


async def get_no_answer(lost):
    """Of several processes, one that outlives the killed one for a moment may say that there is none."""
    try:
        assert (await lost).status == 503
    except aiohttp.ClientConnectionError:
        pass
    else:
        assert API_PROCESSES > 1


@pytest.mark.slow
async def test_the_service_may_restart_between_two_chunks_and_in_the_middle_of_one(own_service: ServiceProcess):
    await own_service.start()
    dorsum, speech = Dorsum.of(own_service), dialogues.samples("ear_infection")
    first = (await dorsum.send(speech[:CHUNK])).json["transcription"]
    await own_service.restart()
    assert (await dorsum.state()).json == {
        "message": "Session found.",
        "code": 200,
        "session_id": dorsum.session_id,
        "status": "recording",
        "chunks_received": 1,
        "transcript": first,
        "task_id": None,
    }
    assert (await dorsum.send(speech[:CHUNK])).json["transcription"] == first

    lost = asyncio.create_task(dorsum.send(speech[CHUNK : 2 * CHUNK], previous_transcript=first))
    while (await dorsum.state()).json["chunks_received"] < 2:
        await asyncio.sleep(0.02)
    own_service.kill()  # while it is being recognized
    await get_no_answer(lost)
    await own_service.start()
    second = await dorsum.send(speech[CHUNK : 2 * CHUNK], previous_transcript=first)
    assert second.json["transcription"]

    last = speech[2 * CHUNK : 2 * CHUNK + 16_000]
    lost = asyncio.create_task(dorsum.send(last, final=True))
    while (await dorsum.state()).json["task_id"] is None:
        await asyncio.sleep(0.02)
    own_service.kill()
    await get_no_answer(lost)
    await own_service.start()
    final = (await dorsum.send(last, final=True)).json
    samples = await stitched_samples(own_service, final["task_id"])
    assert (samples == speech[: len(samples)]).all()
    assert len(samples) == 2 * CHUNK + len(last)
    assert (await dorsum.state()).json["transcript"] == final["full_transcript"]


@pytest.mark.slow
async def test_when_too_much_waits_a_chunk_is_refused_and_can_be_sent_again(tmp_path):
    service = ServiceProcess(tmp_path / "data", {"WORKERS": "1", "DORSUM_WAITING": "1"})
    await service.start()
    try:
        speech = dialogues.samples("diabetes")[:CHUNK]
        sessions = [Dorsum.of(service) for _ in range(3)]
        answers = await asyncio.gather(*(session.send(speech) for session in sessions))
        assert sorted(answer.status for answer in answers) == [200, 200, 503]
        (refused,) = [answer for answer in answers if answer.status == 503]
        assert refused.json == {
            "message": "Too much speech is waiting to be recognized; send the chunk again later.",
            "code": 503,
        }
        assert int(refused.headers["Retry-After"]) >= 1
        session = sessions[answers.index(refused)]
        assert (await session.state()).status == 404  # nothing of it was stored
        again = await session.send(speech)
        assert again.json["transcription"].startswith("Good afternoon")
    finally:
        service.kill()


@pytest.mark.slow
async def test_an_answer_that_takes_too_long_is_there_when_the_chunk_is_sent_again(tmp_path):
    service = ServiceProcess(tmp_path / "data", {"WORKERS": "1", "DORSUM_SECONDS": "0.3"})
    await service.start()
    try:
        dorsum, speech = Dorsum.of(service), dialogues.samples("diabetes")[:CHUNK]
        late = await dorsum.send(speech)
        assert (late.status, late.json) == (
            503,
            {
                "message": "The chunk is stored, but its words are not ready yet; send it again to get them.",
                "code": 503,
            },
        )
        assert late.headers["Retry-After"] == "5"
        while (answer := await dorsum.send(speech)).status == 503:
            await asyncio.sleep(0.1)
        assert answer.json["transcription"].startswith("Good afternoon")
        assert (await dorsum.state()).json["chunks_received"] == 1
        while (final := await dorsum.send([], final=True)).status == 503:
            await asyncio.sleep(0.1)
        types = await event_types(service, final.json["task_id"])
        assert (types.count("ChunkStored"), types.count("ChunkTranscribed"), types.count("NoteWritten")) == (2, 1, 1)
    finally:
        service.kill()


@pytest.mark.slow
async def test_a_session_takes_so_many_chunks_and_no_more(tmp_path):
    service = ServiceProcess(tmp_path / "data", {"DORSUM_MAX_CHUNKS": "1"})
    await service.start()
    try:
        dorsum = Dorsum.of(service)
        await dorsum.send(silence(1))
        refused = await dorsum.send(silence(2))
        assert (refused.status, refused.json) == (
            409,
            {"message": FULL, "code": 409},
        )
        assert (await dorsum.send(silence(1), final=True)).status == 200
    finally:
        service.kill()
