"""What a transaction reads stays true until it commits: nobody else writes meanwhile, in whatever process."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

import psycopg
import pytest

from adapters.database.opening import open_database

TABLE = (("CREATE TABLE counted (number INTEGER NOT NULL)", "INSERT INTO counted VALUES (0)"),)
_WAITING = (
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND database ="
    " (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@pytest.fixture
def databases(place):
    """Two openings of one database, as two processes have it."""
    with closing(open_database(place, durable=False)) as one, closing(open_database(place, durable=False)) as other:
        for each in (one, other):
            each.prepare(TABLE)
        yield one, other


def counted(tables):
    return tables.execute("SELECT number FROM counted").fetchone()[0]


def set_to(tables, number):
    tables.execute("UPDATE counted SET number=?", (number,))


def test_who_has_only_read_so_far_is_alone_all_the_same(databases, place):
    one, other = databases
    has_read = Event()

    def count():
        with other.writing() as tables:
            number = counted(tables)
            has_read.set()
            set_to(tables, number + 1)

    with ThreadPoolExecutor(1) as thread:
        with one.writing() as tables:
            number = counted(tables)
            counting = thread.submit(count)
            wait_until_held_up(place, has_read)
            assert not has_read.is_set()
            set_to(tables, number + 1)
        counting.result()
    with one.reading() as tables:
        assert counted(tables) == 2


def wait_until_held_up(place, has_read):
    """Until the other cannot go on, or has read what is about to change."""
    if isinstance(place, Path):
        with (
            closing(sqlite3.connect(place, timeout=0, isolation_level=None)) as third,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            third.execute("BEGIN IMMEDIATE")
        return
    with closing(psycopg.connect(place.url, autocommit=True)) as third:
        while not (third.execute(_WAITING).fetchone()[0] or has_read.wait(0.01)):
            pass
