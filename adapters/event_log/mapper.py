"""Adapts events to the `eventsourcing` library's stored events: Pydantic through orjson, upcast when read."""

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
    """An event at its place in one recording's history: versions count from 1 without a gap."""

    originator_id: UUID
    originator_version: int
    event: LoggedEvent
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event in the log. `position` counts over all of it, `version` within one recording or session; both from 1."""

    position: int
    recording_id: UUID
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
        """The event and its places. Raises: as `to_domain_event`."""
        versioned = cast("VersionedEvent", self.to_domain_event(stored_event))
        return RecordedEvent(
            position, versioned.originator_id, versioned.originator_version, versioned.event, versioned.trace_id
        )

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        """The event as today's class. Raises: UnknownEventVersion; pydantic.ValidationError for a corrupt row."""
        stored = self.transcoder.decode(stored_event.state)
        name, version = stored_event.topic, stored["version"]
        event_type = EVENT_TYPES.get(name)
        if event_type is None:
            raise UnknownEventVersion(name, version)
        fields = stored["event"]
        if version != event_type.VERSION:
            fields = upcast(name, fields, version=version, to_version=event_type.VERSION)
        versioned = VersionedEvent(
            originator_id=cast("UUID", stored_event.originator_id),
            originator_version=stored_event.originator_version,
            event=event_type.model_validate(fields),
            trace_id=stored.get("metadata", {}).get("trace_id"),
        )
        return cast("DomainEventProtocol[UUID]", versioned)
