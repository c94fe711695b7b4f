"""The HTTP application of an API process: the dialects' chunks are its own, all else is handed over."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from service.application.metrics import Metrics
from service.dialects.http.cors import Cors
from service.dialects.http.held_answers import held_answers
from service.dialects.http.limits import continue_later
from service.dialects.http.parts import UploadParts
from service.dialects.http.tracing import tell_trace_id, tracing
from service.dialects.registry import DIALECTS
from service.runtime.draining import Drain
from service.runtime.operations import READY_PATH, readiness_answer
from service.runtime.processes.forwarding import Forwarder
from service.runtime.processes.leads import NotHandedOver
from service.runtime.readiness import Readiness, process_part
from service.runtime.web import api_of, errors, pages_of

_HANDED_OVER = web.RequestKey("handed over", bool)


def upload_application(
    parts: UploadParts,
    forwarder: Forwarder,
    *,
    drain: Drain,
    metrics: Metrics,
    is_counted: Callable[[str], Awaitable[bool]],
) -> web.Application:
    """`is_counted`: whether a project may have only so many bytes. One process counts them, and stores its chunks."""
    apis, its_own = [dialect.api() for dialect in DIALECTS], Readiness([process_part(drain)])
    cors = Cors(parts.settings.origins, [api.reference for api in apis], pages_of(apis))
    app = web.Application()

    async def is_own(request: web.Request) -> bool:
        project_id = request.match_info.get("project_id")
        if request.match_info.route is everything_else or project_id is None:
            return False
        return not await is_counted(project_id)

    @web.middleware
    async def hand_over(request: web.Request, handler: Handler) -> web.StreamResponse:
        if await is_own(request):
            return await handler(request)
        if drain.has_begun and request.path == READY_PATH and forwarder.may_ask_another_host:  # which is ready
            return await readiness_answer(its_own)
        request[_HANDED_OVER] = True
        try:
            return await forwarder.answer(request)
        except NotHandedOver as error:
            table = api_of(request, apis).errors
            return table.answer(error) or table.defect_answer()

    async def tell(request: web.Request, response: web.StreamResponse) -> None:
        if not request.get(_HANDED_OVER):
            await cors.tell(request, response)

    app.middlewares.extend(
        (drain.counting(), hand_over, tracing(metrics), errors(apis), held_answers(parts.limits.held)),
    )
    app.on_response_prepare.append(tell_trace_id)
    for api in apis:
        api.install_uploads(app, parts)
    everything_else = app.router.add_route("*", "/{path:.*}", _handed_over, expect_handler=continue_later)
    app.on_response_prepare.append(tell)
    app.on_response_prepare.append(drain.end_connection)
    return app


async def _handed_over(_: web.Request) -> web.StreamResponse:
    raise AssertionError("the middleware has handed the request over")
