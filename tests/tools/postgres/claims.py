"""Ends a service's claim on its database, as a failover of the database would."""

import psycopg

from adapters.database.ownership import LOCK

_END = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND (classid::int8 << 32 | objid::int8) = %s
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def end_claim(url: str) -> None:
    """Whoever has it loses its session, and may claim the database again at once."""
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(_END, [LOCK])
