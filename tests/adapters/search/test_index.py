import os
import random
import re
import sqlite3
import threading
from contextlib import closing
from hashlib import sha256
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.rebuilding import PositionMoved, RebuildRunning
from adapters.search import index as index_module
from adapters.search.digests import Digests, Owner
from adapters.search.index import Changes, Forgotten, Indexed, SearchIndex
from adapters.search.tables import Tables
from adapters.search.words import indexed_words
from tests.files_on_disk import content_below

MINE = Owner("proj_1", "eu_1")
SPOKEN = ["Penicillin gives me a rash.", "The rash went away after a week.", "See you next week then."]


@pytest.fixture
def index(tmp_path):
    index = SearchIndex(tmp_path / "search.sqlite3")
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


@given(st.text())
@settings(max_examples=200)
def test_any_query_is_answered(shared_index, text):
    assert all(0 < match.score <= 1 for match in shared_index.search(MINE, text))


@pytest.fixture(scope="module")
def shared_index(tmp_path_factory):
    index = SearchIndex(tmp_path_factory.mktemp("search") / "search.sqlite3")
    put(index, said(*SPOKEN))
    yield index
    index.close()


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


def test_the_index_of_another_log_or_of_a_later_state_of_this_one_is_started_over(tmp_path):
    with closing(SearchIndex(tmp_path / "search.sqlite3")) as index:
        index.use_for("this log", 0)
        put(index, said("one"))
        index.use_for("this log", 1)
        assert (index.position(), places(index, "one")) == (1, [0])
        index.use_for("this log", 0)
        assert (index.position(), places(index, "one")) == (0, [])
        put(index, said("one"))
        index.use_for("another log", 1)
        assert (index.position(), places(index, "one")) == (0, [])


def test_an_index_of_another_schema_is_started_over(tmp_path, monkeypatch):
    with closing(SearchIndex(tmp_path / "search.sqlite3")) as index:
        put(index, said("one"))
    with closing(SearchIndex(tmp_path / "search.sqlite3")) as index:
        assert (index.position(), places(index, "one")) == (1, [0])
        index._writer.execute("CREATE VIRTUAL TABLE words_1_3 USING fts5 (digests)")  # as schema 1 had them
    monkeypatch.setattr(index_module, "SCHEMA_VERSION", index_module.SCHEMA_VERSION + 1)
    with closing(SearchIndex(tmp_path / "search.sqlite3")) as index:
        assert (index.position(), places(index, "one")) == (0, [])
        names = [name for (name,) in index._writer.execute("SELECT name FROM sqlite_master")]
        assert not [name for name in names if re.match(r"[a-z]+_1(_|$)", name)]


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


def test_a_rebuild_that_was_cut_off_leaves_the_old_index_and_is_begun_again(tmp_path):
    with closing(SearchIndex(tmp_path / "search.sqlite3")) as index:
        put(index, said("the old one"))
        steps = [Changes(1, [said("half of the new one")])]
        with pytest.raises(IndexError):
            index.rebuild(lambda _: steps.pop())
        assert places(index, "old") == [0]
        assert index.rebuild(lambda after: None if after else Changes(1, [said("all of the new one")])) == 1
        assert (places(index, "old"), places(index, "half"), places(index, "all")) == ([], [], [0])
        with pytest.raises(IndexError):
            index.rebuild(lambda _: [].pop())
        index.use_for("another log", 0)  # in place of the rebuild's tables
        put(index, said("after it"))
        assert places(index, "after") == [0]


def test_two_rebuilds_at_once_are_refused(index, tmp_path):
    with closing(SearchIndex(tmp_path / "search.sqlite3")) as other:

        def read(_):
            with pytest.raises(RebuildRunning):
                other.rebuild(lambda _: None)

        assert index.rebuild(read) == 0


def test_a_search_beside_a_writer_sees_whole_recordings(index):
    stop, broken = threading.Event(), []

    def search():
        while not stop.is_set():
            found = len(index.search(MINE, "twin"))
            if found % 2:
                broken.append(found)

    searching = threading.Thread(target=search)
    searching.start()
    its_ids = [uuid4() for _ in range(30)]
    for its_id in its_ids:
        put(index, said("twin one", "twin two", recording_id=its_id))
    for its_id in its_ids:
        put(index, Forgotten(its_id))
    stop.set()
    searching.join()
    assert broken == []


