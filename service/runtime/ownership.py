"""Keeps a second service off the database: its followers would do all work twice."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack

from adapters.database.port import DatabaseInUse, ServerAway
from adapters.event_log.url import is_postgres
from adapters.one_thread import OneThread
from service.runtime.draining import stop_this_process
from service.runtime.settings import ServiceSettings
from service.runtime.tasks import end_tasks

RENEWAL_SECONDS = 1.0

logger = logging.getLogger(__name__)


def claim_database(
    opened: AsyncExitStack, settings: ServiceSettings, followers: Sequence["asyncio.Task[None]"]
) -> None:
    """The database is this service's alone until `opened` is closed; nothing is to be done for a file.

    If the connection is lost and another service claims the database meanwhile, this one stops: first the followers
    that are in the list by then, which would do the other one's work again, while clients' requests may end.

    Raises: DatabaseInUse; ServerAway.
    """
    if not is_postgres(settings.log_url):
        return
    from adapters.database.ownership import DatabaseClaim  # noqa: PLC0415 - the embedded profile does without it

    claim = DatabaseClaim(settings.log_url)
    opened.callback(claim.close)
    thread = OneThread("database claim")
    opened.callback(thread.close)

    async def keep() -> None:
        while True:
            await asyncio.sleep(RENEWAL_SECONDS)
            try:
                await thread.run(claim.renew)
            except ServerAway:
                continue  # which the followers say
            except DatabaseInUse as because:
                logger.error("stopping", extra={"because": str(because)})  # noqa: TRY400 - the sentence is enough
                for follower in followers:
                    follower.cancel()
                stop_this_process()
                return

    opened.push_async_callback(end_tasks, [asyncio.create_task(keep(), name="database claim")])
