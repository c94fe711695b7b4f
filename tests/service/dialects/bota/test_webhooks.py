"""Webhooks from the receiver's side: what comes, in which order, signed how, and again when."""

import asyncio
import json
import logging
import shutil
import socket
import struct
import subprocess
from asyncio.subprocess import PIPE
from datetime import datetime
from itertools import pairwise
from uuid import uuid4

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from adapters.database.port import ServerAway
from adapters.keys import KeyKind
from adapters.webhooks.store import WebhookStore
from domain.ambient_session import AnnounceSession
from service.followers import webhook_delivery
from tests.domain.histories import session_opened
from tests.end_to_end.service_process import short_speech, slices
from tests.left_out import skip_outside_ci
from tests.service.dialects.bota.webhook_receiver import Receiver, receivers
from tests.service.running_service import Running, TurnedClock, running_service

CREATED, UPLOADED, DELETED = "recording.created", "recording.uploaded", "recording.deleted"
QUEUED, STARTED = "transcription.queued", "transcription.started"
COMPLETED, FAILED = "transcription.completed", "transcription.failed"
ALL = [CREATED, UPLOADED, QUEUED, STARTED, COMPLETED, FAILED, DELETED]


@pytest.fixture
def clock():
    return TurnedClock()


@pytest.fixture
async def service(tmp_path, clock):
    async with running_service(tmp_path / "data", clock) as running:
        yield running


@pytest.fixture
async def receiving():
    async with receivers() as start:
        yield start


async def register(service: Running, receiver: Receiver, events=ALL) -> dict:
    answer = await service.api.call("POST", "/v1/webhooks", body={"url": receiver.url, "events": events})
    assert answer.status == 201, answer
    return answer.json


async def deliveries(service: Running, webhook, query="") -> list[dict]:
    answer = await service.api.call("GET", f"/v1/webhooks/{webhook['id']}/deliveries{query}")
    assert answer.status == 200, answer
    return answer.json["data"]


async def until(service: Running, webhook, holds) -> dict:
    """The newest delivery of a webhook, once this holds of it."""
    async with asyncio.timeout(60):
        while True:
            found = await deliveries(service, webhook, "?limit=1")
            if found and holds(found[0]):
                return found[0]
            await asyncio.sleep(0.005)


def attempted(times: int):
    return lambda delivery: len(delivery["attempts"]) == times


async def finalized(service: Running, **fields):
    recording = await service.api.upload(slices(short_speech(), 3), codec="wav", **fields)
    assert (await service.api.finalize(recording, 3)).status == 200
    return recording


# --- what comes


async def test_the_size_of_an_uploaded_file_is_told(service, receiving):
    receiver = await receiving()
    await register(service, receiver, [UPLOADED])
    await whole(service)
    (received,) = await receiver.count(1)
    assert received.body["data"]["file_size_bytes"] == len(short_speech())


async def streamed(service):
    return await finalized(service, name="a name", metadata={"patient": "a patient"})


async def whole(service):
    recording = await service.api.create(streaming=False, name="a name")
    path = f"/v1/recordings/{recording['id']}"
    asked = {"content_type": "audio/wav", "file_size_bytes": len(short_speech())}
    offered = (await service.api.call("POST", f"{path}/upload-url", body=asked)).json
    await service.api.call("PUT", offered["upload_url"], body=short_speech(), key=False)
    assert (await service.api.call("POST", f"{path}/upload-complete", body={})).status == 200
    return recording


