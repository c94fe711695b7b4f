"""Bad input gives a clear error; nothing is lost by it and nothing is half-written."""

import asyncio
import hashlib
import socket
from base64 import b64encode
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from tests.end_to_end.profile import blob_folder_of
from tests.end_to_end.service_process import SAMPLE, short_speech, slices
from tests.files_on_disk import files_below


async def create(api, body):
    return await api.call("POST", "/v1/recordings", body=body)


@pytest.mark.parametrize("body", [b"", b"{", b"not json", b"\xff\xfe", b"[]", b'"text"', b"null", b"[" * 100_000])
@pytest.mark.parametrize("path", ["/v1/recordings", "/v1/recordings/{id}/finalize"])
async def test_what_is_not_a_json_object_is_refused(api, path, body):
    recording = await api.create()
    answer = await api.call("POST", path.replace("{id}", recording["id"]), body=body)
    assert answer.status == 400
    assert answer.error["type"] == answer.error["code"] == "invalid_request"
    assert "JSON" in answer.error["message"]


def nested(depth):
    return {"deeper": nested(depth - 1)} if depth else {}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("codec", "mp4000"),
        ("codec", 7),
        ("codec", None),
        ("streaming", "true"),
        ("streaming", 1),
        ("device_id", "dev-1"),
        ("device_id", "dev_" + "x" * 61),
        ("device_id", "dev_1\n"),
        ("end_user_id", 12),
        ("end_user_id", ""),
        ("started_at", "yesterday"),
        ("started_at", "2025-01-13T10:00:00"),
        ("started_at", 5),
        ("started_at", "5"),
        ("started_at", "0001-01-01T00:00:00+23:59"),
        ("ended_at", "9999-12-31T23:59:59-23:59"),
        ("estimated_duration_ms", "3600000"),
        ("estimated_duration_ms", -1),
        ("estimated_duration_ms", 1.5),
        ("chunk_duration_ms", True),
        ("name", ["a"]),
        ("metadata", "text"),
        ("metadata", nested(300)),
    ],
)
async def test_a_field_of_the_wrong_type_or_value_is_named(api, service, field, value):
    body = {"streaming": True, "end_user_id": service.credentials["end_user_id"], "codec": "opus"} | {field: value}
    answer = await create(api, body)
    assert answer.status == 400
    assert answer.error["type"] == "invalid_request"
    assert answer.error["details"]["field"] == field
    assert answer.error["details"]["reason"]


async def test_with_an_api_key_the_end_user_is_required(api):
    answer = await create(api, {"streaming": True, "codec": "opus"})
    assert (answer.status, answer.error["details"]["field"]) == (400, "end_user_id")


async def test_a_json_body_past_its_limit_is_refused(api):
    answer = await create(api, {"streaming": True, "name": "x" * 300_000})
    assert (answer.status, answer.error["type"]) == (413, "payload_too_large")


@pytest.mark.parametrize("total", [0, -1, 2**31, 2**63, 10**30, "12", 1.5, True, None, [1], 101])
async def test_a_total_that_is_no_count_of_chunks_is_refused(api, total):
    recording = await api.upload([b"x"])
    answer = await api.finalize(recording, total)
    assert (answer.status, answer.error["type"]) == (400, "invalid_request")
    assert answer.error["details"]["field"] == "total_chunks"
    assert await api.event_types(recording) == ["RecordingOpened", "ChunkStored"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("final_duration_ms", -1), ("final_duration_ms", None), ("checksum_md5", "abc"), ("checksum_md5", "g" * 32)],
)
async def test_other_fields_of_finalize_are_checked_too(api, field, value):
    recording = await api.upload([b"x"])
    answer = await api.finalize(recording, 1, **{field: value})
    assert (answer.status, answer.error["details"]["field"]) == (400, field)


@pytest.mark.parametrize(
    "part",
    ["0", "101", "-1", "..", "1e3", "1.5", "", "{part}", "%2e%2e", "%2F..%2F1", "%D9%A1", "00", "9" * 400, "1%00"],
)
async def test_a_part_that_is_no_number_in_range_is_refused(api, part):
    recording = await api.create()
    answer = await api.put(recording, part, b"x")
    assert (answer.status, answer.error["type"]) == (400, "invalid_request")
    assert answer.error["details"]["field"] == "part"
    assert (await api.get(recording, "/chunks"))["data"] == []


async def test_an_empty_body_is_no_chunk(api):
    recording = await api.create()
    answer = await api.put(recording, 1, b"")
    assert (answer.status, answer.error["type"]) == (400, "invalid_request")
    assert (await api.get(recording, "/chunks"))["data"] == []


async def test_a_wrong_content_md5_is_refused_and_the_chunk_can_be_sent_again(api):
    recording = await api.create()
    wrong = b64encode(hashlib.md5(b"other").digest()).decode()
    answer = await api.put(recording, 1, b"bytes", **{"Content-MD5": wrong})
    assert (answer.status, answer.error["details"]["field"]) == (400, "Content-MD5")
    assert (await api.get(recording, "/chunks"))["data"] == []
    right = b64encode(hashlib.md5(b"bytes").digest()).decode()
    assert (await api.put(recording, 1, b"bytes", **{"Content-MD5": right})).status == 200


