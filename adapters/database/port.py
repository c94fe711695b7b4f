"""What a store needs of its database. A store is written once, in the SQL that SQLite and PostgreSQL share.

Statements have `?` for each value, and tables are made of TEXT, INTEGER and BLOB: an adapter says what its database
calls them. Neither `INSERT OR …` nor functions that only one of them has; rows are replaced by `ON CONFLICT DO UPDATE`.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from adapters.sqlite_file import DatabaseUnavailable

Values = Sequence[Any]
"""Texts, whole numbers, bytes and None. No booleans: they are whole numbers in one database and not in the other."""


class Rows(Protocol):
    """What a statement has found. `rowcount`: how many rows it has changed."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Tables(Protocol):
    """Takes statements. Raises: DatabaseFull; DatabaseUnavailable."""

    def execute(self, statement: str, values: Values = (), /) -> Rows: ...

    def executemany(self, statement: str, rows: Sequence[Values], /) -> object: ...


Copy = Callable[[sqlite3.Connection, Tables], str | None]
"""Copies what is in a file into the tables of a server. Returns why it did not; None if it did."""


class Database(Protocol):
    """For any thread. Raises: DatabaseFull; DatabaseUnavailable."""

    @property
    def answers_at_once(self) -> bool:
        """Whether looking something up takes microseconds and never waits, so that an event loop may do it."""
        ...

    def prepare(self, versions: Sequence[Sequence[str]], *, copy: Copy | None = None) -> None:
        """Create the tables of a new database, or bring those of an older version up to date. A server takes over the
        rows of the file that the store was in before, with `copy` if the tables there were others.

        `versions`: the statements that lead to each version of the schema, from the one before. Versions are only added
        to. Raises: DatabaseTooNew, for a file.
        """
        ...

    def take_over(self, copy: Copy) -> None:
        """For a store that makes its tables by itself: a server takes over what was in a file before, once."""
        ...

    def reading(self) -> AbstractContextManager[Tables]:
        """For statements that change nothing. Each sees what was committed before it."""
        ...

    def writing(self, *, patient: bool = False, lasting: bool = True) -> AbstractContextManager[Tables]:
        """A transaction of the only writer, so that what it reads stays true until it commits.

        What it has written is durable after the block, unless the database was opened otherwise. Nothing of it is
        there if the block raises. `patient`: a statement may take as long as it needs. Not `lasting`: a crash of the
        server may take it away; but not if anything stays of what was written later, to any table of that server.
        """
        ...

    def at_one_moment(self, guard: str) -> AbstractContextManager[Tables]:
        """For statements that change nothing and all see the same moment.

        `guard`: a table. Who drops others that may be read here locks it first, where a table can be locked.
        """
        ...

    def one_rebuild(self) -> AbstractContextManager[None]:
        """A block that runs once at a time, in all processes. Raises: RebuildRunning."""
        ...

    def scrub(self) -> None:
        """No bytes of deleted rows are in the tables once this has returned. Raises: DatabaseUnavailable, also while
        another process reads a file."""
        ...

    def empty_log(self) -> bool:
        """Whether nothing of what was deleted is in a file's write-ahead log any more: not if another process reads it
        now. A server's is its administrator's."""
        ...

    def give_back(self) -> None:
        """Return to the disk what is not needed any more."""
        ...

    def close(self) -> None:
        """What has begun is completed; nothing can begin afterwards."""
        ...


class ServerAway(DatabaseUnavailable):
    """The server could not be reached, or is ending. All that is in it waits until it is back."""


class HeldUp(DatabaseUnavailable):
    """A lock that someone else holds was waited for in vain."""


class DatabaseInUse(Exception):
    """Another service has claimed the database. `str()` is one sentence."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"Another tapedeck is running on {place}; stop it, or give this one another TAPEDECK_DATABASE_URL."
        )


class OtherRelease(Exception):
    """A process of the service runs a release that is not compatible with this one. `str()` is one sentence."""

    def __init__(self, process: str) -> None:
        super().__init__(
            f"{process} runs a release that is not compatible with this one; stop all processes of one release, "
            "workers and publishers too, before you start those of the other."
        )


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """A store's place in PostgreSQL. `url`: of the database. `schema`: what its tables are in.

    `before`: the file that the store was in with versions before this; it is moved here.
    """

    url: str
    schema: str
    before: Path | None = None


Place = Path | PostgresPlace
"""Where a store is: a SQLite file, or a schema in PostgreSQL."""
