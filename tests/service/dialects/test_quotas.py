"""A project at its quotas, over each dialect: what is refused, how, and what goes on."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapters.quotas import Quota, QuotaStore
from domain.identity import recording_id
from service.application import clock as clock_module
from service.dialects.dragon.names import recording_named, tenant_of_customer
from tests.end_to_end.dorsum_client import CHUNK, Dorsum, keys_in, silence
from tests.end_to_end.dragon_client import SUCCESS, Dragon, development_token, ids
from tests.end_to_end.service_process import Answer
from tests.service.running_service import Running, TurnedClock, running_service
from tests.tools.abuse.floods import in_pieces

MOST = 100_000
BODY = bytes(range(256)) * 390  # nearly all of it
MORE = bytes(range(256)) * 39
TOO_MUCH = bytes(range(256)) * 40 + bytes(400)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_service(tmp_path / "data", TurnedClock()) as running:
        yield running


@pytest.fixture
def own(running: Running) -> AsyncIterator[QuotaStore]:
    store = QuotaStore(running.settings.quotas_path)
    yield store
    store.close()


def credentials(running: Running, dialect: str) -> dict[str, str]:
    return orjson.loads((running.settings.data_dir / "dev-credentials.json").read_bytes())[dialect]


def project_of(running: Running) -> str:
    return credentials(running, "bota")["project_id"]


def check_refused(answer: Answer, status: int, quota: str, most: int) -> None:
    assert answer.status == status, answer
    assert (answer.error["code"], answer.error["quota"], answer.error["limit"]) == ("quota_exceeded", quota, most)
    assert f"quota is {most} " in answer.error["message"]


async def full(running: Running, own: QuotaStore) -> dict[str, Any]:
    """A recording of Bota's that is open, with which its project has come to its quota of bytes."""
    own.set_for(project_of(running), Quota.BYTES, MOST)
    recording = await running.api.upload([BODY])
    assert (await running.api.put(recording, 2, MORE)).status == 200
    return recording


async def test_a_full_project_begins_nothing_and_what_has_begun_goes_on_for_a_tenth_and_is_completed(running, own):
    api, recording = running.api, await full(running, own)
    refused = await api.call("POST", "/v1/recordings", body={"streaming": True, "end_user_id": "eu_1", "codec": "opus"})
    check_refused(refused, 507, "bytes", MOST)
    assert refused.headers["Retry-After"] == "60"
    assert "DELETE /v1/recordings/{id}" in refused.error["message"]
    check_refused(await api.put(recording, 3, TOO_MUCH), 507, "bytes", MOST)
    check_refused(await api.put(recording, 3, in_pieces(TOO_MUCH)), 507, "bytes", MOST)
    assert [chunk["number"] for chunk in (await api.get(recording, "/chunks"))["data"]] == [1, 2]
    assert (await api.finalize(recording, 2)).status == 200
    assert (await api.call("DELETE", f"/v1/recordings/{recording['id']}")).status == 204
    await running.service.usage_view.wait_for(running.stores.log.head, seconds=30)
    assert (await api.upload([BODY]))["status"] == "streaming"


@pytest.mark.parametrize("sent", [lambda body: body, in_pieces], ids=["announced", "unannounced"])
async def test_what_is_stored_is_accepted_again_however_full_the_project_is_and_other_bytes_are_not(running, own, sent):
    api, recording = running.api, await full(running, own)
    own.set_for(project_of(running), Quota.BYTES, 0)
    assert (await api.put(recording, 1, sent(BODY))).status == 200
    check_refused(await api.put(recording, 1, sent(BODY[::-1])), 507, "bytes", 0)
    check_refused(await api.put(recording, 1, sent(BODY + b"!")), 507, "bytes", 0)
    coded = await api.put(recording, 1, gzip.compress(BODY), **{"Content-Encoding": "gzip"})
    assert coded.status == 200
    chunks = (await api.get(recording, "/chunks"))["data"]
    assert [chunk["size_bytes"] for chunk in chunks] == [len(BODY), len(MORE)]


async def test_a_body_that_does_not_fit_is_refused_before_it_is_asked_for(running, own):
    recording = await full(running, own)
    path = recording["chunk_upload_url_template"].replace("{part}", "3").removeprefix(running.settings.base_url)
    for size_bytes, answered in ((len(TOO_MUCH), b"HTTP/1.1 507 "), (9, b"HTTP/1.1 100 Continue")):
        head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size_bytes}\r\nExpect: 100-continue\r\n\r\n"
        reader, writer = await asyncio.open_connection(running.settings.host, running.settings.port)
        writer.write(head.encode())
        assert (await reader.readline()).startswith(answered)
        writer.close()
        await writer.wait_closed()


