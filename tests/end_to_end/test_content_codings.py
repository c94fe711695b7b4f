"""A body with a Content-Encoding is decoded while it is stored, or refused before anything is."""

import gzip
import hashlib
import random
import zlib
from base64 import b64encode

import numpy as np
import orjson
import pytest

from tests.end_to_end.dorsum_client import Dorsum, silence, stitched_samples
from tests.end_to_end.dragon_client import AUDIO, SUCCESS, Dragon, found
from tests.end_to_end.service_process import SAMPLE, short_speech, slices
from tests.tools.peak_memory import resident_bytes_of

PLAIN = b"what was recorded " * 20_000
GZIP = {"Content-Encoding": "gzip"}


def md5_of(body: bytes) -> str:
    return b64encode(hashlib.md5(body).digest()).decode()


async def stored(api, recording):
    return [(chunk["sha256"], chunk["size_bytes"]) for chunk in (await api.get(recording, "/chunks"))["data"]]


def as_stored(body: bytes):
    return [(hashlib.sha256(body).hexdigest(), len(body))]


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(PLAIN)),
        ("GZip", gzip.compress(PLAIN)),
        ("x-gzip", gzip.compress(PLAIN)),
        ("identity, gzip", gzip.compress(PLAIN)),
        ("gzip", gzip.compress(PLAIN[:1000]) + gzip.compress(b"") + gzip.compress(PLAIN[1000:])),
        ("deflate", zlib.compress(PLAIN)),
        ("identity", PLAIN),
        ("UTF-8", PLAIN),
        ("", PLAIN),
    ],
)
async def test_a_chunk_is_stored_as_it_was_before_its_coding(api, coding, body):
    recording = await api.create()
    answer = await api.put(recording, 1, body, **{"Content-Encoding": coding})
    assert answer.status == 200
    assert answer.headers["ETag"] == f'"{hashlib.md5(PLAIN).hexdigest()}"'
    assert await stored(api, recording) == as_stored(PLAIN)


async def test_a_coded_chunk_may_come_in_pieces_of_any_size(api):
    body = gzip.compress(random.Random(1).randbytes(50_000)) + gzip.compress(PLAIN)

    async def pieces():
        for start in range(0, len(body), 997):
            yield body[start : start + 997]

    recording = await api.create()
    assert (await api.put(recording, 1, pieces(), **GZIP)).status == 200
    assert await stored(api, recording) == as_stored(gzip.decompress(body))


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(PLAIN)[:-1],
        gzip.compress(PLAIN)[:-8],
        gzip.compress(PLAIN)[:50],
        gzip.compress(PLAIN)[:-6] + b"\0\0\0\0\0\0",
        gzip.compress(PLAIN) + b"more",
        gzip.compress(PLAIN) + gzip.compress(PLAIN)[:20],
        b"OggS and not gzip at all",
        b"\x1f",
    ],
    ids=["cut by one", "no trailer", "cut", "other checksum", "more behind", "second cut", "no gzip", "one byte"],
)
async def test_a_damaged_or_incomplete_coded_body_is_refused_and_nothing_is_stored(api, service, body):
    recording = await api.create()
    answer = await api.put(recording, 1, body, **GZIP)
    assert (answer.status, answer.error["type"]) == (400, "invalid_request")
    assert "gzip" in answer.error["message"]
    assert await stored(api, recording) == []
    await service.nothing_stays_half_written()
    assert (await api.put(recording, 1, gzip.compress(PLAIN), **GZIP)).status == 200


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "aws-chunked", "gzip, gzip", "br, gzip", "gzip;q=1", "ü"])
async def test_a_coding_that_is_not_decoded_is_refused_before_anything_is_stored(api, coding):
    recording = await api.create()
    answer = await api.put(recording, 1, gzip.compress(PLAIN), **{"Content-Encoding": coding})
    assert (answer.status, answer.error["type"]) == (415, "unsupported_media_type")
    assert "Content-Encoding" in answer.error["message"]
    assert answer.headers["Accept-Encoding"] == "gzip, deflate"
    assert await stored(api, recording) == []


async def test_content_md5_covers_the_body_as_it_was_sent(api):
    """RFC 1864: the digest is of the entity body, which the content coding is a part of."""
    recording, body = await api.create(), gzip.compress(PLAIN)
    refused = await api.put(recording, 1, body, **GZIP, **{"Content-MD5": md5_of(PLAIN)})
    assert (refused.status, refused.error["details"]["field"]) == (400, "Content-MD5")
    assert await stored(api, recording) == []
    assert (await api.put(recording, 1, body, **GZIP, **{"Content-MD5": md5_of(body)})).status == 200
    assert await stored(api, recording) == as_stored(PLAIN)


@pytest.mark.slow
async def test_the_limit_is_for_the_decoded_chunk_and_a_bomb_costs_no_memory_and_no_disk(own_service):
    limit = 16 * 1024 * 1024
    own_service.settings["MAX_CHUNK_BYTES"] = str(limit)
    api = (await own_service.start()).api()
    recording = await api.create()
    before = resident_bytes_of(own_service.answering())
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(1024)) + packer.flush()
    assert len(bomb) < 2_000_000
    answer = await api.put(recording, 1, bomb, **GZIP)
    assert (answer.status, answer.error["type"]) == (413, "payload_too_large")
    assert await stored(api, recording) == []
    await own_service.nothing_stays_half_written()
    assert resident_bytes_of(own_service.answering()) - before < 3 * limit
    exactly = random.Random(2).randbytes(limit)  # which gzip makes larger than the limit
    assert (await api.put(recording, 1, gzip.compress(exactly, 1), **GZIP)).status == 200
    assert (await api.put(recording, 2, gzip.compress(exactly + b"x", 1), **GZIP)).status == 413
    assert await stored(api, recording) == as_stored(exactly)


