import sqlite3
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.event_log.mapper import RecordedEvent
from adapters.positions import PositionStore
from adapters.rebuilding import PositionMoved, RebuildRunning
from adapters.summaries import SummaryStore
from adapters.summary_pages import Order, PageQuery, Place
from domain.events import Stage
from domain.summary import Standing, evolve_summary
from tests.domain.histories import (
    START,
    chunk,
    deleted,
    failed,
    finalized,
    opened,
    retry_requested,
    stitched,
    transcribed,
)
from tests.domain.history_kit import logs

LIFE = [opened(), chunk(1), finalized(1), stitched(), failed(Stage.TRANSCRIBE), retry_requested(Stage.TRANSCRIBE)]
LIFE += [transcribed()]


def recorded(its_id, events, *, first_position=1):
    return [
        RecordedEvent(position, its_id, position - first_position + 1, event, None)
        for position, event in enumerate(events, first_position)
    ]


@pytest.fixture
def store(place):
    store = SummaryStore(place)
    yield store
    store.close()


def test_rows_and_position_move_together(store):
    its_id = uuid4()
    store.apply(recorded(its_id, LIFE[:3]), after=0)
    assert store.position() == 3
    assert store.find(its_id).standing is Standing.FINALIZED
    assert store.find(uuid4()) is None


def test_which_recordings_are_deleted_is_known_for_many_at_once(store):
    gone, kept = uuid4(), uuid4()
    store.apply(recorded(gone, [*LIFE[:3], deleted()]), after=0)
    store.apply(recorded(kept, LIFE[:1], first_position=5), after=4)
    assert store.deleted([gone, kept, uuid4()]) == {gone}
    assert store.deleted([]) == set()


@pytest.mark.parametrize("after", [0, 2, 4])
def test_events_that_do_not_follow_are_refused_whole(store, after):
    its_id = uuid4()
    store.apply(recorded(its_id, LIFE[:3]), after=0)
    with pytest.raises(PositionMoved):
        store.apply(recorded(its_id, LIFE[3:], first_position=4), after=after)
    assert (store.position(), store.find(its_id).standing) == (3, Standing.FINALIZED)


def test_a_row_that_cannot_be_folded_leaves_everything_as_it_was(store):
    its_id = uuid4()
    store.apply(recorded(its_id, LIFE[:1]), after=0)
    with pytest.raises(Exception, match="first event"):
        store.apply([RecordedEvent(2, uuid4(), 2, chunk(1), None)], after=1)
    assert store.position() == 1


def test_closing_waits_for_what_another_thread_is_writing(tmp_path):
    begun, go_on = Event(), Event()

    def slow_status(summary):
        begun.set()
        go_on.wait(60)
        return summary.standing

    store = SummaryStore(tmp_path / "views.sqlite3", status_of=slow_status)
    with ThreadPoolExecutor(2) as threads:
        applying = threads.submit(store.apply, recorded(uuid4(), LIFE), after=0)
        assert begun.wait(60)
        closing = threads.submit(store.close)
        closed_at_once, _ = wait_for([closing], 0.2)
        go_on.set()
        assert applying.result() is None
    assert not closed_at_once
    again = SummaryStore(tmp_path / "views.sqlite3")
    assert again.position() == len(LIFE)
    again.close()


