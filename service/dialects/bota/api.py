"""Bota's handlers and what belongs to them."""

from aiohttp import web

from service.dialects.bota.errors import ERRORS
from service.dialects.bota.health import Health
from service.dialects.bota.rate_limits import rate_limits, tell_rate
from service.dialects.bota.reading import Reading
from service.dialects.bota.reference import REFERENCE
from service.dialects.bota.streaming import Streaming
from service.dialects.bota.transcriptions import Transcriptions
from service.dialects.bota.webhooks import Webhooks
from service.dialects.bota.whole_file import WholeFile
from service.dialects.http.api import Api
from service.dialects.http.deck import Deck


def _install(app: web.Application, deck: Deck) -> None:
    app.middlewares.append(rate_limits(deck))
    app.on_response_prepare.append(tell_rate)
    for part in (Streaming(deck), WholeFile(deck), Reading(deck), Transcriptions(deck), Webhooks(deck), Health(deck)):
        part.add_routes(app.router)


API = Api(paths=("/v1/", "/health"), errors=ERRORS, reference=REFERENCE, install=_install)
