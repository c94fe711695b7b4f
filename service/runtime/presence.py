"""Keeps releases that are not compatible with each other from running on one database at the same time."""

import asyncio
from contextlib import AsyncExitStack, suppress

from adapters.database.port import ServerAway
from adapters.event_log.url import is_postgres
from adapters.one_thread import OneThread
from service.runtime.settings import ServiceSettings
from service.runtime.tasks import end_tasks

STAY_SECONDS = 1.0


async def join_service(opened: AsyncExitStack, settings: ServiceSettings) -> None:
    """Join the service's other processes, until `opened` is closed; nothing is to be done for a file.

    Raises: OtherRelease; ServerAway.
    """
    if not is_postgres(settings.log_url):
        return
    from adapters.database.presence import Presence  # noqa: PLC0415 - the embedded profile does without it

    presence, thread = Presence(settings.log_url), OneThread("presence")
    opened.callback(presence.leave)
    opened.callback(thread.close)
    await thread.run(presence.join)

    async def stay() -> None:
        while True:
            await asyncio.sleep(STAY_SECONDS)
            with suppress(ServerAway):  # which whoever needs the database says
                await thread.run(presence.stay)

    opened.push_async_callback(end_tasks, [asyncio.create_task(stay(), name="presence")])
