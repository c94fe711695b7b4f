"""Signed URLs and upload tokens end with the key that made them, and not because a device renews its token."""

from secrets import token_hex

import pytest

from adapters.keys import KeyKind
from service.dialects.http.signed_urls import UrlSigner
from tests.end_to_end.service_process import Api, short_speech
from tests.service.running_service import TurnedClock, running_service

AUDIO = short_speech()


@pytest.fixture
async def running(tmp_path):
    async with running_service(tmp_path / "data", TurnedClock(), upload_hours=1000, download_hours=24) as running:
        yield running


class Project:
    """A project of its own in the running service. `keys`: the store that they are in."""

    def __init__(self, running) -> None:
        self.running, self.keys = running, running.stores.keys
        self.id = f"proj_{token_hex(8)}"
        self.owner = {"device_id": f"dev_{token_hex(8)}", "end_user_id": f"eu_{token_hex(8)}"}

    def with_key(self, kind, **facts):
        """Who calls with a new key of this kind, and the key."""
        made = self.keys.create(KeyKind(kind), project_id=self.id, **facts)
        return Api(self.running.settings.base_url, made.token, self.owner["end_user_id"]), made.key

    def given_token(self):
        """Who calls with the device's next token, as renewing gives it."""
        token = self.running.stores.device_tokens.give(self.id, **self.owner)
        return Api(self.running.settings.base_url, token, ""), self.keys.authenticate(token, now=self.running.clock())

    def used(self, key):
        self.running.stores.device_tokens.seen(key)


@pytest.fixture
def project(running):
    return Project(running)


def is_of_the_maker(refused):
    return (refused.status, refused.error["type"]) == (403, "forbidden") and (
        refused.error["message"].startswith("The key that made this URL is not valid any more; ask for a URL with one")
    )


async def test_an_upload_url_ends_with_the_revocation_of_its_key_and_another_key_gives_another(project):
    api, key = project.with_key("secret")
    other, _ = project.with_key("restricted", scopes=frozenset({"recordings:read"}))
    recording = await api.create()
    assert (await api.put(recording, 1, b"1")).status == 200
    project.keys.revoke(key.id)
    assert is_of_the_maker(await api.put(recording, 2, b"2"))
    again = await other.get(recording, "/chunks")
    assert (again["chunks_received"], (await other.put(again, 2, b"2")).status) == (1, 200)


async def test_a_url_says_which_key_made_it_and_no_other_key_can_be_put_in_its_place(project):
    api, key = project.with_key("secret")
    _, other = project.with_key("secret")
    recording = await api.create()
    template = recording["chunk_upload_url_template"]
    for forged in (f"&key={other.id}", "", "&key="):
        put = await api.put({"chunk_upload_url_template": template.replace(f"&key={key.id}", forged)}, 1, b"1")
        assert (put.status, "signature is not valid" in put.error["message"]) == (403, True)


async def test_a_url_of_a_key_that_expires_ends_with_it(running, project):
    scopes = frozenset({"recordings:write", "recordings:read"})
    until = running.clock().replace(microsecond=0)
    running.turn(hours=-1)
    api, _ = project.with_key("restricted", scopes=scopes, expires_at=until)
    recording = await api.create(streaming=False)
    offered = (await api.call("POST", f"/v1/recordings/{recording['id']}/upload-url")).json
    assert (await api.call("PUT", offered["upload_url"], body=AUDIO, key=False)).status == 200
    running.turn(hours=1)
    assert is_of_the_maker(await api.call("PUT", offered["upload_url"], body=AUDIO, key=False))


async def test_an_upload_token_and_what_is_asked_for_with_it_end_with_the_key_behind_them(project):
    api, key = project.with_key("secret")
    recording = await api.create(streaming=False)
    path = f"/v1/recordings/{recording['id']}"
    token = (await api.call("POST", f"{path}/upload-url")).json["upload_token"]
    app = Api(api.url, token, "")
    offered = (await app.call("POST", f"{path}/upload-url")).json
    assert (await app.call("PUT", offered["upload_url"], body=AUDIO, key=False)).status == 200
    project.keys.revoke(key.id)
    assert is_of_the_maker(await app.call("PUT", offered["upload_url"], body=AUDIO, key=False))
    assert (await app.call("POST", f"{path}/upload-complete")).status == 401
    assert (await Api(api.url, offered["upload_token"], "").call("POST", f"{path}/upload-complete")).status == 401


async def test_a_download_url_ends_with_the_revocation_of_its_key(project):
    api, _ = project.with_key("secret")
    reader, key = project.with_key("restricted", scopes=frozenset({"recordings:read"}))
    recording = await api.create(streaming=False)
    path = f"/v1/recordings/{recording['id']}"
    offered = (await api.call("POST", f"{path}/upload-url")).json
    assert (await api.call("PUT", offered["upload_url"], body=AUDIO, key=False)).status == 200
    assert (await api.call("POST", f"{path}/upload-complete")).status == 200
    url = (await reader.call("GET", f"{path}/download-url")).json["download_url"]
    assert (await reader.call("GET", url, key=False)).body == AUDIO
    project.keys.revoke(key.id)
    assert is_of_the_maker(await reader.call("GET", url, key=False))


