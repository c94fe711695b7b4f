"""A dialect's HTTP side: its paths, its handlers, its errors and its part of the API reference."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from service.dialects.http.errors import ErrorTable
from service.dialects.http.operation import ReferencePart
from service.dialects.http.parts import Parts, UploadParts


def _nothing_to_add(_: web.Application, __: UploadParts) -> None:
    """One process answers all requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """What the web application needs from a dialect.

    `paths`: the prefixes of its own paths. `claims`: whether a request belongs to it whatever the path; None: for none.
    `check`: raises one of the dialect's errors for a request of its own that no handler should see; None: for none.
    `install`: adds the routes, and whatever else of the dialect's lives as long as the application. `install_uploads`:
    adds the routes that each of several API processes answers itself; the path of each names the `project_id`. All
    others are one process's.
    """

    paths: tuple[str, ...]
    errors: ErrorTable
    reference: ReferencePart
    install: Callable[[web.Application, Parts], None]
    claims: Callable[[web.Request], bool] | None = None
    check: Callable[[web.Request], None] | None = None
    install_uploads: Callable[[web.Application, UploadParts], None] = _nothing_to_add
