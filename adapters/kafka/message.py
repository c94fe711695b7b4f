"""One message as Kafka carries it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """Messages with the same `key` are kept in order. `timestamp_ms`: when the event happened, since the epoch."""

    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]
    timestamp_ms: int
