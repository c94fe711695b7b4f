"""How PostgreSQL finds passages by their words."""

import pytest

from adapters.database.port import PostgresPlace
from adapters.database.postgres import PostgresDatabase
from adapters.search.bitmaps import BLOCK, Bitmaps
from adapters.search.engine import Posting

COMMON, RARE = (b"\xffcommon!", b"\x00rare...")
FETCHED = "SELECT idx_tup_fetch, seq_tup_read FROM pg_stat_xact_user_tables WHERE relname=?"


@pytest.fixture
def tables(database):
    store = PostgresDatabase(PostgresPlace(database, "tapedeck_search"))
    with store.writing() as tables:
        yield tables
    store.close()


@pytest.fixture
def words(tables):
    tables.execute("CREATE TABLE passages (words BLOB)")
    words = Bitmaps(tables)
    words.create("words", "passages")
    return words


def test_of_a_word_that_very_many_have_no_more_are_read_than_are_asked_for(tables, words):
    numbers = range(1, 5_000 * BLOCK, BLOCK)
    words.add("words", [Posting(number, COMMON) for number in numbers])
    words.add("words", [Posting(7, RARE), Posting(8, RARE + COMMON)])
    (read_before, _) = tables.execute(FETCHED, ("words",)).fetchone()
    found = words.newest("words", [COMMON, RARE, b"nobody's"], 100)
    assert found == [list(reversed(numbers[-100:])), [8, 7], []]
    (read, one_by_one) = tables.execute(FETCHED, ("words",)).fetchone()
    assert read - read_before == 101
    assert one_by_one == 0


def test_what_is_taken_out_leaves_its_neighbours(words):
    words.add("words", [Posting(number, COMMON + RARE + COMMON) for number in range(1, 3 * BLOCK)])
    words.take_out("words", [Posting(number, COMMON + RARE) for number in range(2, 3 * BLOCK - 1)])
    assert words.newest("words", [COMMON, RARE], 5) == [[3 * BLOCK - 1, 1]] * 2


def test_the_planner_s_statistics_have_no_digest(tables, words):
    words.add("words", [Posting(number, COMMON + RARE) for number in range(3 * BLOCK)])
    tables.executemany("INSERT INTO passages VALUES (?)", [(COMMON,)] * 100)
    for table in ("words", "passages"):
        tables.execute(f"ANALYZE {table}")
    known = tables.execute("SELECT tablename, attname FROM pg_stats WHERE schemaname=current_schema()").fetchall()
    assert sorted(known) == [("words", "block"), ("words", "present")]


def test_a_block_that_nobody_is_in_any_more_is_no_row(tables, words):
    words.add("words", [Posting(1, COMMON), Posting(2, COMMON), Posting(3, RARE)])
    words.take_out("words", [Posting(1, COMMON), Posting(2, COMMON)])
    assert tables.execute("SELECT count(*) FROM words").fetchone() == (1,)
