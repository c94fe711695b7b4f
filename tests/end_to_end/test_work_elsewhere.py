"""Processes that share nothing with the service but PostgreSQL and a bucket do its work."""

import asyncio

import pytest

from adapters.claims.in_database import ClaimsInDatabase
from service.application.claimed_jobs import jobs_on
from service.dialects.bota.identifiers import recording_id_of
from service.runtime.tasks import end_tasks
from tests.end_to_end.service_process import ServiceProcess, short_speech, slices
from tests.end_to_end.worker_process import WorkerProcess, end, go_on, hold

STAGES = ["Stitched", "Transcribed"]


@pytest.fixture
def service(tmp_path, database, own_s3, s3_credentials):
    blob_url = f"{own_s3.new_bucket()}/tapes?endpoint={own_s3.endpoint}"
    service = ServiceProcess(tmp_path / "data", {"BLOB_URL": blob_url, "DATABASE_URL": database, "WORKERS": "1"})
    yield service
    service.kill()


@pytest.fixture
def elsewhere(tmp_path, service):
    workers = [WorkerProcess(tmp_path / f"elsewhere-{number}", service) for number in range(2)]
    yield workers
    for worker in workers:
        worker.kill()


async def finalized(api):
    recording = await api.upload(slices(short_speech(), 3))
    assert (await api.finalize(recording, 3)).status == 200
    return recording


async def stages_of(api, recording):
    """What the stages have recorded, in order."""
    return [name for name in await api.event_types(recording) if name in STAGES]


@pytest.fixture
async def claims(database):
    """Those of one more process, which takes none."""
    claims = ClaimsInDatabase(database)
    keeping = asyncio.create_task(claims.keep())  # its session ends if it asks nothing for half a minute
    yield claims
    await end_tasks([keeping])
    await claims.close()


async def until_claimed(claims, recording):
    """Return once somebody works on it."""
    async with asyncio.timeout(300):
        while not await claims.are_elsewhere(jobs_on(recording_id_of(recording["id"]))):
            await asyncio.sleep(0.02)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
async def test_a_busy_service_has_its_work_done_and_what_a_killed_worker_had_begun_another_does(
    service, elsewhere, claims
):
    one, other = elsewhere
    api = (await service.start()).api()
    first = await finalized(api)
    await api.ended(first)

    held = hold(service.workers())
    in_the_service = await finalized(api)
    await until_claimed(claims, in_the_service)
    await one.start()
    done_by_one = await finalized(api)
    await api.ended(done_by_one)
    assert 'tapedeck_stage_attempts_total{outcome="done",stage="transcribe"} 1.0' in await one.asked("/metrics")

    held_of_one = hold(one.workers())
    of_the_killed = await finalized(api)
    await until_claimed(claims, of_the_killed)
    await other.start()
    one.kill()
    end(held_of_one)
    await api.ended(of_the_killed)
    assert other.stop() == 0

    go_on(held)
    await api.ended(in_the_service)
    for recording in (first, in_the_service, done_by_one, of_the_killed):
        assert await stages_of(api, recording) == STAGES
        assert (await api.transcript(recording))["text"]


@pytest.mark.slow
@pytest.mark.timeout(1_800)
async def test_a_worker_that_is_stopped_ends_at_once_and_the_service_does_its_work(service, elsewhere, claims):
    worker = elsewhere[0]
    api = (await service.start()).api()
    await api.ended(await finalized(api))
    held = hold(service.workers())
    in_the_service = await finalized(api)
    await until_claimed(claims, in_the_service)
    await worker.start()
    await api.ended(await finalized(api))
    hold(worker.workers())
    recording = await finalized(api)
    await until_claimed(claims, recording)
    assert worker.stop() == 0
    go_on(held)
    for each in (in_the_service, recording):
        await api.ended(each)
        assert await stages_of(api, each) == STAGES


@pytest.mark.slow
@pytest.mark.timeout(1_800)
async def test_of_a_recording_that_is_deleted_while_it_is_worked_on_elsewhere_nothing_stays(
    service, elsewhere, claims, own_s3
):
    worker = elsewhere[0]
    api = (await service.start()).api()
    await api.ended(await finalized(api))
    held = hold(service.workers())
    await until_claimed(claims, await finalized(api))
    await worker.start()
    await api.ended(await finalized(api))
    hold(worker.workers())
    recording = await api.upload([*slices(short_speech(), 3), b"of this one only" * 1_000])
    assert (await api.finalize(recording, 4)).status == 200
    await until_claimed(claims, recording)
    assert own_s3.contains(service.settings["BLOB_URL"], b"of this one only")
    assert (await api.call("DELETE", f"/v1/recordings/{recording['id']}")).status == 204
    async with asyncio.timeout(120):
        while own_s3.contains(service.settings["BLOB_URL"], b"of this one only"):
            await asyncio.sleep(0.05)
    await claims.until_free(jobs_on(recording_id_of(recording["id"])))
    go_on(held)
