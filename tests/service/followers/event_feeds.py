"""A feed of what happens, over a log that a test writes to."""

import asyncio
from contextlib import asynccontextmanager
from uuid import uuid4

from service.dialects.registry import client_ids_of
from service.followers.event_feed import EventFeed
from tests.domain.histories import opened


async def stored(log, project_id, *events):
    its_id = uuid4()
    await log.append(its_id, 0, [opened(tenant_id=project_id), *events], trace_id=None)
    return its_id


@asynccontextmanager
async def following(log, *, gone=frozenset(), **limits):
    """`gone`: the recordings that are deleted."""

    async def deleted(recording_ids):
        return gone & set(recording_ids)

    feed = EventFeed(log, client_ids_of, deleted, **limits)
    task = asyncio.create_task(feed.run())
    try:
        yield feed
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def has_read(feed, position):
    async with asyncio.timeout(120):
        while feed.position < position:
            await asyncio.sleep(0.01)
