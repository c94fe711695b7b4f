"""Views in the hands of two versions that make other rows of the same events: neither writes into the other's rows."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest

from adapters import ambient_sessions, note_orders, summaries, usage
from adapters.ambient_sessions import AmbientSessionStore
from adapters.note_orders import NoteOrderStore
from adapters.rebuilding import OtherSchema
from adapters.search import index as search
from adapters.search.digests import Owner
from adapters.search.index import Changes, Forgotten, Indexed, SearchIndex
from adapters.summaries import SummaryStore
from adapters.usage import UsageStore
from service.dialects.registry import session_of
from tests.adapters.told_log import Told, told_of_each_view
from tests.domain.histories import opened
from tests.table_content import table_content


@dataclass(frozen=True)
class View:
    """`its_number`: where this version keeps its schema number, and another one. `apply`: all of the log, after a
    position. `read`: as a rebuild does."""

    called: str
    open: Callable[..., Any]
    its_number: tuple[Any, str, Any]
    apply: Callable[[Any, Told, int], None]
    read: Callable[[Told, int], Any]


def read_all(told, after):
    return told.read(after, 100)


def changes(told, after):
    if after >= len(told.events):
        return None
    return Changes(len(told.events), [Indexed(told.events[0].stream_id, "0" * 64, Owner("proj_1", "eu_1"), ["a rash"])])


def apply_all(store, told, after):
    store.apply(read_all(told, after), after=after)


def apply_up_to(store, told, after):
    store.apply(read_all(told, after), after=after, up_to=len(told.events))


def apply_changes(store, told, after):
    store.apply(changes(told, after), after=after)


def sessions(place, **how):
    return AmbientSessionStore(place, session_of=session_of, **how)


def number_of(module):
    layout = module._LAYOUT
    return module, "_LAYOUT", replace(layout, schema=layout.schema + 1)


VIEWS = {
    "summaries": View("The status view", SummaryStore, (summaries, "SCHEMA", 1), apply_all, read_all),
    "usage": View("The view of what projects use", UsageStore, number_of(usage), apply_all, read_all),
    "orders": View("The view of note orders", NoteOrderStore, number_of(note_orders), apply_up_to, read_all),
    "sessions": View("The view of ambient sessions", sessions, number_of(ambient_sessions), apply_up_to, read_all),
    "search": View("The search index", SearchIndex, (search, "SCHEMA_VERSION", 1), apply_changes, changes),
}


@pytest.fixture(params=VIEWS)
def view(request):
    return VIEWS[request.param]


@pytest.fixture
def told():
    return told_of_each_view()


@pytest.fixture
def store(view, place, told):
    """This version's, with all of the log."""
    with closing(view.open(place)) as store:
        view.apply(store, told, 0)
        yield store


class OtherVersion:
    def __init__(self, view, place, monkeypatch):
        self._view = view
        self._place = place
        self._monkeypatch = monkeypatch

    def begins_anew(self, told, *last):
        """As its service does when it starts, and then follows the log. Returns what is in its tables."""
        with self._monkeypatch.context() as other:
            other.setattr(*self._view.its_number)
            with closing(self._view.open(self._place, begins_anew=True)) as store:
                assert store.position() == 0
                self._view.apply(store, told, 0)
                for changes in last:
                    store.apply(changes, after=store.position())
        return self.content()

    def content(self):
        return table_content(self._place)


@pytest.fixture
def other(view, place, monkeypatch):
    return OtherVersion(view, place, monkeypatch)


def sentence(view):
    return f"^{view.called} was made by another version, in another shape\\.$"


def test_who_continues_from_where_the_other_version_stands_is_refused_and_writes_nothing(view, store, told, other):
    before = other.begins_anew(told)
    told.tell(uuid4(), opened())
    for after in (store.position(), 0):
        with pytest.raises(OtherSchema, match=sentence(view)):
            view.apply(store, told, after)
    assert other.content() == before


def test_a_rebuild_is_refused_before_it_reads_anything(view, store, told, other):
    before = other.begins_anew(told)
    with pytest.raises(OtherSchema, match=sentence(view)):
        store.rebuild(None)
    assert other.content() == before


@pytest.mark.parametrize("last_read", [1, 2], ids=["after its first step", "before its last step"])
def test_a_rebuild_during_which_the_other_version_begins_anew_leaves_its_rows_alone(
    view, store, told, other, last_read
):
    reads, before = [], []

    def read(after):
        reads.append(after)
        if len(reads) == last_read:
            before.append(other.begins_anew(told))
        return view.read(told, after)

    with pytest.raises(OtherSchema, match=sentence(view)):
        store.rebuild(read)
    assert len(reads) == last_read
    assert [other.content()] == before


def test_only_who_may_begin_anew_opens_what_the_other_version_made(view, place, told, other):
    before = other.begins_anew(told)
    with pytest.raises(OtherSchema, match=sentence(view)):
        view.open(place)
    assert other.content() == before
    with closing(view.open(place, begins_anew=True)) as store:
        assert store.position() == 0
        view.apply(store, told, 0)
    with closing(view.open(place)) as store:
        assert store.position() == len(told.events)


@pytest.mark.parametrize("view", [VIEWS["search"]], ids=["search"])
def test_what_the_other_version_removed_from_its_index_is_left_to_it(store, told, other):
    before = other.begins_anew(told, Changes(len(told.events) + 1, [Forgotten(told.events[0].stream_id)]))
    assert store.erase_some() is False
    store.give_back()
    assert other.content() == before
