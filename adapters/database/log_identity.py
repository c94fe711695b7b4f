"""Which log what is in a database was made of."""

from collections.abc import Callable

from adapters.database.port import Tables

NewestHead = Callable[[], int]
"""Asks the log for the position of its last event. It is asked after the position that is compared with it was read:
meanwhile others may write to the log, and another process may move that position."""

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
