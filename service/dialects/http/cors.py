"""Cross-origin requests of browsers (CORS: the Fetch standard, "HTTP CORS protocol"; Private Network Access).

What a path takes comes from the dialects' operations; there is no second table. A browser asks before it sends a
request with a key, and is told what the path takes:

- An origin that may not call: 403. It cannot read that, but its developer can.
- A method that the path does not have: 405, and a path that does not exist: 404, as for the request itself. Without an
  ok status the browser refuses, also for the methods that it would send without looking at the list.
- A header that the operation does not take: 204 with the true list. The browser refuses the request by that list, and
  names the header on its console; without the list it would blame the origin.

Signed URLs are open to every origin, as object stores are set up to: the URL itself is the permission. Cookies mean
nothing to the service, so Access-Control-Allow-Credentials is never sent.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from service.dialects.http.operation import Operation, ReferencePart
from service.dialects.http.origins import EVERY, Origins
from service.dialects.http.tracing import TRACE_HEADER

MAX_AGE_SECONDS = 7200
"""How long a browser may remember what a path takes. Chromium's own limit."""

ASKS_PRIVATE, ALLOWS_PRIVATE = "Access-Control-Request-Private-Network", "Access-Control-Allow-Private-Network"
_PREFLIGHT_VARIES = (
    hdrs.ORIGIN,
    hdrs.ACCESS_CONTROL_REQUEST_METHOD,
    hdrs.ACCESS_CONTROL_REQUEST_HEADERS,
    ASKS_PRIVATE,
)
_WITH_ANY_REQUEST = (hdrs.ACCEPT, hdrs.CONTENT_TYPE, TRACE_HEADER)
"""Content-Type also where there is no body: many pages send the same headers with every call."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}", re.ASCII)
_READABLE_ANYWAY = ("Cache-Control", "Content-Language", "Content-Type", "Expires", "Last-Modified", "Pragma")
_NO_CLIENTS_BUSINESS = ("Connection", "Date", "Keep-Alive", "Server", "Transfer-Encoding", "Vary")
_NOT_EXPOSED = frozenset(name.lower() for name in (*_READABLE_ANYWAY, *_NO_CLIENTS_BUSINESS, "X-Content-Type-Options"))


class OriginNotAllowed(Exception):
    def __init__(self) -> None:
        super().__init__("Pages of this origin may not call the service; its setting TAPEDECK_CORS_ORIGINS says which.")


@dataclass(frozen=True, slots=True)
class _Path:
    """What one path takes. `headers`: those of a request by each method."""

    headers: Mapping[str, tuple[str, ...]]
    is_signed: bool


class Cors:
    """`origins`: which may call. `parts`: what the dialects serve. `paths`: at these and below them, pages may read
    answers, errors included."""

    def __init__(self, origins: Origins, parts: Iterable[ReferencePart], paths: Sequence[str]) -> None:
        self._origins = origins
        self._paths = _paths(parts)
        self._exactly = frozenset(paths)
        self._below = tuple(path if path.endswith("/") else f"{path}/" for path in paths)

    def preflights(self) -> Middleware:
        """Answers what browsers ask before a request. Raises: OriginNotAllowed; web.HTTPException."""

        @web.middleware
        async def answer_preflights(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.method != hdrs.METH_OPTIONS:
                return await handler(request)
            answer = await self._preflight_answer(request)
            return await handler(request) if answer is None else answer

        return answer_preflights

    async def tell(self, request: web.Request, response: web.StreamResponse) -> None:
        """Signal handler, the last one: lets pages that may call read the answer, and every header of it.

        What can be kept in a cache says so also to a client without an origin, who may share the cache with a page.
        """
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None and request.method not in (hdrs.METH_GET, hdrs.METH_HEAD):
            return
        headers = response.headers
        if hdrs.ACCESS_CONTROL_ALLOW_ORIGIN in headers or not self._is_for_pages(request):
            return
        exposed = [name for name in dict.fromkeys(headers) if name.lower() not in _NOT_EXPOSED]
        allowed = self._allowed(request, origin)
        if allowed != EVERY and self._origins.are_some:
            _vary(response, _PREFLIGHT_VARIES if request.method == hdrs.METH_OPTIONS else (hdrs.ORIGIN,))
        if allowed is not None:
            headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = allowed
            headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = ", ".join(exposed)

    async def _preflight_answer(self, request: web.Request) -> web.Response | None:
        """None for what is no preflight, or is for a path without cross-origin requests."""
        method = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_METHOD, "")
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None or not _TOKEN.fullmatch(method) or not self._is_for_pages(request):
            return None
        found = await request.app.router.resolve(request.clone(method=method))
        if found.http_exception is not None:
            raise found.http_exception
        path = self._paths.get(_template(found.route))
        if path is None or method not in path.headers:
            return None
        allowed = EVERY if path.is_signed else self._origins.allowed(origin)
        if allowed is None:
            raise OriginNotAllowed
        headers: dict[str, str] = {
            hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: allowed,
            hdrs.ACCESS_CONTROL_ALLOW_METHODS: ", ".join(sorted(path.headers)),
            hdrs.ACCESS_CONTROL_ALLOW_HEADERS: ", ".join(path.headers[method]),
            hdrs.ACCESS_CONTROL_MAX_AGE: str(MAX_AGE_SECONDS),
            hdrs.VARY: ", ".join(_PREFLIGHT_VARIES),
        }
        if request.headers.get(ASKS_PRIVATE, "").lower() == "true":
            headers[ALLOWS_PRIVATE] = "true"
        return web.Response(status=204, headers=headers)

    def _allowed(self, request: web.Request, origin: str | None) -> str | None:
        path = self._paths.get(_template(request.match_info.route))
        return EVERY if path is not None and path.is_signed else self._origins.allowed(origin)

    def _is_for_pages(self, request: web.Request) -> bool:
        return request.path in self._exactly or request.path.startswith(self._below)


def _paths(parts: Iterable[ReferencePart]) -> Mapping[str, _Path]:
    """By the path's template, as routes have it."""
    headers: dict[str, dict[str, tuple[str, ...]]] = {}
    signed = set()
    for part in parts:
        for operation in part.operations:
            methods = (hdrs.METH_GET, hdrs.METH_HEAD) if operation.method == hdrs.METH_GET else (operation.method,)
            headers.setdefault(operation.path, {}).update(dict.fromkeys(methods, _headers_taken(part, operation)))
            if operation.is_signed:
                signed.add(operation.path)
    return {template: _Path(of_methods, template in signed) for template, of_methods in headers.items()}


