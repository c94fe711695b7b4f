"""The search index in a file and in PostgreSQL: the same tests over both, and what each leaves of what is forgotten."""

import os
import random
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.database.port import PostgresPlace
from adapters.rebuilding import PositionMoved, RebuildRunning
from adapters.search import index as index_module
from adapters.search.digests import Digests, Owner
from adapters.search.fts5 import Fts5
from adapters.search.index import Changes, Forgotten, Indexed, SearchIndex
from adapters.search.words import indexed_words
from adapters.sqlite_file import DatabaseUnavailable
from tests.files_on_disk import content_below

MINE = Owner("proj_1", "eu_1")
SPOKEN = ["Penicillin gives me a rash.", "The rash went away after a week.", "See you next week then."]


@pytest.fixture(autouse=True)
def few_tables(monkeypatch):
    monkeypatch.setattr("adapters.search.tables.SHARDS", 4)


@pytest.fixture
def index(place):
    index = SearchIndex(place)
    yield index
    index.close()


def said(*passages, recording_id=None, owner=MINE):
    transcript = sha256("\n".join(passages).encode()).hexdigest()
    return Indexed(recording_id or uuid4(), transcript, owner, passages)


def put(index, *changes):
    position = index.position()
    index.apply(Changes(position + 1, changes), after=position)


def places(index, query, *, owner=MINE, **among):
    return [match.place for match in index.search(owner, query, **among)]


def test_passages_with_all_words_come_first_and_then_those_with_the_rarest(index):
    put(index, said(*SPOKEN))
    assert places(index, "rash") == [1, 0]  # the newest first
    assert places(index, "the rash after penicillin") == [1, 0]
    assert places(index, "week rash") == [1, 2, 0]
    assert places(index, "PENICILLÍN, weeks?")[0] == 0
    first, second, *_ = index.search(MINE, "week rash")
    assert 1 >= first.score > 0.8 > second.score > 0


def test_a_word_that_comes_more_often_counts_more(index):
    put(index, said("pain and then cold, cold, cold", "cold and then pain, pain, pain", "pain is there"))
    assert places(index, "pain") == [1, 2, 0]


@pytest.mark.parametrize("query", ["", " ", "?!", "\n", "_"])
def test_a_query_without_words_finds_nothing(index, query):
    put(index, said(*SPOKEN))
    assert places(index, query) == []


@pytest.mark.parametrize(
    "query", ['"', "rash*", "NOT week", "rash OR", "(", "digests:rash", "rash^", "NEAR(a b)", "'", "-"]
)
def test_nothing_in_a_query_means_anything_but_its_words(index, query):
    put(index, said(*SPOKEN))
    words = set(indexed_words(query))
    expected = {place for place, text in enumerate(SPOKEN) if words & set(indexed_words(text))}
    assert set(places(index, query)) == expected


def test_any_query_is_answered(index):
    put(index, said(*SPOKEN))

    @given(st.text())
    @settings(max_examples=200)
    def is_answered(text):
        assert all(0 < match.score <= 1 for match in index.search(MINE, text))

    is_answered()


def test_only_the_owners_words_are_found_whoever_else_said_the_same(index):
    others = [Owner("proj_1", "eu_2"), Owner("proj_2", "eu_1"), Owner("proj_1 eu", "_1"), Owner("", "proj_1 eu_1")]
    put(index, *(said(*SPOKEN, owner=owner) for owner in others))
    assert places(index, "rash") == []
    assert all(len(places(index, "rash", owner=owner)) == 2 for owner in others)


def test_a_search_among_recordings_finds_in_these_only(index):
    one, two, foreign = said(*SPOKEN), said("another rash"), said(*SPOKEN, owner=Owner("proj_1", "eu_2"))
    put(index, one, two, foreign)
    among = [two.recording_id, foreign.recording_id, uuid4()]
    assert [match.recording_id for match in index.search(MINE, "rash", recording_ids=among)] == [two.recording_id]
    assert places(index, "rash week", recording_ids=[one.recording_id]) == [1, 2, 0]
    assert places(index, "rash", recording_ids=[]) == []


