"""The view of note orders: what it shows, that it forgets deleted recordings, and that it is made anew from the log."""

import json
from functools import partial
from itertools import count
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner

from adapters.database.opening import open_database
from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.note_orders import NoteOrderStore, OrderPlace, OrdersQuery, concerns_orders
from adapters.rebuilding import PositionMoved, RebuildRunning
from domain.note_order import fold_order
from service.cli.rebuild import rebuild
from tests.adapters.told_log import Told
from tests.domain.histories import (
    RECORDING_OF_ORDER,
    at,
    chunk,
    deleted,
    note_order_begun,
    note_order_failed,
    note_order_fulfilled,
    note_ordered,
    opened,
)

OTHER = UUID(int=7)


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def store(place):
    store = NoteOrderStore(place)
    yield store
    store.close()


def apply(store, told):
    after = store.position()
    concerned = [recorded for recorded in told.events[after:] if concerns_orders(recorded.event)]
    store.apply(concerned, after=after, up_to=len(told.events))


def listed(store, **asked):
    page = store.page(OrdersQuery(**{"tenant_id": "proj_1", "limit": 10} | asked))
    return [row.order_id for row in page.rows]


def test_an_order_is_shown_as_its_events_left_it(store, told):
    history = [note_ordered(), note_order_begun(), note_order_fulfilled()]
    its_id = uuid4()
    for length, event in enumerate(history, 1):
        told.tell(its_id, event)
        apply(store, told)
        assert store.find(its_id) == fold_order(history[:length])
    failed = told.tell(uuid4(), note_ordered(), note_order_failed())
    apply(store, told)
    assert store.find(failed).failed == note_order_failed()
    assert store.find(uuid4()) is None


def test_orders_are_listed_newest_first_by_tenant_and_by_recording_and_pages_go_on_after_a_place(store, told):
    minutes = count()
    ids = [
        told.tell(uuid4(), note_ordered(at=at(next(minutes)), recording_id=recording_id))
        for recording_id in (RECORDING_OF_ORDER, OTHER, RECORDING_OF_ORDER)
    ][::-1]
    told.tell(uuid4(), note_ordered(tenant_id="proj_2"))
    apply(store, told)
    assert listed(store) == ids
    assert listed(store, recording_id=RECORDING_OF_ORDER) == [ids[0], ids[2]]
    page = store.page(OrdersQuery(tenant_id="proj_1", limit=2))
    assert (page.has_more, [row.order_id for row in page.rows]) == (True, ids[:2])
    assert listed(store, after=page.rows[-1].place) == ids[2:]
    assert not store.page(OrdersQuery(tenant_id="proj_1", limit=2, after=page.rows[-1].place)).has_more
    assert listed(store, after=OrderPlace(at(-1), uuid4())) == []


def test_the_orders_of_a_deleted_recording_are_gone_also_those_that_come_into_the_log_after_it(store, told):
    before = told.tell(uuid4(), note_ordered())
    kept = told.tell(uuid4(), note_ordered(recording_id=OTHER))
    told.tell(RECORDING_OF_ORDER, opened(), deleted())
    after = told.tell(uuid4(), note_ordered(), note_order_begun())
    apply(store, told)
    told.tell(before, note_order_begun(), note_order_fulfilled())
    apply(store, told)
    assert (store.find(before), store.find(after), listed(store)) == (None, None, [kept])


def test_only_one_who_knows_where_the_view_stands_can_move_it(store, told):
    told.tell(uuid4(), note_ordered())
    apply(store, told)
    with pytest.raises(PositionMoved):
        store.apply(told.events, after=0, up_to=1)
    assert store.position() == 1


def test_a_rebuilt_view_is_the_one_that_was_there_and_only_one_rebuild_runs(store, told, place):
    ids = [told.tell(uuid4(), note_ordered(), note_order_begun()) for _ in range(3)]
    told.tell(RECORDING_OF_ORDER, opened(), chunk(1))
    apply(store, told)
    before = [store.find(its_id) for its_id in ids]
    assert store.rebuild(told.read) == len(told.events) == store.position()
    assert [store.find(its_id) for its_id in ids] == before
    other = open_database(place, durable=False)
    with other.one_rebuild(), pytest.raises(RebuildRunning):
        store.rebuild(told.read)
    other.close()
    told.tell(RECORDING_OF_ORDER, deleted())
    apply(store, told)
    assert listed(store) == []


def test_a_view_of_another_log_a_later_state_or_another_schema_begins_anew(store, told, place, tables_of):
    its_id = told.tell(uuid4(), note_ordered())
    store.use_for("this log", lambda: 0)
    apply(store, told)
    store.use_for("this log", lambda: 1)
    assert store.find(its_id) is not None
    for identity, head in (("this log", 0), ("another log", 9)):
        store.use_for(identity, partial(int, head))
        assert (store.position(), store.find(its_id)) == (0, None)
        apply(store, told)
    with tables_of(place) as older:
        older.execute("UPDATE reflects SET schema=0")
    again = NoteOrderStore(place, begins_anew=True)
    assert again.position() == 0
    again.close()


def test_orders_that_an_earlier_release_stored_with_other_fields_are_made_again_from_the_log(
    store, told, place, tables_of
):
    its_id = told.tell(uuid4(), note_ordered(), note_order_begun(), note_order_fulfilled())
    apply(store, told)
    with tables_of(place) as old:
        (state,) = old.execute("SELECT state FROM note_orders").fetchone()
        order = json.loads(state)
        del order["fulfilled"]["unsupported_share"]  # which the release before did not know
        old.execute("UPDATE note_orders SET state=?", (json.dumps(order).encode(),))
        old.execute("UPDATE reflects SET schema=1")
    upgraded = NoteOrderStore(place, begins_anew=True)
    assert (upgraded.find(its_id), upgraded.position()) == (None, 0)
    apply(upgraded, told)
    assert upgraded.find(its_id) == fold_order([note_ordered(), note_order_begun(), note_order_fulfilled()])
    assert listed(upgraded) == [its_id]
    upgraded.close()


async def test_a_view_rebuilt_by_the_command_is_the_one_that_was_there_before(tmp_path, monkeypatch):
    log, its_id = EventLog(SQLiteLogRecorder(tmp_path / "tapedeck.sqlite3")), uuid4()
    history = [note_ordered(), note_order_begun(), note_order_fulfilled()]
    await log.append(its_id, 0, history, trace_id=None)
    await log.close()
    monkeypatch.setenv("TAPEDECK_DATA_DIR", str(tmp_path))
    ran = CliRunner().invoke(rebuild, ["orders"])
    assert (ran.exit_code, ran.output) == (0, "orders: rebuilt from 3 events.\n")
    store = NoteOrderStore(tmp_path / "note_orders.sqlite3")
    assert store.find(its_id) == fold_order(history)
    store.close()
