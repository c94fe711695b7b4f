"""A consumer that keeps the states of recordings, sessions and orders: turns public forms into the log's events."""

from collections.abc import Iterable
from uuid import UUID

from domain.ambient_session import AmbientSession, fold_session
from domain.events import EVENT_TYPES, NOTE_ORDER_EVENT_TYPES, SESSION_EVENT_TYPES, LoggedEvent
from domain.note_order import NoteOrder, fold_order
from domain.recording import Recording, fold
from service.messages.forms import PublicForm


def event_of(form: PublicForm) -> LoggedEvent:
    """The event that the form was made from: nothing is lost on the way."""
    return EVENT_TYPES[type(form).__name__].model_validate(
        form.model_dump(exclude={form.SUBJECT, "version", "client_ids"})
    )


State = Recording | AmbientSession | NoteOrder | None


def folded(forms: Iterable[PublicForm]) -> dict[UUID, State]:
    """The state of every recording, session and order; checks that the versions of each have no gaps."""
    events: dict[UUID, list[LoggedEvent]] = {}
    for form in forms:
        history = events.setdefault(form.subject_id, [])
        history.append(event_of(form))
        assert form.version == len(history)
    return {subject_id: _state(history) for subject_id, history in events.items()}


def _state(history: list[LoggedEvent]) -> State:
    first = type(history[0]).__name__
    if first in NOTE_ORDER_EVENT_TYPES:
        return fold_order(history)
    return fold_session(history) if first in SESSION_EVENT_TYPES else fold(history)
