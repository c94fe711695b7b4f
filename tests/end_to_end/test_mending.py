"""A recording whose stitching failed is mended over HTTP: its stored chunks are read, replaced, and stitched again."""

import asyncio
import hashlib

import aiohttp
import numpy as np
import pytest

from tests.adapters.audio.samples import ADTS, encoded
from tests.end_to_end.dorsum_client import Dorsum, silence, stitched_samples
from tests.end_to_end.dorsum_client import failed_at_stitching as failed_at_stitching_of
from tests.end_to_end.dragon_client import SUCCESS, Dragon, error_of
from tests.end_to_end.dragon_client import ended as dragon_ended
from tests.end_to_end.service_process import Api, ServiceProcess, short_speech, slices

JUNK = [b"Dear Sir or Madam, this is a letter and no audio, page %d. " % page * 50 for page in range(3)]
SPEECH = slices(short_speech(), 3)


async def failed_at_stitching(api: Api, chunks=JUNK, **declared):
    recording = await api.upload(chunks)
    finalized = await api.finalize(recording, len(chunks), **declared)
    assert finalized.status == 200
    found = await api.ended(recording)
    assert (found["status"] in ("failed", "integrity_failure"), found["failure"]["stage"]) == (True, "stitch")
    return recording, finalized


async def bytes_of(api: Api, recording, which, **headers):
    return await api.call("GET", f"/v1/recordings/{recording['id']}/chunks/{which}", headers=headers)


async def retried(api: Api, recording):
    answer = await api.call("POST", f"/v1/recordings/{recording['id']}/retry")
    assert answer.status == 202, answer
    return answer.json


async def audio_of(api: Api, recording) -> bytes:
    url = (await api.get(recording, "/download-url"))["download_url"]
    return (await api.call("GET", url, key=False)).body


@pytest.fixture(scope="module")
def words(service):
    """What is said in SPEECH, sent as it should be."""

    async def send():
        api = service.api()
        recording = await api.upload(SPEECH)
        await api.finalize(recording, len(SPEECH))
        return (await api.transcript(recording))["text"]

    text = asyncio.run(send())
    assert text
    return text


async def test_chunks_that_are_no_audio_are_read_replaced_and_retried_and_the_recording_is_whole(api, words):
    recording, finalized = await failed_at_stitching(api)
    assert (await bytes_of(api, recording, "all")).body == b"".join(JUNK)
    template = (await api.get(recording, "/chunks"))["chunk_upload_url_template"]
    for number, chunk in enumerate(SPEECH, 1):
        assert (await api.put({"chunk_upload_url_template": template}, number, chunk)).status == 200
    assert (await api.get(recording))["status"] == "failed"
    assert (await retried(api, recording))["failure"] is None
    assert (await api.transcript(recording))["text"] == words
    assert await audio_of(api, recording) == short_speech()
    assert (await bytes_of(api, recording, "all")).body == short_speech()
    assert (await api.finalize(recording, len(JUNK))).body == finalized.body
    mended = ["Failed", *["ChunkStored"] * 3, "RetryRequested", "Stitched", "Transcribed"]
    assert (await api.event_types(recording))[-len(mended) :] == mended


async def test_the_one_chunk_that_differs_from_the_declared_checksum_is_replaced(api, words):
    md5 = hashlib.md5(short_speech()).hexdigest()
    wrong = [SPEECH[0], bytes(len(SPEECH[1])), SPEECH[2]]
    recording, _ = await failed_at_stitching(api, wrong, checksum_md5=md5)
    assert (await api.get(recording))["status"] == "integrity_failure"
    assert (await api.put(recording, 2, SPEECH[1])).status == 200
    await retried(api, recording)
    assert (await api.transcript(recording))["text"] == words


async def test_a_retry_without_a_replacement_fails_as_before_and_can_still_be_mended(api):
    recording, _ = await failed_at_stitching(api)
    before = (await api.get(recording))["failure"]
    await retried(api, recording)
    after = (await api.ended(recording))["failure"]
    assert (after["reason"], after["message"]) == (before["reason"], before["message"])
    assert (await api.put(recording, 1, SPEECH[0])).status == 200


