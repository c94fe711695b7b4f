"""The directory in one SQLite file, mode 0600, or in PostgreSQL. Durable on return; erased data is overwritten.

Of what is deleted from PostgreSQL, its write-ahead log keeps a copy until it is recycled.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

from adapters.database.counting import row_count
from adapters.database.opening import open_database
from adapters.database.port import Place
from adapters.directory.entries import Device, EndUser, Heartbeat
from adapters.directory.port import ExternalIdTaken, Page, PageAsked, SerialNumberTaken
from adapters.directory.schema import SCHEMA_VERSIONS
from adapters.sqlite_file import DatabaseUnavailable

logger = logging.getLogger(__name__)
Entry = TypeVar("Entry")
Values = tuple[Any, ...]


class DirectoryTables:
    """A `DirectoryStore`."""

    def __init__(self, place: Place) -> None:
        """Raises: DatabaseTooNew; DatabaseUnavailable; sqlite3.Error; OSError."""
        self._database = open_database(place, durable=True, erases=True)
        try:
            self._database.prepare(SCHEMA_VERSIONS)
            self._make_up_for_scrubbing()
        except BaseException:
            self._database.close()
            raise

    def _make_up_for_scrubbing(self) -> None:
        """What keeps this from being done now does not keep the service from starting."""
        try:
            self.scrub()
        except DatabaseUnavailable as because:
            logger.warning("erased personal data is still in the directory's tables", extra={"because": str(because)})

    def close(self) -> None:
        self._database.close()

    # --- end users

    def put_end_user(self, end_user: EndUser) -> None:
        its = (end_user.project_id, end_user.external_id, end_user.id)
        with self._database.writing() as tables:
            if tables.execute("SELECT 1 FROM end_users WHERE project_id=? AND external_id=? AND id<>?", its).fetchone():
                raise ExternalIdTaken
            tables.execute(_PUT_END_USER, _end_user_values(end_user))

    def end_user(self, project_id: str, end_user_id: str) -> EndUser | None:
        return self._one(_END_USERS + "id=?", (project_id, end_user_id), _end_user)

    def end_user_called(self, project_id: str, external_id: str) -> EndUser | None:
        return self._one(_END_USERS + "external_id=?", (project_id, external_id), _end_user)

    def end_users(self, project_id: str, asked: PageAsked) -> Page[EndUser]:
        return self._page(_END_USERS, (project_id,), asked, _end_user)

    def count_end_users(self, project_id: str) -> int:
        return self._count("SELECT COUNT(*) FROM end_users WHERE project_id=?", project_id)

    def erase_end_user(self, project_id: str, end_user_id: str, *, at: datetime) -> bool:
        with self._database.writing() as tables:
            gone = tables.execute(
                "DELETE FROM end_users WHERE project_id=? AND id=?", (project_id, end_user_id)
            ).rowcount
            tables.execute(
                "UPDATE devices SET end_user_id=NULL, updated_at=? WHERE project_id=? AND end_user_id=?",
                (_micros(at), project_id, end_user_id),
            )
            if gone:
                tables.execute("INSERT INTO scrub_due VALUES (1) ON CONFLICT DO NOTHING")
        return bool(gone)

    def scrub(self) -> None:
        """What several have deleted is scrubbed at once by the first who asks, which takes as long as copying it all.

        Raises: DatabaseUnavailable, also while another process reads a file.
        """
        with self._database.reading() as tables:
            if tables.execute("SELECT 1 FROM scrub_due").fetchone() is None:
                return
        self._database.scrub()
        with self._database.writing() as tables:
            tables.execute("DELETE FROM scrub_due")

    # --- devices

    def put_device(self, device: Device) -> None:
        its = (device.project_id, device.serial_number, device.id)
        with self._database.writing() as tables:
            if tables.execute("SELECT 1 FROM devices WHERE project_id=? AND serial_number=? AND id<>?", its).fetchone():
                raise SerialNumberTaken
            tables.execute(_PUT_DEVICE, _device_values(device))

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
        with self._database.reading() as tables:
            (count,) = tables.execute(query, (project_id,)).fetchone()
        return int(count)

    def _one(self, query: str, values: Values, entry: Callable[[Values], Entry]) -> Entry | None:
        with self._database.reading() as tables:
            row = tables.execute(query, values).fetchone()
        return None if row is None else entry(row[1:])

    def _page(self, query: str, values: Values, asked: PageAsked, entry: Callable[[Values], Entry]) -> Page[Entry]:
        with self._database.reading() as tables:
            rows = tables.execute(
                query + "sequence<? ORDER BY sequence DESC LIMIT ? OFFSET ?",
                (*values, _LAST if asked.after is None else asked.after, asked.limit + 1, asked.offset),
            ).fetchall()
        shown = rows[: asked.limit]
        return Page([entry(row[1:]) for row in shown], shown[-1][0] if len(rows) > asked.limit else None)


def registered(place: Place, table: Literal["end_users", "devices"], project_id: str) -> int:
    """How many of a project's are there, while another process may be using it; none if there is no file."""
    return row_count(place, f"SELECT COUNT(*) FROM {table} WHERE project_id=?", project_id)  # noqa: S608


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
