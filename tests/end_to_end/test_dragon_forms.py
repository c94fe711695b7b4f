"""Whatever a chunk's form is made of: it is refused with a sentence, nothing of it is stored, and memory stays flat."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from service.dialects.dragon.names import recording_named
from tests.end_to_end.dragon_client import AUDIO, SUCCESS, Dragon, found
from tests.end_to_end.profile import blob_folder_of
from tests.files_on_disk import files_below
from tests.tools.peak_memory import MEBIBYTE, peak_bytes_of

BOUNDARY = "boundary-of-the-test"
STORE = f"/audio/storeChunk?{AUDIO}"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def part(name: str | None, body: bytes, *headers: str) -> bytes:
    disposition = f'form-data; name="{name}"' if name is not None else "form-data"
    lines = [f"--{BOUNDARY}", f"Content-Disposition: {disposition}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


@pytest.fixture
async def dragon(service) -> Dragon:
    dragon = await Dragon.connect(service)
    await dragon.announce()
    return dragon


def metadata_of(dragon: Dragon, **changes) -> bytes:
    return json.dumps(dragon.metadata(1, **changes)).encode()


async def send(dragon: Dragon, body, headers=None):
    return await dragon.call("PUT", STORE, body=body, headers=headers or FORM)


def attacks(metadata: bytes) -> dict[str, tuple[bytes, int, str]]:
    """Name -> body, status, a word of the sentence."""
    good, audio = part("metadata", metadata), part("content", b"bytes", "Content-Type: application/octet-stream")
    no_more = "more parts than metadata and content"
    return {
        "metadata after content": (audio + good + END, 400, "first part must be metadata"),
        "metadata twice": (good + good + END, 400, "second part must be content"),
        "metadata twice, around content": (good + audio + good + END, 400, no_more),
        "content twice": (good + audio + audio + END, 400, no_more),
        "metadata missing": (audio + END, 400, "first part must be metadata"),
        "no part at all": (END, 400, "no metadata part"),
        "nothing at all": (b"", 400, "not a complete multipart form"),
        "metadata of 10 MB": (part("metadata", b'{"x": "' + b"x" * 10_000_000) + END, 413, "larger"),
        "metadata not JSON": (part("metadata", b"productId=1") + audio + END, 400, "metadata part is not JSON"),
        "metadata empty": (part("metadata", b"") + audio + END, 400, "metadata part is not JSON"),
        "metadata an array": (part("metadata", b"[1]") + audio + END, 400, "must be a JSON object"),
        "metadata not UTF-8": (part("metadata", b'{"a": "\xff"}') + audio + END, 400, "not JSON"),
        "metadata nested beyond measure": (part("metadata", b"[" * 100_000) + audio + END, 400, "not JSON"),
        "a part name with a path": (part("../../etc/metadata", metadata) + END, 400, "first part must be metadata"),
        "a content name with a path": (good + part("../content", b"x") + END, 400, "second part must be content"),
        "a part without a name": (part(None, metadata) + END, 400, "first part must be metadata"),
        "10 000 parts": (good + audio + part("more", b"x") * 10_000 + END, 400, no_more),
        "10 000 parts of metadata": (good * 10_000 + END, 400, "second part must be content"),
        "a form within the form": (
            good + part("content", b"", "Content-Type: multipart/mixed; boundary=inner") + END,
            400,
            "must not be a form itself",
        ),
        "an encoded part": (
            good + part("content", b"Ynl0ZXM=", "Content-Transfer-Encoding: base64") + END,
            400,
            "must not be encoded",
        ),
        "a compressed part": (good + part("content", b"x", "Content-Encoding: gzip") + END, 400, "must not be encoded"),
        "1 000 headers on a part": (part("metadata", metadata, *["X-More: x"] * 1_000) + END, 400, "not a complete"),
        "a header of 100 kB on a part": (
            part("metadata", metadata, "X: " + "x" * 100_000) + END,
            400,
            "not a complete",
        ),
        "a header that is none": (part("metadata", metadata, "no colon here") + END, 400, "not a complete"),
        "cut off in the metadata": (good[:-40], 400, "not a complete"),
        "cut off in the content": (good + audio[:-4], 400, "not a complete"),
        "cut off before the end": (good + audio, 400, "not a complete"),
        "content that runs into another boundary": (
            good + part("content", f"x\r\n--{BOUNDARY}x".encode()) + END,
            400,
            "not a complete",
        ),
        "a length that lies": (good + part("content", b"bytes", "Content-Length: 1") + audio + END, 400, no_more),
        "lines before the form without end": (b"x\r\n" * 200_000 + good + END, 400, "more than 64 lines"),
        "one line before the form without end": (b"x" * 1_000_000, 400, "not a complete"),
        "a default charset of its own": (part("_charset_", b"x" * 100) + good + END, 400, "not a complete"),
    }


@pytest.mark.parametrize("attack", list(attacks(b"{}")))
async def test_a_form_that_is_none_is_refused_and_leaves_nothing(dragon, service, api, attack):
    body, status, word = attacks(metadata_of(dragon))[attack]
    answer = await send(dragon, body)
    assert (answer.status, set(answer.json)) == (status, {"error"})
    assert word in answer.json["error"]
    assert await found(api, dragon.correlation_id) is None
    await service.nothing_stays_half_written()
    its_id = recording_named(service.credentials["project_id"], dragon.correlation_id, 1)
    stored = [path.as_posix() for path in files_below(blob_folder_of(service))]
    assert not [path for path in stored if f"{its_id.hex}/chunk-" in path]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "text/plain",
        "multipart/mixed; boundary=x",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/form-data; boundary={'x' * 100}",
    ],
)
async def test_a_body_that_is_not_a_form_is_refused(dragon, content_type):
    answer = await send(dragon, part("metadata", metadata_of(dragon)) + END, {"Content-Type": content_type})
    assert answer.status == 400
    assert "multipart" in answer.json["error"]


async def test_what_clients_really_send_is_taken(dragon, api):
    """An empty line before, a file name with a path, parts in other types, an epilogue, no line break at the end."""
    audio = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; filename="../../chunk.bin"; name=content\r\n'
        "Content-Type: audio/wav\r\nContent-Length: 5\r\n\r\nbytes\r\n"
    ).encode()
    metadata = part("metadata", metadata_of(dragon), "Content-Type: application/json; charset=utf-8")
    for body in (
        metadata + audio + END,
        metadata + audio + END.rstrip(),
        b"\r\n" + metadata + audio + END + b"epilogue\r\n",
        metadata + part("content", b"bytes", "Content-Transfer-Encoding: binary") + END,
    ):
        assert (await send(dragon, body)).body == SUCCESS
    chunks = await api.get(await found(api, dragon.correlation_id), "/chunks")
    assert [chunk["size_bytes"] for chunk in chunks["data"]] == [5]


async def test_content_may_hold_any_bytes_also_line_breaks_and_dashes(dragon, api):
    bodies = [b"\r\n", b"\r\n--", b"\r\n" * 70_000, bytes(range(256)) * 1_000, b"-" * 65_536]
    for number, body in enumerate(bodies, 1):
        answer = await send(dragon, part("metadata", metadata_of(dragon, chunkId=number)) + part("content", body) + END)
        assert answer.body == SUCCESS
    chunks = await api.get(await found(api, dragon.correlation_id), "/chunks")
    assert [chunk["size_bytes"] for chunk in chunks["data"]] == [len(body) for body in bodies]


async def pieces(head: bytes, block: bytes, count: int, tail: bytes = END) -> AsyncIterator[bytes]:
    yield head
    for _ in range(count):
        yield block
    yield tail


async def flood(service, dragon: Dragon, body: AsyncIterator[bytes]) -> int:
    """Send for as long as the service takes it; gives the status that it answered with, by its own log.

    Its answer itself may be lost to a client that is still sending: that is how TCP is.
    """
    trace = str(uuid4())
    lines = [f"PUT {STORE} HTTP/1.1", "Host: x", f"Content-Type: {FORM['Content-Type']}", "Transfer-Encoding: chunked"]
    lines += [f"Authorization: Bearer {dragon.token}", f"x-correlation-id: {trace}", "Connection: close", "", ""]
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(dragon.url).port)
    writer.write("\r\n".join(lines).encode())
    with suppress(ConnectionError):
        async for piece in body:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await reader.read()
    writer.transport.abort()
    with suppress(ConnectionError):
        await writer.wait_closed()
    (status,) = [line["status"] for line in await service.lines_of_trace(trace)]
    return status


@pytest.mark.slow
async def test_memory_stays_flat_whatever_comes(own_service):
    own_service.settings["MAX_CHUNK_BYTES"] = str(150 * MEBIBYTE)
    dragon = await Dragon.connect(await own_service.start())
    await dragon.announce()
    good = part("metadata", metadata_of(dragon))
    head = good + part("content", b"")[:-2]
    block = bytes(range(256)) * 256
    assert await flood(own_service, dragon, pieces(head, block, 32, b"\r\n" + END)) == 200
    before = peak_bytes_of(own_service.answering())

    bodies = {
        "a chunk of 100 MB": pieces(head, block, 1_600, b"\r\n" + END),
        "a boundary that never ends": pieces(head, block, 3_000),
        "metadata that never ends": pieces(part("metadata", b"")[:-2], block, 3_000),
        "parts that never end": pieces(good, part("more", b"x" * 1_000) * 60, 3_000),
        "lines that never end": pieces(b"x\r\n", b"x\r\n" * 20_000, 3_000),
        "headers that never end": pieces(good.split(b"\r\n\r\n")[0] + b"\r\n", b"X: x\r\n" * 10_000, 3_000),
    }
    grown = {}
    for name, body in bodies.items():
        status = await flood(own_service, dragon, body)
        assert status in ((200,) if name == "a chunk of 100 MB" else (400, 413)), name
        grown[name] = peak_bytes_of(own_service.answering()) - before
    assert max(grown.values()) < 32 * MEBIBYTE, grown


@pytest.mark.slow
async def test_a_form_that_does_not_come_in_time_is_given_up(own_service):
    own_service.settings["CHUNK_SECONDS"] = "0.3"
    dragon = await Dragon.connect(await own_service.start())
    await dragon.announce()
    lines = [f"PUT {STORE} HTTP/1.1", "Host: x", f"Content-Type: {FORM['Content-Type']}", "Content-Length: 100000"]
    lines += [f"Authorization: Bearer {dragon.token}", f"x-correlation-id: {uuid4()}", "", ""]
    reader, writer = await asyncio.open_connection("127.0.0.1", own_service.port)
    writer.write("\r\n".join(lines).encode() + part("metadata", metadata_of(dragon)) + part("content", b"x")[:-2])
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'{"error":"The body did not arrive within 0.3 seconds; send it again."}' in answer


async def test_a_client_that_asks_first_is_refused_before_it_sends(dragon):
    """By its token, and by a length that is too much."""
    for token, length, status in (("x", 100, b"401"), (dragon.token, 2_000_000_000, b"413")):
        lines = [f"PUT {STORE} HTTP/1.1", "Host: x", f"Content-Type: {FORM['Content-Type']}"]
        lines += [
            f"Content-Length: {length}",
            f"Authorization: Bearer {token}",
            f"x-correlation-id: {uuid4()}",
            "Expect: 100-continue",
            "",
            "",
        ]
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(dragon.url).port)
        writer.write("\r\n".join(lines).encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 " + status)
        writer.close()
