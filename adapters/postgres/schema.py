"""The schema's versions: steps that are only ever added to, each done once, by one process.

Processes of an older version go on with the newer schema during a rolling upgrade. So a step adds tables, columns that
may be left out, and functions under new names; it changes nothing that an older version uses.
"""

from collections.abc import Sequence

from adapters.postgres.connections import LOCK_SECONDS, Connection

SCHEMA = "tapedeck"
"""The PostgreSQL schema that all of the project's tables and functions are in."""

_LOCK = 0x7461_7065_0001
_STEPS = "CREATE TABLE IF NOT EXISTS tapedeck.schema_steps (part text, number integer, PRIMARY KEY (part, number))"


def bring_up_to_date(connection: Connection, part: str, steps: Sequence[str]) -> None:
    """Do those of the part's steps, in order, that this database has not had yet: all of them, or none if one fails.

    Of processes that start together one does them, and the others wait for it.

    Raises: psycopg.Error.
    """
    if steps_done(connection, part) >= len(steps):
        return
    patience, connection.answer_seconds = connection.answer_seconds, None
    try:
        with connection.transaction():
            connection.execute("SET LOCAL lock_timeout = 0")
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            connection.execute(_STEPS)
            for number in range(steps_done(connection, part) + 1, len(steps) + 1):
                connection.execute(steps[number - 1])
                connection.execute("INSERT INTO tapedeck.schema_steps VALUES (%s, %s)", [part, number])
    finally:
        connection.answer_seconds = patience


def steps_done(connection: Connection, part: str) -> int:
    """How many of the part's steps this database has had; 0 in one that has never been used."""
    found = connection.execute("SELECT to_regclass('tapedeck.schema_steps') IS NOT NULL").fetchone()
    if found is None or not found[0]:
        return 0
    counted = connection.execute("SELECT count(*) FROM tapedeck.schema_steps WHERE part = %s", [part]).fetchone()
    return int(counted[0]) if counted is not None else 0
