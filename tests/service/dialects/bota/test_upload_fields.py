"""What Bota's clients may say or leave out when they create and upload a recording, and what expired ones answer."""

import asyncio
import hashlib
from uuid import UUID

import pytest

from adapters.keys import KeyKind
from service.dialects.bota.upload_tokens import UploadTokens
from service.dialects.http.signed_urls import UrlSigner
from tests.end_to_end.service_process import short_speech
from tests.service.running_service import TurnedClock, running_service

AUDIO = short_speech()
UUID_1 = "0B7A1BD2-9e35-4e0f-8f53-0f6f4d0a4f11"
AT = "2026-01-13T10:00:00Z"


@pytest.fixture
async def running(tmp_path):
    async with running_service(tmp_path / "data", TurnedClock()) as running:
        yield running


@pytest.fixture
def api(running):
    return running.api


async def post(api, recording, below, body=None, **more):
    return await api.call("POST", f"/v1/recordings/{recording['id']}{below}", body=body, **more)


async def put(api, recording, **asked):
    offered = (await post(api, recording, "/upload-url", asked)).json
    assert (await api.call("PUT", offered["upload_url"], body=AUDIO, key=False)).status == 200
    return offered


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (None, "audio/opus"),
        ({}, "audio/opus"),
        ({"type": "audio", "captured_at": AT}, "audio/opus"),
        ({"content_type": "audio/ogg; codecs=opus"}, "audio/ogg; codecs=opus"),
        ({"content_type": 'audio/webm;codecs="opus"', "file_size_bytes": "12"}, 'audio/webm;codecs="opus"'),
    ],
)
async def test_type_and_size_of_a_file_may_be_left_out(api, body, content_type):
    offered = await post(api, await api.create(streaming=False), "/upload-url", body)
    assert (offered.status, offered.json["content_type"]) == (200, content_type)
    assert offered.json["headers"] == {"Content-Type": content_type}


@pytest.mark.parametrize("said", [None, {}, {"file_size_bytes": str(len(AUDIO))}, {"duration_seconds": 3.4}])
async def test_completing_says_as_much_as_it_likes_and_again_gets_the_same(api, said):
    recording = await api.create(streaming=False)
    await put(api, recording)
    first = await post(api, recording, "/upload-complete", said, headers={"Idempotency-Key": "a"})
    assert first.status == 200
    assert first.json["duration_ms"] == (3400 if said == {"duration_seconds": 3.4} else None)
    later = {"file_size_bytes": len(AUDIO), "recording_id": recording["id"], "duration_seconds": 9}
    assert (await post(api, recording, "/upload-complete", later)).body == first.body
    other = await post(api, recording, "/upload-complete", {"recording_id": "rec_1"})
    assert (other.status, other.error["details"]["field"]) == (400, "recording_id")


async def test_what_is_said_of_where_a_recording_comes_from_is_answered_everywhere(api):
    told = {"source": "device", "upload_method": "ble", "recording_uuid": UUID_1, "recording_generation": 2}
    recording = await api.create(streaming=False, codec="pcm_16k", recorded_at=AT, **told)
    (listed,) = (await api.call("GET", "/v1/recordings")).json["data"]
    for found in (recording, await api.get(recording), listed):
        assert told.items() <= found.items()
        assert found["started_at"] == found["recorded_at"] == "2026-01-13T10:00:00.000Z"
        assert (found["device_id"], found["media"]) == (None, [])
    plain = await api.create(streaming=False, encryption_version=0)
    assert (plain["source"], plain["upload_method"], plain["recorded_at"]) == ("api_upload", None, None)
    assert "recording_uuid" not in plain


async def test_a_device_creates_a_recording_once_whatever_else_it_says_of_it(api):
    named = {"streaming": False, "recording_uuid": UUID_1, "recording_generation": 1, "device_id": "dev_1"}
    first = await api.create(**named, upload_method="ble")
    again = await api.create(**named | {"recording_uuid": UUID_1.lower()}, upload_method="wifi", name="Visit")
    assert again == first
    for other in ({"recording_generation": 2}, {"device_id": "dev_2"}):
        assert (await api.create(**named | other))["id"] != first["id"]
    await put(api, first)
    await post(api, first, "/upload-complete")
    assert (await api.create(**named))["status"] != "pending"


