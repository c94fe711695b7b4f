"""The directory in one SQLite file, mode 0600. Durable on return, also against a power cut; erased data is overwritten.

SQLite's `secure_delete` zeroes what is deleted, but not the copies that moving cells between pages has left in them. So
erasing also writes the file anew (VACUUM) and empties the write-ahead log.
"""

import logging
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from adapters.directory.entries import Device, EndUser, Heartbeat
from adapters.directory.port import ExternalIdTaken, Page, PageAsked, SerialNumberTaken
from adapters.directory.schema import SCHEMA, SCHEMA_VERSION
from adapters.sqlite_file import DatabaseUnavailable, connect, errors_named, prepare_schema, row_count, writing

logger = logging.getLogger(__name__)
Entry = TypeVar("Entry")
Values = tuple[Any, ...]


class SqliteDirectory:
    """A `DirectoryStore`."""

    def __init__(self, path: Path) -> None:
        """Raises: DatabaseTooNew; sqlite3.Error; OSError."""
        self._database = connect(path, durable=True)
        try:
            self._database.execute("PRAGMA secure_delete=ON")
            self._database.execute("PRAGMA temp_store=MEMORY")  # no copy of the file outside its directory
            prepare_schema(self._database, path, SCHEMA, version=SCHEMA_VERSION)
            self._make_up_for_scrubbing()
        except BaseException:
            self._database.close()
            raise

    def _make_up_for_scrubbing(self) -> None:
        """What keeps this from being done now does not keep the service from starting."""
        try:
            self.scrub()
        except DatabaseUnavailable as because:
            logger.warning("erased personal data is still in the directory's file", extra={"because": str(because)})

    def close(self) -> None:
        self._database.close()

    # --- end users

    def put_end_user(self, end_user: EndUser) -> None:
        with errors_named(_NAME):
            try:
                self._database.execute(_PUT_END_USER, _end_user_values(end_user))
            except sqlite3.IntegrityError:
                raise ExternalIdTaken from None

    def end_user(self, project_id: str, end_user_id: str) -> EndUser | None:
        return self._one(_END_USERS + "id=?", (project_id, end_user_id), _end_user)

    def end_user_called(self, project_id: str, external_id: str) -> EndUser | None:
        return self._one(_END_USERS + "external_id=?", (project_id, external_id), _end_user)

    def end_users(self, project_id: str, asked: PageAsked) -> Page[EndUser]:
        return self._page(_END_USERS, (project_id,), asked, _end_user)

    def count_end_users(self, project_id: str) -> int:
        return self._count("SELECT COUNT(*) FROM end_users WHERE project_id=?", project_id)

    def erase_end_user(self, project_id: str, end_user_id: str, *, at: datetime) -> bool:
        with errors_named(_NAME), writing(self._database):
            gone = self._database.execute(
                "DELETE FROM end_users WHERE project_id=? AND id=?", (project_id, end_user_id)
            ).rowcount
            self._database.execute(
                "UPDATE devices SET end_user_id=NULL, updated_at=? WHERE project_id=? AND end_user_id=?",
                (_micros(at), project_id, end_user_id),
            )
            if gone:
                self._database.execute("INSERT OR IGNORE INTO scrub_due VALUES (1)")
        return bool(gone)

    def scrub(self) -> None:
        with errors_named(_NAME):
            self._scrub()

    def _scrub(self) -> None:
        """What several have deleted is scrubbed at once by the first who asks, which takes as long as copying the file.

        Raises: DatabaseUnavailable while another process reads the file; sqlite3.Error.
        """
        if self._database.execute("SELECT 1 FROM scrub_due").fetchone() is None:
            return
        self._database.execute("VACUUM")
        (is_busy, *_) = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            raise DatabaseUnavailable(f"{_NAME} is being read by another process, and cannot be erased from.")
        self._database.execute("DELETE FROM scrub_due")

    # --- devices

    def put_device(self, device: Device) -> None:
        with errors_named(_NAME):
            try:
                self._database.execute(_PUT_DEVICE, _device_values(device))
            except sqlite3.IntegrityError:
                raise SerialNumberTaken from None

    def device(self, project_id: str, device_id: str) -> Device | None:
        return self._one(_DEVICES + "id=?", (project_id, device_id), _device)

    def device_numbered(self, project_id: str, serial_number: str) -> Device | None:
        return self._one(_DEVICES + "serial_number=?", (project_id, serial_number), _device)

    def devices(self, project_id: str, asked: PageAsked, *, end_user_id: str | None = None) -> Page[Device]:
        if end_user_id is None:
            return self._page(_DEVICES, (project_id,), asked, _device)
        return self._page(_DEVICES + "end_user_id=? AND ", (project_id, end_user_id), asked, _device)

    def count_devices(self, project_id: str) -> int:
        return self._count("SELECT COUNT(*) FROM devices WHERE project_id=?", project_id)

    # --- reading

    def _count(self, query: str, project_id: str) -> int:
        with errors_named(_NAME):
            (count,) = self._database.execute(query, (project_id,)).fetchone()
        return int(count)

    def _one(self, query: str, values: Values, entry: Callable[[Values], Entry]) -> Entry | None:
        with errors_named(_NAME):
            row = self._database.execute(query, values).fetchone()
        return None if row is None else entry(row[1:])

    def _page(self, query: str, values: Values, asked: PageAsked, entry: Callable[[Values], Entry]) -> Page[Entry]:
        with errors_named(_NAME):
            rows = self._database.execute(
                query + "sequence<? ORDER BY sequence DESC LIMIT ? OFFSET ?",
                (*values, _LAST if asked.after is None else asked.after, asked.limit + 1, asked.offset),
            ).fetchall()
        shown = rows[: asked.limit]
        return Page([entry(row[1:]) for row in shown], shown[-1][0] if len(rows) > asked.limit else None)


