"""The view of ambient sessions: what it shows, what deleted recordings take with them, and that it is made anew."""

import json
from functools import partial, reduce
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.ambient_sessions import AmbientSessionStore, SessionsQuery
from adapters.database.opening import open_database
from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.rebuilding import PositionMoved, RebuildRunning
from domain.ambient_session import fold_session, session_id
from domain.events import AmbientSessionEvent, RecordingDeleted, RecordingOpened
from domain.session_summary import SessionSummary, concerns_sessions, evolve_session_summary
from service.cli.rebuild import rebuild
from service.dialects.dragon.names import recording_named
from service.dialects.registry import session_of
from tests.adapters.told_log import Told
from tests.domain.histories import (
    at,
    chunk,
    deleted,
    finalized,
    opened,
    session_ended,
    session_opened,
    session_updated,
    stitched,
)

VISIT = session_id("dragon", "proj_1", "visit-1")


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def store(place):
    store = AmbientSessionStore(place, session_of=session_of)
    yield store
    store.close()


def apply(store, told):
    after = store.position()
    concerned = [recorded for recorded in told.events[after:] if concerns_sessions(recorded.event)]
    store.apply(concerned, after=after, up_to=len(told.events))


def announced(told, name="visit-1", **changes):
    its_id = session_id("dragon", changes.get("tenant_id", "proj_1"), name)
    return told.tell(its_id, session_opened(correlation_id=name, **changes))


def of_visit(number, **changes):
    return opened(dialect="dragon", external_id=f"visit-1/{number}", **changes)


def listed(store, **asked):
    page = store.page(SessionsQuery(**{"tenant_id": "proj_1", "limit": 10} | asked))
    return [row.session_id for row in page.rows]


def test_a_session_is_shown_as_its_events_left_it_with_the_recordings_that_came_in_it(store, told):
    first, second = (recording_named("proj_1", "visit-1", number) for number in (1, 2))
    announced(told)
    told.tell(first, of_visit(1), chunk(1))
    told.tell(second, of_visit(2, at=at(3)))
    told.tell(uuid4(), opened(external_id="visit-1"), finalized(1))
    told.tell(VISIT, session_updated())
    apply(store, told)
    found = store.find(VISIT)
    assert found.session == fold_session([session_opened(), session_updated()])
    assert found.summary == SessionSummary(at(3), found.session, None, recording_count=2)
    assert (store.recordings(VISIT, 10), store.recordings(VISIT, 1)) == ([second, first], [second])
    told.tell(first, finalized(1), stitched())
    told.tell(VISIT, session_ended())
    apply(store, told)
    assert store.find(VISIT).summary.ended_at == session_ended().at
    assert store.find(VISIT).summary.active_at == stitched().at
    assert store.find(uuid4()) is None


def test_sessions_are_listed_by_tenant_and_state_those_announced_last_first_and_pages_go_on_after_a_place(store, told):
    ids = [announced(told, f"visit-{minutes}", at=at(minutes)) for minutes in (1, 2, 3)][::-1]
    announced(told, tenant_id="proj_2")
    told.tell(ids[1], session_ended())
    apply(store, told)
    assert listed(store) == ids
    assert (listed(store, has_ended=False), listed(store, has_ended=True)) == ([ids[0], ids[2]], [ids[1]])
    page = store.page(SessionsQuery(tenant_id="proj_1", limit=2))
    assert (page.has_more, [row.session_id for row in page.rows]) == (True, ids[:2])
    told.tell(ids[2], session_ended(), session_opened(at=at(50)))  # its place stays where it was
    apply(store, told)
    assert listed(store, after=page.rows[-1].place) == ids[2:]
    assert not store.page(SessionsQuery(tenant_id="proj_1", limit=2, after=page.rows[-1].place)).has_more


def test_pages_miss_no_session_of_those_that_were_announced_at_the_same_moment(store, told):
    ids = {announced(told, f"visit-{number}") for number in range(3)}
    apply(store, told)
    seen, after = [], None
    while (page := store.page(SessionsQuery(tenant_id="proj_1", limit=1, after=after))).rows:
        seen.append(page.rows[0].session_id)
        after = page.rows[0].place
    assert (len(seen), set(seen)) == (3, ids)


