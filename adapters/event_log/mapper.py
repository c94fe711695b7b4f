"""Adapts events to the `eventsourcing` library's stored events: Pydantic through orjson, upcast on reading."""

from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import orjson
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent, Transcoder

from domain.events import EVENT_TYPES, LoggedEvent
from domain.upcasts import UnknownEventVersion, upcast


@dataclass(frozen=True, slots=True)
class VersionedEvent:
    """An event at its place in one stream; versions count from 1 without a gap."""

    originator_id: UUID
    originator_version: int
    event: LoggedEvent
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event in the log. A stream is the history of one recording or of one session.

    `position` counts over the whole log, `version` within the stream; both from 1.
    """

    position: int
    stream_id: UUID
    version: int
    event: LoggedEvent
    trace_id: str | None


class OrjsonTranscoder(Transcoder):
    """JSON bytes by orjson: datetimes become RFC 3339 strings, which Pydantic reads back."""

    def encode(self, obj: Any) -> bytes:
        return orjson.dumps(obj)

    def decode(self, data: bytes) -> Any:
        return orjson.loads(data)


class EventMapper(Mapper[UUID]):
    """`VersionedEvent` <-> `StoredEvent`. The topic is the event's bare name, so that modules may move."""

    def __init__(self) -> None:
        super().__init__(OrjsonTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        versioned = cast("VersionedEvent", domain_event)
        event = versioned.event
        stored: dict[str, Any] = {"version": event.VERSION, "event": vars(event)}
        if versioned.trace_id is not None:
            stored["metadata"] = {"trace_id": versioned.trace_id}
        return StoredEvent(
            originator_id=versioned.originator_id,
            originator_version=versioned.originator_version,
            topic=type(event).__name__,
            state=self.transcoder.encode(stored),
        )

    def to_recorded_event(self, stored_event: StoredEvent, *, position: int) -> RecordedEvent:
        """The event and its places. Raises: UnknownEventVersion; pydantic.ValidationError for a corrupt row."""
        stored = orjson.loads(stored_event.state)
        metadata = stored.get("metadata")
        return RecordedEvent(
            position,
            cast("UUID", stored_event.originator_id),
            stored_event.originator_version,
            _checked(stored_event.topic, stored),
            metadata.get("trace_id") if metadata else None,
        )

    def to_event(self, stored_event: StoredEvent) -> LoggedEvent:
        """The event alone. Raises: as `to_recorded_event`."""
        return _checked(stored_event.topic, orjson.loads(stored_event.state))

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        """Like `to_recorded_event`, for the library's own use."""
        read = self.to_recorded_event(stored_event, position=0)
        versioned = VersionedEvent(read.stream_id, read.version, read.event, read.trace_id)
        return cast("DomainEventProtocol[UUID]", versioned)


def _checked(name: str, stored: dict[str, Any]) -> LoggedEvent:
    """The event as today's class, fully validated. Every row read goes through here, so this has to be quick.

    It calls the validator directly, which is what `model_validate` does after looking at its options.
    """
    event_type = EVENT_TYPES.get(name)
    version, fields = stored["version"], stored["event"]
    if event_type is None:
        raise UnknownEventVersion(name, version)
    if version != event_type.VERSION:
        fields = upcast(name, fields, version=version, to_version=event_type.VERSION)
    return cast("LoggedEvent", event_type.__pydantic_validator__.validate_python(fields))
