"""Multipart forms where none belongs: a client library's habit, noticed before a form is stored as if it were sound."""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import web

_BEGINNING = re.compile(
    rb"(?:\r\n)?--[!-~ ]{1,70}\r?\n(?:[!-9;-~]{1,60}:[^\r\n]{0,200}\r?\n){0,3}Content-Disposition:[ \t]*form-data[;\s]",
    re.IGNORECASE,
)
"""How a form begins (RFC 2046, 5.1.1; RFC 7578): a boundary, then the headers of its first part."""

_LONGEST_BEGINNING = 1024
_OPENINGS = (b"--", b"\r\n--")


class FormNotTaken(Exception):
    """A multipart form came to a call that takes something else. `wanted`: what."""

    def __init__(self, wanted: str) -> None:
        super().__init__(f"The body is a multipart form; send {wanted}.")


def check_announces_no_form(request: web.Request, wanted: str) -> None:
    """Raises: FormNotTaken if the Content-Type is that of a form."""
    if request.content_type.startswith("multipart/"):
        raise FormNotTaken(wanted)


def check_is_no_form(body: bytes, wanted: str) -> None:
    """Raises: FormNotTaken if `body`, or its beginning, is that of a form."""
    if _BEGINNING.match(body):
        raise FormNotTaken(wanted)


async def no_form(pieces: AsyncGenerator[bytes], wanted: str) -> AsyncGenerator[bytes]:
    """The same bytes. Raises: FormNotTaken before the first if they begin as a form does; what `pieces` raise."""
    async with aclosing(pieces):
        beginning = b""
        async for piece in pieces:
            beginning += piece
            if len(beginning) >= _LONGEST_BEGINNING or not _may_begin_a_form(beginning):
                break
        check_is_no_form(beginning, wanted)
        yield beginning
        async for piece in pieces:
            yield piece


def _may_begin_a_form(beginning: bytes) -> bool:
    return any(beginning.startswith(opening) or opening.startswith(beginning) for opening in _OPENINGS)
