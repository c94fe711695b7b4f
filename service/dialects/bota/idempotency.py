"""`Idempotency-Key` (P): a POST with one is done once, and its first answer is given again for a day.

(D) The same call of the same project with the same key and an equal JSON body gets the first answer again, byte for
byte; with another body it is refused with 409. A refused request keeps nothing: it may be corrected under the same key.
"""

import re
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from adapters.kept_answers import Answered
from service.application.callers import Callers
from service.application.clock import NewId
from service.application.idempotency import Idempotency, about, named_request
from service.dialects.bota import access
from service.dialects.bota.access import Permission
from service.dialects.bota.requests import InvalidRequest, check_json
from service.dialects.http.limits import HELD_BODY, Limits

_HEADER = "Idempotency-Key"
_KEY = re.compile(r"[!-~]{1,255}", re.ASCII)
_RESERVED_ID = web.RequestKey("reserved_id", str)


class Once:
    """Makes handlers of POSTs that answer with JSON into handlers that keep to the header."""

    def __init__(self, idempotency: Idempotency, callers: Callers, limits: Limits) -> None:
        self._idempotency = idempotency
        self._callers = callers
        self._limits = limits

    def __call__(self, handler: Handler, permission: Permission) -> Handler:
        """`permission`: what the handler asks for; a kept answer needs it, too."""

        async def once(request: web.Request) -> web.StreamResponse:
            name = request.headers.get(_HEADER)
            if name is None:
                return await handler(request)
            key = await access.permitted(request, self._callers, permission)
            check_name(name)
            body = request[HELD_BODY] = await self._limits.json_body(request)
            check_json(body)

            async def work(reserved_id: str) -> Answered:
                request[_RESERVED_ID] = reserved_id
                return _answered(key.project_id, await handler(request))

            asked = named_request(key.project_id, f"POST {request.path}", name, body)
            answered = await self._idempotency.once(asked, work)
            return web.Response(
                body=answered.body, status=answered.status, content_type="application/json", charset="utf-8"
            )

        return once

    async def forget(self, project_id: str, *subject_ids: str) -> None:
        """Drop what was answered about something that is deleted: before, so that a crash leaves no such answer; and
        again after, because of what was answered meanwhile."""
        for subject_id in subject_ids:
            await self._idempotency.forget(project_id, subject_id)


def check_name(name: str) -> None:
    """Raises: InvalidRequest for what no `Idempotency-Key` can be."""
    if not _KEY.fullmatch(name):
        raise InvalidRequest(_HEADER, "This must have 1 to 255 visible ASCII characters, and no spaces.")


def id_for(request: web.Request, new_id: NewId) -> str:
    """The id for what the request creates: the same each time that a request with an `Idempotency-Key` is begun."""
    reserved_id: str | None = request.get(_RESERVED_ID)
    return reserved_id or new_id()


def _answered(project_id: str, response: web.StreamResponse) -> Answered:
    if not (isinstance(response, web.Response) and isinstance(response.body, bytes)):
        raise TypeError("only an answer of JSON can be kept")
    said: Any = orjson.loads(response.body)
    return Answered(response.status, response.body, about=about(project_id, said["id"]))
