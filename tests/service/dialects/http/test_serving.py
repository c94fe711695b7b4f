import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from adapters.blobs.port import BlobNotFound, StorageUnavailable
from service.dialects.http.serving import Part, RangeNotSatisfiable, ServedBytes, requested_range, serve_bytes
from service.dialects.registry import DIALECTS
from service.runtime.web import errors

Size = st.integers(1, 1_000)
Offset = st.integers(0, 1_500)


@given(size=Size, start=Offset, end=Offset)
def test_a_range_is_what_python_would_slice(size, start, end):
    body = list(range(size))
    if start > end:
        assert requested_range(f"bytes={start}-{end}", size) is None
    elif start >= size:
        with pytest.raises(RangeNotSatisfiable):
            requested_range(f"bytes={start}-{end}", size)
    else:
        found = requested_range(f"bytes={start}-{end}", size)
        assert body[found.start : found.start + found.length] == body[start : end + 1]


@given(size=Size, count=Offset)
def test_a_suffix_is_the_last_bytes(size, count):
    body = list(range(size))
    if count == 0:
        with pytest.raises(RangeNotSatisfiable):
            requested_range("bytes=-0", size)
    else:
        found = requested_range(f"bytes=-{count}", size)
        assert body[found.start : found.start + found.length] == body[-count:]


@given(size=Size, start=st.integers(0, 999))
def test_an_open_range_goes_to_the_end(size, start):
    if start < size:
        found = requested_range(f"bytes={start}-", size)
        assert found.start + found.length == size


@given(st.one_of(st.text(max_size=30), st.integers(0).map(lambda digits: f"bytes={'9' * (digits % 6_000)}-")))
def test_no_header_whatsoever_breaks_it(header):
    try:
        found = requested_range(header, 100)
    except RangeNotSatisfiable:
        return
    assert found is None or (found.start >= 0 and 0 < found.length <= 100 - found.start)


@pytest.mark.parametrize("trouble", [BlobNotFound("second"), StorageUnavailable("the disk is gone")])
async def test_bytes_that_are_gone_after_the_answer_began_cut_it_off_and_nothing_else_is_sent(trouble):
    async def read(key, *, start, length):
        if key == "second":
            raise trouble
        yield b"sound"[start : start + length]

    async def handler(request):
        parts = (Part("first", 5), Part("second", 5))
        return await serve_bytes(request, read, ServedBytes(parts, "etag", "application/octet-stream", "name"))

    app = web.Application(middlewares=[errors([dialect.api() for dialect in DIALECTS])])
    app.router.add_get("/v1/bytes", handler)
    async with (
        TestServer(app) as server,
        aiohttp.ClientSession() as http,
        http.get(server.make_url("/v1/bytes")) as got,
    ):
        assert (got.status, await got.content.readexactly(5)) == (200, b"sound")
        with pytest.raises(aiohttp.ClientPayloadError):
            await got.content.read()