async def test_an_encrypted_recording_is_refused_before_it_is_made(api):
    body = {"end_user_id": "eu_1", "encryption_version": 2}
    answer = await api.call("POST", "/v1/recordings", body=body)
    assert (answer.status, answer.error["details"]["field"]) == (400, "encryption_version")
    assert "no key to decrypt" in answer.error["message"]
    assert (await api.call("GET", "/v1/recordings")).json["data"] == []


@pytest.mark.parametrize(
    ("word", "ending"), [("opus_16k", "opus"), ("audio/webm;codecs=opus", "webm"), ("mp4", "m4a"), ("MPEG", "mp3")]
)
async def test_a_streamed_codec_goes_by_many_names(api, word, ending):
    assert f"chunk_{{part}}.{ending}?" in (await api.create(codec=word))["chunk_upload_url_template"]


@pytest.mark.parametrize("word", ["pcm_16k", "pcm", "audio/l16;rate=16000"])
async def test_bare_samples_are_refused_before_they_come(api, word):
    body = {"end_user_id": "eu_1", "streaming": True, "codec": word}
    answer = await api.call("POST", "/v1/recordings", body=body)
    assert (answer.status, answer.error["details"]["field"]) == (400, "codec")
    assert "stream them as wav" in answer.error["message"]


async def test_a_file_can_be_downloaded_by_its_medium_from_its_completion_on(api):
    recording = await api.create(streaming=False, recorded_at=AT)
    media_id = (await put(api, recording))["media_id"]
    (medium,) = (await api.get(recording))["media"]
    assert medium.pop("created_at")
    assert medium == {
        "id": media_id,
        "type": "audio",
        "mime_type": "audio/wav",
        "file_size_bytes": len(AUDIO),
        "status": "pending",
        "captured_at": "2026-01-13T10:00:00.000Z",
    }
    early = await post(api, recording, "/download-url", {"media_id": media_id})
    assert (early.status, early.error["type"]) == (409, "not_ready")
    completed = await post(api, recording, "/upload-complete")
    assert [one["status"] for one in completed.json["media"]] == ["uploaded"]
    offered = await post(api, recording, "/download-url", {"media_id": media_id})
    assert offered.json.keys() == {
        "media_id",
        "download_url",
        "expires_at",
        "expires_in",
        "content_type",
        "file_size_bytes",
    }
    assert offered.json["content_type"] == "audio/wav"
    assert (await api.call("GET", offered.json["download_url"], key=False)).body == AUDIO
    unknown = await post(api, recording, "/download-url", {"media_id": "med_1"})
    assert (unknown.status, unknown.error["type"]) == (404, "not_found")
    assert (await post(api, recording, "/download-url", {})).error["details"]["field"] == "media_id"


async def expired(running, **facts):
    api = running.api
    recording = await api.create(**facts)
    if facts["streaming"]:
        url = recording["chunk_upload_url_template"].replace("{part}", "1")
    else:
        url = (await post(api, recording, "/upload-url", {"file_size_bytes": 7})).json["upload_url"]
    assert (await api.call("PUT", url, body=AUDIO, key=False)).status == 200
    running.turn(hours=5)
    async with asyncio.timeout(60):
        while (await api.get(recording))["status"] != "failed":
            await asyncio.sleep(0.02)
    return recording, url


