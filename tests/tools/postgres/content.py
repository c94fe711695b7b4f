"""All that a PostgreSQL database shows to who may read it, as bytes to search in."""

import psycopg
from psycopg import sql

_TABLES = """\
SELECT schemaname, tablename FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND (%(schema)s::text IS NULL OR schemaname = %(schema)s)
"""


def content_of_database(url: str, *, schema: str | None = None) -> bytes:
    """Every row of every table, or of those of one schema. Texts and bytes are as they were stored.

    Raises: LookupError, if there is no table.
    """
    content = bytearray()
    with psycopg.connect(url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        names = connection.execute(_TABLES, {"schema": schema}).fetchall()
        if not names:
            raise LookupError(f"There is no table in {schema or 'the database'}.")
        for name in names:
            with connection.cursor().copy(
                sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(sql.Identifier(*name))
            ) as copy:
                for block in copy:
                    content += block
    return bytes(content)
