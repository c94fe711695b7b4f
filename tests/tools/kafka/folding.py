"""A consumer that keeps the states of recordings and sessions: turns public forms back into the log's events."""

from collections.abc import Iterable
from uuid import UUID

from domain.ambient_session import AmbientSession, fold_session
from domain.events import EVENT_TYPES, SESSION_EVENT_TYPES, LoggedEvent
from domain.recording import Recording, fold
from service.messages.forms import PublicForm


def event_of(form: PublicForm) -> LoggedEvent:
    """The event that the form was made from: nothing is lost on the way."""
    return EVENT_TYPES[type(form).__name__].model_validate(
        form.model_dump(exclude={"recording_id", "session_id", "version", "client_ids"})
    )


def folded(forms: Iterable[PublicForm]) -> dict[UUID, Recording | AmbientSession | None]:
    """The state of every recording and session; checks that the versions of each have no gaps."""
    events: dict[UUID, list[LoggedEvent]] = {}
    for form in forms:
        history = events.setdefault(form.subject_id, [])
        history.append(event_of(form))
        assert form.version == len(history)
    return {subject_id: _state(history) for subject_id, history in events.items()}


def _state(history: list[LoggedEvent]) -> Recording | AmbientSession | None:
    is_session = type(history[0]).__name__ in SESSION_EVENT_TYPES
    return fold_session(history) if is_session else fold(history)
