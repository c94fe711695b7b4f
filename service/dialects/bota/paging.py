"""A list's pages as Bota's clients ask for them: a limit, and a cursor or an offset."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from adapters.ambient_sessions import SessionPlace
from adapters.note_orders import OrderPlace
from adapters.summary_pages import Order, Place
from service.dialects.bota.answers import RecordingStatus
from service.dialects.bota.requests import DeviceId, EndUserId, InvalidRequest, RecordingId

LARGEST_PAGE = 100
LARGEST_HISTORY_PAGE = 500
_LETTERS: dict[Order, Literal["c", "f"]] = {Order.CREATED: "c", Order.FINALIZED: "f"}
_LETTER_OF_ORDERS = "s"
_LETTER_OF_SESSIONS = "a"
_NOT_A_CURSOR = "This must be the next_cursor of this list, exactly as given."
_VERSION = re.compile(r"v([1-9][0-9]{0,14})", re.ASCII)


class PageRequest(BaseModel):
    """The query of a list."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    limit: Annotated[int, Field(ge=1, le=LARGEST_PAGE)] = 25
    cursor: Annotated[str, Field(max_length=200)] | None = None


class RecordingsPageRequest(PageRequest):
    """GET /v1/recordings. A cursor and an offset exclude each other.

    `correlation_id`, and with it `recording_id`: what a Dragon client named the session and the recording (D).
    """

    offset: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    device_id: DeviceId | None = None
    end_user_id: EndUserId | None = None
    status: RecordingStatus | None = None
    correlation_id: Annotated[str, Field(max_length=128)] | None = None
    recording_id: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None


class HistoryPageRequest(PageRequest):
    """GET /v1/recordings/{id}/events. Without a limit, the largest page: nearly every history is in one."""

    limit: Annotated[int, Field(ge=1, le=LARGEST_HISTORY_PAGE)] = LARGEST_HISTORY_PAGE


class RecordingRequest(BaseModel):
    """GET /v1/recordings/{id}. `version`: of the event after which the recording is wanted (D)."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None


class TranscriptionsPageRequest(PageRequest):
    """GET /v1/transcriptions."""

    recording_id: RecordingId | None = None


def cursor_of(order: Order, place: Place | None) -> str | None:
    """Opaque to clients: the place after which the next page begins."""
    return None if place is None else _cursor(_LETTERS[order], place.time, place.recording_id)


def place_of(order: Order, cursor: str | None) -> Place | None:
    """Raises: InvalidRequest for anything but a cursor of this list."""
    return None if cursor is None else Place(*_place(_LETTERS[order], cursor))


def cursor_of_order(place: OrderPlace) -> str:
    """The same for a list of note orders."""
    return _cursor(_LETTER_OF_ORDERS, place.time, place.order_id)


def place_of_order(cursor: str | None) -> OrderPlace | None:
    """Raises: as `place_of`."""
    return None if cursor is None else OrderPlace(*_place(_LETTER_OF_ORDERS, cursor))


def cursor_of_session(place: SessionPlace) -> str:
    """The same for a list of ambient sessions."""
    return _cursor(_LETTER_OF_SESSIONS, place.time, place.session_id)


def place_of_session(cursor: str | None) -> SessionPlace | None:
    """Raises: as `place_of`."""
    return None if cursor is None else SessionPlace(*_place(_LETTER_OF_SESSIONS, cursor))


def cursor_of_version(version: int) -> str:
    """The same for a history: its events never change, and their versions count them."""
    return _unpadded(f"v{version}")


def version_of(cursor: str | None) -> int:
    """The version after which the page begins. Raises: as `place_of`."""
    if cursor is None:
        return 0
    found = _VERSION.fullmatch(_decoded(cursor))
    if found is None or cursor_of_version(int(found[1])) != cursor:
        raise InvalidRequest("cursor", _NOT_A_CURSOR)
    return int(found[1])


def _cursor(letter: str, time: datetime, its_id: UUID) -> str:
    return _unpadded(f"{letter}{time.isoformat(timespec='microseconds')} {its_id.hex}")


def _place(letter: str, cursor: str) -> tuple[datetime, UUID]:
    try:
        time_text, id_text = _decoded(cursor).removeprefix(letter).split(" ")
        time, its_id = datetime.fromisoformat(time_text), UUID(hex=id_text)
        is_one = time.utcoffset() == timedelta() and _cursor(letter, time, its_id) == cursor
    except ValueError:
        is_one = False
    if not is_one:
        raise InvalidRequest("cursor", _NOT_A_CURSOR)
    return time, its_id


def _unpadded(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decoded(cursor: str) -> str:
    """What was encoded; an empty text if nothing can have been."""
    try:
        return urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode("ascii")
    except ValueError:
        return ""