def test_another_transcript_takes_the_place_of_the_one_before(index):
    its_id = uuid4()
    put(index, said("the first try", recording_id=its_id))
    put(index, said("the second", "attempt", recording_id=its_id))
    assert places(index, "try") == []
    (match,) = index.search(MINE, "attempt")
    assert (match.recording_id, match.place) == (its_id, 1)
    assert match.transcript_sha256 == sha256(b"the second\nattempt").hexdigest()


def test_a_word_that_everybody_says_is_found_in_the_newest_and_a_rare_one_wherever_it_is(index, monkeypatch):
    monkeypatch.setattr(index_module, "NEWEST", 5)
    recordings = [said(f"well number{number}", *(["zebra well"] if number == 3 else [])) for number in range(50)]
    put(index, *recordings)
    found = index.search(MINE, "well")
    assert [match.recording_id for match in found] == [one.recording_id for one in reversed(recordings[-5:])]
    assert index.search(MINE, "zebra well")[0].recording_id == recordings[3].recording_id


def test_rows_and_position_move_together(index):
    put(index, said("one"))
    with pytest.raises(PositionMoved):
        index.apply(Changes(9, [said("two")]), after=0)
    with pytest.raises(AttributeError):
        index.apply(Changes(2, [said("three"), None]), after=1)
    assert (index.position(), places(index, "two"), places(index, "three")) == (1, [], [])


def test_of_two_who_write_from_the_same_position_one_is_refused(index, place):
    with closing(SearchIndex(place)) as other:
        position = other.position()
        put(index, said("one"))
        with pytest.raises(PositionMoved):
            other.apply(Changes(position + 1, [said("one")]), after=position)
        put(other, said("two"))
        assert (index.position(), places(index, "one"), places(index, "two")) == (2, [0], [0])


def test_the_index_of_another_log_or_of_a_later_state_of_this_one_is_started_over(place):
    with closing(SearchIndex(place)) as index:
        index.use_for("this log", lambda: 0)
        put(index, said("one"))
        index.use_for("this log", lambda: 1)
        assert (index.position(), places(index, "one")) == (1, [0])
        index.use_for("this log", lambda: 0)
        assert (index.position(), places(index, "one")) == (0, [])
        put(index, said("one"))
        index.use_for("another log", lambda: 1)
        assert (index.position(), places(index, "one")) == (0, [])


def table_names(index):
    with index._database.reading() as tables:
        return index._engine(tables).names()


def test_an_index_of_another_schema_is_started_over(place, tables_of, monkeypatch):
    with closing(SearchIndex(place)) as index:
        put(index, said("one"))
    with closing(SearchIndex(place)) as index:
        assert (index.position(), places(index, "one")) == (1, [0])
    with tables_of(place) as tables:
        tables.execute("CREATE TABLE words_1_3 (digests TEXT)")  # schema 1 had such a name
    monkeypatch.setattr(index_module, "SCHEMA_VERSION", index_module.SCHEMA_VERSION + 1)
    with closing(SearchIndex(place, begins_anew=True)) as index:
        assert (index.position(), places(index, "one")) == (0, [])
        assert not [name for name in table_names(index) if re.match(r"[a-z]+_1(_|$)", name)]


def test_a_rebuild_shows_the_old_index_until_the_new_one_is_whole(index):
    put(index, said("the old one"))
    fresh = [Changes(2, [said("the new one")]), Changes(3, [])]
    seen = []

    def read(after):
        seen.append((index.position(), *places(index, "old"), *places(index, "new")))
        return next((one for one in fresh if one.position > after), None)

    assert index.rebuild(read) == 3
    assert set(seen) == {(1, 0)}
    assert (index.position(), places(index, "old"), places(index, "new")) == (3, [], [0])


def test_a_rebuild_that_was_cut_off_leaves_the_old_index_and_is_begun_again(place):
    with closing(SearchIndex(place)) as index:
        put(index, said("the old one"))
        steps = [Changes(1, [said("half of the new one")])]
        with pytest.raises(IndexError):
            index.rebuild(lambda _: steps.pop())
        assert places(index, "old") == [0]
        assert index.rebuild(lambda after: None if after else Changes(1, [said("all of the new one")])) == 1
        assert (places(index, "old"), places(index, "half"), places(index, "all")) == ([], [], [0])
        with pytest.raises(IndexError):
            index.rebuild(lambda _: [].pop())
        index.use_for("another log", lambda: 0)  # in place of the rebuild's tables
        put(index, said("after it"))
        assert places(index, "after") == [0]


