"""Ambient sessions as the API reference shows them."""

from service.dialects.bota import access
from service.dialects.bota.answers import ListAnswer
from service.dialects.bota.operations import keyed
from service.dialects.bota.sessions.messages import (
    AmbientSessionAnswer,
    AmbientSessionsPageRequest,
    AmbientSessionWithRecordingsAnswer,
)

OPERATIONS = (
    keyed(
        "GET",
        "/v1/ambient-sessions",
        "List the ambient sessions of Dragon's clients, those announced last first",
        access.READ_RECORDINGS,
        {200: ListAnswer[AmbientSessionAnswer]},
        400,
        query=AmbientSessionsPageRequest,
    ),
    keyed(
        "GET",
        "/v1/ambient-sessions/{ambient_session_id}",
        "An ambient session with its recordings",
        access.READ_RECORDINGS,
        {200: AmbientSessionWithRecordingsAnswer},
        404,
        path_patterns={"ambient_session_id": r"^ses_[A-Za-z0-9]{1,60}$"},
    ),
)
