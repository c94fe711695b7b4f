"""All that is in a store's tables, to tell whether anything of it has changed."""

from pathlib import Path

from adapters.database.opening import open_database

_IN_A_FILE = "SELECT name FROM sqlite_master WHERE type='table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
_IN_POSTGRES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"


def table_content(place):
    """The rows of each table, in one order."""
    database = open_database(place, durable=False)
    try:
        with database.writing() as tables:
            return content_of(tables, place)
    finally:
        database.close()


def content_of(tables, place):
    """The rows of each table, in one order, as these `tables` of the place show them."""
    names = tables.execute(_IN_A_FILE if isinstance(place, Path) else _IN_POSTGRES).fetchall()
    rows = {name: tables.execute(f"SELECT * FROM {name}").fetchall() for (name,) in names}  # noqa: S608
    return {name: sorted(map(repr, its_rows)) for name, its_rows in rows.items()}
