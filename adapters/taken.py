"""Keeps what each process has taken of projects' quotas for requests whose outcome the view of usage does not show yet,
in SQLite or PostgreSQL.

Every process writes down all that it has itself, whenever that has changed, and reads what the others have: both in one
transaction, so that no two decide at once. Writing the same again changes nothing.

That does not wait for the disk. If PostgreSQL crashes, what was written last is lost, and with it all that came of it
before the crash: its log keeps the order. Only its own process then counts what it had taken in the last second before.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from adapters.database.log_identity import is_of_log
from adapters.database.opening import open_database
from adapters.database.port import Place, Tables
from adapters.quotas import BY_NAME, Quota

_SCHEMA = (
    """CREATE TABLE taken (
        project_id TEXT NOT NULL,
        quota TEXT NOT NULL,
        holder TEXT NOT NULL,
        in_hand INTEGER NOT NULL,
        leaving INTEGER NOT NULL,
        known_at INTEGER NOT NULL,
        PRIMARY KEY (project_id, quota, holder)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX taken_by_known_at ON taken (known_at)",
)


@dataclass(frozen=True, slots=True)
class Taken:
    """`in_hand`: by requests that have not ended. `leaving`: by those that have; what became of it is in the log up to
    the position `known_at`."""

    in_hand: int = 0
    leaving: int = 0
    known_at: int = 0

    def beyond(self, position: int) -> int:
        """How much a view at this position may not show yet."""
        return self.in_hand + (self.leaving if self.known_at > position else 0)


Share = tuple[str, Quota]
"""A project, and what of its quotas."""


class TakenStore:
    """Blocking, for threads. `holder`: the process's name, which no other process has while this one runs.

    Raises: DatabaseFull; DatabaseUnavailable.
    """

    def __init__(self, place: Place, *, holder: str) -> None:
        """Raises: also DatabaseTooNew, for a file; sqlite3.Error; OSError."""
        self._holder = holder
        self._database = open_database(place, durable=False)
        try:
            self._database.prepare((_SCHEMA,))
        except BaseException:
            self._database.close()
            raise

    def use_for(self, log_identity: str) -> None:
        """Forget everything that was taken for another log."""
        with self._database.writing() as tables:
            if not is_of_log(tables, log_identity):
                tables.execute("DELETE FROM taken")

    def left_behind(self, head: int) -> Mapping[Share, Taken]:
        """What the last process of this name had when it ended, and has no longer: what became of it is in the log up
        to `head`, if anything did."""
        with self._database.writing() as tables:
            tables.execute(
                "UPDATE taken SET leaving=leaving+in_hand, in_hand=0, known_at=? WHERE holder=?", (head, self._holder)
            )
            rows = tables.execute("SELECT project_id, quota, leaving FROM taken WHERE holder=?", (self._holder,))
            return {
                (project_id, BY_NAME[quota]): Taken(0, leaving, head)
                for project_id, quota, leaving in rows.fetchall()
                if quota in BY_NAME
            }

    @contextmanager
    def deciding(self) -> Iterator["Deciding"]:
        """A block that no other process is in meanwhile. What it writes is there for all of them after it."""
        with self._database.writing(lasting=False) as tables:
            yield Deciding(tables, self._holder)

    @contextmanager
    def looking(self) -> Iterator["Deciding"]:
        """A block that writes nothing, and waits for nobody."""
        with self._database.reading() as tables:
            yield Deciding(tables, self._holder)

    def close(self) -> None:
        """Wait for what is under way."""
        self._database.close()


class Deciding:
    """What a process sees and writes of what is taken. Read it before the view: so nothing is missed in between."""

    def __init__(self, tables: Tables, holder: str) -> None:
        self._tables = tables
        self._holder = holder

    def by_others(self, project_ids: Sequence[str]) -> Mapping[Share, list[Taken]]:
        """What other processes have of these projects' quotas."""
        if not project_ids:
            return {}
        marks = ",".join("?" * len(project_ids))
        rows = self._tables.execute(
            "SELECT project_id, quota, in_hand, leaving, known_at FROM taken "  # noqa: S608
            f"WHERE project_id IN ({marks}) AND holder<>?",
            (*project_ids, self._holder),
        )
        found: dict[Share, list[Taken]] = {}
        for project_id, quota, *numbers in rows.fetchall():
            if quota in BY_NAME:
                found.setdefault((project_id, BY_NAME[quota]), []).append(Taken(*numbers))
        return found

    def write(self, own: Mapping[Share, Taken]) -> None:
        """This is what the process has of these."""
        self._tables.executemany(
            "INSERT INTO taken VALUES (?,?,?,?,?,?) ON CONFLICT (project_id, quota, holder) "
            "DO UPDATE SET in_hand=excluded.in_hand, leaving=excluded.leaving, known_at=excluded.known_at",
            [
                (project_id, quota, self._holder, taken.in_hand, taken.leaving, taken.known_at)
                for (project_id, quota), taken in own.items()
            ],
        )

    def forget(self, position: int) -> None:
        """Remove what a view at this position shows, whosesoever it was."""
        self._tables.execute("DELETE FROM taken WHERE known_at<=? AND in_hand=0", (position,))
