"""Answers what a key may do, and lists, makes and revokes the keys of a project."""

from collections.abc import Sequence

from aiohttp import web

from adapters.keys import Key, KeyKind, KeyNotFound
from service.application.callers import Callers
from service.application.project_keys import ExpiryPassed, OutlivesMaker, ProjectKeys
from service.dialects.bota import access
from service.dialects.bota.answers import ListAnswer
from service.dialects.bota.keys.messages import CreateKey, KeyAnswer, KeyCreatedAnswer, RevokeKeyRequest
from service.dialects.bota.paging import PageRequest
from service.dialects.bota.requests import InvalidRequest, parse, query_of
from service.dialects.http.json_answers import json_answer, utc_text
from service.dialects.http.limits import Limits


class KeyEndpoints:
    """The handlers. `scopes`: those that a restricted key can have, of all dialects."""

    def __init__(self, keys: ProjectKeys, callers: Callers, limits: Limits, *, scopes: Sequence[str]) -> None:
        self._keys = keys
        self._callers = callers
        self._limits = limits
        self._scopes = scopes

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v1/keys/current", self.current)
        router.add_get("/v1/keys", self.keys)
        router.add_post("/v1/keys", self.create)
        router.add_delete("/v1/keys/{key_id}", self.revoke)

    async def current(self, request: web.Request) -> web.Response:
        """The key that the request is made with, and what it may do."""
        key = await access.permitted(request, self._callers, access.READ_OWN_KEY)
        return json_answer(self._answer(key, asked_with=key))

    async def keys(self, request: web.Request) -> web.Response:
        """A page of the project's, newest first, with those that are revoked or expired."""
        key = await access.permitted(request, self._callers, access.MANAGE_KEYS)
        asked = query_of(PageRequest, request.query)
        try:
            found = await self._keys.page(key, limit=asked.limit + 1, after=asked.cursor)
        except KeyNotFound:
            raise InvalidRequest("cursor", "This must be the next_cursor of this list, exactly as given.") from None
        shown = found[: asked.limit]
        next_cursor = shown[-1].id if len(found) > asked.limit else None
        return json_answer(
            ListAnswer[KeyAnswer](
                data=[self._answer(one, asked_with=key) for one in shown],
                has_more=next_cursor is not None,
                next_cursor=next_cursor,
            )
        )

    async def create(self, request: web.Request) -> web.Response:
        """201 with the token, which is shown only here."""
        key = await access.permitted(request, self._callers, access.MANAGE_KEYS)
        asked = parse(CreateKey, await self._limits.json_body(request))
        try:
            new = await self._keys.create(
                key,
                KeyKind(asked.kind),
                scopes=self._scopes_of(asked),
                expires_at=asked.expires_at,
                name=asked.name,
            )
        except (ExpiryPassed, OutlivesMaker) as refused:
            raise InvalidRequest("expires_at", f"{refused}.") from None
        shown = self._answer(new.key, asked_with=key).model_dump()
        return json_answer(
            KeyCreatedAnswer(**shown, token=new.token), status=201, headers={"Cache-Control": "no-store"}
        )

    async def revoke(self, request: web.Request) -> web.Response:
        """204; the key is refused from the next request on. Its own only if that is said."""
        key = await access.permitted(request, self._callers, access.MANAGE_KEYS)
        asked = query_of(RevokeKeyRequest, request.query)
        await self._keys.revoke(key, request.match_info["key_id"], even_own=asked.own)
        return web.Response(status=204)

    def _scopes_of(self, asked: CreateKey) -> frozenset[str]:
        """Raises: InvalidRequest."""
        if asked.kind == "secret" and asked.scopes:
            raise InvalidRequest("scopes", "A secret key may do everything: leave its scopes out.")
        if asked.kind == "restricted" and not asked.scopes:
            raise InvalidRequest("scopes", "A restricted key needs a scope; without one it could do nothing.")
        for place, scope in enumerate(asked.scopes):
            if scope not in self._scopes:
                raise InvalidRequest(f"scopes.{place}", f"There is no such scope; there are {_listed(self._scopes)}.")
        return frozenset(asked.scopes)

    def _answer(self, key: Key, *, asked_with: Key) -> KeyAnswer:
        return KeyAnswer.model_validate(
            {
                "id": key.id,
                "kind": key.kind.value,
                "name": key.name,
                "project_id": key.project_id,
                "scopes": list(self._scopes) if key.kind is KeyKind.SECRET else sorted(key.scopes),
                "created_at": utc_text(key.created_at),
                "expires_at": utc_text(key.expires_at),
                "revoked_at": utc_text(key.revoked_at),
                "is_current": key.id == asked_with.id,
            }
        )


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"
