"""Keeps releases that are not compatible with each other from running on one database at the same time."""

import asyncio
import logging
from contextlib import AsyncExitStack

from adapters.database.port import DatabaseInUse, OtherRelease, ServerAway
from adapters.event_log.url import is_postgres
from adapters.one_thread import OneThread
from service.runtime.draining import stop_this_process
from service.runtime.settings import ServiceSettings
from service.runtime.tasks import end_tasks

STAY_SECONDS = 1.0

logger = logging.getLogger("tapedeck")


async def join_service(opened: AsyncExitStack, settings: ServiceSettings) -> None:
    """Join the service's other processes, until `opened` is closed; nothing is to be done for a file.

    If this process finds later that it may not run beside them, it stops.

    Raises: DatabaseInUse; OtherRelease; ServerAway.
    """
    if not is_postgres(settings.log_url):
        return
    from adapters.database.presence import Presence  # noqa: PLC0415 - the embedded profile does without it

    presence, thread = Presence(settings.log_url), OneThread("presence")
    opened.callback(thread.close)
    opened.push_async_callback(thread.run, presence.leave)
    await thread.run(presence.join)

    async def stay() -> None:
        while True:
            await asyncio.sleep(STAY_SECONDS)
            try:
                await thread.run(presence.stay)
            except ServerAway:
                continue  # which whoever needs the database says
            except (DatabaseInUse, OtherRelease) as because:
                logger.error("stopping", extra={"because": str(because)})  # noqa: TRY400 - the sentence is enough
                stop_this_process()
                return
            except Exception:
                logger.exception("others may not know that this process runs")

    opened.push_async_callback(end_tasks, [asyncio.create_task(stay(), name="presence")])
