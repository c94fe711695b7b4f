"""What there is to webhooks: endpoints, the messages they want, the deliveries of these, and attempts at them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from adapters.webhooks.sender import Sent


class State(StrEnum):
    """WAITING: an earlier event of the same recording is not through with the same endpoint yet."""

    WAITING = "waiting"
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a project wants what sent. `after_position`: only events after it, which is where the log was."""

    id: str
    project_id: str
    url: str
    events: tuple[str, ...]
    created_at: datetime
    after_position: int
    failing_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What every endpoint of the project that subscribed to `type` is to be told, once, with this very body."""

    event_id: str
    type: str
    project_id: str
    recording_id: UUID
    position: int
    created_at: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery to be attempted. `tries`: attempts since it was made, or sent again by hand."""

    sequence: int
    event_id: str
    body: bytes
    tries: int


@dataclass(frozen=True, slots=True)
class Attempt:
    number: int
    at: datetime
    duration: timedelta
    sent: Sent


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as it is shown. `next_attempt_at`: while it is pending."""

    sequence: int
    id: str
    event_id: str
    type: str
    recording_id: UUID
    state: State
    created_at: datetime
    next_attempt_at: datetime | None
    attempts: tuple[Attempt, ...] = ()
