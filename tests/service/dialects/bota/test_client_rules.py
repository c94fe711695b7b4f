"""Every operation of Bota's, tried in a small world: each answer is one that the strictest clients take.

The list of operations is the reference's: one that joins it and is not tried here fails the test.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from service.dialects.bota.reference import REFERENCE
from service.dialects.http.operation import Operation
from tests.adapters.audio.samples import tone, wav
from tests.end_to_end.dorsum_client import Dorsum, keys_in
from tests.end_to_end.dragon_client import Dragon
from tests.end_to_end.listening import listening_at
from tests.end_to_end.service_process import Answer
from tests.service.dialects.bota.client_rules import check_answer, status_wanted
from tests.service.running_service import Running, TurnedClock, running_service

SUCCESSES = range(200, 300)
LARGEST_ANSWER = 8 * 2**20


def wanted() -> set[str]:
    """All operations that can succeed; some exist only to refuse."""
    return {named(one) for one in REFERENCE.operations if any(status in SUCCESSES for status in one.answers)}


def named(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


@dataclass
class Client:
    """Asks as the example clients do, and checks as they do."""

    running: Running
    project_id: str
    tried: set[str] = field(default_factory=set)

    async def ask(self, operation: str, ids: dict[str, str] | None = None, *, body: Any = None, query: str = "") -> Any:
        method, path = operation.split()
        sent = path
        for name, its_id in (ids or {}).items():
            sent = sent.replace(f"{{{name}}}", its_id)
        assert "{" not in sent, sent
        # Without a header of the test's own, this client accepts gzip; nothing is compressed even then.
        for coding in ({}, {"Accept-Encoding": "identity"}) if method == "GET" else ({"Accept-Encoding": "identity"},):
            answer = await self.running.api.call(method, sent + query, body=body, headers=coding)
            checked = check_answer(method, path, answer.status, answer.body, answer.headers, project_id=self.project_id)
        self.tried.add(operation)
        return checked

    async def get_bytes(self, operation: str, url: str, *, method: str = "GET", body: bytes | None = None) -> Answer:
        """Over a signed URL, or with the key."""
        signed = url.startswith("http")
        headers = {"Accept-Encoding": "identity"}
        answer = await self.running.api.call(method, url, body=body, headers=headers, key=not signed)
        assert answer.status == status_wanted(method, operation.split()[1])
        assert "Content-Encoding" not in answer.headers
        assert "Content-Range" not in answer.headers
        assert int(answer.headers["Content-Length"]) == len(answer.body) <= LARGEST_ANSWER
        self.tried.add(operation)
        return answer


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with running_service(tmp_path / "data", TurnedClock()) as running:
        created = await running.api.call("POST", "/v1/end-users", body={"external_id": "of the fixture"})
        yield Client(running, created.json["project_id"])


@pytest.mark.slow
async def test_every_answer_is_one_that_the_strictest_clients_take(client: Client) -> None:
    user, device = await try_the_directory(client)
    await try_webhooks(client)
    await try_a_whole_file(client, user)
    await try_a_streamed_recording(client, user)
    await try_a_failure(client, user)
    await try_a_note(client)
    await try_an_ambient_session(client)
    await client.ask("DELETE /v1/end-users/{end_user_id}", {"end_user_id": user})
    await try_what_operators_ask(client)
    await client.ask("GET /health")
    assert device
    assert client.tried == wanted()


async def try_the_directory(client: Client) -> tuple[str, str]:
    user = (await client.ask("POST /v1/end-users", body={"external_id": "p-1", "name": "A\N{SNOWMAN}"}))["id"]
    ids = {"end_user_id": user, "section": "processing"}
    await client.ask("GET /v1/end-users")
    await client.ask("GET /v1/end-users/{end_user_id}", ids)
    await client.ask("PATCH /v1/end-users/{end_user_id}", ids, body={"name": "B"})
    device = (await client.ask("POST /v1/devices", body={"serial_number": "SN-1", "model": "bota_pin"}))["id"]
    ids |= {"device_id": device}
    await client.ask("POST /v1/devices/{device_id}/bind", ids, body={"end_user_id": user})
    await client.ask("POST /v1/devices/{device_id}/token/refresh", ids)
    await client.ask("POST /v1/devices/{device_id}/heartbeat", ids, body={})
    await client.ask("GET /v1/devices/{device_id}/state", ids)
    await client.ask("GET /v1/devices")
    await client.ask("GET /v1/devices/{device_id}", ids)
    await client.ask("PATCH /v1/devices/{device_id}", ids, body={"name": "Pin"})
    await client.ask("GET /v1/config/{section}", ids)
    await client.ask("GET /v1/end-users/{end_user_id}/config/{section}", ids)
    await client.ask("GET /v1/devices/{device_id}/config/{section}", ids)
    await client.ask("POST /v1/devices/{device_id}/unbind", ids)
    return user, device


async def try_what_operators_ask(client: Client) -> None:
    await client.ask("GET /v1/operations")
    await client.ask("GET /v1/keys/current")
    made = await client.ask("POST /v1/keys", body={"kind": "restricted", "scopes": ["recordings:read"], "name": "A"})
    await client.ask("GET /v1/keys", query="?limit=1")
    await client.ask("DELETE /v1/keys/{key_id}", {"key_id": made["id"]})


async def try_a_note(client: Client) -> None:
    """Of a session of the same project, which came by Dorsum's API."""
    settings = client.running.settings
    session = await Dorsum(settings.base_url, keys_in(settings.data_dir)).send([1, 2, 3], final=True)
    ids = {"recording_id": f"rec_{UUID(session.json['task_id']).hex}", "number": "0"}
    edit = {"author": "dr-1", "sections": {"plan": [{"text": "Rest."}]}}
    await client.ask("PUT /v1/recordings/{recording_id}/note", ids, body=edit)
    await client.ask("GET /v1/recordings/{recording_id}/note", ids)
    await client.ask("GET /v1/recordings/{recording_id}/note/versions", ids)
    await client.ask("GET /v1/recordings/{recording_id}/note/versions/{number}", ids)


