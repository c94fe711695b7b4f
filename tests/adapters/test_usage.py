"""The view of what projects use: it counts every event once, whatever comes together, and is made anew from the log."""

from collections import Counter
from functools import partial
from random import Random
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner

from adapters.database.opening import open_database
from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.rebuilding import PositionMoved, RebuildRunning
from adapters.usage import Usage, UsageAt, UsageStore
from service.cli.rebuild import rebuild
from tests.domain.histories import (
    chunk,
    deleted,
    finalized,
    note_order_begun,
    note_order_failed,
    note_order_fulfilled,
    note_ordered,
    opened,
    session_ended,
    session_opened,
    session_updated,
    stitched,
)

NOTHING = Usage()
NOTE_BYTES = note_order_fulfilled().size_bytes


class Told:
    """Events at their positions, as a log gives them."""

    def __init__(self):
        self.events = []
        self._versions = Counter()

    def tell(self, stream_id, *events):
        for event in events:
            self._versions[stream_id] += 1
            self.events.append(RecordedEvent(len(self.events) + 1, stream_id, self._versions[stream_id], event, None))
        return stream_id

    def read(self, after, limit=2):
        return self.events[after : after + limit]


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def store(place):
    store = UsageStore(place)
    yield store
    store.close()


def apply(store, told, limit=100):
    while events := told.read(store.position(), limit):
        store.apply(events, after=store.position())


def used(store, project_id="proj_1"):
    return store.of(project_id).usage


def test_each_project_has_its_own_usage_and_one_that_is_not_known_has_none(store, told):
    told.tell(uuid4(), opened(), chunk(1, b"12345"))
    told.tell(uuid4(), opened(), chunk(1, b"123"), finalized(1))
    told.tell(uuid4(), opened(tenant_id="proj_2"), chunk(1, b"1"))
    told.tell(uuid4(), session_opened(tenant_id="proj_2"))
    apply(store, told)
    assert store.of("proj_1") == UsageAt(Usage(kept_bytes=8, open_recordings=1, recordings=2), len(told.events))
    assert used(store, "proj_2") == Usage(kept_bytes=1, open_recordings=1, recordings=1, sessions=1)
    assert store.of("proj_3") == UsageAt(NOTHING, len(told.events))
    assert store.largest(1) == [("proj_1", used(store))]
    assert [project_id for project_id, _ in store.largest(9)] == ["proj_1", "proj_2"]


def test_a_deleted_recording_counts_nothing_with_all_the_notes_that_were_ordered_of_it(store, told):
    gone, kept = uuid4(), uuid4()
    for its_id in (gone, kept):
        told.tell(its_id, opened(), chunk(1, b"12345"))
        told.tell(uuid4(), note_ordered(recording_id=its_id), note_order_begun(), note_order_fulfilled())
        told.tell(uuid4(), note_ordered(recording_id=its_id), note_order_failed())
    waiting = told.tell(uuid4(), note_ordered(recording_id=gone))
    apply(store, told)
    assert used(store) == Usage(10 + 2 * NOTE_BYTES, open_recordings=2, recordings=2, waiting_notes=1)
    told.tell(gone, deleted())
    told.tell(waiting, note_order_fulfilled())
    told.tell(uuid4(), note_ordered(recording_id=gone))
    apply(store, told)
    assert used(store) == Usage(5 + NOTE_BYTES, open_recordings=1, recordings=1)