@given(log=logs(), data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_equal_a_fresh_fold_however_the_log_is_cut_and_interleaved(tmp_path, log, data):
    events = [
        RecordedEvent(position, logged.recording_id, logged.version, logged.event, None)
        for position, logged in enumerate(log, 1)
    ]
    expected = {}
    for event in events:
        expected[event.stream_id] = evolve_summary(expected.get(event.stream_id), event.event)

    store = SummaryStore(tmp_path / f"{uuid4()}.sqlite3")
    position = 0
    while position < len(events):
        end = data.draw(st.integers(position + 1, len(events)))
        store.apply(events[position:end], after=position)
        position = end
    assert {its_id: store.find(its_id) for its_id in expected} == expected

    assert store.rebuild(lambda after: events[after : after + 2]) == len(events)
    assert {its_id: store.find(its_id) for its_id in expected} == expected
    assert store.position() == len(events)
    store.close()


def test_a_rebuild_mends_what_is_wrong_and_queries_see_the_old_rows_until_it_is_whole(store):
    its_id, lost = uuid4(), uuid4()
    events = recorded(its_id, LIFE) + recorded(lost, LIFE[:1], first_position=8)
    store.apply(events[:7], after=0)
    seen = []

    def read(after):
        seen.append((store.position(), store.find(its_id).standing))
        return events[after : after + 3]

    assert store.rebuild(read) == 8
    assert set(seen) == {(7, Standing.COMPLETED)}
    assert store.find(lost).standing is Standing.OPEN


def test_a_rebuild_that_was_cut_off_is_begun_again(store):
    its_id = uuid4()
    store.apply(recorded(its_id, LIFE), after=0)

    def broken(after):
        if after:
            raise ConnectionError
        return recorded(its_id, LIFE[:2])

    with pytest.raises(ConnectionError):
        store.rebuild(broken)
    assert (store.position(), store.find(its_id).standing) == (7, Standing.COMPLETED)
    assert store.rebuild(lambda after: recorded(its_id, LIFE)[after:]) == 7


def test_the_view_is_there_when_it_is_opened_again_and_only_its_owner_can_read_a_file(store, place):
    its_id = uuid4()
    store.apply(recorded(its_id, LIFE), after=0)
    again = SummaryStore(place)
    assert again.find(its_id) == store.find(its_id)
    if isinstance(place, Path):
        assert place.stat().st_mode & 0o777 == 0o600
    again.close()


@pytest.mark.parametrize("spoil", ["UPDATE summaries_schema SET version=2", "DROP TABLE summaries_schema"])
def test_a_view_of_another_schema_version_is_emptied_to_be_filled_from_the_log(store, place, tables_of, spoil):
    its_id = uuid4()
    store.apply(recorded(its_id, LIFE), after=0)
    with tables_of(place) as old:
        old.execute(spoil)
    again = SummaryStore(place, begins_anew=True)
    assert (again.position(), again.find(its_id)) == (0, None)
    again.apply(recorded(its_id, LIFE), after=0)
    assert again.find(its_id).standing is Standing.COMPLETED
    again.close()


def test_a_file_from_before_there_were_lists_is_made_anew(tmp_path):
    path = tmp_path / "views.sqlite3"
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE summaries (recording_id BLOB PRIMARY KEY, summary BLOB NOT NULL) WITHOUT ROWID")
        old.execute("CREATE TABLE summaries_position (position INTEGER NOT NULL)")
        old.execute("INSERT INTO summaries_position VALUES (7)")
    old.close()
    store = SummaryStore(path, begins_anew=True)
    its_id = uuid4()
    assert store.position() == 0
    store.apply(recorded(its_id, LIFE), after=0)
    assert [row.recording_id for row in store.page(asking()).rows] == [its_id]
    assert store.rebuild(lambda after: recorded(its_id, LIFE)[after:]) == 7
    assert store.rebuild(lambda after: recorded(its_id, LIFE)[after:]) == 7
    assert [row.recording_id for row in store.page(asking()).rows] == [its_id]
    store.close()


def asking(**changes):
    return PageQuery(**({"tenant_id": "proj_1", "limit": 10} | changes))


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize(
    "filtered", [{}, {"device_id": "d"}, {"end_user_id": "e"}, {"status": "failed"}, {"external_group": "visit-1"}]
)
@pytest.mark.parametrize("after", [None, Place(START, uuid4())])
@pytest.mark.parametrize("place", ["SQLite"], indirect=True)
def test_every_page_is_read_off_an_index_and_nothing_is_sorted(store, order, filtered, after):
    plans, reader = [], store._database._reader
    reader.set_trace_callback(plans.append)
    store.page(asking(order=order, after=after, **filtered))
    reader.set_trace_callback(None)
    plan = " ".join(row[3] for row in reader.execute(f"EXPLAIN QUERY PLAN {plans[0]}"))
    assert "USING INDEX" in plan
    assert "TEMP B-TREE" not in plan


def test_a_tenants_recordings_are_counted_by_status_and_by_the_minute_without_deleted_ones(store):
    def at_second(event, second):
        return event.model_copy(update={"at": START + timedelta(seconds=second)})

    histories = [
        [at_second(opened(), -1)],
        [at_second(opened(), 0), at_second(chunk(1), 1), at_second(finalized(1), 130)],
        [at_second(opened(), 59)],
        [at_second(opened(), 60)],
        [at_second(opened(), 61), at_second(deleted(), 62)],
        [at_second(opened(tenant_id="proj_2"), 2)],
    ]
    position = 0
    for history in histories:
        store.apply(recorded(uuid4(), history, first_position=position + 1), after=position)
        position += len(history)
    assert store.counts("proj_1", ["open", "finalized", "failed"]) == {"open": 3, "finalized": 1, "failed": 0}
    assert store.counts("proj_3", ["open"]) == {"open": 0}
    minute = timedelta(minutes=1)
    assert store.per_minute("proj_1", Order.CREATED, since=START) == {START: 2, START + minute: 1}
    assert store.per_minute("proj_1", Order.FINALIZED, since=START) == {START + 2 * minute: 1}
    assert store.per_minute("proj_2", Order.CREATED, since=START) == {START: 1}


@pytest.mark.parametrize("place", ["SQLite"], indirect=True)
@pytest.mark.parametrize(
    "count",
    [
        lambda store: store.counts("proj_1", ["open", "failed"]),
        lambda store: store.per_minute("proj_1", Order.CREATED, since=START),
        lambda store: store.per_minute("proj_1", Order.FINALIZED, since=START),
    ],
)
def test_every_count_looks_at_rows_that_an_index_names_over_a_connection_of_its_own(store, count):
    plans, reader = [], store._counting._reader
    reader.set_trace_callback(plans.append)
    count(store)
    reader.set_trace_callback(None)
    plan = " ".join(row[3] for row in reader.execute(f"EXPLAIN QUERY PLAN {plans[0]}"))
    assert "SEARCH summaries USING INDEX summaries_by_" in plan


def test_each_follower_has_its_own_position(place):
    positions = PositionStore(place)
    assert positions.load("stitch") == 0
    positions.save("stitch", 7)
    positions.save("transcribe", 3)
    positions.save("stitch", 9)
    positions.close()
    again = PositionStore(place)
    assert (again.load("stitch"), again.load("transcribe"), again.load("other")) == (9, 3, 0)
    again.close()


@pytest.mark.parametrize(("identity", "head", "kept"), [("log a", 7, True), ("log a", 6, False), ("log b", 7, False)])
def test_what_was_made_from_another_log_or_a_later_state_of_it_is_made_again(store, tmp_path, identity, head, kept):
    """As after the log was restored from a backup: positions of before would skip events permanently."""
    positions = PositionStore(tmp_path / "followers.sqlite3")
    its_id = uuid4()
    for made_from_the_log in (store, positions):
        made_from_the_log.use_for("log a", lambda: 0)
    store.apply(recorded(its_id, LIFE), after=0)
    positions.save("stitch", 7)
    for made_from_the_log in (store, positions):
        made_from_the_log.use_for(identity, partial(int, head))
    assert store.position() == positions.load("stitch") == (7 if kept else 0)
    assert (store.find(its_id) is not None) is kept
    positions.close()


def test_two_rebuilds_at_once_are_refused(store, place):
    other, its_id = SummaryStore(place), uuid4()
    store.apply(recorded(its_id, LIFE), after=0)

    def read(after):
        with pytest.raises(RebuildRunning):
            other.rebuild(lambda _: [])
        return recorded(its_id, LIFE)[after:]

    assert store.rebuild(read) == 7
    assert other.rebuild(lambda after: recorded(its_id, LIFE)[after:]) == 7
    other.close()
