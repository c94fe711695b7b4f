"""No byte that was acknowledged to a vendor's upload queue is lost, however the queue ends; with a turned clock."""

import asyncio
import hashlib
from datetime import timedelta

import pytest

from tests.end_to_end.sdk_queue import App, backend
from tests.end_to_end.service_process import short_speech
from tests.service.running_service import TurnedClock, running_service

AUDIO = short_speech()
SHA256 = hashlib.sha256(AUDIO).hexdigest()
PAST_THE_WINDOW = {"hours": 5}


@pytest.fixture
async def running(tmp_path):
    async with running_service(tmp_path / "data", TurnedClock()) as running:
        yield running


@pytest.fixture
async def queue(running):
    """The backend, and an app."""
    async with backend(running.api) as served:
        yield served, App(running.api)


async def queued(queue, body=AUDIO, **announced):
    """A recording of which the app has the only copy, and its upload."""
    served, app = queue
    recording_id = await served.new_recording()
    app.kept[recording_id] = body
    return recording_id, await served.job(recording_id, **announced)


async def until(api, recording_id, *statuses):
    async with asyncio.timeout(60):
        while (found := await api.get({"id": recording_id}))["status"] not in statuses:
            await asyncio.sleep(0.02)
    return found


async def downloaded(api, recording_id):
    """What the service gives back."""
    offered = await api.get({"id": recording_id}, "/download-url")
    answer = await api.call("GET", offered["download_url"], key=False)
    assert (answer.status, len(answer.body)) == (200, offered["file_size_bytes"])
    return answer.body


async def finalized(api, recording_id):
    events = (await api.get({"id": recording_id}, "/events"))["data"]
    (event,) = [event for event in events if event["type"] == "FinalizeRequested"]
    return event["data"]


@pytest.mark.slow
@pytest.mark.parametrize("announced", [{}, {"file_size_bytes": len(AUDIO)}])
async def test_a_queue_that_completes_with_its_token_may_delete_its_copy(running, queue, announced):
    recording_id, job = await queued(queue, **announced)
    served, app = queue
    assert await app.work_off(job, content_sha256=SHA256)
    assert app.kept == {}
    assert served.told == [{"recording_id": recording_id, "content_sha256": SHA256}]
    assert (await finalized(running.api, recording_id))["by_itself"] is False
    assert await downloaded(running.api, recording_id) == AUDIO
    assert (await running.api.ended({"id": recording_id}))["status"] == "completed"


@pytest.mark.slow
async def test_an_older_queue_without_a_token_skips_completing_and_nothing_is_lost(running, queue):
    served, app = queue
    served.passes_tokens_on = False
    recording_id, job = await queued(queue)
    assert await app.work_off(job)
    assert (app.kept, served.told) == ({}, [])
    assert (await running.api.get({"id": recording_id}))["status"] == "pending"
    running.turn(**PAST_THE_WINDOW)
    found = await until(running.api, recording_id, "completed")
    assert found["failure"] is None
    assert (await finalized(running.api, recording_id))["by_itself"] is True
    assert await downloaded(running.api, recording_id) == AUDIO


@pytest.mark.slow
async def test_a_queue_killed_after_its_put_completes_days_later(running, queue):
    _, app = queue
    recording_id, job = await queued(queue, file_size_bytes=len(AUDIO))
    assert (await app.put(job)).status == 200
    running.turn(days=6)
    await until(running.api, recording_id, "completed")
    late = await app.complete(job, content_sha256=SHA256)
    assert (late.status, late.json["status"], late.json["content_sha256"]) == (200, "uploaded", SHA256)
    assert late.json["content_sha256_verified_at"]
    assert (await app.complete(job, content_sha256=SHA256)).body == late.body
    assert (await app.complete(job, content_sha256="0" * 64)).status == 409
    running.turn(days=2)
    assert (await app.complete(job)).status == 401


