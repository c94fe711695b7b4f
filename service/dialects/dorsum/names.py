"""What Dorsum's callers name a session by."""

from uuid import UUID

from domain.events import AmbientSessionOpened, RecordingOpened

DIALECT = "dorsum"


def session_name(session_id: str) -> str:
    """A session's id in one spelling; its recording has it as its external id."""
    return session_id.lower()


def client_ids(_: UUID, opened: RecordingOpened | AmbientSessionOpened) -> dict[str, str]:
    """What Dorsum's clients know a session by, whatever case they wrote it in."""
    return {"session_id": opened.external_id} if isinstance(opened, RecordingOpened) else {}
