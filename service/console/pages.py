"""Serves the console's files, which are part of the package: no network is needed, and nothing is built.

Every path below `/console` that is no file's is a view of the one page, so that a view can be reloaded and linked to.
"""

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ETag, hdrs, web

PREFIX = "/console"
_FOLDER = Path(__file__).with_name("web")
_PAGE = "index.html"
_ONLY_FOR_CHECKS = ".ts"

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types lit-html",
    )
)
"""Content Security Policy: scripts and styles from these files alone, and no text can become markup (Trusted Types)."""

_HEADERS = {
    hdrs.CACHE_CONTROL: "no-cache",  # asked about at every load, and answered with 304
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_TEXTS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    content_type: str
    etag: str


class Pages:
    """The handlers. All files are read at the start: they are small, and one that is missing is noticed at once."""

    def __init__(self) -> None:
        self._files = {
            path.relative_to(_FOLDER).as_posix(): _read(path)
            for path in _FOLDER.rglob("*")
            if path.is_file() and path.suffix != _ONLY_FOR_CHECKS
        }

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get(PREFIX, self.page)
        router.add_get(f"{PREFIX}/{{path:.*}}", self.file)

    async def page(self, request: web.Request) -> web.Response:
        return _answer(request, self._files[_PAGE])

    async def file(self, request: web.Request) -> web.Response:
        """A file, or the page for a path that names a view. Raises: HTTPNotFound for a file that there is not."""
        path = request.match_info["path"]
        found = self._files.get(path)
        if found is None and "." in path.rpartition("/")[2]:
            raise web.HTTPNotFound
        return _answer(request, found or self._files[_PAGE])


def _read(path: Path) -> _File:
    body = path.read_bytes()
    content_type = _TEXTS.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "text/plain"
    return _File(body, content_type, hashlib.sha256(body).hexdigest()[:32])


def _answer(request: web.Request, file: _File) -> web.Response:
    if any(known.value in (file.etag, "*") for known in request.if_none_match or ()):
        answer = web.Response(status=304, headers=_HEADERS)
    else:
        charset = "utf-8" if file.content_type.startswith("text/") else None
        answer = web.Response(body=file.body, content_type=file.content_type, charset=charset, headers=_HEADERS)
    answer.etag = ETag(file.etag)
    return answer
