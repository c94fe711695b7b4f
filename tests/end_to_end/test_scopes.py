"""Who may do what: a table of key kind by endpoint, every cell of it tried on the running service."""

from dataclasses import dataclass
from datetime import timedelta
from secrets import token_hex

import pytest

from service.application.clock import utc_now
from service.dialects.bota.reference import REFERENCE
from service.dialects.dragon.names import SessionName, tenant_of_customer
from tests.end_to_end.dragon_client import Dragon
from tests.end_to_end.service_process import short_speech

RESOURCES = ("recordings", "transcriptions", "summaries", "webhooks", "end_users", "devices")
SCOPES = [f"{what}:{how}" for what in RESOURCES for how in ("read", "write")] + ["operations:read"]

ONLY_SECRET = "a secret key"  # noqa: S105 - the name of a kind
"""In place of a scope: what no restricted key may, whatever its scopes."""

# method and path -> the scope it needs, if any, and the tokens that may, too, for what is theirs
TABLE = {
    "POST /v1/recordings": ("recordings:write", ["device"]),
    "GET /v1/recordings": ("recordings:read", []),
    "GET /v1/events": ("recordings:read", []),
    "POST /v1/recordings/search": ("recordings:read", []),
    "GET /v1/recordings/{recording_id}": ("recordings:read", []),
    "DELETE /v1/recordings/{recording_id}": ("recordings:write", []),
    "POST /v1/recordings/{recording_id}/finalize": ("recordings:write", ["device"]),
    "GET /v1/recordings/{recording_id}/chunks": ("recordings:read", ["device", "upload"]),
    "GET /v1/recordings/{recording_id}/chunks/all": ("recordings:read", []),
    "GET /v1/recordings/{recording_id}/chunks/{number}": ("recordings:read", []),
    "POST /v1/recordings/{recording_id}/upload-url": ("recordings:write", ["device", "upload"]),
    "POST /v1/recordings/{recording_id}/upload-complete": ("recordings:write", ["device", "upload"]),
    "GET /v1/recordings/{recording_id}/events": ("recordings:read", []),
    "POST /v1/recordings/{recording_id}/retry": ("recordings:write", []),
    "GET /v1/recordings/{recording_id}/live": ("transcriptions:read", []),
    "GET /v1/recordings/{recording_id}/download-url": ("recordings:read", []),
    "POST /v1/recordings/{recording_id}/download-url": ("recordings:read", []),
    "POST /v1/transcriptions": ("transcriptions:write", []),
    "POST /v1/recordings/{recording_id}/transcribe": ("transcriptions:write", []),
    "GET /v1/transcriptions": ("transcriptions:read", []),
    "GET /v1/transcriptions/{transcription_id}": ("transcriptions:read", []),
    "POST /v1/summaries": ("summaries:write", []),
    "GET /v1/summaries": ("summaries:read", []),
    "GET /v1/summaries/{summary_id}": ("summaries:read", []),
    "GET /v1/recordings/{recording_id}/note": ("summaries:read", []),
    "PUT /v1/recordings/{recording_id}/note": ("summaries:write", []),
    "GET /v1/recordings/{recording_id}/note/versions": ("summaries:read", []),
    "GET /v1/recordings/{recording_id}/note/versions/{number}": ("summaries:read", []),
    "POST /v1/webhooks": ("webhooks:write", []),
    "GET /v1/webhooks": ("webhooks:read", []),
    "GET /v1/webhooks/{webhook_id}": ("webhooks:read", []),
    "DELETE /v1/webhooks/{webhook_id}": ("webhooks:write", []),
    "GET /v1/webhooks/{webhook_id}/deliveries": ("webhooks:read", []),
    "GET /v1/webhooks/{webhook_id}/deliveries/{delivery_id}": ("webhooks:read", []),
    "POST /v1/webhooks/{webhook_id}/redeliver": ("webhooks:write", []),
    "POST /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver": ("webhooks:write", []),
    "POST /v1/end-users": ("end_users:write", []),
    "GET /v1/end-users": ("end_users:read", []),
    "GET /v1/end-users/{end_user_id}": ("end_users:read", []),
    "PATCH /v1/end-users/{end_user_id}": ("end_users:write", []),
    "DELETE /v1/end-users/{end_user_id}": ("end_users:write", []),
    "POST /v1/devices": ("devices:write", []),
    "GET /v1/devices": ("devices:read", []),
    "GET /v1/devices/{device_id}": ("devices:read", ["device"]),
    "PATCH /v1/devices/{device_id}": ("devices:write", []),
    "POST /v1/devices/{device_id}/bind": ("devices:write", []),
    "POST /v1/devices/{device_id}/unbind": ("devices:write", []),
    "POST /v1/devices/{device_id}/token/refresh": ("devices:write", ["device"]),
    "POST /v1/devices/{device_id}/heartbeat": ("devices:write", ["device"]),
    "GET /v1/devices/{device_id}/state": ("devices:read", ["device"]),
    "GET /v1/config/{section}": (None, ["device"]),
    "GET /v1/end-users/{end_user_id}/config/{section}": (None, ["device"]),
    "GET /v1/devices/{device_id}/config/{section}": (None, ["device"]),
    "POST /v1/recordings/{recording_id}/encrypted-upload-v2/sessions": ("recordings:write", ["device", "upload"]),
    **dict.fromkeys(
        [
            "GET /v1/recordings/{recording_id}/encrypted-upload-v2/sessions/{session_id}",
            "DELETE /v1/recordings/{recording_id}/encrypted-upload-v2/sessions/{session_id}",
            "POST /v1/recordings/{recording_id}/encrypted-upload-v2/sessions/{session_id}/staging-url",
            "POST /v1/recordings/{recording_id}/encrypted-upload-v2/sessions/{session_id}/manifest",
            "POST /v1/recordings/{recording_id}/encrypted-upload-v2/sessions/{session_id}/recover",
            "POST /v1/recordings/{recording_id}/upload-relay",
        ],
        ("recordings:write", ["device", "upload"]),
    ),
    "GET /v1/ambient-sessions": ("recordings:read", []),
    "GET /v1/ambient-sessions/{ambient_session_id}": ("recordings:read", []),
    "GET /v1/operations": ("operations:read", []),
    "GET /v1/keys/current": (None, []),
    "GET /v1/keys": (ONLY_SECRET, []),
    "POST /v1/keys": (ONLY_SECRET, []),
    "DELETE /v1/keys/{key_id}": (ONLY_SECRET, []),
    "POST /v1/devices/{device_id}/grant": ("devices:write", ["device"]),
    "GET /v1/devices/{device_id}/commands": ("devices:write", ["device"]),
    "POST /v1/devices/{device_id}/commands": ("devices:write", ["device"]),
}
NAMES_ONES_OWN = ("{recording_id}", "{device_id}")