@pytest.mark.parametrize("seed", range(5))
def test_it_does_not_matter_how_many_events_are_folded_together(store, told, seed):
    chance = Random(seed)
    recordings = [told.tell(uuid4(), opened(tenant_id=f"proj_{number % 2}")) for number in range(6)]
    orders: list[UUID] = []
    for _ in range(120):
        its_id = chance.choice(recordings)
        what = chance.choice(
            [chunk(1, b"12345"), chunk(2, b"1"), finalized(1), stitched(), "order", "fulfil", "delete"]
        )
        if what == "order":
            orders.append(told.tell(uuid4(), note_ordered(tenant_id="proj_0", recording_id=its_id)))
        elif what == "fulfil" and orders:
            told.tell(orders.pop(chance.randrange(len(orders))), note_order_fulfilled())
        elif what == "delete" and chance.random() < 0.2 and len(recordings) > 1:
            told.tell(recordings.pop(recordings.index(its_id)), deleted())
        elif not isinstance(what, str):
            told.tell(its_id, what)
    usages = set()
    for limit in (1, 7, 1_000):
        store.use_for(f"log {limit}", lambda: 0)  # begins anew
        apply(store, told, limit)
        usages.add((used(store, "proj_0"), used(store, "proj_1")))
        for its_id in recordings:
            store.apply([RecordedEvent(store.position() + 1, its_id, 99, deleted(), None)], after=store.position())
        assert (used(store, "proj_0"), used(store, "proj_1")) == (NOTHING, NOTHING)
    ((first, second),) = usages
    assert first.recordings + second.recordings == len(recordings)
    assert min(first.kept_bytes, second.kept_bytes) >= 0


def test_every_announcement_of_a_session_counts_that_says_something_new(store, told):
    its_id = told.tell(uuid4(), session_opened(tenant_id="proj_3"), session_updated(), session_updated())
    apply(store, told)
    told.tell(its_id, session_ended(), session_opened(tenant_id="proj_3"), session_updated())
    told.tell(uuid4(), session_opened(tenant_id="proj_3"))
    apply(store, told)
    assert used(store, "proj_3") == Usage(sessions=6)


def test_only_one_who_knows_where_the_view_stands_can_move_it(store, told):
    told.tell(uuid4(), opened())
    apply(store, told)
    with pytest.raises(PositionMoved):
        store.apply(told.events, after=0)
    assert used(store).recordings == 1


def test_a_rebuilt_view_is_the_one_that_was_there_and_only_one_rebuild_runs(store, told, place):
    its_id = told.tell(uuid4(), opened(), chunk(1))
    told.tell(uuid4(), note_ordered(recording_id=its_id), note_order_fulfilled())
    told.tell(uuid4(), opened())
    apply(store, told)
    before = store.of("proj_1")
    assert store.rebuild(told.read) == len(told.events) == store.position()
    assert store.of("proj_1") == before
    other = open_database(place, durable=False)
    with other.one_rebuild(), pytest.raises(RebuildRunning):
        store.rebuild(told.read)
    other.close()
    told.tell(its_id, deleted())
    apply(store, told)
    assert used(store) == Usage(open_recordings=1, recordings=1)


def test_a_view_of_another_log_a_later_state_or_another_schema_begins_anew(store, told, place, tables_of):
    told.tell(uuid4(), opened())
    store.use_for("this log", lambda: 0)
    apply(store, told)
    store.use_for("this log", lambda: 1)
    assert used(store).recordings == 1
    for identity, head in (("this log", 0), ("another log", 9)):
        store.use_for(identity, partial(int, head))
        assert store.of("proj_1") == UsageAt(NOTHING, 0)
        apply(store, told)
    with tables_of(place) as older:
        older.execute("UPDATE reflects SET schema=0")
    again = UsageStore(place, begins_anew=True)
    assert again.position() == 0
    again.close()


@pytest.mark.slow
async def test_a_view_rebuilt_by_the_command_is_the_one_that_was_there_before(tmp_path, monkeypatch):
    log = EventLog(SQLiteLogRecorder(tmp_path / "tapedeck.sqlite3"))
    await log.append(uuid4(), 0, [opened(), chunk(1, b"12345")], trace_id=None)
    await log.close()
    monkeypatch.setenv("TAPEDECK_DATA_DIR", str(tmp_path))
    ran = CliRunner().invoke(rebuild, ["usage"])
    assert (ran.exit_code, ran.output) == (0, "usage: rebuilt from 2 events.\n")
    store = UsageStore(tmp_path / "usage.sqlite3")
    assert used(store) == Usage(kept_bytes=5, open_recordings=1, recordings=1)
    store.close()
