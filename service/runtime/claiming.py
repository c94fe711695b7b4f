"""Who of the processes on one log does which job."""

import asyncio
from contextlib import AsyncExitStack

from adapters.claims.own import OwnClaims
from adapters.claims.port import Claims
from service.runtime.settings import ServiceSettings
from service.runtime.tasks import end_tasks


def open_claims(opened: AsyncExitStack, settings: ServiceSettings) -> Claims:
    """Until `opened` is closed, before which all work under them is to end."""
    if not settings.has_shared_stores:
        return OwnClaims()
    from adapters.claims.in_database import ClaimsInDatabase  # noqa: PLC0415 - the embedded profile does without it

    claims = ClaimsInDatabase(settings.log_url)
    opened.push_async_callback(claims.close)
    keeping = asyncio.create_task(claims.keep(), name="claims")
    opened.push_async_callback(end_tasks, [keeping])
    return claims