@dataclass(frozen=True)
class Request:
    """One that is right, for what is in a project of its own."""

    method: str
    path: str
    body: object
    project_id: str
    recording_id: str


@dataclass
class Things:
    """What there is in a project: made anew for a cell that does something, so that no cell spoils the next."""

    service: object
    new_key: object
    kept: dict[str, Request]

    async def request(self, operation, *, is_done):
        """What only reads, or is refused, is asked for the same things by all cells of the operation."""
        if is_done and not operation.startswith("GET "):
            return await self._made(operation)
        if operation not in self.kept:
            self.kept[operation] = await self._made(operation)
        return self.kept[operation]

    async def _made(self, operation):
        method, path = operation.split()
        dragon = await Dragon.connect(self.service) if "{ambient_session_id}" in path else None
        project_id = f"proj_{token_hex(8)}" if dragon is None else tenant_of_customer(dragon.named["customerId"])
        api = self.service.api(self.new_key("secret", project_id=project_id))
        whole = path.endswith(("/upload-url", "/upload-complete"))
        facts = {"device_id": "dev_own", "end_user_id": "eu_own"}
        recording = await api.create(streaming=not whole, **facts)
        path = path.replace("{recording_id}", recording["id"])
        path = path.replace("{number}", "1").replace("{section}", "upload")
        path = f"{path}?follow=false" if path.endswith(("/live", "/v1/events")) else path
        path = path.replace("{session_id}", "6e3c0a52-6a3f-4b0e-9d43-2f4b8c1d7a90")
        if "{device_id}" in path or "{end_user_id}" in path:
            self.new_key("device", project_id=project_id, **facts)  # which is proof that they exist
        path = path.replace("{device_id}", "dev_own").replace("{end_user_id}", "eu_own")
        path = path.replace("{transcription_id}", recording["id"].replace("rec_", "txn_"))
        if dragon is not None:
            assert (await dragon.announce()).status == 200
            its_id = SessionName(dragon.named["customerId"], dragon.correlation_id).id
            path = path.replace("{ambient_session_id}", f"ses_{its_id.hex}")
        if "{key_id}" in path:
            token = self.new_key("secret", project_id=project_id)
            path = path.replace("{key_id}", token.removeprefix("sk_live_")[:12])
        if whole:
            asked = {"content_type": "audio/wav", "file_size_bytes": 9}
            offered = await api.call("POST", f"/v1/recordings/{recording['id']}/upload-url", body=asked)
            await api.call("PUT", offered.json["upload_url"], body=short_speech(), key=False)
        else:
            await api.put(recording, 1, short_speech())
        if "transcription" in path or "summaries" in path:
            await api.finalize(recording, 1)
        if "{summary_id}" in path:
            path = path.replace("{summary_id}", await self._summary(api, recording))
        if "{webhook_id}" in path:
            path = path.replace("{webhook_id}", await self._webhook(api))
        if "{delivery_id}" in path:
            await api.create(**facts)
            found = {"data": []}
            while not found["data"]:
                found = (await api.call("GET", path.split("/deliveries/")[0] + "/deliveries")).json
            path = path.replace("{delivery_id}", found["data"][0]["id"])
        return Request(method, path, _body(operation, recording["id"]), project_id, recording["id"])

    async def _summary(self, api, recording):
        transcript = await api.transcript(recording)
        body = {"transcription_id": transcript["id"], "template": "general"}
        return (await api.call("POST", "/v1/summaries", body=body)).json["id"]

    async def _webhook(self, api):
        body = {"url": "http://127.0.0.1:9/", "events": ["recording.created"]}
        return (await api.call("POST", "/v1/webhooks", body=body)).json["id"]


