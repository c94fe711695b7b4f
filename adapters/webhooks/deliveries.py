"""The parts of webhooks: endpoints, the messages they want, deliveries of these, and attempts to deliver."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from adapters.webhooks.sender import Sent


class State(StrEnum):
    """WAITING: an earlier event of the same recording has not been delivered to, or given up on, this endpoint yet."""

    WAITING = "waiting"
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a project wants which events sent. `after_position`: the log's position then; only later events go out."""

    id: str
    project_id: str
    url: str
    events: tuple[str, ...]
    created_at: datetime
    after_position: int
    failing_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What every endpoint of the project that subscribed to `type` gets once, with exactly this body."""

    event_id: str
    type: str
    project_id: str
    recording_id: UUID
    position: int
    created_at: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery to be attempted. `tries`: attempts since it was created or manually sent again."""

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
    """A delivery as users see it. `next_attempt_at` is set while it is pending."""

    sequence: int
    id: str
    event_id: str
    type: str
    recording_id: UUID
    state: State
    created_at: datetime
    next_attempt_at: datetime | None
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class WholeDelivery:
    """A delivery with the body that each of its attempts sends."""

    delivery: Delivery
    body: bytes
