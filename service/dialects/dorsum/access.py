"""Who may use Dorsum's API: an API key, and a client key of the same project (S: both headers, on every call)."""

from aiohttp import web

from adapters.keys import Key, KeyKind
from service.application.callers import Callers
from service.dialects.dorsum.names import SCOPE
from service.dialects.http.held_bytes import CALLER

API_KEY_HEADER, CLIENT_KEY_HEADER = "Api-Key", "Client-Key"


class BadKeys(Exception):
    """Missing, unknown, revoked, of another project, or without the permission: the client is not told which (S)."""

    def __init__(self) -> None:
        super().__init__("Invalid or missing API key or client key.")


async def permitted(request: web.Request, callers: Callers) -> Key:
    """The API key of the request. Raises: BadKeys."""
    api_key = await _key(request, callers, API_KEY_HEADER)
    client_key = await _key(request, callers, CLIENT_KEY_HEADER)
    if api_key is None or client_key is None or client_key.kind is not KeyKind.CLIENT:
        raise BadKeys
    may_write = api_key.kind in (KeyKind.SECRET, KeyKind.RESTRICTED) and api_key.allows(SCOPE)
    if not may_write or api_key.project_id != client_key.project_id:
        raise BadKeys
    request[CALLER] = f"project {api_key.project_id}"
    return api_key


async def _key(request: web.Request, callers: Callers, header: str) -> Key | None:
    return await callers.key(request.headers.get(header, "").strip())
