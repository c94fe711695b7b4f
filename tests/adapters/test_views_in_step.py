"""Every view and the position that it reflects change together, whoever looks and whatever is killed in between."""

from contextlib import closing, contextmanager
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from adapters.database.opening import open_database
from adapters.rebuilding import PositionMoved
from adapters.webhooks.deliveries import Endpoint, Message
from adapters.webhooks.signing import new_secret, sealer_of_secrets
from adapters.webhooks.store import WebhookStore
from tests.adapters.test_other_schema import VIEWS
from tests.adapters.told_log import told_of_each_view
from tests.domain.histories import chunk, note_ordered, opened, session_opened
from tests.table_content import content_of

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(params=VIEWS)
def view(request):
    return VIEWS[request.param]


@pytest.fixture
def told():
    return told_of_each_view()


@pytest.fixture
def store(view, place):
    with closing(view.open(place)) as store:
        yield store


class Transactions:
    """What others see of a store from now on: `during` has it at each transaction's end before its commit, `after` as
    it is committed. Tables of a rebuild that is not complete are left out."""

    def __init__(self, store, place, monkeypatch, *, looks_during):
        self.during, self.after = [], []
        self._place = place
        self._other = open_database(place, durable=False)
        self._write = store._database.writing
        self._looks_during = looks_during
        monkeypatch.setattr(store._database, "writing", self._writing)

    def seen(self):
        with self._other.reading() as tables:
            content = content_of(tables, self._place)
        return {name: rows for name, rows in content.items() if not name.endswith("_next")}

    @contextmanager
    def _writing(self, **how):
        with self._write(**how) as tables:
            yield tables
            if self._looks_during:
                self.during.append(self.seen())
        self.after.append(self.seen())

    def close(self):
        self._other.close()


@pytest.fixture
def watched(place, monkeypatch):
    """Watches what a store writes."""
    all_of_them = []

    def watch(store, *, looks_during=True):
        all_of_them.append(Transactions(store, place, monkeypatch, looks_during=looks_during))
        return all_of_them[-1]

    yield watch
    for each in all_of_them:
        each.close()


def test_nobody_sees_rows_without_their_position_nor_a_position_without_its_rows(view, store, told, watched):
    transactions = watched(store)
    before = transactions.seen()
    view.apply(store, told, 0)
    after = transactions.seen()
    assert sum(before[name] != after[name] for name in before) >= len(["the position", "rows"])
    assert transactions.during == [before]
    assert transactions.after == [after]
    assert store.position() == len(told.events)


def test_who_is_not_where_the_view_stands_is_refused_and_writes_nothing(view, store, told, watched):
    view.apply(store, told, 0)
    transactions = watched(store)
    before = transactions.seen()
    told.tell(uuid4(), opened())
    for after in (0, len(told.events) - 2, len(told.events)):
        with pytest.raises(PositionMoved):
            apply_anyhow(view, store, told, after)
    assert transactions.seen() == before


def apply_anyhow(view, store, told, after):
    """The last events, whatever comes before them, as if it stood at `after`."""
    changes = view.read(told, 0)
    how = {"up_to": len(told.events)} if view in (VIEWS["orders"], VIEWS["sessions"]) else {}
    store.apply(changes, after=after, **how)


@pytest.mark.parametrize("view", [VIEWS[name] for name in VIEWS if name != "search"], ids=lambda view: view.called)
def test_a_rebuild_puts_its_rows_in_place_together_with_their_position(view, store, told, watched):
    view.apply(store, told, 0)
    told.tell(uuid4(), opened(), chunk(1, b"67890"))
    told.tell(uuid4(), note_ordered())
    told.tell(uuid4(), session_opened())
    transactions = watched(store, looks_during=False)
    before = transactions.seen()
    assert store.rebuild(told.read) == len(told.events)
    after = transactions.seen()
    assert before != after
    *unfinished, last = transactions.after
    assert unfinished == [before] * len(unfinished)
    assert last == after


def test_deliveries_are_made_together_with_the_position_that_they_reach(place, tmp_path, watched):
    with closing(WebhookStore(place, sealer_of_secrets(tmp_path / "webhooks.key"))) as store:
        facts = {"url": "http://r.example/", "events": ("a",), "created_at": NOW, "after_position": 5}
        store.add(Endpoint(id="wh_1", project_id="proj_1", **facts), new_secret())
        transactions = watched(store)
        before = transactions.seen()
        facts = {"project_id": "proj_1", "type": "a", "created_at": NOW, "body": b"body"}
        store.enqueue([Message(event_id="evt_1", recording_id=uuid4(), position=6, **facts)], position=7, now=NOW)
        assert transactions.during == [before]
        assert transactions.after == [transactions.seen()]
        assert len(store.due("wh_1", now=NOW, limit=10)) == 1
        assert store.position() == 7
