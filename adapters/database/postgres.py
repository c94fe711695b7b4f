"""A store's tables in PostgreSQL, in a schema of their own. Durable on return; one writer at a time, as with a file.

A lock of the whole schema is held by who writes, from the transaction's start until its commit is visible to others.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from zlib import crc32

import psycopg
from psycopg import sql

from adapters.database.moving import copied, copy_rows
from adapters.database.port import Copy, HeldUp, PostgresPlace, Rows, ServerAway, Tables, Values
from adapters.postgres.connections import Connection, Connections, connect, is_away, reason
from adapters.postgres.schema import bring_up_to_date
from adapters.rebuilding import RebuildRunning
from adapters.sqlite_file import DatabaseFull, DatabaseUnavailable

logger = logging.getLogger(__name__)

_WRITERS, _REBUILDS, _MOVES = 0x7461_7065, 0x7461_7066, 0x7461_7067
"""The first halves of locks' keys. The second is the schema's name, as a number."""


class PostgresDatabase:
    """A `Database`. The schema is made if it is missing."""

    answers_at_once = False

    def __init__(self, place: PostgresPlace) -> None:
        """Raises: DatabaseFull; DatabaseUnavailable."""
        self._place = place
        self._lock = crc32(place.schema.encode()) - 2**31
        self._connections = Connections(place.url, schema=place.schema)
        try:
            self.bring_up_to_date(())
        except BaseException:
            self._connections.close()
            raise

    def prepare(self, versions: Sequence[Sequence[str]], *, copy: Copy | None = None) -> None:
        """A newer version can be used, too; see `adapters.postgres.schema`."""
        self.bring_up_to_date(versions)
        self.take_over(copy or copy_rows)

    def take_over(self, copy: Copy) -> None:
        """Move what is in a file before, if there is one."""
        before = self._place.before
        if before is not None and before.exists():
            self._move(before, copy)

    def _move(self, before: Path, copy: Copy) -> None:
        """One process that starts does so, and the others wait. While one of them had the file open, it could not be
        renamed: SQLite would make a new write-ahead log beside the old name.
        """
        with self._errors_named(), connect(self._place.url) as own:
            own.answer_seconds = None
            own.execute("SET lock_timeout = 0")
            own.execute("SELECT pg_advisory_lock(%s, %s)", (_MOVES, self._lock))
            if not before.exists():  # another process was faster
                return
            with self.writing(patient=True) as tables:
                why_not = copied(before, tables, copy)
            before.rename(before.with_name(f"{before.name}.moved"))
        about = {"file": str(before), "schema": self._place.schema}
        if why_not is None:
            logger.info("moved into PostgreSQL", extra=about)
        else:
            logger.warning("renamed without being moved", extra=about | {"because": why_not})

    def bring_up_to_date(self, versions: Sequence[Sequence[str]]) -> None:
        """The tables alone; what is in a file before stays there."""
        steps = [f"CREATE SCHEMA IF NOT EXISTS {self._place.schema}"]
        steps += [";".join(map(in_postgres, statements)) for statements in versions]
        with self._errors_named():
            self._connections.run(lambda connection: bring_up_to_date(connection, self._place.schema, steps))

    @contextmanager
    def reading(self) -> Iterator[Tables]:
        with self._errors_named():
            yield _Anywhere(self._connections)

    @contextmanager
    def writing(self, *, patient: bool = False, lasting: bool = True) -> Iterator[Tables]:
        begin = f"BEGIN; SELECT pg_advisory_xact_lock({_WRITERS}, {self._lock})"
        if not lasting:
            begin += "; SET LOCAL synchronous_commit TO off"
        with self._errors_named(), self._connections.transaction(begin) as connection:
            patience = connection.answer_seconds
            if patient:
                connection.answer_seconds = None
            try:
                yield _InTransaction(connection)
            finally:
                connection.answer_seconds = patience

    @contextmanager
    def at_one_moment(self, guard: str) -> Iterator[Tables]:
        """What is seen is settled by the first statement after the lock: a table that was dropped is then not named."""
        begin = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; LOCK TABLE {guard} IN ACCESS SHARE MODE"
        with self._errors_named(), self._connections.transaction(begin) as connection:
            yield _InTransaction(connection)

    @contextmanager
    def one_rebuild(self) -> Iterator[None]:
        """The lock ends with its connection."""
        with self._errors_named():
            own = connect(self._place.url)
        with own:
            with self._errors_named():
                found = own.execute("SELECT pg_try_advisory_lock(%s, %s)", (_REBUILDS, self._lock)).fetchone()
            if found is None or not found[0]:
                raise RebuildRunning
            yield

    def scrub(self) -> None:
        """The tables are written anew, and so is what the planner knows of them, which has values of theirs."""
        with self._errors_named(), connect(self._place.url, schema=self._place.schema) as own:
            own.answer_seconds = None
            found = own.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
            for (table,) in found:
                own.execute(sql.SQL("VACUUM (FULL, ANALYZE) {}").format(sql.Identifier(table)))

    def empty_log(self) -> bool:
        """The server's has copies until it is written over."""
        return True

    def give_back(self) -> None:
        """PostgreSQL does so by itself."""

    def _errors_named(self) -> AbstractContextManager[None]:
        return _errors_named(self._place)

    def close(self) -> None:
        self._connections.close()


