"""The address of a client, also behind another process of this service that took the request from it."""

from aiohttp import web

TOLD_ADDRESS = web.RequestKey("told address", str)
"""As the process told it that took the request."""


def remote_of(request: web.Request) -> str | None:
    """The address that the request came from."""
    told: str | None = request.get(TOLD_ADDRESS)
    return request.remote if told is None else told