async def test_each_stored_chunk_and_all_in_order_are_given_in_every_state(api):
    recording = await api.create()
    await api.put(recording, 2, JUNK[1])
    await api.put(recording, 1, JUNK[0])
    for _ in ("open", "failed"):
        listed = (await api.get(recording, "/chunks"))["data"]
        assert [(chunk["number"], chunk["size_bytes"]) for chunk in listed] == [
            (number, len(JUNK[number - 1])) for number in (1, 2)
        ]
        for chunk in listed:
            answer = await bytes_of(api, recording, chunk["number"])
            assert (answer.status, hashlib.sha256(answer.body).hexdigest()) == (200, chunk["sha256"])
            assert answer.headers["ETag"] == f'"{chunk["sha256"]}"'
            assert answer.headers["Content-Type"] == "application/octet-stream"
        assert (await bytes_of(api, recording, "all")).body == JUNK[0] + JUNK[1]
        await api.finalize(recording, 2)
        await api.ended(recording)


@pytest.mark.parametrize(("start", "end"), [(0, 9), (100, len(JUNK[0]) + 100), (len(JUNK[0]), len(JUNK[0])), (5, 8000)])
async def test_a_range_of_all_chunks_may_begin_in_one_and_end_in_another(api, start, end):
    recording = await api.upload(JUNK)
    whole = b"".join(JUNK)
    answer = await bytes_of(api, recording, "all", Range=f"bytes={start}-{end}")
    assert (answer.status, answer.body) == (206, whole[start : end + 1])
    assert answer.headers["Content-Range"] == f"bytes {start}-{min(end, len(whole) - 1)}/{len(whole)}"
    etag = answer.headers["ETag"]
    assert (await bytes_of(api, recording, "all", **{"If-None-Match": etag})).status == 304
    assert (await bytes_of(api, recording, "all", Range=f"bytes={len(whole)}-")).status == 416
    await api.put(recording, 2, SPEECH[1])
    assert (await bytes_of(api, recording, "all")).headers["ETag"] != etag


async def test_no_chunks_are_no_bytes_and_one_that_is_not_stored_is_not_found(api):
    recording = await api.create()
    nothing = await bytes_of(api, recording, "all")
    assert (nothing.status, nothing.body) == (200, b"")
    missing = await bytes_of(api, recording, 7)
    assert (missing.status, missing.error["type"]) == (404, "chunk_not_found")
    assert missing.error["message"] == "Chunk 7 is not stored. GET /v1/recordings/{id}/chunks lists those that are."
    assert (await bytes_of(api, recording, "first")).error["type"] == "invalid_request"


async def test_stored_bytes_are_for_who_may_read_recordings_of_the_project(api, project, service, new_key):
    recording = await api.upload(JUNK)
    own = service.credentials["project_id"]
    writer = service.api(new_key("restricted", project_id=own, scopes=frozenset({"recordings:write"})))
    reader = service.api(new_key("restricted", project_id=own, scopes=frozenset({"recordings:read"})))
    device = service.api(new_key("device", project_id=own, device_id="dev_1", end_user_id="eu_1"))
    for which in (1, "all"):
        assert (await bytes_of(project, recording, which)).error["type"] == "recording_not_found"
        assert [(await bytes_of(who, recording, which)).status for who in (writer, reader, device)] == [403, 200, 403]


async def test_a_deleted_recording_gives_nothing_back(api):
    recording, _ = await failed_at_stitching(api)
    assert (await api.call("DELETE", f"/v1/recordings/{recording['id']}")).status == 204
    for which in (1, "all"):
        assert (await bytes_of(api, recording, which)).status == 404
    assert (await api.put(recording, 1, SPEECH[0])).status == 404


