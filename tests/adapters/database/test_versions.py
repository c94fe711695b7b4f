"""A later version of a store's schema reaches the databases of earlier ones, wherever they are."""

import psycopg
import pytest

from adapters.database.opening import open_database
from adapters.database.port import PostgresPlace
from adapters.webhooks.store import endpoint_count

FIRST = ("CREATE TABLE things (name TEXT NOT NULL)", "INSERT INTO things VALUES ('of version 1')")
SECOND = ("CREATE TABLE others (name TEXT NOT NULL)", "INSERT INTO others VALUES ('of version 2')")


@pytest.fixture(params=["file", "schema"])
def place(request, tmp_path):
    if request.param == "file":
        return tmp_path / "store.sqlite3"
    return PostgresPlace(request.getfixturevalue("database"), "tapedeck_store")


@pytest.mark.parametrize("earlier", [(), (FIRST,), (FIRST, SECOND)])
def test_each_version_s_statements_are_done_once(place, earlier):
    for versions in (earlier, (FIRST, SECOND)):
        database = open_database(place, durable=True)
        database.prepare(versions)
        database.close()
    database = open_database(place, durable=True)
    with database.reading() as tables:
        assert tables.execute("SELECT name FROM things").fetchall() == [("of version 1",)]
        assert tables.execute("SELECT name FROM others").fetchall() == [("of version 2",)]
    database.close()


def test_nothing_is_counted_and_made_in_a_database_that_has_never_been_used(database):
    assert endpoint_count(PostgresPlace(database, "tapedeck_webhooks"), "proj_1") == 0
    with psycopg.connect(database) as connection:
        made = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tapedeck%'").fetchall()
    assert made == []
