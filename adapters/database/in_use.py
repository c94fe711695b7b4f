"""Whether the stores of a service are in a PostgreSQL database."""

import psycopg

from adapters.database.port import ServerAway
from adapters.postgres.connections import connect, reason

_SCHEMAS = r"SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tapedeck\_%' ORDER BY nspname"


def schemas_of_stores(url: str) -> list[str]:
    """Those that are there, without the event log's. Raises: ServerAway."""
    try:
        with connect(url) as connection:
            return [name for (name,) in connection.execute(_SCHEMAS).fetchall()]
    except psycopg.Error as error:
        raise ServerAway(f"The database cannot be looked into: {reason(error)}.") from error