@pytest.mark.slow
async def test_killed_at_any_step_of_the_mending_it_goes_on(own_service: ServiceProcess):
    api = (await own_service.start()).api()
    recording, _ = await failed_at_stitching(api)
    for number, chunk in enumerate(SPEECH, 1):
        assert (await api.put(recording, number, chunk)).status == 200
        await own_service.restart()
    assert (await bytes_of(api, recording, "all")).body == short_speech()
    await retried(api, recording)
    own_service.kill()
    await own_service.start()
    async with asyncio.timeout(300):
        while not own_service.workers():
            await asyncio.sleep(0.01)
    await own_service.restart()
    assert (await api.ended(recording))["status"] == "completed"
    assert await audio_of(api, recording) == short_speech()
    types = await api.event_types(recording)
    assert [types.count(once) for once in ("Failed", "RetryRequested", "Stitched", "Transcribed")] == [1] * 4


# --- one damaged chunk of several


STREAM = slices(encoded(ADTS, np.frombuffer(short_speech()[44:], "<i2").reshape(1, -1), rate=16_000), 10)
FIFTH = 5
DAMAGED = [bytes(len(chunk)) if number == FIFTH else chunk for number, chunk in enumerate(STREAM, 1)]


@pytest.mark.slow
async def test_what_decodes_is_stitched_and_the_right_chunk_makes_it_whole_later(api):
    recording = await api.upload(DAMAGED, codec="aac")
    await api.finalize(recording, len(DAMAGED))
    partial = await api.ended(recording)
    assert (partial["status"], [one["number"] for one in partial["damage"]]) == ("completed", [FIFTH])
    listed = await api.get(recording, "/chunks")
    assert [one["number"] for one in listed["data"] if "damage" in one] == [FIFTH]
    assert (await bytes_of(api, recording, FIFTH)).body == DAMAGED[FIFTH - 1]
    assert "(5)" in (await api.call("POST", f"/v1/recordings/{recording['id']}/retry")).error["message"]

    assert (await api.put(listed, FIFTH, STREAM[FIFTH - 1])).status == 200
    assert (await api.get(recording))["status"] == "completed"
    await retried(api, recording)
    whole = await api.ended(recording)
    assert (whole["status"], "damage" in whole) == ("completed", False)
    sent_right = await api.upload(STREAM, codec="aac")
    await api.finalize(sent_right, len(STREAM))
    expected = await api.ended(sent_right)
    assert whole["content_sha256"] == expected["content_sha256"]
    assert (await api.transcript(recording))["text"] == (await api.transcript(sent_right))["text"]


@pytest.mark.slow
@pytest.mark.parametrize("sent", [DAMAGED, JUNK], ids=["stitched with damage", "not stitched at all"])
async def test_a_checksum_of_wrong_bytes_does_not_keep_the_right_ones_out(api, sent):
    recording = await api.upload(sent, codec="aac")
    await api.finalize(recording, len(sent), checksum_md5=hashlib.md5(b"".join(sent)).hexdigest())
    await api.ended(recording)
    fresh = await api.get(recording, "/chunks")
    wrong = [FIFTH] if sent is DAMAGED else range(1, len(sent) + 1)
    for number in wrong:
        assert (await api.put(fresh, number, STREAM[number - 1])).status == 200
    await retried(api, recording)
    ended = await api.ended(recording)
    assert (ended["status"], "damage" in ended) == ("completed", False)


@pytest.mark.slow
async def test_dragons_clients_are_told_of_the_damaged_chunk_and_replace_it(dragon, api):
    for number, chunk in enumerate(DAMAGED, 1):
        await dragon.store(number, chunk)
    await dragon.finalize(len(DAMAGED))
    await dragon_ended(api, dragon.correlation_id)
    standing = (await dragon.chunks()).json
    assert (standing["status"], [one["chunkId"] for one in standing["damage"]]) == ("completed", [FIFTH])
    assert [one["chunkId"] for one in standing["chunks"] if one["isDamaged"]] == [FIFTH]
    assert (await dragon.store(FIFTH, STREAM[FIFTH - 1])).body == SUCCESS
    assert (await dragon.retry()).body == SUCCESS
    await dragon_ended(api, dragon.correlation_id)
    assert (await dragon.chunks()).json["damage"] == []


