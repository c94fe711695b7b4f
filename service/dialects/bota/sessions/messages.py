"""What is asked about ambient sessions, and what is answered (REFERENCE.md, "Ambient sessions")."""

from typing import Annotated, Literal

from pydantic import Field

from service.dialects.bota.answers import Answer, Count, RecordingId, RecordingStatus, Time
from service.dialects.bota.paging import PageRequest

SessionStatus = Literal["open", "ended"]
SessionId = Annotated[str, Field(pattern=r"^ses_[0-9a-f]{32}$")]


class AmbientSessionsPageRequest(PageRequest):
    """GET /v1/ambient-sessions."""

    status: SessionStatus | None = None


class AmbientSessionAnswer(Answer):
    """A session as it was announced last. `ended`: no further recording begins in it, unless it is announced again.

    `created_at`: when it was first announced. `last_activity_at`: when it was last announced or ended, or when one of
    its recordings began, came to another state, got a corrected note or was deleted; single chunks do not count.
    `recording_count`: without those deleted.
    """

    id: SessionId
    project_id: str
    status: SessionStatus
    correlation_id: str
    partner_id: str
    product_id: str
    external_user_id: str | None
    ehr_instance_id: str | None
    recording_count: Count
    created_at: Time
    last_activity_at: Time
    ended_at: Time | None


class SessionRecordingAnswer(Answer):
    """A recording of a session, in short. `external_id`: the client's correlationId and recordingId."""

    id: RecordingId
    external_id: str
    status: RecordingStatus
    duration_ms: Count | None
    created_at: Time
    updated_at: Time


class AmbientSessionWithRecordingsAnswer(AmbientSessionAnswer):
    """`recordings`: the hundred that were begun last, the newest first. GET /v1/recordings?correlation_id=… lists all,
    in pages."""

    recordings: list[SessionRecordingAnswer]
