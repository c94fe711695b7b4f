"""A consumer that keeps recordings' states: from public forms back to the state that the log has."""

from collections.abc import Iterable
from uuid import UUID

from domain.events import EVENT_TYPES, RecordingEvent
from domain.recording import Recording, fold
from service.messages.forms import PublicForm


def event_of(form: PublicForm) -> RecordingEvent:
    """The event that the form was made of: nothing of it is lost on the way."""
    return EVENT_TYPES[type(form).__name__].model_validate(form.model_dump(exclude={"recording_id", "version"}))


def folded(forms: Iterable[PublicForm]) -> dict[UUID, Recording | None]:
    """The state of every recording; checks that the versions of each come without a gap."""
    events: dict[UUID, list[RecordingEvent]] = {}
    for form in forms:
        history = events.setdefault(form.recording_id, [])
        history.append(event_of(form))
        assert form.version == len(history)
    return {recording_id: fold(history) for recording_id, history in events.items()}