@pytest.mark.slow
@pytest.mark.parametrize("made", [streamed, whole], ids=["streaming", "whole file"])
async def test_a_recordings_webhooks_come_in_order_and_signed(service, receiving, made):
    receiver = await receiving()
    webhook = await register(service, receiver)
    recording = await made(service)
    transcript = await service.api.transcript(recording)
    assert (await service.api.call("DELETE", f"/v1/recordings/{recording['id']}")).status == 204
    received = await receiver.count(6)
    assert receiver.types == [CREATED, UPLOADED, QUEUED, STARTED, COMPLETED, DELETED]
    for one in received:
        one.check_signature(webhook["secret"])
        Webhook(webhook["secret"]).verify(one.raw, one.headers)
        assert one.headers["Content-Length"] == str(len(one.raw))
        assert "Transfer-Encoding" not in one.headers
        assert "Content-Encoding" not in one.headers
        assert one.headers["Content-Type"] == "application/json"
        assert one.body.keys() == {"id", "type", "created_at", "data"}
        assert one.body["id"].removeprefix("evt_").isalnum()
        assert b"a name" not in one.raw
        assert b"a patient" not in one.raw
    uploaded, queued, completed = (received[place].body["data"] for place in (1, 2, 4))
    assert (uploaded["id"], uploaded["status"]) == (recording["id"], "uploaded")
    assert uploaded["uploaded_at"].endswith("Z")
    assert queued["id"] == completed["id"] == transcript["id"]
    assert queued["recording_id"] == completed["recording_id"] == recording["id"]
    assert (queued["status"], completed["status"]) == ("pending", "completed")
    assert completed["word_count"] == transcript["word_count"]
    assert transcript["text"].encode() not in received[4].raw


async def test_ambient_sessions_are_passed_over(service, receiving):
    receiver = await receiving()
    await register(service, receiver)
    facts = session_opened().model_dump(exclude={"at"})
    await service.stores.sessions.execute(uuid4(), AnnounceSession(at=service.clock(), **facts))
    await service.api.create()
    await receiver.count(1)
    assert receiver.types == [CREATED]


JAVASCRIPT = """
const { Webhook } = require('standardwebhooks');
const lines = require('fs').readFileSync(0, 'utf8').trim().split('\\n').map(JSON.parse);
for (const { secret, raw, headers } of lines) {
  console.log(new Webhook(secret).verify(raw, headers).type);
  try { new Webhook(secret).verify(raw + ' ', headers); process.exit(1); } catch (error) { }
}
"""


def _goes_well(command, folder):
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=120).returncode == 0
    except subprocess.TimeoutExpired:
        return False


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory):
    """A folder in which node finds the JavaScript library. Without node, or the library: skipped, but never in CI."""
    folder = tmp_path_factory.mktemp("node")
    install = ["npm", "install", "--no-audit", "--no-fund", "--silent", "standardwebhooks@1"]
    found = shutil.which("node") and shutil.which("npm")
    if not found or not any(_goes_well(install, folder) for _ in range(3)):
        sentence = "node with npm's standardwebhooks is not to be had here"
        skip_outside_ci(sentence)
        pytest.fail(sentence)
    return folder