def row_count(place: PostgresPlace, query: str, value: str) -> int:
    """What a query counts, without writing; 0 if its table has never been made. Raises: DatabaseUnavailable."""
    with _errors_named(place), connect(place.url, schema=place.schema) as own:
        try:
            (count,) = _done(own, query, (value,)).fetchone()
        except psycopg.errors.UndefinedTable:
            return 0
    return int(count)


@contextmanager
def _errors_named(place: PostgresPlace) -> Iterator[None]:
    name = f"The database (schema {place.schema})"
    try:
        yield
    except psycopg.errors.DiskFull as error:
        raise DatabaseFull(f"{name} has no room to grow.") from error
    except psycopg.errors.LockNotAvailable as error:
        raise HeldUp(f"{name} cannot be used: {reason(error)}.") from error
    except psycopg.Error as error:
        kind = ServerAway if is_away(error) else DatabaseUnavailable
        raise kind(f"{name} cannot be used: {reason(error)}.") from error


class _InTransaction:
    """`Tables` of one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Values = ()) -> Rows:
        return _done(self._connection, statement, values)

    def executemany(self, statement: str, rows: Sequence[Values]) -> None:
        """Asks the server only if there is something to be done."""
        if len(rows) > 1:
            with self._connection.cursor() as cursor:
                cursor.executemany(in_postgres(statement), [_stored(row) for row in rows])
        elif rows:
            self.execute(statement, rows[0])


class _Anywhere:
    """`Tables` of any connection. Only for reading: a statement is done again if its connection is lost."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def execute(self, statement: str, values: Values = ()) -> Rows:
        return self._connections.run(lambda connection: _done(connection, statement, values))

    def executemany(self, *_: object) -> None:
        raise TypeError("Nothing is written here.")


class _Found:
    """All rows that a statement found."""

    def __init__(self, rows: list[tuple[Any, ...]], rowcount: int) -> None:
        self._rows = iter(rows)
        self.rowcount = rowcount

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)

    def __iter__(self) -> Iterator[Any]:
        return self._rows


def _done(connection: Connection, statement: str, values: Values) -> _Found:
    with connection.cursor() as cursor:
        cursor.execute(in_postgres(statement), _stored(values) or None)
        rows = cursor.fetchall() if cursor.description is not None else []
        return _Found([tuple(map(_told, row)) for row in rows], cursor.rowcount)


_CALLED = (
    (re.compile(r"\bINTEGER PRIMARY KEY AUTOINCREMENT\b"), "bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
    (re.compile(r"\bINTEGER\b"), "bigint"),
    (re.compile(r"\bBLOB\b"), "bytea"),
    (re.compile(r"\bTEXT\b"), 'text COLLATE "C"'),
    (re.compile(r"\)\s*(STRICT|WITHOUT ROWID|STRICT, WITHOUT ROWID)\s*$"), ")"),
    (re.compile(r"\?"), "%s"),
)
"""What has another name in PostgreSQL. Texts sort by their bytes, as in SQLite."""


@lru_cache(maxsize=1_000)
def in_postgres(statement: str) -> str:
    """The statement as PostgreSQL understands it."""
    for name, called in _CALLED:
        statement = name.sub(called, statement)
    return statement


_ESCAPE, _NUL = "\ue000", "\x00"
"""PostgreSQL's texts have no NUL. A character that is no letter of any language stands for it, and for itself."""


def _stored(values: Values) -> list[Any]:
    return [_without_nul(str(value)) if isinstance(value, str) else value for value in values]


def _without_nul(text: str) -> str:
    if _NUL not in text and _ESCAPE not in text:
        return text
    return text.replace(_ESCAPE, f"{_ESCAPE}e").replace(_NUL, f"{_ESCAPE}0")


def _told(value: Any) -> Any:
    if isinstance(value, str) and _ESCAPE in value:
        return value.replace(f"{_ESCAPE}0", _NUL).replace(f"{_ESCAPE}e", _ESCAPE)
    return value
