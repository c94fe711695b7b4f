"""Opens the database that a store's place names."""

from pathlib import Path

from adapters.database.port import Database, Place
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