def test_only_its_owner_can_read_the_file(index, tmp_path):
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("search.sqlite3*")} == {0o600}


DISTINCT = [f"zq{letter}xylophone{number}" for letter in "abcd" for number in range(20)]


def test_no_word_is_ever_in_the_index_not_even_before_it_is_forgotten(index, tmp_path):
    put(index, said(" ".join(DISTINCT)))
    assert places(index, DISTINCT[7]) == [0]
    there = content_below(tmp_path).lower()
    assert not [word for word in DISTINCT if word.encode() in there or word[4:].encode() in there]
    assert b"proj_1" not in there
    assert b"eu_1" not in there


def digests_left(index, folder, words):
    """How many of the words' digests are in any file, as they are or in the form in which FTS5 keeps a term: without
    what it has in common with the term before it."""
    with closing(sqlite3.connect(folder / "search.sqlite3")) as reader:
        ((key,),) = reader.execute("SELECT key FROM search_state")
    there = content_below(folder)
    found = Digests(MINE.key(key)).of(words)
    return sum(one in there or one.hex()[6:].encode() in there for one in found)


def test_what_was_forgotten_is_erased_and_then_not_even_its_digests_are_left(tmp_path, monkeypatch):
    monkeypatch.setattr("os.urandom", random.Random(0).randbytes)  # FTS5 could keep less of other digests
    index = SearchIndex(tmp_path / "search.sqlite3")
    kept = [f"kept{number}" for number in range(300)]
    doomed = said(*DISTINCT)
    put(index, said(*kept[:150]), doomed, said(*kept[150:]))
    put(index, *(said(f"more{number}", f"{number} and more") for number in range(100)))
    put(index, Forgotten(doomed.recording_id))
    assert digests_left(index, tmp_path, DISTINCT) > 0  # so this test can fail
    while index.erase_some():
        pass
    assert index.erase_some() is False
    assert digests_left(index, tmp_path, DISTINCT) == 0
    assert digests_left(index, tmp_path, kept) == len(kept)
    assert all(places(index, word) for word in kept)
    index.close()


@pytest.mark.parametrize("seed", [0, 47])
def test_erasing_takes_many_short_steps_and_goes_on_after_a_stop(tmp_path, monkeypatch, seed):
    """SQLite leaves copies of what it deletes and of what it moves. FTS5's own merging left some with seed 47."""
    monkeypatch.setattr("os.urandom", random.Random(seed).randbytes)
    monkeypatch.setattr("adapters.search.tables.COPIED_PASSAGES", 100)
    path = tmp_path / "search.sqlite3"
    doomed = [said(*(f"{os.urandom(8).hex()} doomed{n}" for n in range(300))) for _ in range(4)]
    index = SearchIndex(path)
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
        index = SearchIndex(path)
        if not more:
            break
    assert steps > 10
    assert digests_left(index, tmp_path, [f"doomed{n}" for n in range(300)]) == 0
    assert len(places(index, "new")) == 3
    index.close()


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([None, "a b", "b c", "c", "a a d"])), max_size=30))
@settings(max_examples=60, deadline=None)
def test_whatever_is_indexed_forgotten_and_erased_only_the_last_transcript_of_each_is_found(tmp_path_factory, steps):
    last = {}
    with (
        pytest.MonkeyPatch.context() as slowly,
        closing(SearchIndex(tmp_path_factory.mktemp("search") / "search.sqlite3")) as index,
    ):
        slowly.setattr("adapters.search.tables.COPIED_PASSAGES", 1)  # so that most changes meet a half-made copy
        for number, text in steps:
            its_id = UUID(int=number)
            put(index, Forgotten(its_id) if text is None else said(text, recording_id=its_id))
            last[its_id] = text
            index.erase_some()
        for word in "abcd":
            expected = {its_id for its_id, text in last.items() if text and word in text.split()}
            assert {match.recording_id for match in index.search(MINE, word)} == expected


def test_tables_of_a_dropped_generation_are_gone(index, tmp_path):
    assert index.rebuild(lambda _: None) == 0
    with closing(sqlite3.connect(tmp_path / "search.sqlite3")) as reader:
        names = [name for (name,) in reader.execute("SELECT name FROM sqlite_master")]
        Tables(reader, 3).create()  # whose names are free
    assert not [name for name in names if re.match(r"[a-z]+_1(_|$)", name)]
