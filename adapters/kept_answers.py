"""First answers to named requests, in a database for a day. Durable on return. Sealed, since some hold secrets."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.exceptions import InvalidTag

from adapters.database.opening import open_database
from adapters.database.port import Place, Tables
from adapters.sealing import Sealer

KEPT_FOR = timedelta(hours=24)
"""How long a name stands for its first request (P)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRequest:
    """A request that is to be done once. `name`: of the caller's project, the call and the caller's name for it.

    `content`: a digest of what is asked.
    """

    name: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class Begun:
    """It has not been answered yet. `reserved_id`: what it creates gets this id, however often it is begun."""

    reserved_id: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A JSON text, with its HTTP status. `about`: what was created or changed, as `forget` is told of it."""

    status: int
    body: bytes
    about: str | None = None


class NameReused(Exception):
    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for a request with another body; use a new key.")


def sealer_of_answers(path: Path) -> Sealer:
    """What encrypts answers for storage, each under its request's name. Raises: DamagedKey; OSError."""
    if_lost = "requests that were answered in the last day are done again if they are repeated"
    return Sealer.with_key_file(path, name="key for kept answers", if_lost=if_lost)


class KeptAnswers:
    """Blocking, and for one caller at a time. Raises: DatabaseFull; DatabaseUnavailable."""

    def __init__(self, place: Place, sealer: Sealer) -> None:
        """Raises: DatabaseTooNew; sqlite3.Error; OSError."""
        self._sealer = sealer
        self._database = open_database(place, durable=True, erases=True)
        try:
            self._database.prepare((_SCHEMA,))
        except BaseException:
            self._database.close()
            raise

    @classmethod
    def with_key_in(cls, directory: Path, place: Place) -> "KeptAnswers":
        """With the key in that directory. Raises: DamagedKey; as the constructor."""
        return cls(place, sealer_of_answers(directory / "answers.key"))

    def close(self) -> None:
        self._database.close()

    def begin(self, request: NamedRequest, new_id: str, *, now: datetime) -> Begun | Answered:
        """Its first answer, if it has had one. `new_id` is reserved for it otherwise, unless one is already.

        A request that was begun and never answered gives its name up to another. Raises: NameReused if a request with
        other content was answered under the name.
        """
        with self._database.writing() as tables:
            _forget_older(tables, now)
            row = tables.execute(
                "SELECT content, reserved_id, status, answer FROM requests WHERE name=?", (request.name,)
            ).fetchone()
            if row is not None and (answered := self._answer(request, *row)) is not None:
                return answered
            reserved_id = row[1] if row is not None and row[0] == request.content else new_id
            tables.execute(
                "INSERT INTO requests VALUES (?,?,?,?,NULL,NULL,NULL) ON CONFLICT (name) DO UPDATE SET "
                "content=excluded.content, reserved_id=excluded.reserved_id, begun_at=excluded.begun_at, "
                "status=NULL, answer=NULL, about=NULL",
                (request.name, request.content, reserved_id, _micros(now)),
            )
        return Begun(reserved_id)

    def prune(self, *, now: datetime) -> None:
        """Forget the requests of more than a day ago, also if none is made any more."""
        with self._database.writing() as tables:
            _forget_older(tables, now)
        self._database.give_back()

    def _answer(
        self, request: NamedRequest, content: bytes, _: str, status: int | None, sealed: bytes | None
    ) -> Answered | None:
        """Raises: NameReused."""
        if status is None or sealed is None:
            return None
        if content != request.content:
            raise NameReused
        try:
            return Answered(status, self._sealer.unseal(sealed, name=request.name.hex()).encode())
        except InvalidTag:  # the key file is another one
            return None

    def keep(self, request: NamedRequest, answered: Answered) -> None:
        """The request that was begun has this answer from now on."""
        sealed = self._sealer.seal(answered.body.decode(), name=request.name.hex())
        with self._database.writing() as tables:
            tables.execute(
                "UPDATE requests SET status=?, answer=?, about=? WHERE name=?",
                (answered.status, sealed, answered.about, request.name),
            )

    def forget(self, about: str) -> None:
        """Drop the answers about something that is deleted: they say what it was."""
        with self._database.writing() as tables:
            tables.execute("DELETE FROM requests WHERE about=?", (about,))


def _forget_older(tables: Tables, now: datetime) -> None:
    tables.execute("DELETE FROM requests WHERE begun_at<=?", (_micros(now - KEPT_FOR),))


_SCHEMA = (
    """CREATE TABLE requests (
        name BLOB PRIMARY KEY NOT NULL,
        content BLOB NOT NULL,
        reserved_id TEXT NOT NULL,
        begun_at INTEGER NOT NULL,
        status INTEGER,
        answer BLOB,
        about TEXT
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX requests_by_age ON requests (begun_at)",
    "CREATE INDEX requests_by_subject ON requests (about) WHERE about IS NOT NULL",
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _micros(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)
