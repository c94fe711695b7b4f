"""Where the contract suites of stores run: each in a file, and in PostgreSQL."""

from contextlib import contextmanager
from uuid import uuid4

import pytest
from psycopg import sql

from adapters.database.opening import open_database
from adapters.database.port import PostgresPlace


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def place(request, tmp_path):
    """A place for one store, in either kind of database."""
    if request.param == "SQLite":
        yield tmp_path / "store.sqlite3"
        return
    server = request.getfixturevalue("postgres")
    place = PostgresPlace(server.url(), f"tapedeck_test_{uuid4().hex}")
    yield place
    server.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(place.schema)))


@pytest.fixture
def tables_of():
    """Opens a store's database beside it, for what no store does."""

    @contextmanager
    def opened(place):
        database = open_database(place, durable=False)
        try:
            with database.writing() as tables:
                yield tables
        finally:
            database.close()

    return opened