async def test_opening_again_with_the_same_key_gives_the_recording_however_full_the_project_is(running, own):
    named = {"Idempotency-Key": "visit-1"}
    body = {"streaming": True, "end_user_id": "eu_1", "codec": "opus", "name": "a visit"}
    opened = await running.api.call("POST", "/v1/recordings", body=body, headers=named)
    for quota in (Quota.BYTES, Quota.OPEN_RECORDINGS, Quota.RECORDINGS):
        own.set_for(project_of(running), quota, 0)
        again = await running.api.call("POST", "/v1/recordings", body=body, headers=named)
        assert (again.status, again.body) == (201, opened.body)
        refused = await running.api.call("POST", "/v1/recordings", body=body, headers={"Idempotency-Key": "visit-2"})
        check_refused(refused, 429 if quota is Quota.OPEN_RECORDINGS else 507, quota, 0)
        own.reset(project_of(running), quota)


async def test_a_file_that_does_not_fit_is_refused_when_its_url_is_asked_for(running, own):
    own.set_for(project_of(running), Quota.BYTES, MOST)
    created = await running.api.call("POST", "/v1/recordings", body={"end_user_id": "eu_1"})
    path = f"/v1/recordings/{created.json['id']}/upload-url"
    asked = {"content_type": "audio/wav", "file_size_bytes": MOST + MOST // 10}
    assert (await running.api.call("POST", path, body=asked)).status == 200
    asked["file_size_bytes"] += 1
    check_refused(await running.api.call("POST", path, body=asked), 507, "bytes", MOST)


async def test_expired_and_completed_recordings_are_open_no_more(running, own):
    own.set_for(project_of(running), Quota.OPEN_RECORDINGS, 1)
    recording = await running.api.upload([b"not audio"])
    refused = await running.api.call("POST", "/v1/recordings", body={"end_user_id": "eu_1"})
    check_refused(refused, 429, "open_recordings", 1)
    assert (await running.api.finalize(recording, 1)).status == 200
    await until(running, open_recordings=0)
    await running.api.create()
    await until(running, open_recordings=1)
    running.turn(hours=5)
    await until(running, open_recordings=0)
    await running.api.create()


async def test_what_was_replaced_or_expired_makes_room_once_its_retention_is_over(running, own, monkeypatch):
    monkeypatch.setattr(clock_module, "LONGEST_SLEEP", timedelta(seconds=0.1))
    own.set_for(project_of(running), Quota.BYTES, 2 * len(BODY))
    recording = await running.api.upload([BODY])
    assert (await running.api.put(recording, 1, BODY[::-1])).status == 200
    await until(running, kept_bytes=2 * len(BODY))
    refused = await running.api.call("POST", "/v1/recordings", body={"end_user_id": "eu_1"})
    check_refused(refused, 507, "bytes", 2 * len(BODY))
    running.turn(hours=running.settings.chunk_retention_hours + 5)
    await until(running, kept_bytes=len(BODY))
    await running.api.create()
    running.turn(hours=running.settings.expired_retention_hours + 5)
    await until(running, kept_bytes=0)


async def until(running: Running, **holds: int) -> None:
    """Once this is what the view says of Bota's project."""
    store = running.service.usage_view._store
    async with asyncio.timeout(30):
        while any(getattr(store.of(project_of(running)).usage, name) != count for name, count in holds.items()):
            await asyncio.sleep(0.01)


@pytest.mark.filterwarnings("ignore:It is recommended to use web.RequestKey")
async def test_dragons_chunks_and_finalize_are_refused_by_the_customers_quota_with_one_sentence(running, own):
    entry = credentials(running, "dragon")
    dragon = Dragon(running.settings.base_url, await development_token(entry), ids(entry))
    project = tenant_of_customer(entry["customer_id"])
    assert (await dragon.announce()).status == 200
    own.set_for(project, Quota.BYTES, MOST)
    for chunk_id, body in ((1, BODY), (2, MORE)):
        assert (await dragon.store(chunk_id, body)).body == SUCCESS
    refusals = [await dragon.store(3, TOO_MUCH), await dragon.store(1, MORE, 2), await dragon.finalize(1, 2)]
    for refused in refusals:
        assert (refused.status, refused.headers["Retry-After"]) == (507, "60")
        assert f"quota is {MOST} bytes" in refused.json["error"]
        assert "DELETE /v1/recordings/{id}" in refused.json["error"]
    assert (await dragon.store(1, BODY)).body == SUCCESS
    assert [chunk["chunkId"] for chunk in (await dragon.chunks()).json["chunks"]] == [1, 2]
    assert (await dragon.finalize(2)).body == SUCCESS
    own.set_for(project, Quota.BYTES, None)
    own.set_for(project, Quota.OPEN_RECORDINGS, 0)
    refused = await dragon.store(1, MORE, 2)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "60")
    named = recording_named(project, dragon.correlation_id, 2)
    assert not list(running.stores.blobs.keys(f"recordings/{named.hex}/"))