def test_a_session_that_nobody_has_announced_yet_is_not_shown_and_its_recordings_are_in_it_afterwards(store, told):
    recording = told.tell(recording_named("proj_1", "visit-1", 1), of_visit(1))
    apply(store, told)
    assert (store.find(VISIT), listed(store)) == (None, [])
    announced(told)
    apply(store, told)
    assert store.find(VISIT).summary.recording_count == 1
    assert (listed(store), store.recordings(VISIT, 10)) == ([VISIT], [recording])


@pytest.mark.parametrize("at_once", [True, False])
def test_nothing_is_kept_of_a_deleted_recording_nor_of_a_session_that_was_only_its(
    store, told, place, tables_of, at_once
):
    announced(told)
    for number in (1, 2):
        told.tell(recording_named("proj_1", "visit-1", number), of_visit(number))
    told.tell(uuid4(), opened(dialect="dragon", external_id="visit-2/1"))
    if not at_once:
        apply(store, told)
    for recorded in [*told.events]:
        if isinstance(recorded.event, RecordingOpened) and recorded.event.external_id != "visit-1/2":
            told.tell(recorded.stream_id, deleted())
    apply(store, told)
    kept = recording_named("proj_1", "visit-1", 2)
    assert (store.recordings(VISIT, 10), store.find(VISIT).summary.recording_count) == ([kept], 1)
    with tables_of(place) as tables:
        assert len(tables.execute("SELECT * FROM ambient_sessions").fetchall()) == 1
        assert len(tables.execute("SELECT * FROM session_recordings").fetchall()) == 1


def test_only_one_who_knows_where_the_view_stands_can_move_it(store, told):
    announced(told)
    apply(store, told)
    with pytest.raises(PositionMoved):
        store.apply(told.events, after=0, up_to=1)
    assert store.position() == 1


def test_a_rebuilt_view_is_the_one_that_was_there_and_only_one_rebuild_runs(store, told, place):
    announced(told)
    recording = told.tell(recording_named("proj_1", "visit-1", 1), of_visit(1), chunk(1), finalized(1))
    told.tell(VISIT, session_ended())
    apply(store, told)
    before = store.find(VISIT)
    assert store.rebuild(told.read) == len(told.events) == store.position()
    assert (store.find(VISIT), store.recordings(VISIT, 10)) == (before, [recording])
    other = open_database(place, durable=False)
    with other.one_rebuild(), pytest.raises(RebuildRunning):
        store.rebuild(told.read)
    other.close()
    told.tell(recording, deleted())
    apply(store, told)
    assert (store.find(VISIT).summary.recording_count, store.recordings(VISIT, 10)) == (0, [])


def test_a_view_of_another_log_a_later_state_or_an_earlier_release_begins_anew(store, told, place, tables_of):
    announced(told)
    store.use_for("this log", lambda: 0)
    apply(store, told)
    store.use_for("this log", lambda: 1)
    assert listed(store) == [VISIT]
    for identity, head in (("this log", 0), ("another log", 9)):
        store.use_for(identity, partial(int, head))
        assert (store.position(), listed(store)) == (0, [])
        apply(store, told)
    with tables_of(place) as older:
        (state,) = older.execute("SELECT state FROM ambient_sessions").fetchone()
        summary = json.loads(state)
        del summary["session"]["first_opened_at"]  # a field that such a release may not have known
        older.execute("UPDATE ambient_sessions SET state=?", (json.dumps(summary).encode(),))
        older.execute("UPDATE reflects SET schema=0")
    again = AmbientSessionStore(place, session_of=session_of, begins_anew=True)
    assert (again.position(), listed(again)) == (0, [])
    apply(again, told)
    assert listed(again) == [VISIT]
    again.close()


OF_A_SESSION = st.lists(st.sampled_from([session_updated(), session_ended(), session_opened()]), max_size=4)
OF_A_RECORDING = st.lists(st.sampled_from([chunk(1), finalized(1), stitched()]), max_size=4)
VISITS = st.integers(1, 2)


