"""Answers about end users and devices, as models (P): every field is always there, null where nothing is known."""

from typing import Annotated, Any, Literal

from pydantic import Field

from adapters.directory.entries import Device, EndUser
from service.application.exact_json import exact_loads
from service.dialects.bota.answers import Answer, Count, Time
from service.dialects.bota.directory.requests import Model
from service.dialects.http.json_answers import utc_text

EndUserId = Annotated[str, Field(pattern=r"^eu_[A-Za-z0-9]{1,61}$")]
DeviceId = Annotated[str, Field(pattern=r"^dev_[A-Za-z0-9]{1,60}$")]
Percent = Annotated[int, Field(ge=0, le=100)]


class EndUserAnswer(Answer):
    id: EndUserId
    external_id: str | None
    email: str | None
    name: str | None
    metadata: dict[str, Any] | None
    project_id: str
    created_at: Time
    updated_at: Time


class DeviceAnswer(Answer):
    """`binding_generation`: how often it was bound anew; it stays while the device is bound."""

    id: DeviceId
    serial_number: str
    model: Model
    name: str | None
    firmware_version: str | None
    status: Literal["bound", "unbound"]
    end_user_id: EndUserId | None
    binding_generation: Count
    project_id: str
    battery_percent: Percent | None
    storage_used_mb: Count | None
    storage_total_mb: Count | None
    signal_strength_dbm: int | None
    last_heartbeat_at: Time | None
    recording_state: str | None
    metadata: dict[str, Any]
    deleted_at: None
    created_at: Time
    updated_at: Time


class BoundDeviceAnswer(DeviceAnswer):
    """The token is shown here and never again. `cert` and `ble_pubkey` are absent: this service has no such keys."""

    device_token: Annotated[str, Field(pattern=r"^dtok_[A-Za-z0-9]{45}$")]


class StateAnswer(Answer):
    """What the device last said of itself (D)."""

    id: DeviceId
    battery_percent: Percent | None
    storage_used_mb: Count | None
    storage_total_mb: Count | None
    signal_strength_dbm: int | None
    recording_state: str | None
    firmware_version: str | None
    last_heartbeat_at: Time | None


class HeartbeatAnswer(Answer):
    status: Literal["ok"]


def end_user_answer(one: EndUser) -> EndUserAnswer:
    return EndUserAnswer(
        id=one.id,
        external_id=one.external_id,
        email=one.email,
        name=one.name,
        metadata=None if one.metadata is None else exact_loads(one.metadata),
        project_id=one.project_id,
        created_at=utc_text(one.created_at),
        updated_at=utc_text(one.updated_at),
    )


def device_answer(one: Device) -> DeviceAnswer:
    said = one.heartbeat
    return DeviceAnswer.model_validate(
        {
            "id": one.id,
            "serial_number": one.serial_number,
            "model": one.model,
            "name": one.name,
            "firmware_version": one.firmware_version,
            "status": "unbound" if one.end_user_id is None else "bound",
            "end_user_id": one.end_user_id,
            "binding_generation": one.binding_generation,
            "project_id": one.project_id,
            "battery_percent": said.battery_percent,
            "storage_used_mb": said.storage_used_mb,
            "storage_total_mb": said.storage_total_mb,
            "signal_strength_dbm": said.signal_strength_dbm,
            "last_heartbeat_at": utc_text(said.last_heartbeat_at),
            "recording_state": said.recording_state,
            "metadata": exact_loads(one.metadata),
            "deleted_at": None,
            "created_at": utc_text(one.created_at),
            "updated_at": utc_text(one.updated_at),
        }
    )


def bound_device_answer(one: Device, token: str) -> BoundDeviceAnswer:
    return BoundDeviceAnswer.model_validate({**device_answer(one).model_dump(), "device_token": token})


def state_answer(one: Device) -> StateAnswer:
    shown = device_answer(one).model_dump()
    return StateAnswer.model_validate({field: shown[field] for field in StateAnswer.model_fields})
