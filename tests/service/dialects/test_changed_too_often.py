"""What one recording may ask for is limited, and what expired goes in the end: each dialect says so in its own form."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from domain import decisions
from domain.events import FinalizePolicy, RecordingKind, Stage
from domain.identity import recording_id
from service.application import clock as clock_module
from service.dialects.dorsum.names import DIALECT
from service.dialects.dragon.names import external_id, recording_named, tenant_of_customer
from tests.domain.histories import failed, finalized, retry_requested
from tests.end_to_end.dorsum_client import Dorsum, keys_in
from tests.end_to_end.dragon_client import SUCCESS, Dragon, development_token, error_of, ids
from tests.service.dialects.shelf import BROKEN, SPEECH, Shelf, bytes_of, credentials, named, retry
from tests.service.running_service import Running, TurnedClock, running_service

pytestmark = pytest.mark.filterwarnings("ignore:It is recommended to use web.RequestKey")


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "MOST_REPLACEMENTS", 1)
    monkeypatch.setattr(decisions, "MOST_RESTARTS", 2)
    monkeypatch.setattr(clock_module, "LONGEST_SLEEP", timedelta(seconds=0.1))  # so that a turned clock is seen


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_service(tmp_path / "data", TurnedClock()) as running:
        yield running


async def dragon_of(running: Running) -> Dragon:
    its_credentials = credentials(running, "dragon")
    dragon = Dragon(running.settings.base_url, await development_token(its_credentials), ids(its_credentials))
    await dragon.announce()
    return dragon


async def comes(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(300):
        while not await true():
            await asyncio.sleep(0.05)


async def test_bota_refuses_further_replacements_and_what_is_stored_stays(running):
    api = running.api
    recording = await api.upload([b"one"])
    answers = [await api.put(recording, 1, b"%d" % number) for number in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 409, 409]
    assert answers[-1].error["type"] == "replaced_too_often"
    assert "create a new recording for other bytes. POST /v1/recordings does so." in answers[-1].error["message"]
    assert (await bytes_of(api, recording, 1)).body == b"1"
    assert (await api.put(recording, 1, b"1")).status == 200


async def test_bota_refuses_further_retries_and_transcriptions(running):
    api, shelf = running.api, Shelf(running)
    failures = [failed(Stage.STITCH), retry_requested(Stage.STITCH)] * 2 + [failed(Stage.STITCH)]
    recording = named(await shelf.put(uuid4(), BROKEN, finalized(3), *failures))
    refused = await retry(api, recording)
    assert (refused.status, refused.error["type"]) == (409, "restarted_too_often")
    asked = {"recording_id": recording["id"], "provider": "deepgram"}
    refused = await api.call("POST", "/v1/transcriptions", body=asked)
    assert (refused.status, refused.error["type"]) == (409, "restarted_too_often")
    assert "chunks/all give the stored bytes." in refused.error["message"]


async def test_dragon_refuses_further_replacements_and_retries(running):
    dragon = await dragon_of(running)
    assert (await dragon.store(1, b"one")).body == SUCCESS
    for number in range(2):
        assert (await dragon.store(1, b"%d" % number)).body == SUCCESS
    assert "replaced 2 times, which is the most" in await error_of(dragon.store(1, b"more"), 409)
    assert (await dragon.chunks("/1")).body == b"1"

    tenant = tenant_of_customer(credentials(running, "dragon")["customer_id"])
    facts = {"dialect": "dragon", "tenant_id": tenant, "finalize_policy": FinalizePolicy.RECONCILE, "codec": None}
    failures = [failed(Stage.STITCH), retry_requested(Stage.STITCH)] * 2 + [failed(Stage.STITCH)]
    other = await dragon_of(running)
    its_name = external_id(other.correlation_id, 1)
    its_id = recording_named(tenant, other.correlation_id, 1)
    await Shelf(running).put(its_id, BROKEN, finalized(3), *failures, external_id=its_name, **facts)
    assert "in another language 2 times, which is the most" in await error_of(other.retry(), 409)


async def test_dorsum_refuses_further_retries(running):
    dorsum, shelf = Dorsum(running.settings.base_url, keys_in(running.settings.data_dir)), Shelf(running)
    its_id = recording_id(DIALECT, shelf.project, dorsum.session_id)
    facts = {"dialect": DIALECT, "external_id": dorsum.session_id, "kind": RecordingKind.SAMPLES, "codec": "pcm_s16le"}
    failures = [failed(Stage.STITCH), retry_requested(Stage.STITCH)] * 2 + [failed(Stage.STITCH)]
    await shelf.put(its_id, [bytes(960)], finalized(1), *failures, **facts)
    path = f"/api/consultations/{dorsum.session_id}"
    refused = await running.api.call("POST", f"{path}/retry", headers=dorsum.keys, key=False)
    assert (refused.status, refused.json["code"]) == (409, 409)
    assert "retried as often as it may be; its chunks stay" in refused.json["message"]
    stored = await running.api.call("GET", f"{path}/chunks/all", headers=dorsum.keys, key=False)
    assert stored.body == bytes(960)


async def test_what_arrived_of_an_expired_recording_can_be_fetched_for_a_time_and_then_every_answer_says_it_is_gone(
    running,
):
    api, dragon = running.api, await dragon_of(running)
    recording = await api.upload(SPEECH[:2])
    assert (await dragon.store(1, SPEECH[0])).body == SUCCESS
    running.turn(hours=169)

    dragon.token = await development_token(credentials(running, "dragon"))

    async def has_expired() -> bool:
        return (await dragon.chunks()).json["status"] == "expired"

    await comes(has_expired)
    assert (await api.ended(recording))["failure"]["reason"] == "expired"
    assert (await bytes_of(api, recording, "all")).body == SPEECH[0] + SPEECH[1]
    assert (await dragon.store(1, SPEECH[0])).body == SUCCESS  # it is stored, as it was

    running.turn(hours=721)

    dragon.token = await development_token(credentials(running, "dragon"))

    async def is_erased() -> bool:
        return [event["type"] for event in (await api.get(recording, "/events"))["data"]][-1] == "ContentErased"

    await comes(is_erased)
    gone = await bytes_of(api, recording, "all")
    assert (gone.status, gone.error["type"]) == (410, "chunks_erased")
    assert "was not completed before its time was over" in gone.error["message"]
    assert (await bytes_of(api, recording, 1)).status == 410
    found = await api.get(recording)
    assert (found["status"], "chunks/all" in found["failure"]["message"]) == ("failed", False)

    async def is_refused() -> bool:
        return (await dragon.store(1, SPEECH[0])).status == 409

    await comes(is_refused)
    assert "Use another recordingId" in await error_of(dragon.store(1, SPEECH[0]), 409)
    assert "Use another recordingId" in await error_of(dragon.chunks("/1"), 410)