async def test_a_device_that_renews_its_token_uploads_on_with_the_urls_that_it_has(running, project):
    device, first = project.given_token()
    recording = await device.create(end_user_id=None)
    for hours in (2, 2, 2):  # each time the token before ends, and in the end the first one is not even known
        running.turn(minutes=1)
        _, renewed = project.given_token()
        project.used(renewed)
        running.turn(hours=hours)
        assert (await device.call("GET", "/v1/devices/me")).status == 401
        assert (await device.put(recording, 1, b"1")).status == 200
    assert project.keys.find(first.id) is None


async def completing_late(running, device):
    """An app that has uploaded a file with what its device's token gave it, and now completes that."""
    recording = await device.create(end_user_id=None, streaming=False)
    path = f"/v1/recordings/{recording['id']}"
    offered = (await device.call("POST", f"{path}/upload-url")).json
    assert (await device.call("PUT", offered["upload_url"], body=AUDIO, key=False)).status == 200
    return Api(device.url, offered["upload_token"], ""), f"{path}/upload-complete"


async def test_a_device_that_renews_its_token_completes_with_the_upload_token_that_it_has(running, project):
    device, first = project.given_token()
    app, path = await completing_late(running, device)
    for _ in range(2):
        running.turn(minutes=1)
        _, renewed = project.given_token()
        project.used(renewed)
        running.turn(hours=2)
    assert project.keys.find(first.id) is None
    assert (await app.call("POST", path)).status == 200
    running.stores.device_tokens.revoke(project.id, device_id=project.owner["device_id"])
    assert (await app.call("POST", path)).status == 401


async def test_an_upload_token_of_a_revoked_device_token_does_not_come_back_with_a_newer_one(running, project):
    device, first = project.given_token()
    app, path = await completing_late(running, device)
    project.keys.revoke(first.id)
    for days in (1, 42, 5):  # until just before the upload token expires
        running.turn(days=days)
        project.given_token()
        running.stores.device_tokens.forget_ended()
        assert (await app.call("POST", path)).status == 401


async def test_but_a_devices_url_ends_when_its_token_is_revoked_and_when_the_device_is_unbound(running, project):
    device, first = project.given_token()
    recording = await device.create(end_user_id=None)
    running.turn(minutes=1)
    newer, second = project.given_token()
    later = await newer.create(end_user_id=None)
    project.used(second)
    project.keys.revoke(first.id)
    running.turn(hours=2)
    project.given_token()
    assert is_of_the_maker(await device.put(recording, 1, b"1"))
    assert (await newer.put(later, 1, b"1")).status == 200
    running.stores.device_tokens.revoke(project.id, device_id=project.owner["device_id"])
    assert is_of_the_maker(await newer.put(later, 2, b"2"))


async def test_a_revoked_token_is_remembered_for_as_long_as_a_url_of_it_could_be_used(running, project):
    device, first = project.given_token()
    recording = await device.create(end_user_id=None)
    project.keys.revoke(first.id)
    running.turn(days=31)
    newer, _ = project.given_token()
    assert running.stores.device_tokens.forget_ended() == 0
    assert is_of_the_maker(await device.put(recording, 1, b"1"))
    assert (await newer.put(await newer.create(end_user_id=None), 1, b"1")).status == 200
    running.turn(days=41)
    assert running.stores.device_tokens.forget_ended() == 1
    assert "expired" in (await device.put(recording, 1, b"1")).error["message"]


async def test_a_device_that_is_bound_to_another_end_user_does_not_revive_the_urls_of_the_first(running, project):
    device, first = project.given_token()
    recording = await device.create(end_user_id=None)
    running.turn(minutes=1)
    _, second = project.given_token()
    project.used(second)
    running.turn(hours=2)  # the first token has ended by itself
    running.stores.device_tokens.revoke(project.id, device_id=project.owner["device_id"])
    project.owner["end_user_id"] = f"eu_{token_hex(8)}"
    project.given_token()
    assert is_of_the_maker(await device.put(recording, 1, b"1"))
    assert first.revoked_at is None


async def test_a_url_of_a_version_that_told_no_key_is_valid_until_it_expires(running, project):
    api, _ = project.with_key("secret")
    recording = await api.create()
    signer = UrlSigner.with_key_file(running.settings.data_dir / "signing.key")
    until = running.clock().replace(microsecond=0)
    running.turn(hours=-1)
    query = signer.query("upload", f"{project.id}/{recording['id']}", until)
    url = f"{running.settings.base_url}/v1/uploads/{project.id}/{recording['id']}/chunk_1.opus?{query}"
    assert (await api.call("PUT", url, body=b"1", key=False)).status == 200
    running.turn(hours=1)
    assert (await api.call("PUT", url, body=b"1", key=False)).status == 403


async def test_what_a_client_adds_to_a_url_changes_nothing_however_long_it_is(project):
    api, key = project.with_key("secret")
    template = (await api.create())["chunk_upload_url_template"]
    for added, status in (("&x=1", 200), (f"&x={'1' * 2_000}", 200), ("&file_size_bytes=1", 403)):
        put = await api.put({"chunk_upload_url_template": template + added}, 1, b"1")
        assert put.status == status
    project.keys.revoke(key.id)
    for added in ("", "&x=1", f"&x={'1' * 2_000}"):
        assert is_of_the_maker(await api.put({"chunk_upload_url_template": template + added}, 1, b"1"))
