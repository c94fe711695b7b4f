"""Credentials in a database: durable, effective at once in every process that uses it, stored only as hashes.

A token is a prefix that tells its kind, 12 letters and digits that are its id, and 33 that are its secret.
"""

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from adapters.database.opening import open_database
from adapters.database.port import Place, Tables


class KeyKind(StrEnum):
    SECRET = "secret"  # noqa: S105 - the name of a kind
    RESTRICTED = "restricted"
    DEVICE = "device"
    UPLOAD = "upload"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Key:
    """A credential: whose it is and what it allows. Times are aware and in UTC.

    `made_with`: the id of the stored key with which it was made, if it is stored nowhere itself.
    """

    id: str
    kind: KeyKind
    project_id: str
    scopes: frozenset[str]
    device_id: str | None
    end_user_id: str | None
    recording_id: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    name: str | None
    live: bool = True
    made_with: str | None = None

    @property
    def root_id(self) -> str:
        """The stored key on which this one rests, and all that is made with it: itself, unless it was made with one."""
        return self.made_with or self.id

    def allows(self, scope: str) -> bool:
        """Whether this key has that scope in its project. (Bota's REFERENCE.md, "Keys")

        A client key alone allows nothing: it accompanies an API key and says which client uses that one. A device token
        is only for its own `device_id` and `end_user_id`, and an upload token only for bytes of its `recording_id`: the
        caller has to compare these ids.
        """
        match self.kind:
            case KeyKind.SECRET:
                return True
            case KeyKind.RESTRICTED:
                return scope in self.scopes
            case KeyKind.DEVICE:
                return scope == "recordings:write"
            case KeyKind.UPLOAD | KeyKind.CLIENT:
                return False


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that has just been created, with its token, which is stored nowhere and cannot be shown again."""

    token: str = field(repr=False)
    key: Key


class KeyNotFound(Exception):
    def __init__(self, key_id: str) -> None:
        super().__init__(key_id)
        self.key_id = key_id

    def __str__(self) -> str:
        return f"There is no key {self.key_id!r}."


class TooManyKeys(Exception):
    """`most`: how many keys a project may have in force."""

    def __init__(self, most: int) -> None:
        super().__init__(f"The project has {most} keys in force, and may have no more; revoke one first.")
        self.most = most


def random_letters_and_digits(length: int) -> str:
    """5.95 bits per character: 71 bits for 12, 196 bits for 33."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