async def try_an_ambient_session(client: Client) -> None:
    """Of the same project, which came by Dragon's API."""
    dragon = await Dragon.connect(client.running)
    assert (await dragon.announce()).status == (await dragon.store(1, None)).status == 200
    (listed,) = (await client.ask("GET /v1/ambient-sessions"))["data"]
    assert listed["correlation_id"] == dragon.correlation_id
    found = await client.ask("GET /v1/ambient-sessions/{ambient_session_id}", {"ambient_session_id": listed["id"]})
    assert [one["external_id"] for one in found["recordings"]] == [f"{dragon.correlation_id}/1"]


async def try_webhooks(client: Client) -> None:
    asked = {"url": "http://127.0.0.1:9/hook", "events": ["recording.created", "device.seen"]}
    ids = {"webhook_id": (await client.ask("POST /v1/webhooks", body=asked))["id"]}
    await client.ask("GET /v1/webhooks")
    await client.ask("GET /v1/webhooks/{webhook_id}", ids)
    await client.running.api.create()
    listed: dict[str, Any] = {"data": []}
    while not listed["data"]:
        listed = await client.ask("GET /v1/webhooks/{webhook_id}/deliveries", ids)
    delivery = {"delivery_id": listed["data"][0]["id"]}
    await client.ask("GET /v1/webhooks/{webhook_id}/deliveries/{delivery_id}", ids | delivery)
    await client.ask("POST /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver", ids | delivery)
    await client.ask("POST /v1/webhooks/{webhook_id}/redeliver", ids)
    await client.ask("DELETE /v1/webhooks/{webhook_id}", ids)


async def try_a_whole_file(client: Client, user: str) -> None:
    file = wav(tone(16_000))
    made = await client.ask("POST /v1/recordings", body={"end_user_id": user, "recording_uuid": str(uuid4())})
    ids = {"recording_id": made["id"]}
    offered = await client.ask(
        "POST /v1/recordings/{recording_id}/upload-url", ids, body={"file_size_bytes": len(file)}
    )
    upload = "PUT /v1/uploads/{project_id}/{recording_id}/{file}"
    await client.get_bytes(upload, offered["upload_url"], method="PUT", body=file)
    completed = await client.ask("POST /v1/recordings/{recording_id}/upload-complete", ids, body={})
    assert completed["status"] == "uploaded"
    media = {"media_id": completed["media"][0]["id"]}
    assert (await client.running.api.ended(made))["status"] == "completed"
    asked = await client.ask("POST /v1/recordings/{recording_id}/download-url", ids, body=media)
    assert asked["media_id"] == media["media_id"]
    got = await client.ask("GET /v1/recordings/{recording_id}/download-url", ids)
    downloaded = await client.get_bytes("GET /v1/downloads/{recording_id}.{ending}", got["download_url"])
    assert downloaded.body == file
    await client.ask("GET /v1/recordings/{recording_id}", ids)
    await client.ask("DELETE /v1/recordings/{recording_id}", ids)