async def test_a_chunk_behind_one_of_metadata_only_is_named_by_its_own_number(dragon, api):
    await dragon.store(1, None)
    for number, chunk in enumerate(DAMAGED, 2):
        await dragon.store(number, chunk)
    await dragon.finalize(1 + len(DAMAGED))
    await dragon_ended(api, dragon.correlation_id)
    (damage,) = (await dragon.chunks()).json["damage"]
    assert damage["chunkId"] == 1 + FIFTH
    assert f"Chunk {1 + FIFTH} " in damage["message"]


async def test_a_failure_names_the_chunk_behind_one_of_metadata_only_by_its_own_number(dragon, api):
    await dragon.store(1, None)
    await dragon.store(2, JUNK[0])
    await dragon.finalize(2)
    await dragon_ended(api, dragon.correlation_id)
    assert "Chunk 2 " in (await dragon.chunks()).json["failure"]["message"]


@pytest.mark.slow
async def test_killed_while_a_mended_recording_is_stitched_anew_it_is_whole_once(own_service: ServiceProcess):
    api = (await own_service.start()).api()
    recording = await api.upload(DAMAGED, codec="aac")
    await api.finalize(recording, len(DAMAGED))
    assert [one["number"] for one in (await api.ended(recording))["damage"]] == [FIFTH]
    assert (await api.put(recording, FIFTH, STREAM[FIFTH - 1])).status == 200
    await own_service.restart()
    await retried(api, recording)
    await own_service.restart()
    assert "damage" not in await api.ended(recording)
    types = await api.event_types(recording)
    assert [types.count(each) for each in ("Stitched", "Transcribed", "RetryRequested", "Failed")] == [2, 2, 1, 0]


# --- Dragon


@pytest.fixture
async def dragon(service):
    dragon = await Dragon.connect(service)
    await dragon.announce()
    return dragon


async def test_dragons_chunks_are_read_replaced_and_retried_with_dragons_own_calls(dragon, api, words):
    assert (await dragon.store(1, None)).body == SUCCESS
    for number, chunk in enumerate(JUNK, 2):
        await dragon.store(number, chunk)
    assert (await dragon.chunks()).json["status"] == "receiving"
    await dragon.finalize(4)
    assert (await dragon_ended(api, dragon.correlation_id))["status"] == "failed"

    standing = (await dragon.chunks()).json
    assert (standing["status"], standing["totalChunks"], standing["failure"]["stage"]) == ("failed", 4, "stitch")
    assert [(chunk["chunkId"], chunk["sizeBytes"]) for chunk in standing["chunks"]] == [
        (1, 0),
        *((number, len(chunk)) for number, chunk in enumerate(JUNK, 2)),
    ]
    assert (await dragon.chunks("/all")).body == b"".join(JUNK)
    assert (await dragon.chunks("/3")).body == JUNK[1]
    assert (await dragon.chunks("/1")).body == b""

    for number, chunk in enumerate(SPEECH, 2):
        assert (await dragon.store(number, chunk)).body == SUCCESS
    assert (await dragon.retry()).body == SUCCESS
    recording = await dragon_ended(api, dragon.correlation_id)
    assert (await dragon.chunks()).json["status"] == "completed"
    assert (await api.transcript(recording))["text"] == words
    assert await audio_of(api, recording) == short_speech()
    assert (await bytes_of(api, recording, "all")).body == short_speech()


async def test_dragons_refusals_name_the_calls_that_help(dragon, api):
    for number, chunk in enumerate(SPEECH, 1):
        await dragon.store(number, chunk)
    await dragon.finalize(3)
    await dragon_ended(api, dragon.correlation_id)
    assert "GET /audio/chunks" in await error_of(dragon.store(1, b"other"), 409)
    assert "GET /audio/chunks" in await error_of(dragon.store(4, b"more"), 409)
    assert "GET /audio/chunks" in await error_of(dragon.finalize(4), 409)
    assert "GET /audio/chunks" in await error_of(dragon.retry(), 409)
    assert "GET /audio/chunks" in await error_of(dragon.chunks("/9"), 404)
    assert "PUT /audio/storeChunk begins one" in await error_of(dragon.chunks(recording_id=2), 404)
    assert "positive integer" in await error_of(dragon.chunks("/zero"), 400)
    assert "recordingId" in await error_of(dragon.chunks(recording_id="x"), 400)
    recording = await dragon_ended(api, dragon.correlation_id)
    assert (await api.call("DELETE", f"/v1/recordings/{recording['id']}")).status == 204
    assert "none that was deleted" in await error_of(dragon.store(1, SPEECH[0]), 404)


