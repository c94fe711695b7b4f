"""What the directory holds: end users, and devices with what they last said of themselves. Times are aware, in UTC."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EndUser:
    """Somebody whose recordings are taken. All but the ids is personal data; so may `external_id` be.

    `external_id`: what the project calls them, unique in it. `metadata`: a JSON object.
    """

    id: str
    project_id: str
    external_id: str | None = None
    email: str | None = None
    name: str | None = None
    metadata: bytes | None = None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What a device last said of itself; None: it never has."""

    battery_percent: int | None = None
    storage_used_mb: int | None = None
    storage_total_mb: int | None = None
    signal_strength_dbm: int | None = None
    recording_state: str | None = None
    last_heartbeat_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A recorder. `serial_number` is unique in its project. `metadata`: a JSON object.

    `end_user_id`: whom it is bound to. `binding_generation`: how often it was bound to somebody anew.
    """

    id: str
    project_id: str
    serial_number: str
    model: str
    name: str | None = None
    firmware_version: str | None = None
    metadata: bytes = b"{}"
    end_user_id: str | None = None
    binding_generation: int = 0
    heartbeat: Heartbeat = Heartbeat()
    created_at: datetime
    updated_at: datetime