@pytest.mark.parametrize("header", ["", "not base64!", "YWJj", "é"])
async def test_a_content_md5_that_is_none_is_refused(api, header):
    recording = await api.create()
    assert (await api.put(recording, 1, b"bytes", **{"Content-MD5": header})).status == 400


async def send_raw(api, head: str, body: bytes = b"", *, end: bool = False) -> bytes:
    """Write bytes to the service as no client library would, and read what it answers until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(api.url).port)
    writer.write(head.encode() + body)
    await writer.drain()
    if end:
        writer.close()
        await writer.wait_closed()
        return b""
    answer = bytearray()
    with suppress(ConnectionResetError):  # it may refuse to read all, and the rest of what was sent is then on its way
        while piece := await reader.read(65_536):
            answer += piece
    writer.close()
    return bytes(answer)


def put_head(recording, part: int, length: int, *more: str) -> str:
    parts = urlsplit(recording["chunk_upload_url_template"].replace("{part}", str(part)))
    lines = [f"PUT {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {length}", *more]
    return "\r\n".join(lines) + "\r\n\r\n"


async def test_a_body_cut_off_in_the_middle_leaves_nothing(api, service):
    recording = await api.create()
    await send_raw(api, put_head(recording, 1, 1_000_000), b"x" * 700_000, end=True)
    hexadecimal = recording["id"].removeprefix("rec_")
    await service.nothing_stays_half_written()
    assert (await api.get(recording, "/chunks"))["data"] == []
    assert not [path for path in files_below(blob_folder_of(service)) if hexadecimal in path.as_posix()]
    assert (await api.put(recording, 1, b"whole")).status == 200


async def test_a_chunk_past_the_limit_is_refused_without_reading_it_all(api):
    """2 GB are announced, and sent for as long as the service takes them."""
    recording = await api.create()
    two_gigabytes = 2_000_000_000
    parts = urlsplit(api.url)
    block, sent, answer = b"x" * 65_536, 0, b""
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(put_head(recording, 1, two_gigabytes).encode())
        connection.settimeout(0.2)
        while sent < two_gigabytes and not answer:
            try:
                sent += connection.send(block)
                connection.setblocking(False)
                answer = connection.recv(65_536)
            except BlockingIOError:
                connection.settimeout(0.2)
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"payload_too_large"' in answer
    assert sent < 100_000_000
    assert (await api.put(recording, 1, b"small")).status == 200


@pytest.mark.slow
async def test_a_chunk_past_the_limit_of_unknown_length_is_cut_at_the_limit(own_service):
    own_service.settings["MAX_CHUNK_BYTES"] = "1000"
    api = (await own_service.start()).api()
    recording = await api.create()

    async def endless():
        for _ in range(20):
            yield b"x" * 100

    answer = await api.put(recording, 1, endless())
    assert (answer.status, answer.error["type"]) == (413, "payload_too_large")
    assert (await api.put(recording, 1, b"x" * 1000)).status == 200
    assert not list(own_service.incoming.iterdir())


async def test_a_client_that_asks_first_is_refused_before_it_sends(api):
    recording = await api.create()
    answer = await send_raw(api, put_head(recording, 1, 2_000_000_000, "Expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 413 ")
    forged = put_head(recording, 1, 10, "Expect: 100-continue").replace("signature=", "signature=x")
    assert (await send_raw(api, forged, b"")).startswith(b"HTTP/1.1 403 ")


@pytest.mark.slow
async def test_a_body_that_does_not_come_in_time_is_given_up(own_service):
    own_service.settings["CHUNK_SECONDS"] = "0.2"
    api = (await own_service.start()).api()
    recording = await api.create()
    answer = await send_raw(api, put_head(recording, 1, 1000), b"x" * 10)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert (await api.put(recording, 1, b"in time")).status == 200


async def test_a_header_longer_than_the_limit_is_refused(api):
    answer = await send_raw(api, f"GET /v1/recordings HTTP/1.1\r\nHost: x\r\nX-Long: {'x' * 70_000}\r\n\r\n")
    assert b" 400 Bad Request" in answer.splitlines()[0]


@pytest.mark.parametrize("forge", ["signature=x", "expires=9999999999&signature=", "nothing=", "expires=1&signature="])
async def test_a_forged_signature_is_refused(api, forge):
    recording = await api.create()
    path, query = recording["chunk_upload_url_template"].split("?")
    replaced = {"signature=x": query.replace("signature=", "signature=x")}.get(
        forge, forge + query.split("signature=")[1]
    )
    answer = await api.put({"chunk_upload_url_template": f"{path}?{replaced}"}, 1, b"x")
    assert (answer.status, answer.error["type"]) == (403, "forbidden")


async def test_a_signature_is_good_for_its_own_recording_alone(api):
    one, other = await api.create(), await api.create()
    mixed = one["chunk_upload_url_template"].replace(one["id"], other["id"])
    assert (await api.put({"chunk_upload_url_template": mixed}, 1, b"x")).status == 403
    assert (await api.get(other, "/chunks"))["data"] == []


async def test_an_upload_signature_does_not_download(api):
    recording = await api.upload([short_speech()])
    assert (await api.finalize(recording, 1)).status == 200
    await api.ended(recording)
    query = recording["chunk_upload_url_template"].split("?")[1]
    assert (await api.call("GET", f"/v1/downloads/{recording['id']}.wav?{query}", key=False)).status == 403


async def test_an_expired_signature_is_refused_and_so_is_finalizing_then(own_service):
    own_service.settings["UPLOAD_HOURS"] = str(1 / 3600)
    api = (await own_service.start()).api()
    recording = await api.create()
    async with asyncio.timeout(60):
        while (answer := await api.put(recording, 1, b"x")).status != 403:
            # One that was under way at that moment came with a signature in force: it is a conflict.
            assert answer.status == 200 or (answer.status, answer.error["type"]) == (409, "recording_expired")
            await asyncio.sleep(0.05)
    assert answer.error["type"] == "forbidden"
    assert "expired" in answer.error["message"]
    assert (await api.finalize(recording, 1)).error["type"] == "recording_expired"


@pytest.mark.parametrize("token", ["", "sk_test_unknown", "sk_live_" + "a" * 45, "x" * 5_000, "dtok_é"])
async def test_a_missing_or_unknown_key_is_unauthorized(service, token):
    answer = await service.api().call(
        "GET", "/v1/recordings/rec_1", key=False, headers={"Authorization": f"Bearer {token}"}
    )
    assert (answer.status, answer.error["type"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_no_authorization_header_at_all_is_unauthorized(api):
    for method, path in [
        ("POST", "/v1/recordings"),
        ("GET", "/v1/recordings/rec_1"),
        ("GET", "/v1/transcriptions/txn_1"),
    ]:
        assert (await api.call(method, path, key=False)).status == 401


@pytest.mark.parametrize(
    "its_id", ["rec_1", "rec_" + "0" * 32, "txn_" + "0" * 32, "rec_" + "G" * 32, "..", "rec_%00", "%ff"]
)
async def test_an_id_of_nothing_is_not_found(api, its_id):
    for method, path, body in [
        ("GET", "", None),
        ("GET", "/chunks", None),
        ("GET", "/events", None),
        ("GET", "/download-url", None),
        ("POST", "/retry", None),
        ("POST", "/finalize", {"total_chunks": 1, "final_duration_ms": 1}),
    ]:
        answer = await api.call(method, f"/v1/recordings/{its_id}{path}", body=body)
        assert (answer.status, answer.error["type"]) in [(404, "recording_not_found"), (404, "not_found")]


async def test_what_is_not_served_is_said_in_the_same_form(api):
    assert (await api.call("GET", "/v1/nothing")).error["type"] == "not_found"
    answer = await api.call("PATCH", "/v1/recordings")
    assert (answer.status, answer.error["type"], answer.headers["Allow"]) == (
        405,
        "method_not_allowed",
        "GET,HEAD,POST",
    )


async def test_a_chunk_that_is_not_audio_fails_its_recording_and_no_other(api):
    sample = slices(short_speech(), 3)
    good, bad = await api.upload(sample), await api.upload([b"this is a shopping list, not audio " * 50])
    assert (await api.finalize(bad, 1)).status == 200
    assert (await api.finalize(good, 3)).status == 200
    failed = await api.ended(bad)
    assert (failed["status"], failed["transcription_status"]) == ("failed", "failed")
    assert (failed["failure"]["stage"], failed["failure"]["reason"]) == ("stitch", "not_audio")
    assert "Chunk 1" in failed["failure"]["message"]
    assert (await api.ended(good))["status"] == "completed"
    chunk = (await api.get(bad, "/chunks"))["data"][0]
    assert chunk["sha256"] == hashlib.sha256(b"this is a shopping list, not audio " * 50).hexdigest()


async def test_a_checksum_that_does_not_match_fails_the_recording_before_transcription(api):
    recording = await api.upload(slices(SAMPLE.read_bytes(), 3))
    assert (await api.finalize(recording, 3, checksum_md5="0" * 32)).status == 200
    failed = await api.ended(recording)
    assert (failed["status"], failed["failure"]["reason"]) == ("integrity_failure", "integrity_failure")
    assert await api.event_types(recording) == ["RecordingOpened", *["ChunkStored"] * 3, "FinalizeRequested", "Failed"]


@pytest.mark.parametrize(
    "head",
    [
        "GET /healthz HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\x01\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nAuthorization : Bearer {secret}\r\n\r\n",
        "PUT /v1/uploads/a/b/chunk_1.opus?signature={secret} HTTP/9.9\r\nHost: x\r\n\r\n",
    ],
)
async def test_a_request_that_is_not_http_is_refused_and_what_it_holds_is_not_logged(api, service, head):
    secret = "sk_test_" + "s3cr3t" * 6
    answer = await send_raw(api, head.format(secret=secret))
    assert b" 400 Bad Request" in answer.splitlines()[0]
    assert secret not in service.log_file.read_text()
