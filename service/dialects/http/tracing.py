"""Every request has a trace id: the caller's `x-correlation-id` if it is a UUID, else a new one.

It is in the answer, in every log line of the request, and in the metadata of the events that the request causes.
"""

import asyncio
import logging
import re
import sys
import time
from functools import lru_cache
from random import Random

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import Counter

from service.application.metrics import Metrics
from service.application.trace import trace_id

_ids = Random()  # noqa: S311 - a trace id is no secret; seeded from the system's randomness
TRACE_HEADER = "x-correlation-id"
STATUS_TOLD = web.RequestKey("status told", int)
"""What the log and the metrics tell of a request whose answer ended early, in place of the status that was sent."""

RECORDING_ID = web.RequestKey("recording id", str)
"""The recording that a request is about, where its path does not say so."""

CLIENT_GONE = 499
"""The client went away before the answer's end. The status is sent to nobody; nginx has the same one for this."""

_BEGINS_EARLY = sys.version_info >= (3, 12)
"""aiohttp may then begin a request in the turn of the event loop that ended the one before it on the connection. So it
could be answered with what was known before it was sent (`service.application.this_turn`)."""

_TRACE_ID = web.RequestKey("trace id", str)
logger = logging.getLogger("tapedeck.http")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def tracing(metrics: Metrics) -> Middleware:
    """The outermost middleware: sets the trace id, writes one log line per request, counts the request."""

    @lru_cache(maxsize=1024)
    def counter(method: str, route: str, status: int) -> Counter:
        return metrics.requests.labels(method, route, status)

    @web.middleware
    async def trace(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[_TRACE_ID] = its_trace_id = _trace_id(request.headers.get(TRACE_HEADER))
        token = trace_id.set(its_trace_id)
        began = time.perf_counter()
        status = 500
        try:
            if _BEGINS_EARLY:
                await asyncio.sleep(0)
            response = await handler(request)
            status = request.get(STATUS_TOLD, response.status)
        except web.HTTPException as refusal:
            status = refusal.status
            raise
        else:
            return response
        finally:
            route = _route(request)
            counter(request.method, route, status).inc()
            logger.info(
                "request",
                extra={
                    "method": request.method,
                    "path": request.path,  # never with the query: it may hold a signature
                    "status": status,
                    "milliseconds": round((time.perf_counter() - began) * 1000, 1),
                    **_about(request),
                },
            )
            trace_id.reset(token)

    return trace


async def tell_trace_id(request: web.Request, response: web.StreamResponse) -> None:
    """Signal handler: the header, on every answer but those that aiohttp gives before any middleware has run."""
    its_trace_id = request.get(_TRACE_ID)
    if its_trace_id is not None:
        response.headers[TRACE_HEADER] = its_trace_id


def is_trace_id(given: str | None) -> bool:
    """Whether it is a UUID in its usual form, in upper or lower case; it is passed on as given."""
    return given is not None and _UUID.fullmatch(given) is not None


def _trace_id(given: str | None) -> str:
    if given is not None and is_trace_id(given):
        return given
    digits = f"{_ids.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _route(request: web.Request) -> str:
    """The route's pattern: a path would start a new time series for every recording."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"


def _about(request: web.Request) -> dict[str, str]:
    """The recording that the request is about: named in its path, or found in its body by its handler."""
    recording_id = request.match_info.get("recording_id") or request.get(RECORDING_ID)
    return {"recording_id": recording_id} if recording_id else {}
