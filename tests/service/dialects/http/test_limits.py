"""A body is read to its end, and within its limit, whether all of it is there at the beginning or it comes later."""

import asyncio
from unittest.mock import Mock

import pytest
from aiohttp import StreamReader, hdrs, web
from aiohttp.test_utils import make_mocked_request

from service.dialects.http.limits import BodyCutOff, BodyTooLarge, body_pieces

PIECES = (b"OggS", b"0123", b"4567")
WHOLE = b"".join(PIECES)
SIZE_BYTES = len(WHOLE)


def content_of(pieces=PIECES):
    content = StreamReader(Mock(_reading_paused=False), 2**16, loop=asyncio.get_running_loop())
    for piece in pieces:
        content.feed_data(piece)
    return content


async def read(content, limit_bytes=SIZE_BYTES):
    request = make_mocked_request(hdrs.METH_PUT, "/", payload=content)
    return b"".join([piece async for piece in body_pieces(request, limit_bytes=limit_bytes, seconds=60)])


async def arriving(content, pieces):
    for piece in pieces:
        await asyncio.sleep(0)
        content.feed_data(piece)
    content.feed_eof()


@pytest.fixture(params=range(len(PIECES) + 1))
async def body(request):
    """So many pieces are there at the beginning; the rest comes later."""
    content = content_of(PIECES[: request.param])
    if request.param == len(PIECES):
        content.feed_eof()
        yield content
        return
    rest = asyncio.create_task(arriving(content, PIECES[request.param :]))
    yield content
    await rest


async def test_a_body_is_read_to_its_end(body):
    assert await read(body) == WHOLE


async def test_a_body_that_is_too_large_is_refused_though_nobody_said_so(body):
    with pytest.raises(BodyTooLarge):
        await read(body, limit_bytes=SIZE_BYTES - 1)


async def test_a_body_without_bytes_has_none():
    content = content_of(())
    content.feed_eof()
    assert await read(content) == b""


@pytest.mark.parametrize("pieces", [(), PIECES])
@pytest.mark.parametrize("error", [ConnectionResetError, web.RequestPayloadError])
async def test_a_body_that_was_cut_off_is_not_taken_for_a_whole_one(pieces, error):
    content = content_of(pieces)
    content.set_exception(error())
    content.feed_eof()
    with pytest.raises(BodyCutOff):
        await read(content)