async def test_json_may_be_coded_too_and_its_limit_is_for_what_is_decoded(api, service):
    asked = {"streaming": True, "end_user_id": service.credentials["end_user_id"], "name": "coded"}
    body = gzip.compress(orjson.dumps(asked))
    answer = await api.call("POST", "/v1/recordings", body=body, headers=GZIP)
    assert answer.status == 201
    assert (await api.get(answer.json))["name"] == "coded"
    bomb = gzip.compress(b" " * 50_000_000)
    assert (await api.call("POST", "/v1/recordings", body=bomb, headers=GZIP)).status == 413
    assert (await api.call("POST", "/v1/recordings", body=body[:-9], headers=GZIP)).status == 400
    refused = await api.call("POST", "/v1/recordings", body=body, headers={"Content-Encoding": "br"})
    assert (refused.status, refused.headers["Accept-Encoding"]) == (415, "gzip, deflate")


async def test_a_coded_recording_is_transcribed_like_any_other(api):
    recording = await api.create(codec="wav")
    for number, part in enumerate(slices(short_speech(), 3), 1):
        assert (await api.put(recording, number, gzip.compress(part), **GZIP)).status == 200
    md5 = hashlib.md5(short_speech()).hexdigest()
    assert (await api.finalize(recording, 3, checksum_md5=md5)).status == 200
    assert (await api.ended(recording))["status"] == "completed"


async def test_a_whole_file_may_be_coded(api):
    recording = await api.create(streaming=False)
    file = short_speech()
    asked = {"content_type": "audio/wav", "file_size_bytes": len(file)}
    offered = (await api.call("POST", f"/v1/recordings/{recording['id']}/upload-url", body=asked)).json
    assert (
        await api.call("PUT", offered["upload_url"], body=gzip.compress(file), key=False, headers=GZIP)
    ).status == 200
    done = {"content_sha256": hashlib.sha256(file).hexdigest(), "file_size_bytes": len(file)}
    answer = await api.call("POST", f"/v1/recordings/{recording['id']}/upload-complete", body=done)
    assert (answer.status, answer.json["content_sha256"]) == (200, done["content_sha256"])


def dragon_form(metadata: dict[str, object], content: bytes) -> tuple[bytes, dict[str, str]]:
    boundary = "X-BOUNDARY"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n'.encode()
    middle = (
        f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="content"; filename="chunk.bin"\r\n\r\n'.encode()
    )
    body = head + orjson.dumps(metadata) + middle + content + f"\r\n--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


async def test_a_coded_form_of_dragons_is_decoded(service):
    api, dragon = service.api(), await Dragon.connect(service)
    await dragon.announce()
    content = SAMPLE.read_bytes()
    body, headers = dragon_form(dragon.metadata(1), content)
    path = f"/audio/storeChunk?{AUDIO}"
    for damaged in (gzip.compress(body)[:-4], gzip.compress(body)[:-200], gzip.compress(body)[:-6] + bytes(6)):
        answer = await dragon.call("PUT", path, body=damaged, headers=headers | GZIP)
        assert (answer.status, answer.json.keys()) == (400, {"error"})
    assert await found(api, dragon.correlation_id) is None
    refused = await dragon.call("PUT", path, body=body, headers=headers | {"Content-Encoding": "br"})
    assert (refused.status, refused.headers["Accept-Encoding"]) == (415, "gzip, deflate")
    assert "Content-Encoding" in refused.json["error"]
    answer = await dragon.call("PUT", path, body=gzip.compress(body), headers=headers | GZIP)
    assert (answer.status, answer.body) == (200, SUCCESS)
    assert await stored(api, await found(api, dragon.correlation_id)) == as_stored(content)


async def test_a_bomb_in_a_coded_form_of_dragons_is_refused(service):
    dragon = await Dragon.connect(service)
    await dragon.announce()
    body, headers = dragon_form(dragon.metadata(1) | {"more": "x" * 5_000_000}, b"")
    answer = await dragon.call("PUT", f"/audio/storeChunk?{AUDIO}", body=gzip.compress(body), headers=headers | GZIP)
    assert answer.status == 413


@pytest.mark.slow
async def test_a_coded_chunk_of_dorsums_is_decoded(service):
    dorsum = Dorsum.of(service)
    body = {"session_id": dorsum.session_id, "chunk": silence().tolist(), "is_final": True}
    refused = await dorsum.post(orjson.dumps(body), headers={"Content-Encoding": "zstd"})
    assert (refused.status, refused.json["code"], refused.headers["Accept-Encoding"]) == (415, 415, "gzip, deflate")
    answer = await dorsum.post(gzip.compress(orjson.dumps(body)), headers=GZIP)
    assert answer.status == 200
    assert np.array_equal(await stitched_samples(service, answer.json["task_id"]), silence())
