"""Bota's end users (P): register, list, read; to change (D) and to erase them (D)."""

from aiohttp import web

from adapters.directory.port import Page
from service.application.callers import Callers
from service.application.clock import NewId
from service.application.directory import EndUsers
from service.dialects.bota import access
from service.dialects.bota.answers import ListAnswer
from service.dialects.bota.directory.answers import EndUserAnswer, end_user_answer
from service.dialects.bota.directory.requests import ChangeEndUser, CreateEndUser, EndUsersPageRequest, parse_entry
from service.dialects.bota.idempotency import Once, id_for
from service.dialects.bota.requests import query_of
from service.dialects.http.json_answers import json_answer
from service.dialects.http.limits import Limits


class EndUserEndpoints:
    """The handlers."""

    def __init__(self, end_users: EndUsers, callers: Callers, limits: Limits, once: Once, *, new_id: NewId) -> None:
        self._end_users = end_users
        self._callers = callers
        self._limits = limits
        self._once = once
        self._new_id = new_id

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/v1/end-users", self._once(self.create, access.WRITE_END_USERS))
        router.add_get("/v1/end-users", self.end_users)
        router.add_get("/v1/end-users/{end_user_id}", self.end_user)
        router.add_patch("/v1/end-users/{end_user_id}", self.change)
        router.add_delete("/v1/end-users/{end_user_id}", self.erase)

    async def create(self, request: web.Request) -> web.Response:
        """201; a taken `external_id` is refused with 409 (P)."""
        key = await access.permitted(request, self._callers, access.WRITE_END_USERS)
        asked, metadata = parse_entry(CreateEndUser, await self._limits.json_body(request))
        facts = asked.changes("external_id", "email", "name") | {"metadata": metadata}
        end_user = await self._end_users.register(f"eu_{id_for(request, self._new_id)}", key.project_id, facts)
        return json_answer(end_user_answer(end_user), status=201)

    async def end_users(self, request: web.Request) -> web.Response:
        """A page of the project's, newest first; or the one with an `external_id`."""
        key = await access.permitted(request, self._callers, access.READ_END_USERS)
        asked = query_of(EndUsersPageRequest, request.query)
        page = asked.page()
        if asked.external_id is None:
            found = await self._end_users.page(key.project_id, page)
        else:
            one = await self._end_users.called(key.project_id, asked.external_id)
            found = Page([] if one is None else [one])
        next_cursor = None if found.next_after is None else str(found.next_after)
        return json_answer(
            ListAnswer[EndUserAnswer](
                data=[end_user_answer(one) for one in found.rows],
                has_more=next_cursor is not None,
                next_cursor=next_cursor,
            )
        )

    async def end_user(self, request: web.Request) -> web.Response:
        key = await access.permitted(request, self._callers, access.READ_END_USERS)
        found = await self._end_users.find(key.project_id, request.match_info["end_user_id"])
        return json_answer(end_user_answer(found))

    async def change(self, request: web.Request) -> web.Response:
        """The end user as they are then."""
        key = await access.permitted(request, self._callers, access.WRITE_END_USERS)
        asked, metadata = parse_entry(ChangeEndUser, await self._limits.json_body(request))
        changes = asked.changes("email", "name", "metadata")
        if "metadata" in changes:
            changes["metadata"] = metadata
        changed = await self._end_users.change(key.project_id, request.match_info["end_user_id"], changes)
        return json_answer(end_user_answer(changed))

    async def erase(self, request: web.Request) -> web.Response:
        """204; what was known of them is on no disk any more, their devices are unbound and these tokens void."""
        key = await access.permitted(request, self._callers, access.WRITE_END_USERS)
        end_user_id = request.match_info["end_user_id"]
        device_ids = await self._end_users.device_ids(key.project_id, end_user_id)
        await self._once.forget(key.project_id, end_user_id, *device_ids)  # the answers to binding hold tokens
        device_ids = await self._end_users.erase(key.project_id, end_user_id)
        await self._once.forget(key.project_id, end_user_id, *device_ids)
        return web.Response(status=204)