def _headers_taken(part: ReferencePart, operation: Operation) -> tuple[str, ...]:
    """The headers that a request for the operation may have, each once."""
    of_client = () if operation.is_signed else (*_key_headers(part, operation), *part.request_headers)
    of_body = () if operation.body is None else (hdrs.CONTENT_ENCODING,)
    names = (*of_client, *_WITH_ANY_REQUEST, *of_body, *operation.headers)
    taken = {name.lower(): str(name) for name in reversed(names)}
    return tuple(reversed(taken.values()))


def _key_headers(part: ReferencePart, operation: Operation) -> list[str]:
    """Those that say who calls: also where nobody has to say so, since a client sends its key with every call."""
    needed = operation.security or tuple(part.security_schemes)
    schemes = [part.security_schemes[name] for name in ((needed,) if isinstance(needed, str) else needed)]
    return [scheme["name"] if scheme["type"] == "apiKey" else hdrs.AUTHORIZATION for scheme in schemes]


def _template(route: web.AbstractRoute) -> str:
    """Empty for the answers to what has no route."""
    return "" if route.resource is None else route.resource.canonical


def _vary(response: web.StreamResponse, names: Sequence[str]) -> None:
    given = [name.strip() for name in response.headers.get(hdrs.VARY, "").split(",") if name.strip()]
    response.headers[hdrs.VARY] = ", ".join(dict.fromkeys([*given, *names]))
