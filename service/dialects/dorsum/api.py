"""Dorsum's handlers and what belongs to them."""

from aiohttp import web

from service.dialects.dorsum.errors import ERRORS
from service.dialects.dorsum.reference import REFERENCE
from service.dialects.dorsum.transcribe import Transcribe
from service.dialects.http.api import Api
from service.dialects.http.deck import Deck


def _install(app: web.Application, deck: Deck) -> None:
    Transcribe(deck).add_routes(app.router)


API = Api(paths=("/api/consultations/",), errors=ERRORS, reference=REFERENCE, install=_install)
