"""What Dragon's callers call things, and what we call them.

A recording is named by customerId, correlationId and recordingId; its id is a UUIDv5 of them, so lookups need no
index. A customer's tenant is the project `proj_` + its UUID's 32 hex digits: that project's keys see its recordings.
"""

from dataclasses import dataclass
from uuid import UUID

from domain.ambient_session import session_id
from domain.events import AmbientSessionOpened, OpeningEvent, RecordingOpened
from domain.identity import recording_id

DIALECT = "dragon"
LARGEST_INT32 = 2**31 - 1


def tenant_of_customer(customer_id: str) -> str:
    return f"proj_{UUID(customer_id).hex}"


@dataclass(frozen=True, slots=True)
class SessionName:
    """Ids are UUIDs in lower case."""

    customer_id: str
    correlation_id: str

    @property
    def tenant_id(self) -> str:
        return tenant_of_customer(self.customer_id)

    @property
    def id(self) -> UUID:
        return session_id(DIALECT, self.tenant_id, self.correlation_id)


def recording_named(tenant_id: str, correlation_id: str, recording_number: int) -> UUID:
    return recording_id(DIALECT, tenant_id, correlation_id, str(recording_number))


def external_id(correlation_id: str, recording_number: int) -> str:
    """Both external ids in one text; a correlationId contains no slash."""
    return f"{correlation_id}/{recording_number}"


def session_of(opened: RecordingOpened) -> UUID | None:
    """The session that a recording belongs to, announced or not. None for an external id that is not Dragon's."""
    correlation_id, slash, _ = opened.external_id.rpartition("/")
    return session_id(DIALECT, opened.tenant_id, correlation_id) if slash else None


def client_ids(_: UUID, opened: OpeningEvent) -> dict[str, str]:
    """What Dragon's clients call a recording or session, spelt as they spell it."""
    if isinstance(opened, AmbientSessionOpened):
        return {"correlationId": opened.correlation_id}
    if not isinstance(opened, RecordingOpened):
        return {}
    correlation_id, _slash, recording_number = opened.external_id.rpartition("/")
    return {"correlationId": correlation_id, "recordingId": recording_number}
