"""From an event in the log to the message about it: public form, key, CloudEvents 1.0 headers in binary mode.

The same event makes the same message, byte for byte, on every attempt and in every process. Values are not validated
against their forms here: that costs more than everything else, and the tests validate every message they see.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import orjson

from adapters.event_log.mapper import RecordedEvent
from adapters.kafka.message import Message
from adapters.kafka.position import POSITION_HEADER
from domain.events import NOTE_ORDER_EVENT_TYPES, LoggedEvent
from service.messages.forms import FORM_OF, PublicForm

SOURCE = "/tapedeck"
CONTENT_TYPE = "application/json"
_SPEC_VERSION = ("ce_specversion", b"1.0")
_SOURCE = ("ce_source", SOURCE.encode())
_CONTENT_TYPE = ("content-type", CONTENT_TYPE.encode())


def to_message(recorded: RecordedEvent, client_ids: Mapping[str, str]) -> Message:
    """`client_ids`: what clients call the recording, session or note order.

    Raises: KeyError for an event type without a public form; a test prevents this.
    """
    event, subject_id = recorded.event, str(recorded.stream_id)
    publication = PUBLIC_FORMS[type(event)]
    at = event.at.astimezone(UTC)
    at_text = at.isoformat().removesuffix("+00:00") + "Z"
    value = {publication.subject: subject_id, "version": recorded.version, **publication.facts(event)}
    value["at"] = at_text
    value["client_ids"] = client_ids
    subject = subject_id.encode()
    headers = [
        _SPEC_VERSION,
        ("ce_id", b"%s/%d" % (subject, recorded.version)),
        _SOURCE,
        publication.type_header,
        ("ce_subject", subject),
        ("ce_time", at_text.encode()),
        _CONTENT_TYPE,
        (POSITION_HEADER, b"%d" % recorded.position),
    ]
    if recorded.trace_id is not None:
        headers.append(("ce_traceid", recorded.trace_id.encode()))
    return Message(
        key=subject,
        value=orjson.dumps(value, option=orjson.OPT_UTC_Z),
        headers=headers,
        timestamp_ms=int(at.timestamp() * 1000),
    )


def message_type(event: LoggedEvent) -> str:
    """The `ce_type`."""
    return PUBLIC_FORMS[type(event)].form.TYPE


def message_id(recorded: RecordedEvent) -> str:
    """The `ce_id`: unique for every event there will ever be."""
    return f"{recorded.stream_id}/{recorded.version}"


@dataclass(frozen=True, slots=True)
class Publication:
    """The form of an event type, and which facts it takes from an event."""

    form: type[PublicForm]
    subject: str
    """The field with the id of what the event happened to."""
    type_header: tuple[str, bytes]
    internal: frozenset[str]
    """Fields of the event that the form leaves out."""

    def facts(self, event: LoggedEvent) -> dict[str, Any]:
        """Including `at`, as the event has it."""
        facts = vars(event)
        if not self.internal:
            return facts
        return {name: fact for name, fact in facts.items() if name not in self.internal}


def _publication(event_type: type[LoggedEvent], form: type[PublicForm]) -> Publication:
    return Publication(
        form,
        form.SUBJECT,
        ("ce_type", form.TYPE.encode()),
        frozenset(event_type.model_fields.keys() - form.model_fields.keys()),
    )


PUBLIC_FORMS: dict[type[LoggedEvent], Publication] = {
    event_type: _publication(event_type, form) for event_type, form in FORM_OF.items()
}

MESSAGE_TYPES = frozenset(publication.form.TYPE for publication in PUBLIC_FORMS.values())
NOTE_ORDER_TYPES = frozenset(PUBLIC_FORMS[event_type].form.TYPE for event_type in NOTE_ORDER_EVENT_TYPES.values())
