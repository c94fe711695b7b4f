"""The tables of a bucket's index in PostgreSQL, and how what was in a file comes into them."""

import sqlite3
from collections.abc import Sequence

from adapters.blobs.bucket.index import LATEST_ARRIVAL_SECONDS
from adapters.blobs.bucket.object_format import Part
from adapters.database.moving import HAS_ROWS
from adapters.database.port import Tables

VERSIONS = (
    (
        """CREATE TABLE blobs (
            key TEXT PRIMARY KEY, object INTEGER NOT NULL, first_byte INTEGER NOT NULL, size_bytes INTEGER NOT NULL
        )""",
        "CREATE INDEX blobs_of_object ON blobs (object)",
        """CREATE TABLE objects (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, size_bytes INTEGER NOT NULL, blobs INTEGER NOT NULL,
            live_blobs INTEGER NOT NULL, live_bytes INTEGER NOT NULL
        )""",
        "CREATE INDEX objects_with_dead_blobs ON objects (id) WHERE live_blobs < blobs",
        "CREATE SEQUENCE object_ids",
        """CREATE TABLE announced (
            name TEXT PRIMARY KEY, id INTEGER NOT NULL DEFAULT nextval('object_ids'), writer INTEGER,
            moved_from text[], CHECK ((writer IS NULL) <> (moved_from IS NULL))
        )""",
        """CREATE TABLE doomed (
            name TEXT PRIMARY KEY, arrives_until double precision NOT NULL, deleted_at double precision
        )""",
        "CREATE TABLE about (fact TEXT PRIMARY KEY, value TEXT NOT NULL)",
    ),
)
"""An object with new bodies is announced with its writer, one with moved bodies with the objects that they are from.
Times are in seconds since 1970, by the server's clock."""

NOW = "extract(epoch FROM statement_timestamp())::double precision"

DOOM = f"""
WITH gone AS ({{gone}})
INSERT INTO doomed (name, arrives_until)
SELECT DISTINCT name, CASE WHEN {{arrives}} THEN {NOW} + {LATEST_ARRIVAL_SECONDS} ELSE 0 END FROM gone
ON CONFLICT (name) DO UPDATE SET arrives_until = greatest(doomed.arrives_until, excluded.arrives_until)
"""  # noqa: S608 - what is put in is in this package
"""Notes that what `gone` returns is to be deleted. `arrives`: whether it may still be written."""

_ADD = """
WITH object AS MATERIALIZED ({its_id}), new AS (
    INSERT INTO blobs (key, object, first_byte, size_bytes)
    SELECT part.key, object.id, part.first_byte, part.size_bytes
    FROM unnest(?::text[], ?::bigint[], ?::bigint[]) AS part (key, first_byte, size_bytes), object
    ON CONFLICT (key) DO NOTHING RETURNING size_bytes
)
INSERT INTO objects (id, name, size_bytes, blobs, live_blobs, live_bytes)
SELECT object.id, ?, ?, ?, (SELECT count(*) FROM new), (SELECT coalesce(sum(size_bytes), 0) FROM new) FROM object
RETURNING live_blobs
"""

ANNOUNCED = "DELETE FROM announced WHERE name = ? RETURNING id"

UNKNOWN = """
SELECT nextval('object_ids') AS id FROM (VALUES (CAST(? AS text))) AS found (name)
WHERE NOT EXISTS (SELECT 1 FROM objects WHERE objects.name = found.name)
AND NOT EXISTS (SELECT 1 FROM announced WHERE announced.name = found.name)
AND NOT EXISTS (SELECT 1 FROM doomed WHERE doomed.name = found.name)
"""

_ROWS_AT_ONCE = 5_000


def added(tables: Tables, its_id: str, name: str, size_bytes: int, parts: Sequence[Part]) -> int | None:
    """How many of an object's blobs were nowhere else. In a transaction.

    `its_id`: ANNOUNCED or UNKNOWN, what the object must be; if it is not, nothing is done, and this is None.
    """
    values = (name, *in_columns(parts), name, size_bytes, len(parts))
    row = tables.execute(_ADD.format(its_id=its_id), values).fetchone()
    return None if row is None else int(row[0])


def in_columns(parts: Sequence[Part]) -> tuple[list[str], list[int], list[int]]:
    """Keys, first bytes and sizes."""
    return [part.key for part in parts], [part.offset for part in parts], [part.size_bytes for part in parts]


def doom_empty(tables: Tables, names: Sequence[str]) -> None:
    """Those of these objects in which nothing is live are to be deleted, and with them the unfinished moves out of
    them. In a transaction."""
    empty = (
        "DELETE FROM objects WHERE name = ANY(?) AND NOT EXISTS (SELECT 1 FROM blobs WHERE object = id) RETURNING name"
    )
    tables.execute(DOOM.format(gone=empty, arrives="false"), (list(names),))
    moves = "DELETE FROM announced WHERE moved_from && ?::text[] RETURNING name"
    tables.execute(DOOM.format(gone=moves, arrives="true"), (list(names),))


def copy_index(file: sqlite3.Connection, tables: Tables) -> str | None:
    """A `Copy` of an index in a file. Nothing is copied into an index that has been in use."""
    if any(tables.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone() for name in ("about", "objects", "doomed")):  # noqa: S608
        return HAS_ROWS
    _copy(file, tables, "objects", ("id", "name", "size_bytes", "blobs", "live_blobs", "live_bytes"))
    _copy(file, tables, "blobs", ("key", "object", "offset", "size_bytes"), into="key, object, first_byte, size_bytes")
    _copy(file, tables, "doomed", ("name", "arrives_until"))
    _copy(file, tables, "about", ("fact", "value"))
    tables.execute("SELECT setval('object_ids', (SELECT coalesce(max(id), 0) + 1 FROM objects))")
    return None


_TYPES = {"name": "text", "key": "text", "fact": "text", "value": "text", "arrives_until": "double precision"}


def _copy(
    file: sqlite3.Connection, tables: Tables, name: str, columns: Sequence[str], *, into: str | None = None
) -> None:
    """A table that is not in the file was never made: a process was killed at its first start."""
    if file.execute("SELECT 1 FROM sqlite_master WHERE type='table' AND name=?", (name,)).fetchone() is None:
        return
    found = file.execute(f"SELECT {', '.join(columns)} FROM {name}")  # noqa: S608 - names from above
    arrays = ", ".join(f"?::{_TYPES.get(column, 'bigint')}[]" for column in columns)
    statement = f"INSERT INTO {name} ({into or ', '.join(columns)}) SELECT * FROM unnest({arrays})"  # noqa: S608
    while rows := found.fetchmany(_ROWS_AT_ONCE):
        tables.execute(statement, [list(column) for column in zip(*rows, strict=True)])