async def test_a_queue_that_completes_the_moment_that_the_service_does_is_answered_200(running, queue):
    _, app = queue
    jobs = [await queued(queue) for _ in range(5)]
    for _, job in jobs:
        assert (await app.put(job)).status == 200
    running.turn(**PAST_THE_WINDOW)
    said = {"content_sha256": SHA256, "duration_seconds": 3}
    answers = await asyncio.gather(*(app.complete(job, **said) for _, job in jobs for _ in range(3)))
    assert {answer.status for answer in answers} == {200}
    for recording_id, _ in jobs:
        assert await downloaded(running.api, recording_id) == AUDIO


@pytest.mark.slow
async def test_a_put_that_is_repeated_long_after_with_a_fresh_url_is_answered_200_again(running, queue):
    served, app = queue
    recording_id, job = await queued(queue)
    assert (await app.put(job)).status == 200
    assert (await app.put(job)).status == 200
    running.turn(**PAST_THE_WINDOW)
    await until(running.api, recording_id, "completed")
    assert (await app.put(job)).status == 403
    again = await served.job(recording_id, file_size_bytes=len(AUDIO))
    assert await app.work_off(again, content_sha256=SHA256)
    assert await running.api.event_types({"id": recording_id}) == [
        "RecordingOpened",
        "ChunkStored",
        "FinalizeRequested",
        "Stitched",
        "Transcribed",
    ]


async def test_a_file_that_was_damaged_on_the_way_is_kept_by_the_queue_and_sent_again(running, queue):
    served, app = queue
    recording_id, job = await queued(queue, body=AUDIO[:-100])
    assert not await app.work_off(job, content_sha256=SHA256)
    app.kept[recording_id] = AUDIO
    assert await app.work_off(await served.job(recording_id), content_sha256=SHA256)
    assert await downloaded(running.api, recording_id) == AUDIO


async def test_a_file_of_another_size_than_announced_expires_and_its_bytes_can_be_had(running, queue):
    served, app = queue
    served.passes_tokens_on = False
    recording_id, job = await queued(queue, file_size_bytes=len(AUDIO) + 1)
    assert await app.work_off(job)
    running.turn(**PAST_THE_WINDOW)
    found = await until(running.api, recording_id, "failed")
    assert found["failure"]["message"].startswith(
        f"The recording was not completed before its time was over: {len(AUDIO)} bytes of its file arrived, and "
        f"{len(AUDIO) + 1} were announced."
    )
    stored = await running.api.call("GET", f"/v1/recordings/{recording_id}/chunks/all")
    assert (stored.status, stored.body) == (200, AUDIO)


async def test_a_part_of_a_file_that_is_put_later_does_not_replace_it(running, queue):
    _, app = queue
    recording_id, job = await queued(queue, file_size_bytes=len(AUDIO))
    assert (await app.put(job)).status == 200
    app.kept[recording_id] = AUDIO[:-100]
    refused = await app.put(job)
    assert (refused.status, refused.json["error"]["code"]) == (409, "size_mismatch")
    assert refused.json["error"]["message"].startswith(
        f"{len(AUDIO)} bytes were announced, and {len(AUDIO) - 100} arrived. They were not stored"
    )
    running.turn(**PAST_THE_WINDOW)
    await until(running.api, recording_id, "uploaded", "processing", "completed")
    assert await downloaded(running.api, recording_id) == AUDIO


async def test_the_right_size_announced_at_last_is_what_counts(running, queue):
    served, app = queue
    served.passes_tokens_on = False
    recording_id, job = await queued(queue, file_size_bytes=7)
    assert (await app.put(job)).status == 200
    assert (await app.put(await served.job(recording_id, file_size_bytes=len(AUDIO)))).status == 200
    running.turn(**PAST_THE_WINDOW)
    await until(running.api, recording_id, "uploaded", "processing", "completed")
    assert await downloaded(running.api, recording_id) == AUDIO


@pytest.mark.slow
async def test_what_a_service_that_was_down_has_missed_is_completed_when_it_is_up_again(tmp_path):
    clock = TurnedClock()
    async with running_service(tmp_path / "data", clock) as before, backend(before.api) as served:
        recording_id, job = await queued((served, app := App(before.api)))
        assert (await app.put(job)).status == 200
    clock.now += timedelta(**PAST_THE_WINDOW)
    async with running_service(tmp_path / "data", clock) as after:
        await until(after.api, recording_id, "completed")
        assert await downloaded(after.api, recording_id) == AUDIO