@pytest.mark.slow
async def test_the_javascript_library_accepts_what_is_sent_and_nothing_else(service, receiving, node_folder):
    receiver = await receiving()
    webhook = await register(service, receiver)
    await service.api.create(name="Ünïcödé")
    await finalized(service)
    received = await receiver.count(6)
    lines = [
        json.dumps(
            {
                "secret": webhook["secret"],
                "raw": one.raw.decode(),
                "headers": {name.lower(): value for name, value in one.headers.items()},
            }
        )
        for one in received
    ]
    node = await asyncio.create_subprocess_exec(
        "node", "-e", JAVASCRIPT, cwd=node_folder, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    said, complained = await node.communicate("\n".join(lines).encode())
    assert (node.returncode, complained) == (0, b"")
    assert said.decode().split() == receiver.types


@pytest.mark.slow
async def test_only_what_was_subscribed_to_comes_and_only_from_then_on(service, receiving):
    before = await finalized(service)
    receiver = await receiving()
    await register(service, receiver, [UPLOADED, DELETED])
    after = await finalized(service)
    await service.api.ended(after)
    await service.api.call("DELETE", f"/v1/recordings/{after['id']}")
    await receiver.count(2)
    assert [(one.type, one.body["data"]["id"]) for one in receiver.received] == [
        (UPLOADED, after["id"]),
        (DELETED, after["id"]),
    ]
    assert before["id"] not in str(receiver.received)


@pytest.mark.slow
async def test_audio_that_is_not_what_was_declared_is_said_and_nothing_is_transcribed(service, receiving):
    receiver = await receiving()
    await register(service, receiver)
    recording = await service.api.upload([short_speech()], codec="wav")
    await service.api.finalize(recording, 1, checksum_md5="0" * 32)
    received = await receiver.count(4)
    assert receiver.types == [CREATED, UPLOADED, QUEUED, FAILED]
    said = received[-1].body["data"]
    assert (said["status"], said["recording_status"], said["reason"]) == ("failed", *["integrity_failure"] * 2)
    assert said["error"]


async def test_another_projects_endpoint_is_told_of_nothing(service, receiving):
    mine, theirs = await receiving(), await receiving()
    await register(service, mine)
    key = service.stores.keys.create(KeyKind.SECRET, project_id="proj_other").token
    other = type(service.api)(service.api.url, key, "eu_1")
    await other.call("POST", "/v1/webhooks", body={"url": theirs.url, "events": ALL})
    await service.api.create()
    await mine.count(1)
    await other.create()
    await theirs.count(1)
    assert len(mine.received) == 1


# --- again, and when


async def test_a_receiver_that_fails_five_times_and_then_accepts_gets_the_same_event_each_time(service, receiving):
    receiver = await receiving(500, 503, 404, 400, 302)
    webhook = await register(service, receiver)
    await service.api.create()
    for attempt in range(1, 6):
        delivery = await until(service, webhook, attempted(attempt))
        assert delivery["status"] == "pending"
        wait = datetime.fromisoformat(delivery["next_attempt_at"]) - service.clock.now
        service.turn(seconds=wait.total_seconds() - 0.01)
        assert len((await deliveries(service, webhook))[0]["attempts"]) == len(receiver.received) == attempt
        service.turn(seconds=0.02)
        await receiver.count(attempt + 1)
    delivery = await until(service, webhook, lambda one: one["status"] == "delivered")
    assert [one["status_code"] for one in delivery["attempts"]] == [500, 503, 404, 400, 302, 200]
    assert [one["number"] for one in delivery["attempts"]] == [1, 2, 3, 4, 5, 6]
    times = [datetime.fromisoformat(one["at"]) for one in delivery["attempts"]]
    waits = [round((later - earlier).total_seconds() / 60) for earlier, later in pairwise(times)]
    assert waits == [1, 5, 30, 120, 480]
    assert len({one.raw for one in receiver.received}) == 1
    for one, moment in zip(receiver.received, times, strict=True):
        one.check_signature(webhook["secret"])
        assert int(one.headers["X-Bota-Timestamp"]) == int(moment.timestamp())


async def test_an_endpoint_that_fails_all_attempts_is_marked_until_it_accepts_again(service, receiving):
    receiver = await receiving(*[500] * 6)
    webhook = await register(service, receiver)
    await service.api.create()
    for attempt in range(1, 6):
        await until(service, webhook, attempted(attempt))
        service.turn(hours=9)
    failed = await until(service, webhook, lambda one: one["status"] == "failed")
    assert (len(failed["attempts"]), failed["next_attempt_at"]) == (6, None)
    shown = (await service.api.call("GET", f"/v1/webhooks/{webhook['id']}")).json
    assert shown["status"] == "failing"
    assert shown["failing_since"] == failed["attempts"][-1]["at"]

    path = f"/v1/webhooks/{webhook['id']}/deliveries/{failed['id']}/redeliver"
    again = await service.api.call("POST", path)
    assert (again.status, again.json["status"]) == (202, "pending")
    done = await until(service, webhook, lambda one: one["status"] == "delivered")
    assert len(done["attempts"]) == 7
    assert len({one.body["id"] for one in receiver.received}) == 1
    shown = (await service.api.call("GET", f"/v1/webhooks/{webhook['id']}")).json
    assert (shown["status"], shown["failing_since"]) == ("active", None)


async def test_everything_that_failed_can_be_sent_again_at_once(service, receiving):
    receiver = await receiving(always=500)
    webhook = await register(service, receiver, [CREATED])
    for _ in range(3):
        await service.api.create()
    for attempt in range(1, 7):
        await receiver.count(3 * attempt)
        async with asyncio.timeout(60):
            while not all(len(one["attempts"]) == attempt for one in await deliveries(service, webhook)):
                await asyncio.sleep(0.005)
        service.turn(hours=9)
    receiver._always = 204
    path = f"/v1/webhooks/{webhook['id']}/redeliver"
    assert (await service.api.call("POST", path)).json == {"redelivered": 3}
    await receiver.count(21)
    async with asyncio.timeout(60):
        while {one["status"] for one in await deliveries(service, webhook)} != {"delivered"}:
            await asyncio.sleep(0.005)
    assert (await service.api.call("POST", path)).json == {"redelivered": 0}


async def test_a_delivery_is_shown_with_the_body_that_was_sent_and_signed(service, receiving):
    receiver, another = await receiving(), await receiving()
    webhook, other = await register(service, receiver, [CREATED]), await register(service, another, [UPLOADED])
    await service.api.create()
    (received,) = await receiver.count(1)
    listed = await until(service, webhook, attempted(1))
    shown = await service.api.call("GET", f"/v1/webhooks/{webhook['id']}/deliveries/{listed['id']}")
    assert (shown.status, shown.json) == (200, listed | {"request_body": received.raw.decode()})
    for path in (f"{other['id']}/deliveries/{listed['id']}", f"{webhook['id']}/deliveries/del_1"):
        answer = await service.api.call("GET", f"/v1/webhooks/{path}")
        assert (answer.status, answer.error["message"]) == (404, "There is no such delivery.")


async def test_a_receiver_that_is_down_through_a_restart_of_the_service_gets_everything(tmp_path, clock, receiving):
    receiver = await receiving()
    await receiver.stop()
    async with running_service(tmp_path / "data", clock) as service:
        webhook = await register(service, receiver)
        recording = await service.api.create()
        await until(service, webhook, attempted(1))
    await receiver.start()
    async with running_service(tmp_path / "data", clock) as service:
        found = await until(service, webhook, attempted(1))
        assert found["attempts"][0]["error"].startswith("Not connected")
        assert receiver.received == []
        service.turn(minutes=1)
        (received,) = await receiver.count(1)
        received.check_signature(webhook["secret"])
        assert received.body["data"]["id"] == recording["id"]
        done = await until(service, webhook, attempted(2))
        assert (done["status"], done["event_id"]) == ("delivered", received.body["id"])


async def test_an_answer_after_29_seconds_counts_and_one_after_31_comes_too_late(service, receiving):
    may_answer = asyncio.Event()

    async def slowly(_):
        await may_answer.wait()
        return web.Response()

    receiver = await receiving(slowly, slowly)
    webhook = await register(service, receiver, [CREATED])
    await service.api.create()
    await receiver.count(1)
    service.turn(seconds=29)
    may_answer.set()
    done = await until(service, webhook, attempted(1))
    assert (done["status"], done["attempts"][0]["duration_ms"]) == ("delivered", 29_000)

    may_answer.clear()
    await service.api.create()
    await receiver.count(2)
    service.turn(seconds=31)
    late = await until(service, webhook, attempted(1))
    assert late["status"] == "pending"
    assert late["attempts"][0]["error"] == "No answer within 30 seconds."
    may_answer.set()
    service.turn(minutes=1)
    done = await until(service, webhook, attempted(2))
    assert done["status"] == "delivered"
    assert receiver.received[1].raw == receiver.received[2].raw


async def test_a_reset_connection_is_a_failure_and_a_redirect_is_not_followed(service, receiving):
    elsewhere = await receiving()

    async def reset(request):
        linger = struct.pack("ii", 1, 0)
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        request.transport.abort()
        return web.Response()

    async def moved(_):
        return web.Response(status=301, headers={"Location": elsewhere.url})

    receiver = await receiving(reset, moved)
    webhook = await register(service, receiver)
    await service.api.create()
    first = await until(service, webhook, attempted(1))
    assert first["attempts"][0]["error"]
    assert first["attempts"][0]["status_code"] is None
    service.turn(minutes=1)
    second = await until(service, webhook, attempted(2))
    assert (second["status"], second["attempts"][1]["status_code"]) == ("pending", 301)
    service.turn(minutes=5)
    await until(service, webhook, lambda one: one["status"] == "delivered")
    assert elsewhere.received == []


async def test_the_next_event_of_a_recording_waits_for_the_one_before_and_others_do_not(service, receiving):
    receiver = await receiving(500)
    webhook = await register(service, receiver, [CREATED, UPLOADED])
    held = await service.api.upload([b"not audio"])
    await until(service, webhook, attempted(1))
    await service.api.finalize(held, 1)
    other = await service.api.create()
    await receiver.count(2)
    await until(service, webhook, lambda one: one["status"] == "delivered")
    assert receiver.received[1].body["data"]["id"] == other["id"]
    assert [(one["type"], one["status"], len(one["attempts"])) for one in await deliveries(service, webhook)] == [
        (CREATED, "delivered", 1),
        (UPLOADED, "pending", 0),
        (CREATED, "pending", 1),
    ]
    service.turn(minutes=1)
    received = await receiver.count(4)
    assert [(one.type, one.body["data"]["id"]) for one in received[2:]] == [
        (CREATED, held["id"]),
        (UPLOADED, held["id"]),
    ]


async def test_while_the_database_is_away_a_lane_waits_and_says_so_in_a_sentence(
    service, receiving, monkeypatch, caplog
):
    receiver = await receiving()
    monkeypatch.setattr(webhook_delivery, "RESTART_SECONDS", 0.01)
    for name in ("secret_of", "record"):
        away_twice(monkeypatch, name)
    webhook = await register(service, receiver, [CREATED])
    await service.api.create()
    await until(service, webhook, lambda one: one["status"] == "delivered")
    said = [(record.levelname, record.message) for record in caplog.records if record.levelno >= logging.WARNING]
    assert (
        said
        == [("WARNING", "webhook lane waits for the database")] * 2
        + [("WARNING", "webhook attempt not recorded; it is made again")] * 2
    )


def away_twice(monkeypatch, name):
    """What a store does by this name."""
    done, failures = getattr(WebhookStore, name), iter([ServerAway("It is away.")] * 2)

    def do(store, *arguments):
        for failure in failures:
            raise failure
        return done(store, *arguments)

    monkeypatch.setattr(WebhookStore, name, do)


async def test_a_receivers_endless_answer_is_cut_off(service, receiving):
    async def babble(request):
        response = web.StreamResponse(status=500)
        await response.prepare(request)
        for _ in range(200):
            await response.write(b"x" * 1000)
        return response

    receiver = await receiving(babble)
    webhook = await register(service, receiver)
    await service.api.create()
    delivery = await until(service, webhook, attempted(1))
    assert delivery["attempts"][0]["response_body"] == "x" * 4096
    assert delivery["attempts"][0]["status_code"] == 500


# --- the endpoint itself


async def test_the_secret_is_shown_once_and_is_neither_in_the_files_nor_in_the_log(service, receiving, caplog):
    receiver = await receiving(500)
    webhook = await register(service, receiver)
    assert webhook["secret"].startswith("whsec_")
    await service.api.create()
    await until(service, webhook, attempted(1))
    path = f"/v1/webhooks/{webhook['id']}"
    shown = [await service.api.call("GET", "/v1/webhooks"), await service.api.call("GET", path)]
    assert all(b"whsec_" not in answer.body for answer in shown)
    expected = {name: value for name, value in webhook.items() if name != "secret"}
    assert shown[0].json == {"data": [expected], "has_more": False, "next_cursor": None}
    assert shown[1].json == expected
    secret = webhook["secret"].removeprefix("whsec_")
    files = [file for file in service.settings.data_dir.iterdir() if file.name.startswith("webhooks")]
    assert len(files) >= 2
    assert not [file.name for file in files if secret.encode() in file.read_bytes()]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert secret not in caplog.text


async def test_a_deleted_endpoint_is_told_of_nothing_more(service, receiving):
    gone, kept = await receiving(), await receiving()
    webhook = await register(service, gone)
    await register(service, kept)
    path = f"/v1/webhooks/{webhook['id']}"
    assert (await service.api.call("DELETE", path)).status == 204
    await service.api.create()
    await kept.count(1)
    assert gone.received == []
    for method, below in [("GET", ""), ("DELETE", ""), ("GET", "/deliveries"), ("POST", "/redeliver")]:
        answer = await service.api.call(method, path + below)
        assert (answer.status, answer.error["type"]) == (404, "not_found")


async def test_deliveries_are_listed_by_page_newest_first(service, receiving):
    receiver = await receiving()
    webhook = await register(service, receiver, [CREATED])
    for _ in range(5):
        await service.api.create()
    received = await receiver.count(5)
    listed, cursor = [], ""
    while cursor is not None:
        query = f"?limit=2&cursor={cursor}"
        answer = (await service.api.call("GET", f"/v1/webhooks/{webhook['id']}/deliveries{query}")).json
        listed += answer["data"]
        cursor = answer["next_cursor"]
    assert {one["event_id"] for one in listed} == {one.body["id"] for one in received}
    assert len(listed) == 5
    bad = await service.api.call("GET", f"/v1/webhooks/{webhook['id']}/deliveries?cursor=x")
    assert (bad.status, bad.error["details"]["field"]) == (400, "cursor")


async def test_an_endpoint_may_name_events_that_are_never_sent_and_is_answered_with_exactly_these(service):
    events = ["summary.failed", "recording.created", "device.firmware_updated", "a.b", "a." + "b" * 98]
    body = {"url": "http://127.0.0.1:9/hook", "events": events}
    made = (await service.api.call("POST", "/v1/webhooks", body=body)).json
    assert made == {
        "id": made["id"],
        "url": "http://127.0.0.1:9/hook",
        "events": events,
        "status": "active",
        "failing_since": None,
        "created_at": made["created_at"],
        "secret": made["secret"],
    }
    assert (await service.api.call("GET", f"/v1/webhooks/{made['id']}")).json["events"] == events
    assert (await service.api.call("GET", "/v1/webhooks")).json["data"][0]["events"] == events


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"events": ALL}, "url"),
        ({"url": "ftp://example.org/", "events": ALL}, "url"),
        ({"url": "http:///path", "events": ALL}, "url"),
        ({"url": "nonsense", "events": ALL}, "url"),
        ({"url": "http://[::1", "events": ALL}, "url"),
        ({"url": "http://user:password@127.0.0.1/", "events": ALL}, "url"),
        ({"url": "http://no.such.host.invalid/", "events": ALL}, "url"),
        ({"url": "http://127.0.0.1/" + "x" * 2100, "events": ALL}, "url"),
        ({"url": "http://127.0.0.1/", "events": []}, "events"),
        ({"url": "http://127.0.0.1/"}, "events"),
        *(
            ({"url": "http://127.0.0.1/", "events": [name]}, "events.0")
            for name in (
                "recording",
                "recording.chunk.stored",
                "Recording.created",
                "a.b c",
                "a.",
                "1.a",
                "a." + "b" * 99,
            )
        ),
    ],
)
async def test_an_endpoint_that_cannot_be_told_is_not_made(service, body, field):
    answer = await service.api.call("POST", "/v1/webhooks", body=body)
    assert (answer.status, answer.error["details"]["field"]) == (400, field)
    assert (await service.api.call("GET", "/v1/webhooks")).json["data"] == []


async def test_without_the_setting_a_private_address_is_refused_when_registered_and_when_sent(
    tmp_path, clock, receiving
):
    receiver = await receiving()
    async with running_service(tmp_path / "data", clock) as service:
        webhook = await register(service, receiver)
    async with running_service(tmp_path / "data", clock, webhook_private_addresses=False) as service:
        answer = await service.api.call("POST", "/v1/webhooks", body={"url": receiver.url, "events": ALL})
        assert (answer.status, answer.error["details"]["field"]) == (400, "url")
        await service.api.create()
        delivery = await until(service, webhook, attempted(1))
        assert (delivery["status"], delivery["attempts"][0]["status_code"]) == ("pending", None)
        assert receiver.received == []
