"""Multipart forms where none belongs: a client library's habit, noticed before a form is stored as if it were sound."""

import re
from collections.abc import AsyncIterator, Awaitable
from typing import Protocol, Self

from aiohttp import web

_BEGINNING = re.compile(
    rb"(?:\r\n)?--[!-~ ]{1,70}\r?\n(?:[!-9;-~]{1,60}:[^\r\n]{0,200}\r?\n){0,3}Content-Disposition:[ \t]*form-data[;\s]",
    re.IGNORECASE,
)
"""How a form begins (RFC 2046, 5.1.1; RFC 7578): a boundary, then the headers of its first part."""

_LONGEST_BEGINNING = 1024
_OPENINGS = (b"--", b"\r\n--")


class Pieces(Protocol):
    """A body as it comes. `aclose` lets go of what it comes from, if it is not read to its end."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...
    def __anext__(self) -> Awaitable[bytes]: ...
    def aclose(self) -> Awaitable[None]: ...


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


def no_form(pieces: Pieces, wanted: str) -> AsyncIterator[bytes]:
    """The same bytes. Raises, iterated: FormNotTaken before the first if they begin as a form does; what `pieces`
    raise."""
    return _NoForm(pieces, wanted)


class _NoForm:
    """No generator: the event loop keeps account of those, which costs more than this does."""

    def __init__(self, pieces: Pieces, wanted: str) -> None:
        self._pieces = pieces
        self._wanted = wanted
        self._has_begun = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._has_begun:
            return await anext(self._pieces)
        self._has_begun = True
        beginning = b""
        async for piece in self._pieces:
            beginning += piece
            if len(beginning) >= _LONGEST_BEGINNING or not _may_begin_a_form(beginning):
                break
        try:
            check_is_no_form(beginning, self._wanted)
        except FormNotTaken:
            await self._pieces.aclose()
            raise
        return beginning


def _may_begin_a_form(beginning: bytes) -> bool:
    return any(beginning.startswith(opening) or opening.startswith(beginning) for opening in _OPENINGS)
