"""The HTTP application: every dialect's routes under one roof, and the server's own limits."""

import logging

from aiohttp import web
from aiohttp.typedefs import Handler

from service.api.bota.errors import bota_errors, error_answer
from service.api.bota.rate_limits import rate_limits, tell_rate
from service.api.bota.reading import Reading
from service.api.bota.streaming import Streaming
from service.api.bota.transcriptions import Transcriptions
from service.api.bota.webhooks import Webhooks
from service.api.bota.whole_file import WholeFile
from service.api.dev_issuer import DevIssuerApi
from service.api.dragon import errors as dragon
from service.api.dragon.audio import Audio
from service.api.dragon.sessions import Sessions
from service.api.limits import KEEPALIVE_SECONDS, LINGERING_SECONDS
from service.api.operations import Operations
from service.api.reference import Reference
from service.api.tracing import tracing
from service.deck import Deck

logger = logging.getLogger(__name__)


def application(deck: Deck) -> web.Application:
    """All routes over one deck."""
    middlewares = [tracing(deck.metrics), unexpected_errors, bota_errors, dragon.dragon_errors, rate_limits(deck)]
    app = web.Application(middlewares=middlewares)
    app.on_response_prepare.append(tell_rate)
    bota = (Streaming(deck), WholeFile(deck), Reading(deck), Transcriptions(deck), Webhooks(deck))
    for part in (*bota, Audio(deck), Sessions(deck), Operations(deck)):
        part.add_routes(app.router)
    Reference().add_routes(app.router)
    if deck.dev_issuer is not None:
        DevIssuerApi(deck.dev_issuer, deck.limits).add_routes(app.router)
    return app


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
        return (
            dragon.error_answer(500, sentence)
            if dragon.is_dragon(request)
            else error_answer(500, "internal_error", sentence)
        )
