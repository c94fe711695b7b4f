"""Bota's rate limits (P): every answer says how the caller stands; off unless set.

A caller is a key, or an address where there is none. `/health` is for whoever watches the service: it is not refused.
"""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from service.dialects.bota import access
from service.dialects.bota.errors import TooManyRequests, Unauthorized
from service.dialects.bota.settings import BotaSettings
from service.dialects.http.deck import Deck
from service.dialects.http.rates import Rate, Rates

_NEVER_REFUSED = "/health"
_RATE = web.RequestKey("rate", Rate)


def rate_limits(deck: Deck) -> Middleware:
    """Counts a request of Bota's API before anything else is done for it. Raises: TooManyRequests."""
    rates = Rates(deck.settings.section(BotaSettings).requests_per_minute, deck.clock)

    @web.middleware
    async def limit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/v1/") or request.path == _NEVER_REFUSED:
            rate = rates.count(_caller(request, deck) if rates.are_limited else "")
            request[_RATE] = rate
            if rate.is_exceeded and request.path != _NEVER_REFUSED:
                raise TooManyRequests(_seconds_left(rate, deck))
        return await handler(request)

    return limit


def _caller(request: web.Request, deck: Deck) -> str:
    try:
        return access.authenticated(request, deck).id
    except Unauthorized:
        return f"from {request.remote}"


def _seconds_left(rate: Rate, deck: Deck) -> int:
    return max(1, rate.resets_at - int(deck.clock().timestamp()))


async def tell_rate(request: web.Request, response: web.StreamResponse) -> None:
    """Signal handler: the headers, on whatever is answered."""
    rate = request.get(_RATE)
    if rate is not None:
        response.headers["X-RateLimit-Limit"] = str(rate.limit)
        response.headers["X-RateLimit-Remaining"] = str(rate.remaining)
        response.headers["X-RateLimit-Reset"] = str(rate.resets_at)
