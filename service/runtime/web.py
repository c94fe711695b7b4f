"""The HTTP application: every dialect's routes under one roof, and the server's own limits."""

import logging

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from service.dialects.bota.errors import bota_errors, error_answer
from service.dialects.bota.rate_limits import rate_limits, tell_rate
from service.dialects.bota.reading import Reading
from service.dialects.bota.streaming import Streaming
from service.dialects.bota.transcriptions import Transcriptions
from service.dialects.bota.webhooks import Webhooks
from service.dialects.bota.whole_file import WholeFile
from service.dialects.dorsum import errors as dorsum
from service.dialects.dorsum.transcribe import Transcribe
from service.dialects.dragon import errors as dragon
from service.dialects.dragon.audio import Audio
from service.dialects.dragon.dev_issuer_api import DevIssuerApi
from service.dialects.dragon.sessions import Sessions
from service.dialects.http.deck import Deck
from service.dialects.http.limits import KEEPALIVE_SECONDS, LINGERING_SECONDS
from service.dialects.http.tracing import tracing
from service.runtime.operations import Operations
from service.runtime.reference import Reference

logger = logging.getLogger(__name__)


def application(deck: Deck) -> web.Application:
    """All routes over one deck."""
    app = web.Application(middlewares=_middlewares(deck))
    app.on_response_prepare.append(tell_rate)
    bota = (Streaming(deck), WholeFile(deck), Reading(deck), Transcriptions(deck), Webhooks(deck))
    for part in (*bota, Audio(deck), Sessions(deck), Transcribe(deck), Operations(deck)):
        part.add_routes(app.router)
    Reference().add_routes(app.router)
    if deck.dev_issuer is not None:
        DevIssuerApi(deck.dev_issuer, deck.limits).add_routes(app.router)
    return app


def _middlewares(deck: Deck) -> list[Middleware]:
    dialects = (bota_errors, dragon.dragon_errors, dorsum.dorsum_errors)
    return [tracing(deck.metrics), unexpected_errors, *dialects, rate_limits(deck)]


def runner(deck: Deck) -> web.AppRunner:
    """The application with the server's limits. A handler is not cancelled when its client goes away: what it has
    begun to store, it ends."""
    return web.AppRunner(
        application(deck),
        access_log=None,
        keepalive_timeout=KEEPALIVE_SECONDS,
        lingering_time=LINGERING_SECONDS,
        max_line_size=deck.limits.header_bytes,
        max_field_size=deck.limits.header_bytes,
        auto_decompress=False,
        shutdown_timeout=10.0,
    )


@web.middleware
async def unexpected_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A defect of ours: logged in full, told to the client in a sentence that gives nothing away."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except ConnectionError:
        raise  # the client went away while it was being answered
    except Exception:
        logger.exception("request failed unexpectedly")
        sentence = "The service failed at this request; try again."
        if dorsum.is_dorsum(request):
            return dorsum.error_answer(500, sentence)
        if dragon.is_dragon(request):
            return dragon.error_answer(500, sentence)
        return error_answer(500, "internal_error", sentence)