def test_a_rebuild_during_which_the_index_begins_anew_ends_and_leaves_it_alone(index, place):
    put(index, said("the old one"))

    def read(after):
        if not after:
            return Changes(1, [said("a rebuilt one")])
        with closing(SearchIndex(place)) as other:
            other.use_for("another log", lambda: 0)
            put(other, said("one of another log"))
        return None

    with pytest.raises(DatabaseUnavailable, match="begun anew meanwhile"):
        index.rebuild(read)
    assert (places(index, "rebuilt"), places(index, "another")) == ([], [0])


def test_two_rebuilds_at_once_are_refused(index, place):
    with closing(SearchIndex(place)) as other:

        def read(_):
            with pytest.raises(RebuildRunning):
                other.rebuild(lambda _: None)

        assert index.rebuild(read) == 0


def test_a_search_beside_a_writer_sees_whole_recordings(index):
    its_ids = [uuid4() for _ in range(30)]
    with searching(index, "twin") as found:
        for its_id in its_ids:
            put(index, said("twin one", "twin two", recording_id=its_id))
        for its_id in its_ids:
            put(index, Forgotten(its_id))
    assert found
    assert not [one for one in found if len(one) % 2]


@pytest.mark.parametrize("place", ["SQLite", pytest.param("PostgreSQL", marks=pytest.mark.slow)], indirect=True)
def test_a_search_finds_the_same_while_rebuilds_end_and_what_was_removed_is_erased(index):
    kept = said("a rash", "and another rash")
    put(index, kept)
    with searching(index, "rash") as found:
        for _ in range(10):
            assert index.rebuild(lambda after: None if after else Changes(1, [kept])) == 1
            doomed = said("cough")
            put(index, doomed)
            put(index, Forgotten(doomed.recording_id))
            while index.erase_some():
                pass
    assert found
    assert {tuple(match.place for match in one) for one in found} == {(1, 0)}


@contextmanager
def searching(index, query):
    """A block beside which one searches; what each search has found. Raises: what a search raises."""
    stop, found = threading.Event(), []

    def search():
        while not stop.is_set():
            found.append(index.search(MINE, query))

    with ThreadPoolExecutor(1) as pool:
        searches = pool.submit(search)
        try:
            while not found and searches.running():  # on a busy machine, all could be over before the first search
                time.sleep(0.001)
            yield found
        finally:
            stop.set()
            searches.result()


DISTINCT = [f"zq{letter}xylophone{number}" for letter in "abcd" for number in range(20)]


def test_no_word_is_ever_in_the_index_not_even_before_it_is_forgotten(own_place, content):
    with closing(SearchIndex(own_place)) as index:
        put(index, said(" ".join(DISTINCT)))
        assert places(index, DISTINCT[7]) == [0]
    there = content().lower()
    assert not [word for word in DISTINCT[::4] if word.encode() in there or word[4:].encode() in there]
    assert b"proj_1" not in there
    assert b"eu_1" not in there


@pytest.fixture(params=["SQLite", pytest.param("PostgreSQL", marks=pytest.mark.slow)])
def own_place(request, tmp_path):
    """A place in a database in which nothing else ever was."""
    if request.param == "SQLite":
        return tmp_path / "search.sqlite3"
    return PostgresPlace(request.getfixturevalue("database"), "tapedeck_search")


@pytest.fixture
def content(request, own_place):
    """What is in the files that the index is in: of a server, in all of the database's; not in its write-ahead log."""
    if isinstance(own_place, Path):
        return lambda: content_below(own_place.parent)
    server = request.getfixturevalue("postgres")

    def of_the_database():
        with psycopg.connect(own_place.url, autocommit=True) as administrator:
            administrator.execute("ANALYZE")
            administrator.execute("CHECKPOINT")
            query = "SELECT oid FROM pg_database WHERE datname = current_database()"
            (oid,) = administrator.execute(query).fetchone()
        return content_below(server._data / "base" / str(oid))

    return of_the_database