class KeyStore:
    """Keys in one place. In a file, mode 0600, a look-up takes about 20 µs and never waits for a writer.

    Raises: DatabaseFull; DatabaseUnavailable.
    """

    def __init__(
        self,
        place: Place,
        *,
        clock: Callable[[], datetime],
        random_text: Callable[[int], str] = random_letters_and_digits,
    ) -> None:
        """`random_text` returns that many unguessable letters and digits.

        Raises: also DatabaseTooNew; sqlite3.Error; OSError.
        """
        self._clock = clock
        self._random_text = random_text
        self._database = open_database(place, durable=True)
        try:
            self._prepare()
        except BaseException:
            self._database.close()
            raise

    def create(
        self,
        kind: KeyKind,
        *,
        project_id: str,
        scopes: frozenset[str] = frozenset(),
        device_id: str | None = None,
        end_user_id: str | None = None,
        recording_id: str | None = None,
        expires_at: datetime | None = None,
        name: str | None = None,
        live: bool = True,
        most: int | None = None,
    ) -> NewKey:
        """Create a key; it is durable on return. `most`: how many keys in force its project may have with it, devices'
        tokens apart; None: any number.

        Raises: ValueError when something that its kind needs is missing; TooManyKeys.
        """
        if expires_at is not None and expires_at.tzinfo is None:
            raise ValueError("A key's expiry needs a time zone.")
        key = Key(
            id=self._random_text(_ID_LENGTH),
            kind=kind,
            project_id=project_id,
            scopes=scopes,
            device_id=device_id,
            end_user_id=end_user_id,
            recording_id=recording_id,
            created_at=self._clock().astimezone(UTC),
            expires_at=None if expires_at is None else expires_at.astimezone(UTC),
            revoked_at=None,
            name=name,
            live=live,
        )
        _check(key)
        token = _prefix(kind, live=live) + key.id + self._random_text(_SECRET_LENGTH)
        if not _TOKEN.fullmatch(token):
            raise ValueError("A key's random text must be letters and digits, as many as were asked for.")
        with self._database.writing() as tables:
            if most is not None and _in_force(tables, key) >= most:
                raise TooManyKeys(most)
            tables.execute(
                f"INSERT INTO keys ({_COLUMNS}, token_sha256) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                (*_row(key), _digest(token)),
            )
        return NewKey(token, key)

    def authenticate(self, token: str, *, now: datetime) -> Key | None:
        """The key this token stands for; None when it is malformed, unknown, revoked or expired.

        Nothing is cached: a key that another process revokes is refused from then on.
        """
        # The length is checked first, so that a header of a megabyte costs nothing.
        form = _TOKEN.fullmatch(token) if len(token) <= _LONGEST_TOKEN else None
        if form is None:
            return None
        with self._database.reading() as tables:
            row = tables.execute(
                f"SELECT {_COLUMNS}, token_sha256 FROM keys WHERE id = ?",  # noqa: S608
                (form["id"],),
            ).fetchone()
        # An unknown id is compared too, so that the time an answer takes does not reveal which ids exist.
        expected = _NO_DIGEST if row is None else row[-1]
        if not hmac.compare_digest(_digest(token), expected) or row is None:
            return None
        key = _key(row[:-1])
        expired = key.expires_at is not None and key.expires_at <= now
        return None if expired or key.revoked_at is not None else key

    def find(self, key_id: str) -> Key | None:
        """The key of this id, also if it is revoked or expired; None if there is none, or none any more."""
        with self._database.reading() as tables:
            row = tables.execute(f"SELECT {_COLUMNS} FROM keys WHERE id = ?", (key_id,)).fetchone()  # noqa: S608
        return None if row is None else _key(row)

    def find_each(self, key_ids: Sequence[str]) -> list[Key | None]:
        """As `find`, of several ids, in their order, read at once."""
        marks = ",".join("?" * len(key_ids))
        with self._database.reading() as tables:
            rows = tables.execute(f"SELECT {_COLUMNS} FROM keys WHERE id IN ({marks})", key_ids).fetchall()  # noqa: S608
        found = {key.id: key for key in map(_key, rows)}
        return [found.get(key_id) for key_id in key_ids]

    def list_keys(self, project_id: str | None = None) -> list[Key]:
        """All keys or one project's, including revoked and expired ones, oldest first."""
        its, values = ("", ()) if project_id is None else ("WHERE project_id = ?", (project_id,))
        with self._database.reading() as tables:
            rows = tables.execute(f"SELECT {_COLUMNS} FROM keys {its} ORDER BY created_at, id", values).fetchall()  # noqa: S608
        return [_key(row) for row in rows]

    def page(self, project_id: str, *, limit: int, after: str | None) -> list[Key]:
        """At most `limit` of a project's keys, devices' tokens apart, newest first. `after`: the last key's id of the
        page before. Revoked and expired keys are among them."""
        older = "" if after is None else "AND (created_at, id) < (SELECT created_at, id FROM keys WHERE id = ?)"
        values = (project_id, limit) if after is None else (project_id, after, limit)
        with self._database.reading() as tables:
            rows = tables.execute(
                f"SELECT {_COLUMNS} FROM keys WHERE project_id = ? AND kind <> 'device' {older} "  # noqa: S608
                "ORDER BY created_at DESC, id DESC LIMIT ?",
                values,
            ).fetchall()
        return [_key(row) for row in rows]

    def revoke(self, key_id: str) -> None:
        """Refuse the key from now on, in every process. Safe to repeat. Raises: KeyNotFound."""
        with self._database.writing() as tables:
            changed = tables.execute(
                "UPDATE keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?", (_stored(self._clock()), key_id)
            )
        if changed.rowcount == 0:
            raise KeyNotFound(key_id)

    def device_tokens(
        self, project_id: str, *, device_id: str | None = None, end_user_id: str | None = None
    ) -> list[Key]:
        """The tokens in force of a device, or of all devices of an end user, oldest first."""
        named, value = ("device_id", device_id) if device_id is not None else ("end_user_id", end_user_id)
        with self._database.reading() as tables:
            rows = tables.execute(
                f"SELECT {_COLUMNS} FROM keys WHERE project_id = ? AND {named} = ? AND kind = ? AND revoked_at IS NULL "  # noqa: S608
                "AND (expires_at IS NULL OR expires_at > ?) ORDER BY created_at, id",
                (project_id, value, KeyKind.DEVICE.value, _stored(self._clock())),
            ).fetchall()
        return [_key(row) for row in rows]

    def expire(self, key_id: str, *, at: datetime) -> None:
        """Refuse the key from `at` on, unless it is refused earlier. Raises: KeyNotFound."""
        end = _stored(at)
        with self._database.writing() as tables:
            changed = tables.execute(
                "UPDATE keys SET expires_at = CASE WHEN expires_at < ? THEN expires_at ELSE ? END WHERE id = ?",
                (end, end, key_id),
            )
        if changed.rowcount == 0:
            raise KeyNotFound(key_id)

    def forget_expired(self, project_id: str, *, device_id: str, name: str) -> None:
        """Delete the device's expired tokens of this name, of which there would be ever more; not those that were
        revoked: what they permitted must not be taken for what an expired one did."""
        with self._database.writing() as tables:
            tables.execute(
                "DELETE FROM keys WHERE project_id = ? AND device_id = ? AND kind = ? AND name = ? AND expires_at <= ? "
                "AND revoked_at IS NULL",
                (project_id, device_id, KeyKind.DEVICE.value, name, _stored(self._clock())),
            )

    def forget_ended_device_tokens(self, *, before: datetime) -> int:
        """Delete the device tokens that were revoked or expired before then. Returns: how many."""
        with self._database.writing() as tables:
            ended = tables.execute(
                "DELETE FROM keys WHERE kind = ? AND (revoked_at < ? OR expires_at < ?)",
                (KeyKind.DEVICE.value, _stored(before), _stored(before)),
            )
        self._database.give_back()
        return ended.rowcount

    @property
    def answers_at_once(self) -> bool:
        """Whether an event loop may look something up."""
        return self._database.answers_at_once

    def close(self) -> None:
        self._database.close()

    def _prepare(self) -> None:
        self._database.prepare(((_SCHEMA,),))
        with self._database.writing(patient=True) as tables:
            for index in _INDEXES:
                tables.execute(index)