@pytest.mark.filterwarnings("ignore:It is recommended to use web.RequestKey")
async def test_dragons_sessions_are_counted_with_their_changes_and_one_that_is_known_is_answered(running, own):
    entry = credentials(running, "dragon")
    dragon = Dragon(running.settings.base_url, await development_token(entry), ids(entry))
    own.set_for(tenant_of_customer(entry["customer_id"]), Quota.SESSIONS, 2)
    said = {"data": orjson.dumps({"about": "a visit"}).decode()}
    first = await dragon.announce(**said)
    changed = await dragon.announce(data=None)
    assert (first.status, changed.status) == (200, 200)
    assert (await dragon.announce(data=None)).body == changed.body
    another = Dragon(dragon.url, dragon.token, ids(entry))
    for refused in (await dragon.announce(**said), await another.announce(**said)):
        assert refused.status == 409
        assert "quota is 2 announcements of ambient sessions, and it has 2;" in refused.json["error"]
    assert (await dragon.end()).status == 200
    assert len(list(running.stores.blobs.keys("recordings/"))) == 1


async def test_dorsums_chunks_are_refused_and_one_that_is_stored_gets_its_answer_again(running, own):
    dorsum = Dorsum(running.settings.base_url, keys_in(running.settings.data_dir))
    sent = {"chunk": silence(1), "previous_transcript": ""}
    first = await dorsum.send(**sent)
    assert first.status == 200, first
    most = CHUNK * 2
    own.set_for(project_of(running), Quota.BYTES, most)
    assert (await dorsum.send(**sent)).body == first.body
    refused = await dorsum.send(silence(2), previous_transcript="more")
    another = await dorsum.another().send(silence(3), previous_transcript="")
    for answer in (refused, another):
        assert (answer.status, answer.json["code"], answer.headers["Retry-After"]) == (507, 507, "60")
        assert f"quota is {most} bytes" in answer.json["message"]
    assert (await dorsum.state()).json["chunks_received"] == 1
    stored = recording_id("dorsum", project_of(running), dorsum.session_id)
    keys = [key for key in running.stores.blobs.keys("recordings/") if "/chunk-" in key]
    assert [key.startswith(f"recordings/{stored.hex}/") for key in keys] == [True]
    own.set_for(project_of(running), Quota.OPEN_RECORDINGS, 0)
    own.set_for(project_of(running), Quota.BYTES, None)
    refused = await dorsum.another().send(silence(3), previous_transcript="")
    assert (refused.status, refused.json["code"]) == (429, 429)
    assert (await dorsum.send(silence(2)[:100], final=True, previous_transcript="more")).status == 200


async def test_what_is_registered_already_is_found_however_many_there_are_and_erasing_makes_room(running, own):
    api, project = running.api, project_of(running)
    for quota in (Quota.END_USERS, Quota.DEVICES, Quota.WEBHOOKS):
        own.set_for(project, quota, 1)
    device = await api.call("POST", "/v1/devices", body={"serial_number": "one"})
    assert (await api.call("POST", "/v1/devices", body={"serial_number": "one"})).json == device.json
    check_refused(await api.call("POST", "/v1/devices", body={"serial_number": "two"}), 409, "devices", 1)
    user = await api.call("POST", "/v1/end-users", body={"external_id": "one"})
    bind = f"/v1/devices/{device.json['id']}/bind"
    check_refused(await api.call("POST", bind, body={"end_user_id": "eu_another"}), 409, "end_users", 1)
    assert (await api.call("POST", bind, body={"end_user_id": user.json["id"]})).status == 200
    assert (await api.call("DELETE", f"/v1/end-users/{user.json['id']}")).status == 204
    assert (await api.call("POST", "/v1/end-users", body={"external_id": "two"})).status == 201
    hook = {"url": "http://127.0.0.1:9/", "events": ["recording.created"]}
    made = await asyncio.gather(*(api.call("POST", "/v1/webhooks", body=hook) for _ in range(5)))
    (webhook,) = [answer.json for answer in made if answer.status == 201]
    for answer in made:
        if answer.status != 201:
            check_refused(answer, 409, "webhooks", 1)
    assert (await api.call("DELETE", f"/v1/webhooks/{webhook['id']}")).status == 204
    assert (await api.call("POST", "/v1/webhooks", body=hook)).status == 201


async def test_an_edit_of_a_note_counts_as_bytes_and_the_same_one_again_takes_none(running, own):
    dorsum = Dorsum(running.settings.base_url, keys_in(running.settings.data_dir))
    assert (await dorsum.send([1, 2, 3], final=True)).status == 200
    stored = await dorsum.note("PUT", body={"author": "dr-1", "sections": {"plan": [{"text": "Rest."}]}})
    own.set_for(project_of(running), Quota.BYTES, 1)
    refused = await dorsum.note("PUT", body={"author": "dr-1", "sections": {"plan": [{"text": "Fluids."}]}})
    assert (refused.status, "quota is 1 bytes" in refused.json["message"]) == (507, True)
    again = await dorsum.note("PUT", body={"author": "dr-1", "sections": {"plan": [{"text": "Rest."}]}})
    assert (again.status, again.body) == (200, stored.body) == (200, (await dorsum.note()).body)