@pytest.mark.parametrize("streaming", [True, False])
async def test_everything_about_an_expired_recording_says_so_and_names_the_call_that_gives_its_bytes(
    running, streaming
):
    api = running.api
    recording, url = await expired(running, streaming=streaming)
    found = await api.get(recording)
    assert (found["failure"]["stage"], found["failure"]["reason"]) == ("upload", "expired")
    (listed,) = (await api.call("GET", "/v1/recordings?status=failed")).json["data"]
    assert listed == found
    chunks = await api.get(recording, "/chunks")
    assert (chunks["status"], chunks["chunk_upload_url_template"], chunks["chunks_received"]) == ("failed", None, 1)
    refused = [
        (await post(api, recording, "/finalize", {"total_chunks": 1, "final_duration_ms": 1}), "recording_expired"),
        (await post(api, recording, "/upload-url"), "recording_expired"),
        (await post(api, recording, "/upload-complete"), "recording_expired"),
        (await post(api, recording, "/retry"), "recording_expired"),
        (await api.call("GET", f"/v1/recordings/{recording['id']}/download-url"), "not_ready"),
        (await api.call("POST", "/v1/transcriptions", body={"recording_id": recording["id"]}), "not_ready"),
    ]
    late = await api.call("PUT", url, body=AUDIO, key=False)
    assert late.status == 403
    for told in [found["failure"]["message"], late.error["message"], *(one.error["message"] for one, _ in refused)]:
        assert "/chunks/all" in told
    assert [(one.status, one.error["type"]) for one, _ in refused] == [(409, reason) for _, reason in refused]
    stored = await api.call("GET", f"/v1/recordings/{recording['id']}/chunks/all")
    assert (stored.status, stored.body) == (200, AUDIO)


async def test_of_an_expired_recording_of_which_nothing_came_no_bytes_are_promised(running):
    recording = await running.api.create(streaming=False)
    running.turn(hours=5)
    early = await post(running.api, recording, "/upload-complete")
    assert (early.status, early.error["type"]) == (409, "recording_expired")
    async with asyncio.timeout(60):
        while (found := await running.api.get(recording))["status"] != "failed":
            await asyncio.sleep(0.02)
    assert found["failure"]["message"].endswith("was over: nothing of it arrived.")


@pytest.mark.parametrize("purpose", ["upload-token by a key", "upload-token"])
async def test_an_upload_token_is_short_signed_and_of_safe_characters(running, purpose):
    recording = await running.api.create(streaming=False)
    offered = (await post(running.api, recording, "/upload-url")).json
    key = next(key for key in running.stores.keys.list_keys() if key.kind is KeyKind.SECRET)
    tokens = UploadTokens(running.service.parts.signer, running.service.parts.callers)
    its_id, expires_at = UUID(UUID_1), running.clock.now.replace(microsecond=0)
    assert len(offered["upload_token"]) == 90
    named = key.id if purpose.endswith("key") else key.project_id
    token = tokens._signed(purpose, its_id, int(expires_at.timestamp()), named)
    assert token == await tokens.issue(its_id, key.id, expires_at) or purpose == "upload-token"
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
    early = running.clock.now.replace(year=2020)
    allowed = await tokens.key(token, early)
    assert (allowed.recording_id, allowed.project_id) == (f"rec_{its_id.hex}", key.project_id)
    assert await tokens.key(token, running.clock.now) is None
    assert await UploadTokens(UrlSigner(b"o" * 32), running.service.parts.callers).key(token, early) is None
    for place in range(3, len(token)):
        forged = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert await tokens.key(forged, early) is None
    assert await tokens.key("up_" + hashlib.sha256().hexdigest(), early) is None
    assert await tokens.key(token[:-43] + "\udcff" * 43, early) is None  # as a header's bytes come that are no UTF-8


async def test_a_token_is_for_its_recording_only_and_renews_itself_no_longer_than_it_lives(running):
    api = running.api
    recording, other = await api.create(streaming=False), await api.create(streaming=False)
    token = (await post(api, recording, "/upload-url")).json["upload_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await post(api, other, "/upload-complete", key=False, headers=bearer)).status == 404
    assert (await api.call("GET", "/v1/recordings", key=False, headers=bearer)).status == 403
    await put(api, recording)
    running.turn(days=6)
    again = await post(api, recording, "/upload-url", key=False, headers=bearer)
    assert (again.status, again.json["upload_token"]) == (200, token)
