"""Bota's rate limits (P): every answer reports the caller's count; off unless set.

A caller is a key, or an address if there is none. `/health` is for monitoring, so it is never refused.
"""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from service.application.callers import Callers
from service.application.clock import Clock
from service.dialects.bota import access
from service.dialects.bota.errors import TooManyRequests, Unauthorized
from service.dialects.http.rates import Rate, Rates
from service.dialects.http.remote import remote_of

_NEVER_REFUSED = "/health"
_RATE = web.RequestKey("rate", Rate)


def rate_limits(callers: Callers, *, per_minute: int | None, clock: Clock) -> Middleware:
    """Counts a request to Bota's API before anything else is done for it. Raises: TooManyRequests."""
    rates = Rates(per_minute, clock)

    @web.middleware
    async def limit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/v1/") or request.path == _NEVER_REFUSED:
            rate = rates.count(await _caller(request, callers) if rates.are_limited else "")
            request[_RATE] = rate
            if rate.is_exceeded and request.path != _NEVER_REFUSED:
                raise TooManyRequests(_seconds_left(rate, clock))
        return await handler(request)

    return limit


async def _caller(request: web.Request, callers: Callers) -> str:
    try:
        return (await access.authenticated(request, callers)).id
    except Unauthorized:
        return f"from {remote_of(request)}"


def _seconds_left(rate: Rate, clock: Clock) -> int:
    return max(1, rate.resets_at - int(clock().timestamp()))


async def tell_rate(request: web.Request, response: web.StreamResponse) -> None:
    """Signal handler: the headers, on every answer."""
    rate = request.get(_RATE)
    if rate is not None:
        headers = response.headers
        headers["X-RateLimit-Limit"] = str(rate.limit)
        headers["X-RateLimit-Remaining"] = str(rate.remaining)
        headers["X-RateLimit-Reset"] = str(rate.resets_at)