async def try_a_streamed_recording(client: Client, user: str) -> None:
    api = client.running.api
    made = await client.ask("POST /v1/recordings", body={"end_user_id": user, "streaming": True, "codec": "wav"})
    ids = {"recording_id": made["id"], "number": "1"}
    await api.put(made, 1, wav(tone(16_000)))
    listed = await client.ask("GET /v1/recordings/{recording_id}/chunks", ids)
    assert len(listed["data"]) == 1
    for below in ("1", "all"):
        operation = f"GET /v1/recordings/{{recording_id}}/chunks/{'{number}' if below == '1' else below}"
        await client.get_bytes(operation, f"/v1/recordings/{made['id']}/chunks/{below}")
    declared = {"total_chunks": 1, "final_duration_ms": 1_000}
    await client.ask("POST /v1/recordings/{recording_id}/finalize", ids, body=declared)
    transcription = (await client.ask("POST /v1/transcriptions", body={"recording_id": made["id"], "language": "en"}))[
        "id"
    ]
    await client.ask("POST /v1/recordings/{recording_id}/transcribe", ids)
    await api.ended(made)
    await client.ask("GET /v1/transcriptions", query="?limit=1")
    await client.ask("GET /v1/transcriptions/{transcription_id}", {"transcription_id": transcription})
    await client.ask("GET /v1/recordings", query="?limit=1")
    await client.ask("GET /v1/recordings/{recording_id}/events", ids)
    await try_the_stream_of_events(client, made)
    await client.ask("POST /v1/recordings/search", body={"query": "pain", "end_user_id": user, "limit": 8})
    asked = {"transcription_id": transcription, "template_id": "tmpl_general_notes"}
    summary = {"summary_id": (await client.ask("POST /v1/summaries", body=asked))["id"]}
    await client.ask("GET /v1/summaries")
    await client.ask("GET /v1/summaries/{summary_id}", summary)


async def try_the_stream_of_events(client: Client, made: dict[str, Any]) -> None:
    """Those that have no length: clients that want an answer whole do not ask for them. Only they are compressed."""
    everything, live = "GET /v1/events", "GET /v1/recordings/{recording_id}/live"
    for coding in ("identity", "gzip"):
        path = "/v1/events?since=beginning&follow=false"
        async with listening_at(client.running.api, path, coding=coding) as heard:
            assert heard.status == status_wanted(*everything.split())
            assert heard.headers.get("Content-Encoding", "identity") == coding
            assert await heard.rest()
        path = f"/v1/recordings/{made['id']}/live"
        async with listening_at(client.running.api, path, coding=coding) as heard:
            assert heard.status == status_wanted(*live.split())
            assert heard.headers.get("Content-Encoding", "identity") == coding
            assert [one.event for one in await heard.rest()] == ["progress", "transcript"]
    client.tried |= {everything, live}


async def try_a_failure(client: Client, user: str) -> None:
    made = await client.running.api.upload([b"%PDF-1.7 and nothing else"], end_user_id=user)
    await client.running.api.finalize(made, 1)
    assert (await client.running.api.ended(made))["status"] == "failed"
    await client.ask("POST /v1/recordings/{recording_id}/retry", {"recording_id": made["id"]})


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": "rec_1", "id": "rec_1"}',
        b'{"score": NaN}',
        b'{"score": 1e999}',
        b'{"name": "\\ud800"}',
        b'{"project_id": "proj_other"}',
        b'{"deleted_at": "2026-01-13T10:00:00Z"}',
        b'{"created_at": "2026-01-13T10:00Z"}',
        b'{"created_at": "2026-01-13T10:00:00.1234567Z"}',
        b'{"recording_id": "rec_a-b"}',
        b'{"id": "rec_1", "media": []}',
        b'{"id": "txn_1"}',
        b'{"content_sha256": "ABC"}',
        b"\xff",
        b'"' + b"x" * 2**20 + b'"',
    ],
)
def test_what_a_client_would_stop_at_is_noticed(body: bytes) -> None:
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    with pytest.raises((AssertionError, UnicodeDecodeError)):
        check_answer("GET", "/v1/recordings/{recording_id}", 200, body, headers, project_id="proj_1")


@pytest.mark.parametrize(
    ("status", "changed"),
    [(201, {}), (302, {}), (200, {"Content-Encoding": "gzip"}), (200, {"Content-Type": "text/plain"})],
)
def test_so_is_another_status_type_or_coding(status: int, changed: dict[str, str]) -> None:
    headers = {"Content-Type": "application/json", "Content-Length": "2"}
    assert check_answer("GET", "/v1/config/{section}", 200, b"{}", headers, project_id="proj_1") == {}
    with pytest.raises(AssertionError):
        check_answer("GET", "/v1/config/{section}", status, b"{}", headers | changed, project_id="proj_1")