def registered(path: Path, table: Literal["end_users", "devices"], project_id: str) -> int:
    """How many of a project's are in the file, which another process may be using; none if there is no file."""
    return row_count(path, f"SELECT COUNT(*) FROM {table} WHERE project_id=?", project_id)  # noqa: S608


_NAME = "The directory of end users and devices"
_LAST = 2**63 - 1

_OF_END_USERS = ("id", "external_id", "email", "name", "metadata", "created_at", "updated_at")
_OF_DEVICES = (
    "id",
    "serial_number",
    "model",
    "name",
    "firmware_version",
    "metadata",
    "end_user_id",
    "binding_generation",
    "battery_percent",
    "storage_used_mb",
    "storage_total_mb",
    "signal_strength_dbm",
    "recording_state",
    "last_heartbeat_at",
    "created_at",
    "updated_at",
)


def _select(table: str, columns: tuple[str, ...]) -> str:
    return f"SELECT sequence, project_id, {', '.join(columns)} FROM {table} WHERE project_id=? AND "  # noqa: S608


def _put(table: str, columns: tuple[str, ...]) -> str:
    marks = ", ".join("?" for _ in ("project_id", *columns))
    changes = ", ".join(f"{column}=excluded.{column}" for column in columns if column not in ("id", "created_at"))
    return (
        f"INSERT INTO {table} (project_id, {', '.join(columns)}) VALUES ({marks}) "  # noqa: S608
        f"ON CONFLICT (project_id, id) DO UPDATE SET {changes}"
    )


_END_USERS, _PUT_END_USER = _select("end_users", _OF_END_USERS), _put("end_users", _OF_END_USERS)
_DEVICES, _PUT_DEVICE = _select("devices", _OF_DEVICES), _put("devices", _OF_DEVICES)


def _end_user_values(one: EndUser) -> Values:
    return (
        one.project_id,
        one.id,
        one.external_id,
        one.email,
        one.name,
        one.metadata,
        _micros(one.created_at),
        _micros(one.updated_at),
    )


def _end_user(row: Values) -> EndUser:
    project_id, id_, external_id, email, name, metadata, created_at, updated_at = row
    return EndUser(
        id=id_,
        project_id=project_id,
        external_id=external_id,
        email=email,
        name=name,
        metadata=metadata,
        created_at=_time(created_at),
        updated_at=_time(updated_at),
    )


def _device_values(one: Device) -> Values:
    said = one.heartbeat
    return (
        one.project_id,
        one.id,
        one.serial_number,
        one.model,
        one.name,
        one.firmware_version,
        one.metadata,
        one.end_user_id,
        one.binding_generation,
        said.battery_percent,
        said.storage_used_mb,
        said.storage_total_mb,
        said.signal_strength_dbm,
        said.recording_state,
        None if said.last_heartbeat_at is None else _micros(said.last_heartbeat_at),
        _micros(one.created_at),
        _micros(one.updated_at),
    )


def _device(row: Values) -> Device:
    told, said, (created_at, updated_at) = row[:9], row[9:15], row[15:]
    project_id, id_, serial_number, model, name, firmware_version, metadata, end_user_id, generation = told
    battery, used, total, signal, state, heard_at = said
    return Device(
        id=id_,
        project_id=project_id,
        serial_number=serial_number,
        model=model,
        name=name,
        firmware_version=firmware_version,
        metadata=metadata,
        end_user_id=end_user_id,
        binding_generation=generation,
        heartbeat=Heartbeat(
            battery_percent=battery,
            storage_used_mb=used,
            storage_total_mb=total,
            signal_strength_dbm=signal,
            recording_state=state,
            last_heartbeat_at=None if heard_at is None else _time(heard_at),
        ),
        created_at=_time(created_at),
        updated_at=_time(updated_at),
    )


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _micros(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)


def _time(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