_ALPHABET = string.ascii_letters + string.digits
_ID_LENGTH, _SECRET_LENGTH = 12, 33
_TOKEN = re.compile(
    rf"(?:[sr]k_(?:live|test)|dtok|up|ck)_(?P<id>[A-Za-z0-9]{{{_ID_LENGTH}}})[A-Za-z0-9]{{{_SECRET_LENGTH}}}"
)
_LONGEST_TOKEN = len("sk_live_") + _ID_LENGTH + _SECRET_LENGTH
_NO_DIGEST = bytes(32)

_SCHEMA = """
    CREATE TABLE keys (
        id TEXT PRIMARY KEY NOT NULL,
        kind TEXT NOT NULL,
        project_id TEXT NOT NULL,
        scopes TEXT NOT NULL,
        device_id TEXT,
        end_user_id TEXT,
        recording_id TEXT,
        created_at TEXT NOT NULL,
        expires_at TEXT,
        revoked_at TEXT,
        name TEXT,
        live INTEGER NOT NULL,
        token_sha256 BLOB NOT NULL
    ) STRICT, WITHOUT ROWID
"""
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS keys_by_device ON keys (project_id, device_id) WHERE device_id IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS keys_by_end_user ON keys (project_id, end_user_id) WHERE end_user_id IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS keys_by_project ON keys (project_id, created_at, id) WHERE kind <> 'device'",
)
"""Earlier versions made files without them, and can use files that have them."""

_COLUMNS = (
    "id, kind, project_id, scopes, device_id, end_user_id, recording_id, created_at, expires_at, revoked_at, name, live"
)
_SCOPE = re.compile(r"[a-z_]+:[a-z_]+")


def _in_force(tables: Tables, like: Key) -> int:
    """How many keys its project has when it is made, devices' tokens apart."""
    (count,) = tables.execute(
        "SELECT COUNT(*) FROM keys WHERE project_id = ? AND kind <> 'device' AND revoked_at IS NULL "
        "AND (expires_at IS NULL OR expires_at > ?)",
        (like.project_id, _stored(like.created_at)),
    ).fetchone()
    return int(count)


def _check(key: Key) -> None:
    if key.scopes and key.kind is not KeyKind.RESTRICTED:
        raise ValueError(f"A {key.kind} key has no scopes: only restricted keys have.")
    if unclear := sorted(scope for scope in key.scopes if not _SCOPE.fullmatch(scope)):
        raise ValueError(f"A scope is written like recordings:read, not {unclear[0]!r}.")
    if key.kind is KeyKind.DEVICE and not (key.device_id and key.end_user_id):
        raise ValueError("A device token needs the device and the end user that it is for.")
    if key.kind is KeyKind.UPLOAD and not (key.recording_id and key.expires_at):
        raise ValueError("An upload token needs the recording that it is for, and when it expires.")


def _prefix(kind: KeyKind, *, live: bool) -> str:
    match kind:
        case KeyKind.SECRET:
            return "sk_live_" if live else "sk_test_"
        case KeyKind.RESTRICTED:
            return "rk_live_" if live else "rk_test_"
        case KeyKind.DEVICE:
            return "dtok_"
        case KeyKind.UPLOAD:
            return "up_"
        case KeyKind.CLIENT:
            return "ck_"


def _digest(token: str) -> bytes:
    """Enough for a secret of 196 random bits: slow password hashes are for secrets that can be guessed."""
    return hashlib.sha256(token.encode("ascii")).digest()


def _row(key: Key) -> tuple[str | int | None, ...]:
    return (
        key.id,
        key.kind.value,
        key.project_id,
        " ".join(sorted(key.scopes)),
        key.device_id,
        key.end_user_id,
        key.recording_id,
        _stored(key.created_at),
        None if key.expires_at is None else _stored(key.expires_at),
        None if key.revoked_at is None else _stored(key.revoked_at),
        key.name,
        int(key.live),
    )


def _key(row: tuple[str, ...]) -> Key:
    id_, kind, project_id, scopes, device_id, end_user_id, recording_id, created, expires, revoked, name, live = row
    return Key(
        id=id_,
        kind=KeyKind(kind),
        project_id=project_id,
        scopes=frozenset(scopes.split()),
        device_id=device_id,
        end_user_id=end_user_id,
        recording_id=recording_id,
        created_at=datetime.fromisoformat(created),
        expires_at=datetime.fromisoformat(expires) if expires else None,
        revoked_at=datetime.fromisoformat(revoked) if revoked else None,
        name=name,
        live=bool(live),
    )


def _stored(time: datetime) -> str:
    """All of one length, so that the texts sort in the order of the times."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")