def _body(operation, recording_id):
    return {
        "POST /v1/recordings": {"streaming": True, "end_user_id": "eu_own"},
        "POST /v1/recordings/search": {"query": "rash", "end_user_id": "eu_own"},
        "POST /v1/recordings/{recording_id}/finalize": {"total_chunks": 1, "final_duration_ms": 1},
        "POST /v1/recordings/{recording_id}/upload-url": {"content_type": "audio/wav", "file_size_bytes": 9},
        "POST /v1/recordings/{recording_id}/upload-complete": {},
        "POST /v1/recordings/{recording_id}/download-url": {"media_id": recording_id.replace("rec_", "med_")},
        "POST /v1/transcriptions": {"recording_id": recording_id},
        "POST /v1/summaries": {"transcription_id": recording_id.replace("rec_", "txn_"), "template": "general"},
        "PUT /v1/recordings/{recording_id}/note": {
            "author": "dr-1",
            "sections": {"plan": [{"text": "Rest."}]},
        },
        "POST /v1/webhooks": {"url": "http://127.0.0.1:9/", "events": ["recording.created"]},
        "POST /v1/keys": {"scopes": ["recordings:read"]},
        "POST /v1/end-users": {},
        "PATCH /v1/end-users/{end_user_id}": {},
        "POST /v1/devices": {"serial_number": "SN 1"},
        "PATCH /v1/devices/{device_id}": {},
        "POST /v1/devices/{device_id}/bind": {"end_user_id": "eu_own"},
    }.get(operation)


