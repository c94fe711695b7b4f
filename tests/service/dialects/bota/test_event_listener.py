"""What one listener to all events is told, whatever of it is still kept for all."""

import pytest

from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from service.dialects.bota.events import Listener, Wanted
from service.messages.publication import MESSAGE_TYPES
from tests.domain.histories import chunk, deleted
from tests.service.followers.event_feeds import following, has_read, stored

ALL = Wanted(MESSAGE_TYPES, None)


@pytest.fixture
async def log(tmp_path):
    log = EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3"))
    yield log
    await log.close()


async def told(listener, last):
    """The positions that it is told of, up to the last one."""
    positions = []
    while not positions or positions[-1] < last:
        (events,) = await listener.next()
        lines = events.data.decode().splitlines()
        positions += [int(line.removeprefix("id: ").partition("-")[0]) for line in lines if line.startswith("id: ")]
    return positions


async def test_what_is_not_kept_any_more_is_read_from_the_log(log):
    async with following(log, kept=3) as feed:
        with feed.of("proj_a") as channel:
            listener = Listener(feed, channel, ALL, 0, newest=0, follows=True)
            await stored(log, "proj_a", *map(chunk, range(1, 10)))
            await has_read(feed, 10)
            assert await told(listener, 10) == list(range(1, 11))
            await stored(log, "proj_a", chunk(1))
            assert await told(listener, 12) == [11, 12]


async def test_what_was_deleted_before_a_listener_came_is_not_told_though_it_is_kept(log):
    gone = set()
    async with following(log, gone=gone) as feed:
        with feed.of("proj_a") as channel:
            its_id = await stored(log, "proj_a", chunk(1))
            await has_read(feed, 2)
            await log.append(its_id, 2, [deleted()], trace_id=None)  # which is read on some time later
            gone.add(its_id)
            listener = Listener(feed, channel, ALL, 0, newest=3, follows=True)
            assert await told(listener, 3) == [3]