async def test_dragons_stored_bytes_are_given_only_by_an_ambient_session(service):
    dragon = await Dragon.connect(service)
    await dragon.store(1, JUNK[0], skipAmbientSessionExistence=True)
    assert (await dragon.chunks(skipAmbientSessionExistence="true")).json["chunks"][0]["sizeBytes"] == len(JUNK[0])
    for below in ("/1", "/all"):
        refusal = await error_of(dragon.chunks(below, skipAmbientSessionExistence="true"), 403)
        assert "/v1/recordings/{id}/chunks/all" in refusal
        assert "no ambient session" in await error_of(dragon.chunks(below), 404)
    await dragon.announce()  # now another partner might have: it does not say who sent what came before
    assert "began in none" in await error_of(dragon.chunks("/all"), 403)
    dragon = await Dragon.connect(service)
    await dragon.announce()
    await dragon.store(1, JUNK[0])
    assert (await dragon.chunks("/all")).body == JUNK[0]
    await dragon.end()
    await dragon.announce()
    assert (await dragon.chunks("/all")).body == JUNK[0]
    other = "00000000-0000-4000-8000-000000000000"
    assert "partnerId" in await error_of(dragon.chunks("/all", partnerId=other), 403)


# --- Dorsum


async def test_a_session_whose_stitching_failed_is_retried_without_its_final_chunk_sent_again(service):
    dorsum = Dorsum.of(service)
    calls = DorsumCalls(dorsum)
    await failed_at_stitching_of(service, dorsum)
    async with asyncio.timeout(60):
        while (standing := (await dorsum.state()).json)["status"] != "failed":  # it was told by another process
            await asyncio.sleep(0.05)
    assert standing["failure"]["stage"] == "stitch"
    assert (await calls.call("GET", "/chunks/all"))[1] == silence().tobytes()
    assert (await calls.call("POST", "/retry"))[0] == 202
    async with asyncio.timeout(300):
        while (standing := (await dorsum.state()).json)["status"] != "completed":
            await asyncio.sleep(0.05)
    assert "failure" not in standing
    assert (await stitched_samples(service, standing["task_id"]) == silence()).all()


class DorsumCalls:
    """The calls of a session that are not its chunks."""

    def __init__(self, dorsum: Dorsum) -> None:
        self._dorsum = dorsum

    async def call(self, method: str, below: str, **headers: str):
        url = f"{self._dorsum.url}/api/consultations/{self._dorsum.session_id}{below}"
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, url, headers=self._dorsum.keys | headers) as answer,
        ):
            return answer.status, await answer.read(), answer.headers.copy()


async def test_dorsums_samples_are_given_back_while_a_session_goes_on_and_after_it(service):
    dorsum = Dorsum.of(service)
    calls = DorsumCalls(dorsum)
    await dorsum.send(silence(1), previous_transcript="")
    assert (await calls.call("GET", "/chunks/1"))[1] == silence(1).tobytes()
    final = await dorsum.send(silence(2)[:10], final=True)
    assert final.status == 200
    assert (await calls.call("GET", "/chunks/all"))[1] == silence(1).tobytes() + silence(2)[:10].tobytes()
    status, part, headers = await calls.call("GET", "/chunks/all", Range="bytes=2-5")
    assert (status, part, headers["Content-Type"]) == (206, silence(1).tobytes()[2:6], "application/octet-stream")
    assert len(await stitched_samples(service, final.json["task_id"])) == 480_010
    for method, below, expected, word in (
        ("GET", "/chunks/3", 404, "/chunks lists"),
        ("GET", "/chunks/x", 400, "number"),
        ("POST", "/retry", 409, "GET /api/consultations/{session_id}"),
    ):
        status, body, _ = await calls.call(method, below)
        assert (status, word.encode() in body) == (expected, True), body
    assert (await DorsumCalls(dorsum.another()).call("GET", "/chunks"))[0] == 404
