"""A deleted recording is gone for everyone, and so are its bytes; an abandoned one is closed."""

import asyncio
import hashlib
import os

import pytest

from service.runtime.blob_check import check_blobs
from tests.end_to_end.profile import blob_folder_of, content_of, settings_of
from tests.end_to_end.service_process import short_speech, slices
from tests.files_on_disk import files_below


async def begun(api):
    return await api.upload(slices(short_speech(), 3))


async def finalized(api):
    recording = await begun(api)
    assert (await api.finalize(recording, 3)).status == 200
    return recording


async def completed(api):
    recording = await finalized(api)
    assert (await api.ended(recording))["status"] == "completed"
    return recording


async def failed(api):
    recording = await api.upload([b"this is not audio", b"nor is this", b"nor this"])
    await api.finalize(recording, 3)
    assert (await api.ended(recording))["status"] == "failed"
    return recording


@pytest.mark.slow
@pytest.mark.parametrize("state", [begun, finalized, completed, failed], ids=lambda state: state.__name__)
async def test_deleted_in_any_state_it_is_not_found_any_more_and_its_bytes_are_gone(api, service, state):
    recording, other = await state(api), await begun(api)
    path = f"/v1/recordings/{recording['id']}"
    assert (await api.call("DELETE", path)).status == 204
    for method, below, body in [
        ("GET", "", None),
        ("GET", "/chunks", None),
        ("GET", "/events", None),
        ("GET", "/download-url", None),
        ("POST", "/retry", None),
        ("POST", "/finalize", {"total_chunks": 3, "final_duration_ms": 1000}),
        ("DELETE", "", None),
    ]:
        answer = await api.call(method, path + below, body=body)
        assert (answer.status, answer.error["type"]) == (404, "recording_not_found")
    assert (await api.put(recording, 1, b"more")).status == 404
    assert (await api.call("GET", f"/v1/transcriptions/{recording['id'].replace('rec_', 'txn_')}")).status == 404

    blobs = blob_folder_of(service)
    async with asyncio.timeout(60):
        while any(recording["id"][4:] in path.parent.as_posix() for path in files_below(blobs)):
            await asyncio.sleep(0.01)
    assert len((await api.get(other, "/chunks"))["data"]) == 3


@pytest.mark.slow
async def test_no_byte_of_a_deleted_recording_is_left_anywhere_while_its_neighbours_in_the_segment_live(own_service):
    api = (await own_service.start()).api()
    doomed, kept = await api.create(), await api.create()
    gone, there = [[os.urandom(20_000) for _ in range(4)] for _ in range(2)]
    for part in range(4):
        assert (await api.put(doomed, part + 1, gone[part])).status == 200
        assert (await api.put(kept, part + 1, there[part])).status == 200
    assert pieces_left(own_service, gone) == pieces_left(own_service, there) == 4 * 20

    assert (await api.call("DELETE", f"/v1/recordings/{doomed['id']}")).status == 204
    async with asyncio.timeout(60):
        while pieces_left(own_service, gone):
            await asyncio.sleep(0.05)
    await own_service.restart()
    assert pieces_left(own_service, gone) == 0
    assert pieces_left(own_service, there) == 4 * 20
    stored = [chunk["sha256"] for chunk in (await api.get(kept, "/chunks"))["data"]]
    assert stored == [hashlib.sha256(body).hexdigest() for body in there]
    own_service.stop()
    found = await asyncio.to_thread(lambda: list(check_blobs(settings_of(own_service))))
    assert not [each for each in found if each.is_loss]


def pieces_left(service, bodies):
    """How many pieces of 1000 bytes of these bodies are anywhere in what the service stores."""
    content = content_of(service)
    return sum(body[start : start + 1_000] in content for body in bodies for start in range(0, len(body), 1_000))


async def test_a_key_without_permission_deletes_nothing(api, service):
    recording = await begun(api)
    stranger = service.api("sk_test_" + "a" * 45)
    assert (await stranger.call("DELETE", f"/v1/recordings/{recording['id']}")).status == 401
    await api.get(recording)


@pytest.mark.slow
async def test_an_abandoned_recording_is_closed_by_itself_also_after_a_restart(own_service):
    own_service.settings["UPLOAD_HOURS"] = str(2 / 3600)
    api = (await own_service.start()).api()
    recording = await api.create()
    await own_service.restart()
    found = await api.ended(recording)
    assert (found["status"], found["failure"]["stage"], found["failure"]["reason"]) == ("failed", "upload", "expired")
    assert found["transcription_id"] is None
    answer = await api.call("POST", f"/v1/recordings/{recording['id']}/retry")
    assert (answer.status, answer.error["type"]) == (409, "recording_expired")
    assert (await api.event_types(recording))[-1] == "Failed"