@st.composite
def sessions_logs(draw):
    """Events of up to two sessions and of recordings that belong to them, in one order and at any times."""
    left = {}
    for number in draw(st.sets(VISITS)):
        begun = session_opened(correlation_id=f"visit-{number}")
        left[session_id("dragon", "proj_1", begun.correlation_id)] = [begun, *draw(OF_A_SESSION)]
    for number in range(1, draw(st.integers(1, 4)) + 1):
        dialect = draw(st.sampled_from(["dragon", "dragon", "bota"]))
        begun = opened(dialect=dialect, external_id=f"visit-{draw(VISITS)}/{number}")
        left[UUID(int=number)] = [begun, *draw(OF_A_RECORDING), *([deleted()] if draw(st.booleans()) else [])]
    told = Told()
    for stream_id in draw(st.permutations([its_id for its_id, events in left.items() for _ in events])):
        told.tell(stream_id, left[stream_id].pop(0).model_copy(update={"at": at(draw(st.integers(0, 9)))}))
    return told.events


def of_session(its_id: UUID, log: list[RecordedEvent]) -> list[RecordedEvent]:
    """The events of a session and of its recordings."""
    recordings = {
        each.stream_id for each in log if isinstance(each.event, RecordingOpened) and session_of(each.event) == its_id
    }
    return [each for each in log if each.stream_id in {its_id, *recordings}]


@given(log=sessions_logs(), data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_equal_a_fresh_fold_however_the_log_is_cut_and_interleaved(tmp_path, log, data):
    visits = [session_id("dragon", "proj_1", f"visit-{number}") for number in (1, 2)]
    expected, recordings = {}, {}
    for visit in visits:
        its_own = of_session(visit, log)
        expected[visit] = reduce(evolve_session_summary, (each.event for each in its_own), None)
        gone = {each.stream_id for each in its_own if isinstance(each.event, RecordingDeleted)}
        recordings[visit] = {each.stream_id for each in its_own} - {visit} - gone
        session = fold_session(each.event for each in its_own if isinstance(each.event, AmbientSessionEvent))
        if expected[visit] is not None:
            assert (expected[visit].session, expected[visit].recording_count) == (session, len(recordings[visit]))

    def check():
        for visit in visits:
            found, summary = store.find(visit), expected[visit]
            is_shown = summary is not None and summary.session is not None
            assert (found and found.summary) == (summary if is_shown else None)
            assert set(store.recordings(visit, 10)) == recordings[visit]
        assert store.position() == len(log)

    store = AmbientSessionStore(tmp_path / f"{uuid4()}.sqlite3", session_of=session_of)
    position = 0
    while position < len(log):
        end = data.draw(st.integers(position + 1, len(log)))
        concerned = [each for each in log[position:end] if concerns_sessions(each.event)]
        store.apply(concerned, after=position, up_to=end)
        position = end
    check()
    assert store.rebuild(lambda after: log[after : after + 2]) == len(log)
    check()
    store.close()


@pytest.mark.parametrize("asked", [{}, {"has_ended": True}])
def test_every_page_and_a_sessions_recordings_are_read_off_an_index_and_nothing_is_sorted(told, tmp_path, asked):
    store = AmbientSessionStore(tmp_path / "sessions.sqlite3", session_of=session_of)
    announced(told)
    apply(store, told)
    statements = []
    store._database._reader.set_trace_callback(statements.append)
    place = store.page(SessionsQuery(tenant_id="proj_1", limit=2)).rows[0].place
    statements.clear()
    store.page(SessionsQuery(tenant_id="proj_1", limit=2, after=place, **asked))
    store.recordings(VISIT, 2)
    store._database._reader.set_trace_callback(None)
    for statement in statements:
        plan = store._database._reader.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
        assert ["INDEX" in step[3] for step in plan] == [True], plan
    assert len(statements) == 2
    store.close()


async def test_a_view_rebuilt_by_the_command_is_the_one_that_was_there_before(tmp_path, monkeypatch):
    log = EventLog(SQLiteLogRecorder(tmp_path / "tapedeck.sqlite3"))
    recording = recording_named("proj_1", "visit-1", 1)
    await log.append(VISIT, 0, [session_opened(), session_ended()], trace_id=None)
    await log.append(recording, 0, [of_visit(1), chunk(1)], trace_id=None)
    await log.close()
    monkeypatch.setenv("TAPEDECK_DATA_DIR", str(tmp_path))
    ran = CliRunner().invoke(rebuild, ["sessions"])
    assert (ran.exit_code, ran.output) == (0, "sessions: rebuilt from 4 events.\n")
    store = AmbientSessionStore(tmp_path / "ambient_sessions.sqlite3", session_of=session_of)
    assert store.find(VISIT).session == fold_session([session_opened(), session_ended()])
    assert store.recordings(VISIT, 10) == [recording]
    store.close()
