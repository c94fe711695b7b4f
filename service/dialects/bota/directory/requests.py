"""What is sent about end users and devices (P), checked strictly; (D) lengths, unless the reference gives them."""

from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

from adapters.directory.port import PageAsked
from service.application.exact_json import exact_loads
from service.dialects.bota.paging import PageRequest
from service.dialects.bota.requests import MOST_EXACT_INTEGER, EndUserId, InvalidRequest, parse

LARGEST_METADATA = 8_192
"""Bytes of JSON; so that a page of a hundred is within what clients read (P)."""

Model = Literal["bota_pin", "bota_note", "bota_pin_pro"]
Megabytes = Annotated[float, Field(ge=0, le=MOST_EXACT_INTEGER)]
Metadata = dict[str, Any]
M = TypeVar("M", bound="_Entry")


class _Request(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class _Entry(_Request):
    """`changes`: the fields that were sent, as the directory takes them."""

    metadata: Metadata | None = None

    def changes(self, *fields: str) -> dict[str, Any]:
        return {field: getattr(self, field) for field in fields if field in self.model_fields_set}


class ChangeEndUser(_Entry):
    """PATCH /v1/end-users/{id} (D): what is not sent stays; null takes it away; `metadata` is replaced as a whole."""

    email: Annotated[str, Field(max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    name: Annotated[str, Field(max_length=255)] | None = None


class CreateEndUser(ChangeEndUser):
    """POST /v1/end-users (P)."""

    external_id: Annotated[str, Field(min_length=1, max_length=255)] | None = None


class ChangeDevice(_Entry):
    """PATCH /v1/devices/{id} (P); (D) as for an end user."""

    name: Annotated[str, Field(max_length=128)] | None = None
    firmware_version: Annotated[str, Field(max_length=64)] | None = None


class CreateDevice(ChangeDevice):
    """POST /v1/devices (P): `model`, or `device_type` on older pages. (D) Without either it is a `bota_pin`."""

    serial_number: Annotated[str, Field(min_length=1, max_length=128)]
    model: Model | None = None
    device_type: Model | None = None

    @model_validator(mode="after")
    def _are_one(self) -> "CreateDevice":
        if self.model and self.device_type and self.model != self.device_type:
            raise ValueError("Input should have model and device_type equal, or one of them")
        return self


class BindDevice(_Request):
    """POST /v1/devices/{id}/bind (P). `pk_d` is the device's public key; (D) it is checked, and used for nothing."""

    end_user_id: EndUserId
    pk_d: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{128}$")] | None = None


class SendHeartbeat(_Request):
    """POST /v1/devices/{id}/heartbeat (P). (D) What is not sent stays; null takes it away; numbers are rounded."""

    battery_percent: Annotated[float, Field(ge=0, le=100)] | None = None
    storage_used_mb: Megabytes | None = None
    storage_total_mb: Megabytes | None = None
    signal_strength_dbm: Annotated[float, Field(ge=-1_000, le=1_000)] | None = None
    recording_state: Annotated[str, Field(max_length=64)] | None = None
    firmware_version: Annotated[str, Field(max_length=64)] | None = None

    def said(self) -> dict[str, Any]:
        """What changes of the heartbeat that is kept."""
        sent = {field: getattr(self, field) for field in self.model_fields_set - {"firmware_version"}}
        return {field: round(value) if isinstance(value, float | int) else value for field, value in sent.items()}

    def facts(self) -> dict[str, Any]:
        """What changes of the device itself. A device always has a version, so null says nothing."""
        return {} if self.firmware_version is None else {"firmware_version": self.firmware_version}


class EntriesPageRequest(PageRequest):
    """A list of the directory. A cursor and an offset exclude each other."""

    offset: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None

    def page(self) -> PageAsked:
        """Raises: InvalidRequest."""
        if self.cursor is not None and self.offset is not None:
            raise InvalidRequest("offset", "A cursor and an offset exclude each other.")
        return PageAsked(limit=self.limit, after=_place_of(self.cursor), offset=self.offset or 0)


class EndUsersPageRequest(EntriesPageRequest):
    """GET /v1/end-users (P)."""

    external_id: Annotated[str, Field(max_length=255)] | None = None


class DevicesPageRequest(EntriesPageRequest):
    """GET /v1/devices (P)."""

    end_user_id: EndUserId | None = None


def _place_of(cursor: str | None) -> int | None:
    """Raises: InvalidRequest."""
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= 18):  # noqa: PLR2004 - what 63 bits hold
        raise InvalidRequest("cursor", "This must be the next_cursor of this list, exactly as given.")
    return int(cursor)


def parse_entry(model: type[M], body: bytes) -> tuple[M, bytes | None]:
    """The request, and its `metadata` as it is kept: every number exact. Raises: InvalidRequest."""
    asked = parse(model, body)
    if asked.metadata is None:
        return asked, None
    metadata = orjson.dumps(exact_loads(body)["metadata"])
    if len(metadata) > LARGEST_METADATA:
        raise InvalidRequest("metadata", f"This may have at most {LARGEST_METADATA} bytes as JSON.")
    return asked, metadata
