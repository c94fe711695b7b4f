"""The API reference: the OpenAPI document, and our own viewer for it at `/docs`, which needs no network."""

import asyncio
from functools import cache
from pathlib import Path

from aiohttp import web

from service.generators.openapi import rendered

DOCUMENT_PATH = "/openapi.json"
_PAGE = Path(__file__).with_name("reference.html")
_POLICY = "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"


@cache
def _document() -> bytes:
    return rendered()


class Reference:
    """The handlers. The document is built once, for whoever asks first: a start need not wait for it."""

    def __init__(self) -> None:
        self._page = _PAGE.read_bytes()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/docs", self.docs)
        router.add_get(DOCUMENT_PATH, self.document)

    async def docs(self, _: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": _POLICY}
        return web.Response(body=self._page, content_type="text/html", charset="utf-8", headers=headers)

    async def document(self, _: web.Request) -> web.Response:
        return web.Response(body=await asyncio.to_thread(_document), content_type="application/json", charset="utf-8")
