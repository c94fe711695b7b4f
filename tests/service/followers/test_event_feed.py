"""What listeners share: each event is read once for all of them, and only so many are kept."""

from uuid import uuid4

import pytest

from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from service.application.queries import ViewBehind
from tests.domain.histories import chunk, deleted, note_ordered
from tests.service.followers.event_feeds import following, has_read, stored


@pytest.fixture
async def log(tmp_path):
    log = EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3"))
    yield log
    await log.close()


async def test_a_channel_has_what_happens_in_its_project_from_its_first_listener_on(log):
    await stored(log, "proj_a")
    async with following(log) as feed:
        with feed.of("proj_a") as channel, feed.of("proj_a") as same:
            assert channel is same
            await stored(log, "proj_b")
            await stored(log, "proj_a", chunk(1))
            await has_read(feed, 4)
            assert [one.position for one in channel.after(0, 10)] == [3, 4]
            assert [one.position for one in channel.after(3, 10)] == [4]
            assert [one.position for one in channel.after(0, 1)] == [3]
            assert channel.since == 1


async def test_a_channel_of_one_recording_has_only_what_happens_to_it(log):
    async with following(log) as feed:
        with feed.of("proj_a") as project:
            its_id = await stored(log, "proj_a")
            with feed.of("proj_a", its_id) as channel, feed.of("proj_b", its_id) as of_another_project:
                await has_read(feed, 1)
                await stored(log, "proj_a")
                await log.append(its_id, 1, [chunk(1)], trace_id=None)
                await has_read(feed, 3)
                assert [one.position for one in channel.after(1, 10)] == [3]
                assert [one.position for one in project.after(1, 10)] == [2, 3]
                assert of_another_project.after(0, 10) == []


async def test_only_so_many_events_are_kept_for_all_projects_together_and_the_rest_is_in_the_log(log):
    async with following(log, kept=3) as feed:
        with feed.of("proj_a") as a, feed.of("proj_b") as b:
            await stored(log, "proj_a", chunk(1), chunk(2))
            await stored(log, "proj_b", chunk(1))
            await has_read(feed, 5)
            assert ([one.position for one in a.after(0, 10)], a.since) == ([3], 2)
            assert ([one.position for one in b.after(0, 10)], b.since) == ([4, 5], 0)
            missed, position = await feed.missed("proj_a", after=0)
            assert ([one.position for one in missed], position) == ([1, 2, 3], 5)


async def test_of_what_is_kept_a_deletion_leaves_only_itself(log):
    async with following(log) as feed:
        with feed.of("proj_a") as channel:
            gone, kept = await stored(log, "proj_a", chunk(1)), await stored(log, "proj_a")
            await has_read(feed, 3)
            await log.append(gone, 2, [deleted()], trace_id=None)
            await stored(log, "proj_a", chunk(1), deleted())
            await has_read(feed, 7)
            assert [(one.recording_id == kept, one.position) for one in channel.after(0, 10)] == [
                (True, 3),
                (False, 4),
                (False, 7),
            ]


async def test_a_deletion_stays_until_it_is_told_also_when_notes_of_the_recording_come_after_it(log):
    gone = set()
    async with following(log, gone=gone) as feed:
        with feed.of("proj_a") as channel:
            recording_id = await stored(log, "proj_a", chunk(1), deleted())
            await has_read(feed, 3)
            gone.add(recording_id)
            ordered = note_ordered(tenant_id="proj_a", recording_id=recording_id)
            await log.append(uuid4(), 0, [ordered], trace_id=None)
            await has_read(feed, 4)
            assert [one.position for one in channel.after(0, 10)] == [3]


async def test_what_comes_after_a_large_recording_was_deleted_is_kept_as_any_other(log):
    async with following(log, kept=6) as feed:
        with feed.of("proj_a") as channel:
            gone = await stored(log, "proj_a", *map(chunk, range(1, 6)))
            await has_read(feed, 6)
            await log.append(gone, 6, [deleted()], trace_id=None)
            await stored(log, "proj_a", chunk(1))
            await has_read(feed, 9)
            assert [one.position for one in channel.after(0, 10)] == [7, 8, 9]


async def test_a_view_that_is_behind_holds_listeners_up_and_stops_nothing(log):
    async with following(log) as feed:
        looks, deleted_by_then = [], feed._deleted

        async def behind_at_first(recording_ids):
            looks.append(recording_ids)
            if len(looks) == 1:
                raise ViewBehind("status view")
            return await deleted_by_then(recording_ids)

        feed._deleted = behind_at_first
        with feed.of("proj_a") as channel:
            recording_id = await stored(log, "proj_a")
            ordered = note_ordered(tenant_id="proj_a", recording_id=recording_id)
            await log.append(uuid4(), 0, [ordered], trace_id=None)
            await has_read(feed, 2)
            assert [one.position for one in channel.after(0, 10)] == [1, 2]


async def test_who_comes_after_all_have_left_begins_with_what_happens_then(log):
    async with following(log) as feed:
        with feed.of("proj_a"):
            await stored(log, "proj_a")
            await has_read(feed, 1)
        await stored(log, "proj_a")
        with feed.of("proj_a") as channel:
            assert (channel.since, channel.after(0, 10)) == (2, [])
