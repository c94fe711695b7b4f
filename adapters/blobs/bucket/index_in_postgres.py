"""The index of a bucket in PostgreSQL: durable, and for processes on any machine at once.

What is about to be written is announced before: nobody adopts it, and of a process that is gone it is deleted. Each
change is one transaction, and they come one after another; those of many bodies are one statement.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from adapters.blobs.bucket.announcing import Announcer
from adapters.blobs.bucket.facts import Facts
from adapters.blobs.bucket.index import ObjectStanding, Place, SharedUsage, new_name
from adapters.blobs.bucket.index_errors import index_errors
from adapters.blobs.bucket.index_tables import (
    ANNOUNCED,
    DOOM,
    NOW,
    UNKNOWN,
    VERSIONS,
    added,
    copy_index,
    doom_empty,
    in_columns,
)
from adapters.blobs.bucket.object_format import Part
from adapters.blobs.bucket.removers import one_remover
from adapters.blobs.port import StorageUnavailable
from adapters.database.port import PostgresPlace, Tables
from adapters.database.postgres import PostgresDatabase

CONNECTIONS = 4
"""So many of one process are in use at once."""

AT_ONCE = 1_000
_KEYS_DROPPED_AT_ONCE = 5_000
_TOMBSTONE_SECONDS = 3_600
_PAST_ANY_KEY = "\x7f"


class IndexInPostgres(Facts):
    """A `BucketIndex`. Its database is opened when it is needed first."""

    owned_by = "database"

    def __init__(self, place: PostgresPlace) -> None:
        self._place = place
        self._opened: PostgresDatabase | None = None
        self._opening = threading.Lock()
        self._few = threading.BoundedSemaphore(CONNECTIONS)
        self._announcer = Announcer(place.url, self._reading, self._writing)

    def find(self, key: str) -> Place | None:
        query = "SELECT name, first_byte, blobs.size_bytes FROM blobs JOIN objects ON id = object WHERE key = ?"
        with self._reading() as tables:
            row = tables.execute(query, (key,)).fetchone()
        return None if row is None else Place(*row)

    def present(self, keys: Sequence[str]) -> set[str]:
        with self._reading() as tables:
            return {key for (key,) in tables.execute("SELECT key FROM blobs WHERE key = ANY(?)", (list(keys),))}

    def keys(self, beginning: str) -> Iterator[str]:
        last, comparison = beginning, ">="
        while True:
            query = f"SELECT key FROM blobs WHERE key {comparison} ? AND key < ? ORDER BY key LIMIT {AT_ONCE}"  # noqa: S608
            with self._reading() as tables:
                found = [key for (key,) in tables.execute(query, (last, beginning + _PAST_ANY_KEY))]
            yield from found
            if len(found) < AT_ONCE:
                return
            last, comparison = found[-1], ">"

    def names(self, *, after: str, up_to: str | None) -> list[str]:
        query = f"SELECT name FROM objects WHERE name > ? AND name <= ? ORDER BY name LIMIT {AT_ONCE}"  # noqa: S608
        with self._reading() as tables:
            return [name for (name,) in tables.execute(query, (after, _PAST_ANY_KEY if up_to is None else up_to))]

    def has(self, name: str) -> bool:
        with self._reading() as tables:
            return tables.execute("SELECT 1 FROM objects WHERE name = ?", (name,)).fetchone() is not None

    def known(self, names: Sequence[str]) -> set[str]:
        """What has been deleted is known for an hour: who has just listed the bucket may still take it for there."""
        query = " UNION ALL ".join(
            f"SELECT name FROM {table} WHERE name = ANY(?)"  # noqa: S608
            for table in ("objects", "announced", "doomed")
        )
        with self._reading() as tables:
            return {name for (name,) in tables.execute(query, (list(names),) * 3)}

    def usage(self) -> SharedUsage:
        sums = ", ".join(f"coalesce(sum({each}), 0)::bigint" for each in ("live_blobs", "live_bytes", "size_bytes"))
        query = f"SELECT {sums} FROM objects"  # noqa: S608
        with self._reading() as tables:
            live_blobs, live_bytes, stored_bytes = tables.execute(query).fetchone()
        return SharedUsage(live_blobs, live_bytes, stored_bytes - live_bytes, stored_bytes)

    def with_dead_blobs(self) -> list[ObjectStanding]:
        query = "SELECT name, size_bytes, blobs, live_blobs, live_bytes FROM objects WHERE live_blobs < blobs"
        with self._reading() as tables:
            return [ObjectStanding(*row) for row in tables.execute(query)]

    def live_in(self, name: str) -> dict[str, Place]:
        query = (
            "SELECT key, first_byte, size_bytes FROM blobs WHERE object = (SELECT id FROM objects WHERE name = ?)"
            " ORDER BY first_byte"
        )
        with self._reading() as tables:
            return {key: Place(name, first, size) for key, first, size in tables.execute(query, (name,))}

    def name_for_new(self) -> str:
        return self._announcer.next_name()

    def add(self, name: str, size_bytes: int, parts: Sequence[Part]) -> bool:
        """If the connection is lost, it is found out whether this took effect."""
        try:
            with self._writing() as tables:
                is_done = added(tables, ANNOUNCED, name, size_bytes, parts) is not None
        except StorageUnavailable:
            if not self.has(name):
                raise
            return True
        if not is_done:
            self._announcer.begin_anew()
        return is_done

    def give_up(self, name: str) -> None:
        self._announcer.give_up(name)

    def adopt(self, name: str, size_bytes: int, parts: Sequence[Part]) -> int | None:
        with self._writing() as tables:
            return added(tables, UNKNOWN, name, size_bytes, parts)

    def name_for_moved(self, sources: Sequence[str]) -> str | None:
        name, moved = new_name(), list(sources)
        with self._writing() as tables:
            done = tables.execute(
                "INSERT INTO announced (name, moved_from) SELECT ?::text, ?::text[]"
                " WHERE (SELECT count(*) FROM objects WHERE name = ANY(?)) = ? RETURNING name",
                (name, moved, moved, len(moved)),
            )
            return name if done.fetchone() is not None else None

    def replace(self, old: Sequence[str], name: str, size_bytes: int, parts: Sequence[Part]) -> bool:
        with self._writing() as tables:
            row = tables.execute(ANNOUNCED, (name,)).fetchone()
            if row is None:
                return False
            keys, first_bytes, _ = in_columns(parts)
            tables.execute(
                "UPDATE blobs SET object = ?, first_byte = part.first_byte"
                " FROM unnest(?::text[], ?::bigint[]) AS part (key, first_byte)"
                " WHERE blobs.key = part.key AND object IN (SELECT id FROM objects WHERE name = ANY(?))",
                (row[0], keys, first_bytes, list(old)),
            )
            tables.execute(
                "INSERT INTO objects (id, name, size_bytes, blobs, live_blobs, live_bytes) VALUES (?, ?, ?, ?, 0, 0)",
                (row[0], name, size_bytes, len(parts)),
            )
            tables.execute(
                "UPDATE objects SET (live_blobs, live_bytes) ="
                " (SELECT count(*), coalesce(sum(blobs.size_bytes), 0) FROM blobs WHERE object = objects.id)"
                " WHERE name = ANY(?)",
                ([name, *old],),
            )
            doom_empty(tables, old)
        return True

    def unfinished_moves(self) -> Mapping[str, Sequence[str]]:
        with self._reading() as tables:
            return dict(
                tables.execute("SELECT name, moved_from FROM announced WHERE moved_from IS NOT NULL").fetchall()
            )

    def take_away(self, names: Sequence[str]) -> None:
        if not names:
            return
        with self._writing() as tables:
            gone = "DELETE FROM announced WHERE name = ANY(?) AND moved_from IS NOT NULL RETURNING name"
            tables.execute(DOOM.format(gone=gone, arrives="true"), (list(names),))

    def take_away_from_dead(self) -> None:
        self._announcer.take_away_from_dead()

    def let_go(self, moves: Sequence[str]) -> None:
        self._announcer.let_go_of_dead()
        if moves:
            with self._writing() as tables:
                tables.execute("DELETE FROM announced WHERE name = ANY(?)", (list(moves),))

    def drop(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), _KEYS_DROPPED_AT_ONCE):
            with self._writing() as tables:
                tables.execute(
                    "WITH gone AS (DELETE FROM blobs WHERE key = ANY(?) RETURNING object, size_bytes), dead AS"
                    " (SELECT object, count(*) AS blobs, sum(size_bytes) AS bytes FROM gone GROUP BY object)"
                    " UPDATE objects SET live_blobs = live_blobs - dead.blobs, live_bytes = live_bytes - dead.bytes"
                    " FROM dead WHERE id = dead.object",
                    (list(keys[start : start + _KEYS_DROPPED_AT_ONCE]),),
                )

    def forget(self, names: Sequence[str]) -> int:
        with self._writing() as tables:
            (lost,) = tables.execute(
                "WITH gone AS (DELETE FROM objects WHERE name = ANY(?) RETURNING id),"
                " lost AS (DELETE FROM blobs USING gone WHERE object = gone.id RETURNING key)"
                " SELECT count(*) FROM lost",
                (list(names),),
            ).fetchone()
        return int(lost)

    def doom_empty(self, names: Sequence[str]) -> None:
        if names:
            with self._writing() as tables:
                doom_empty(tables, names)

    def doomed(self) -> list[str]:
        query = "SELECT name FROM doomed WHERE deleted_at IS NULL OR deleted_at < arrives_until"
        with self._reading() as tables:
            return [name for (name,) in tables.execute(query)]

    def deleted(self, names: Sequence[str]) -> None:
        with self._writing() as tables:
            tables.execute(f"UPDATE doomed SET deleted_at = {NOW} WHERE name = ANY(?)", (list(names),))  # noqa: S608
            tables.execute(
                f"DELETE FROM doomed WHERE deleted_at >= arrives_until AND deleted_at < {NOW} - {_TOMBSTONE_SECONDS}"  # noqa: S608
            )

    def was_deleted(self, names: Sequence[str]) -> set[str]:
        query = "SELECT name FROM doomed WHERE name = ANY(?) AND deleted_at >= arrives_until"
        with self._reading() as tables:
            return {name for (name,) in tables.execute(query, (list(names),))}

    def revive(self, names: Sequence[str]) -> None:
        with self._writing() as tables:
            tables.execute("DELETE FROM doomed WHERE name = ANY(?)", (list(names),))

    def removing(self) -> AbstractContextManager[None]:
        return one_remover(self._place.url)

    def move_here(self) -> None:
        with index_errors():
            self._database(moves=True)

    def _fact(self, fact: str) -> str | None:
        with self._reading() as tables:
            row = tables.execute("SELECT value FROM about WHERE fact = ?", (fact,)).fetchone()
        return None if row is None else str(row[0])

    def _set_fact(self, fact: str, value: str) -> None:
        with self._writing() as tables:
            tables.execute(
                "INSERT INTO about VALUES (?, ?) ON CONFLICT (fact) DO UPDATE SET value = excluded.value", (fact, value)
            )

    def give_back(self) -> None:
        """PostgreSQL does so by itself."""

    def close(self) -> None:
        self._announcer.close()
        with self._opening:
            if self._opened is not None:
                self._opened.close()

    @contextmanager
    def _reading(self) -> Iterator[Tables]:
        with self._few, index_errors(), self._database().reading() as tables:
            yield tables

    @contextmanager
    def _writing(self) -> Iterator[Tables]:
        with self._few, index_errors(), self._database().writing() as tables:
            yield tables

    def _database(self, *, moves: bool = False) -> PostgresDatabase:
        """`moves`: takes over what is in a file; otherwise, while it is there, raises StorageUnavailable."""
        with self._opening:
            if self._opened is None:
                before = self._place.before
                if not moves and before is not None and before.exists():
                    raise StorageUnavailable("its index is still in a file, which the service moves at its next start")
                database = PostgresDatabase(self._place)
                try:
                    database.bring_up_to_date(VERSIONS)
                    database.take_over(copy_index)
                except BaseException:
                    database.close()
                    raise
                self._opened = database
            return self._opened