@pytest.fixture(scope="module")
def kept():
    return {}


@pytest.fixture
def things(service, new_key, kept):
    return Things(service, new_key, kept)


def test_the_table_has_every_operation_that_needs_a_key():
    assert set(TABLE) == {f"{one.method} {one.path}" for one in REFERENCE.operations if one.security}


async def status(things, operation, kind, *, is_done, **facts):
    """What a key of this kind is answered. Facts given as callables are made of the recording's id."""
    request = await things.request(operation, is_done=is_done)
    project_id = facts.pop("project_id", request.project_id)
    facts = {name: fact(request.recording_id) if callable(fact) else fact for name, fact in facts.items()}
    token = things.new_key(kind, project_id=project_id, **facts)
    answer = await things.service.api(token).call(request.method, request.path, body=request.body)
    if answer.status == 403:
        assert answer.error["type"] == answer.error["code"] == "forbidden"
    return answer.status


PERMITTED = {200, 201, 202, 204, 409, 422}
"""409: a recording that is not what the endpoint is for; 422: what is not supported. The key was let in."""


@pytest.mark.parametrize("operation", TABLE)
async def test_without_a_key_or_with_an_unknown_one_nothing_is_done(things, operation):
    request = await things.request(operation, is_done=False)
    for api, key in [(things.service.api("sk_live_" + "a" * 45), True), (things.service.api(), False)]:
        answer = await api.call(request.method, request.path, body=request.body, key=key)
        assert (answer.status, answer.error["type"]) == (401, "unauthorized")


@pytest.mark.parametrize("operation", TABLE)
async def test_a_secret_key_may_and_a_restricted_one_as_its_scope_says(things, operation):
    needed, _ = TABLE[operation]
    if needed == ONLY_SECRET:
        assert await status(things, operation, "secret", is_done=True) in PERMITTED
        every = frozenset({*SCOPES, "keys:read", "keys:write"})
        assert await status(things, operation, "restricted", is_done=False, scopes=every) == 403
        return
    assert await status(things, operation, "secret", is_done=True) in PERMITTED
    enough = frozenset({needed or "webhooks:read"})
    assert await status(things, operation, "restricted", is_done=True, scopes=enough) in PERMITTED
    if needed is None:
        return
    for scopes in [frozenset(), *(frozenset({scope}) for scope in SCOPES if scope != needed)]:
        assert await status(things, operation, "restricted", is_done=False, scopes=scopes) == 403, scopes


@pytest.mark.parametrize("operation", TABLE)
async def test_a_device_token_may_what_its_own_device_needs(things, operation):
    allowed = "device" in TABLE[operation][1]
    own = await status(things, operation, "device", is_done=allowed, device_id="dev_own", end_user_id="eu_own")
    assert (own in PERMITTED) if allowed else (own == 403)
    is_anothers = allowed and any(name in operation for name in NAMES_ONES_OWN)
    may_too = allowed and not is_anothers
    other = await status(things, operation, "device", is_done=may_too, device_id="dev_other", end_user_id="eu_own")
    assert other == (404 if is_anothers else own)


@pytest.mark.parametrize("operation", TABLE)
async def test_an_upload_token_may_upload_to_its_one_recording(things, operation):
    allowed, expires_at = "upload" in TABLE[operation][1], utc_now() + timedelta(minutes=5)
    its_own, anothers = {"recording_id": lambda its_id: its_id}, {"recording_id": "rec_1"}
    own = await status(things, operation, "upload", is_done=allowed, expires_at=expires_at, **its_own)
    assert (own in PERMITTED) if allowed else (own == 403)
    other = await status(things, operation, "upload", is_done=False, expires_at=expires_at, **anothers)
    assert other == (404 if allowed else 403)


@pytest.mark.parametrize(
    "operation", [one for one in TABLE if "_id}" in one or one in ("POST /v1/transcriptions", "POST /v1/summaries")]
)
async def test_another_projects_ids_are_not_found(things, operation):
    assert await status(things, operation, "secret", is_done=False, project_id="proj_another") == 404
