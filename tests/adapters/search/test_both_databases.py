"""Whatever is indexed, forgotten and erased: the index in PostgreSQL finds what the one in a file finds."""

from contextlib import closing
from hashlib import sha256
from itertools import count
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.database.port import PostgresPlace
from adapters.search import bitmaps, tables
from adapters.search import index as index_module
from adapters.search.digests import Owner
from adapters.search.index import Changes, Forgotten, Indexed, SearchIndex

RECORDINGS, OWNERS = range(4), range(2)
TEXTS = st.lists(st.sampled_from(["a b", "b c", "c", "a a d", "d c b a", "?"]), max_size=6)
CHANGES = st.tuples(st.sampled_from(RECORDINGS), st.sampled_from(OWNERS), TEXTS | st.none())
STEPS = st.lists(st.lists(CHANGES, max_size=4), min_size=1, max_size=6)
QUERIES = ("a", "b c", "d a", "a b c d", "e")


@pytest.fixture
def both(tmp_path, database, monkeypatch):
    """An index in each. Copies of a shard, blocks of passages and limits are so small that most changes meet them."""
    for module, name, few in (
        (tables, "COPIED_PASSAGES", 2),
        (tables, "SHARDS", 2),
        (bitmaps, "BLOCK", 4),
        (index_module, "NEWEST", 5),
        (index_module, "MOST_MATCHES", 7),
    ):
        monkeypatch.setattr(module, name, few)
    with (
        closing(SearchIndex(tmp_path / "search.sqlite3")) as in_a_file,
        closing(SearchIndex(PostgresPlace(database, "tapedeck_search"))) as in_postgres,
    ):
        yield in_a_file, in_postgres


@pytest.mark.slow
def test_the_same_is_found_in_both_and_only_of_the_last_transcripts(both):
    examples = count()

    @given(STEPS)
    @settings(max_examples=20, deadline=None)
    def is_found(steps):
        example = next(examples)
        owners = [Owner(f"proj_{example}", f"eu_{owner}") for owner in OWNERS]
        its_ids = [UUID(int=example * len(RECORDINGS) + recording + 1) for recording in RECORDINGS]
        last = {}
        for step in steps:
            changes = [change(its_ids[recording], owners[owner], texts) for recording, owner, texts in step]
            last |= {recording: (owner, texts) for recording, owner, texts in step}
            for index in both:
                position = index.position()
                index.apply(Changes(position + 1, changes), after=position)
                index.erase_some()
        for owner in OWNERS:
            for query in QUERIES:
                for among in (None, its_ids[1:3]):
                    found, the_same = (index.search(owners[owner], query, recording_ids=among) for index in both)
                    assert the_same == found
                    assert all(is_there(match, its_ids, last, owner, query) for match in found if among is None)
                    assert (
                        found or among or not any(is_said(query, texts) for its, texts in last.values() if its == owner)
                    )

    is_found()


def change(its_id, owner, texts):
    if texts is None:
        return Forgotten(its_id)
    return Indexed(its_id, sha256("/".join(texts).encode()).hexdigest(), owner, texts)


def is_there(match, its_ids, last, owner, query):
    its_owner, texts = last[its_ids.index(match.recording_id)]
    return its_owner == owner and bool(set(texts[match.place].split()) & set(query.split()))


def is_said(query, texts):
    return bool(set(" ".join(texts or []).split()) & set(query.split()))
