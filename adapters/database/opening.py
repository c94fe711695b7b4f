"""Opens the database that a store's place names."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.database.port import Database, Place, Tables
from adapters.database.sqlite import SqliteDatabase


def open_database(place: Place, *, durable: bool, erases: bool = False) -> Database:
    """`durable`: what is committed to a file survives a power cut; in PostgreSQL it always does. `erases`: a file keeps
    no bytes of deleted rows.

    Raises: DatabaseUnavailable; sqlite3.Error; OSError.
    """
    if isinstance(place, Path):
        return SqliteDatabase(place, durable=durable, erases=erases)
    from adapters.database.postgres import PostgresDatabase  # noqa: PLC0415 - the embedded profile does without it

    return PostgresDatabase(place)


@contextmanager
def making_tables(database: Database) -> Iterator[Tables]:
    """The transaction in which a store makes its tables by itself. If the block raises, the database is closed."""
    try:
        with database.writing(patient=True) as tables:
            yield tables
    except BaseException:
        database.close()
        raise
