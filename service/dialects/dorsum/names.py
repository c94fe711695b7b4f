"""Dorsum's name in the log, the scope that its keys need, and what its callers call a session."""

from uuid import UUID

from domain.events import OpeningEvent, RecordingOpened

DIALECT = "dorsum"
SCOPE = "consultations:write"


def session_name(session_id: str) -> str:
    """A session's id in canonical spelling; its recording has it as its external id."""
    return session_id.lower()


def client_ids(_: UUID, opened: OpeningEvent) -> dict[str, str]:
    """What Dorsum's clients call a session, whatever case they wrote it in."""
    return {"session_id": opened.external_id} if isinstance(opened, RecordingOpened) else {}