def digests_left(index, content, words):
    """How many of the words' digests are in any file: as they are, or as FTS5 keeps a term, without what it has in
    common with the term before it, or as PostgreSQL keeps a number.
    """
    with index._database.reading() as tables:
        ((key,),) = tables.execute("SELECT key FROM search_state").fetchall()
    there = content()
    found = Digests(MINE.key(key)).of(words)
    forms = [(one, one.hex()[6:].encode() if type(index._engine(tables)) is Fts5 else one[::-1]) for one in found]
    return sum(any(form in there for form in each) for each in forms)


def test_what_was_forgotten_is_erased_and_then_not_even_its_digests_are_left(own_place, content, monkeypatch):
    monkeypatch.setattr("os.urandom", random.Random(0).randbytes)  # FTS5 could keep less of other digests
    index = SearchIndex(own_place)
    kept = [f"kept{number}" for number in range(300)]
    doomed = said(*DISTINCT)
    put(index, said(*kept[:150]), doomed, said(*kept[150:]))
    put(index, *(said(f"more{number}", f"{number} and more") for number in range(100)))
    assert digests_left(index, content, DISTINCT[::4]) == len(DISTINCT[::4])  # so this test can fail
    put(index, Forgotten(doomed.recording_id))
    while index.erase_some():
        pass
    assert index.erase_some() is False
    assert digests_left(index, content, DISTINCT[::2]) == 0
    assert digests_left(index, content, kept[::10]) == len(kept[::10])
    assert all(places(index, word) for word in kept[::10])
    index.close()


@pytest.mark.parametrize("seed", [0, 47])
def test_erasing_takes_many_short_steps_and_goes_on_after_a_stop(own_place, content, monkeypatch, seed):
    """SQLite leaves copies of what it deletes and of what it moves. FTS5's own merging left some with seed 47."""
    monkeypatch.setattr("os.urandom", random.Random(seed).randbytes)
    monkeypatch.setattr("adapters.search.tables.COPIED_PASSAGES", 100)
    doomed = [said(*(f"{os.urandom(8).hex()} doomed{n}" for n in range(300))) for _ in range(4)]
    index = SearchIndex(own_place)
    for one in doomed:
        put(index, one, said(*(os.urandom(8).hex() for _ in range(300))))
    put(index, Forgotten(doomed[0].recording_id))
    steps = 0
    while True:
        steps += 1
        more = index.erase_some()
        if steps < 4:  # while that copy is being made
            put(index, Forgotten(doomed[steps].recording_id), said("new"))
            more = True
        index.close()
        index = SearchIndex(own_place)
        if not more:
            break
    assert steps > 10
    assert digests_left(index, content, [f"doomed{n}" for n in range(0, 300, 3)]) == 0
    assert len(places(index, "new")) == 3
    index.close()


def test_tables_of_a_dropped_generation_are_gone(index):
    assert index.rebuild(lambda _: None) == 0
    assert not [name for name in table_names(index) if re.match(r"[a-z]+_1(_|$)", name)]
    with index._database.writing() as tables:
        index._generation(tables, 3).create()  # whose names are free


def test_only_its_owner_can_read_the_file(tmp_path):
    with closing(SearchIndex(tmp_path / "search.sqlite3")):
        assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("search.sqlite3*")} == {0o600}


def test_while_a_backup_reads_everything_searches_go_on_and_what_was_removed_is_erased_afterwards(database, caplog):
    doomed = said("penicillin")
    with closing(SearchIndex(PostgresPlace(database, "tapedeck_search"))) as index:
        put(index, doomed, said("a rash"))
        put(index, Forgotten(doomed.recording_id))
        with psycopg.connect(database) as backup:
            backup.execute("LOCK TABLE tapedeck_search.search_state IN ACCESS SHARE MODE")
            while index.erase_some():
                assert "is erased later" not in caplog.text
            assert "is erased later" in caplog.text
            assert places(index, "rash") == [0]
            put(index, said("another rash"))
            assert len(places(index, "rash")) == 2
            assert is_due(index)
        index.give_back()
        assert not is_due(index)
        assert len(places(index, "rash")) == 2


def is_due(index):
    with index._database.reading() as tables:
        return index._generation(tables, 1).is_due()
