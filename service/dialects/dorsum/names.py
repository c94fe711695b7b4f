"""What Dorsum is called in the log, the scope that its keys need, and what its callers name a session by."""

from uuid import UUID

from domain.events import AmbientSessionOpened, RecordingOpened

DIALECT = "dorsum"
SCOPE = "consultations:write"


def session_name(session_id: str) -> str:
    """A session's id in one spelling; its recording has it as its external id."""
    return session_id.lower()


def client_ids(_: UUID, opened: RecordingOpened | AmbientSessionOpened) -> dict[str, str]:
    """What Dorsum's clients know a session by, whatever case they wrote it in."""
    return {"session_id": opened.external_id} if isinstance(opened, RecordingOpened) else {}
