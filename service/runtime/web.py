"""The HTTP application: all dialects' routes together, and the server's own limits."""

import logging
from collections.abc import Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from service.application.metrics import Metrics
from service.console.pages import Pages
from service.console.signing_in import SigningIn
from service.dialects.http.api import Api
from service.dialects.http.cors import Cors
from service.dialects.http.held_answers import held_answers
from service.dialects.http.limits import KEEPALIVE_SECONDS, LINGERING_SECONDS, READ_AHEAD_BYTES, Limits
from service.dialects.http.tracing import tell_trace_id, tracing
from service.dialects.registry import DIALECTS
from service.runtime.assembly import RunningService
from service.runtime.draining import Drain
from service.runtime.operations import Operations, ProcessOperations
from service.runtime.reference import DOCUMENT_PATH, Reference
from service.runtime.settings import ServiceSettings

CUT_SECONDS = 2.0
"""How long requests that are cut may take to end what they have begun to store."""

logger = logging.getLogger(__name__)


def application(service: RunningService) -> web.Application:
    """The dialects' routes, and the operators' unless these have a listener of their own. Raises: AllowListUnusable."""
    apis = [dialect.api() for dialect in DIALECTS]
    cors = Cors(service.parts.settings.origins, [api.reference for api in apis], pages_of(apis))
    app = web.Application(
        middlewares=[
            service.drain.counting(),
            tracing(service.metrics),
            errors(apis),
            held_answers(service.parts.limits.held),
            cors.preflights(),
        ]
    )
    app.on_response_prepare.append(tell_trace_id)
    for api in apis:
        api.install(app, service.parts)
    settings = service.parts.settings.section(ServiceSettings)
    if settings.console:
        _add_console(app, service)
    if settings.operations_port is None:
        for part in _operations(service):
            part.add_routes(app.router)
    else:
        Operations(service).add_alive(app.router)
    app.on_response_prepare.append(cors.tell)
    app.on_response_prepare.append(service.drain.end_connection)
    return app


def pages_of(apis: Sequence[Api]) -> list[str]:
    """The paths at which, and below which, browsers' pages may read answers."""
    return [*(path for api in apis for path in api.paths), DOCUMENT_PATH]


def operations_application(service: RunningService) -> web.Application:
    """What operators ask, for a listener that clients cannot reach."""
    return application_for_operators(service.metrics, *_operations(service))


def application_for_operators(
    metrics: Metrics, *parts: ProcessOperations | Reference, drain: Drain | None = None
) -> web.Application:
    """`drain`: counts the requests, where nothing else is listened for."""
    counting = [] if drain is None else [drain.counting()]
    app = web.Application(middlewares=[*counting, tracing(metrics), errors([DIALECTS[0].api()])])
    app.on_response_prepare.append(tell_trace_id)
    for part in parts:
        part.add_routes(app.router)
    return app


def _add_console(app: web.Application, service: RunningService) -> None:
    parts = service.parts
    api_key = parts.dev_credentials.get("bota", {}).get("api_key")
    SigningIn(parts.settings.data_dir, parts.limits, api_key).add_routes(app.router)
    Pages().add_routes(app.router)


def _operations(service: RunningService) -> tuple[Operations, Reference]:
    return Operations(service), Reference()


def runner(service: RunningService, app: web.Application | None = None) -> web.AppRunner:
    """An application, or else the service's own, with the server's limits."""
    return runner_within(service.parts.limits, app or application(service))


def runner_within(limits: Limits, app: web.Application) -> web.AppRunner:
    """With these limits. A handler is not cancelled when its client goes away: it finishes storing what it has begun to
    store."""
    return web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=KEEPALIVE_SECONDS,
        lingering_time=LINGERING_SECONDS,
        max_line_size=limits.header_bytes,
        max_field_size=limits.header_bytes,
        read_bufsize=READ_AHEAD_BYTES,
        auto_decompress=False,
        shutdown_timeout=CUT_SECONDS,
    )


def errors(apis: Sequence[Api]) -> Middleware:
    """Turns what a handler raises into an answer of the request's dialect."""

    @web.middleware
    async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        api = api_of(request, apis)
        try:
            if api.check is not None:
                api.check(request)
            return await handler(request)
        except web.HTTPException as refusal:
            return api.errors.framework_answer(request, refusal)
        except Exception as error:
            answer = api.errors.answer(error)
            if answer is not None:
                return answer
            logger.exception("request failed unexpectedly")
            return api.errors.defect_answer()

    return answer_errors


def api_of(request: web.Request, apis: Sequence[Api]) -> Api:
    """The dialect that the request is for; the first dialect if it is for none."""
    path, its = request.path, None
    for api in apis:
        if api.claims is not None and api.claims(request):
            return api
        if its is None and path.startswith(api.paths):
            its = api
    return its or apis[0]
