"""Which log what is in a database was made of."""

from adapters.database.port import Tables

MADE_FROM = "CREATE TABLE IF NOT EXISTS made_from (log_identity TEXT NOT NULL)"


def is_of_log(tables: Tables, identity: str) -> bool:
    """Whether the content was made from the log with this identity. From now on, it is. In a transaction."""
    tables.execute(MADE_FROM)
    row = tables.execute("SELECT log_identity FROM made_from").fetchone()
    if row is not None and row[0] == identity:
        return True
    tables.execute("DELETE FROM made_from")
    tables.execute("INSERT INTO made_from VALUES (?)", (identity,))
    return False
