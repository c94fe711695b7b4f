"""Dorsum's operations as the API reference shows them."""

from typing import Any

from service.dialects.dorsum import access, answers, requests
from service.dialects.dorsum.names import SCOPE
from service.dialects.http.notes import IF_MATCH, IF_NONE_MATCH, VERSION_NUMBER, EditNoteRequest
from service.dialects.http.operation import RANGE, Bytes, Operation, ReferencePart

_KEYS = ("dorsum_api_key", "dorsum_client_key")

_SESSION = {"session_id": requests.SESSION_ID}


def _stored_bytes(path: str, summary: str, **more: Any) -> Operation:
    told = dict.fromkeys((400, 401, 404, 410, 503), answers.ConsultationErrorAnswer)
    return Operation(
        method="GET",
        path=path,
        summary=summary,
        security=_KEYS,
        scope=SCOPE,
        answers={**told, 200: Bytes(), 206: Bytes(), 304: None, 416: None},
        headers=RANGE,
        **{"path_patterns": _SESSION} | more,
    )


def _note(path: str, summary: str, **more: Any) -> Operation:
    return Operation(
        method="GET",
        path=path,
        summary=summary,
        security=_KEYS,
        scope=SCOPE,
        answers={
            **dict.fromkeys((400, 401, 404, 409, 503), answers.ConsultationErrorAnswer),
            200: answers.SessionNoteAnswer,
            304: None,
        },
        headers=IF_NONE_MATCH,
        **{"path_patterns": _SESSION} | more,
    )


_OPERATIONS = (
    Operation(
        method="POST",
        path="/api/consultations/transcribe",
        summary="Send a chunk of a consultation and get its words; with the final one, the note",
        security=_KEYS,
        scope=SCOPE,
        body=requests.TranscribeRequest,
        answers={
            **dict.fromkeys((400, 401, 404, 408, 409, 413, 415, 429, 500, 503, 507), answers.ConsultationErrorAnswer),
            200: answers.TranscribeAnswer,
        },
        headers={"Idempotency-Key": {"type": "string", "minLength": 1, "maxLength": requests.LONGEST_IDEMPOTENCY_KEY}},
    ),
    Operation(
        method="GET",
        path="/api/consultations/{session_id}",
        summary="How far a session has come",
        security=_KEYS,
        scope=SCOPE,
        answers={
            **dict.fromkeys((400, 401, 404, 503), answers.ConsultationErrorAnswer),
            200: answers.ConsultationAnswer,
        },
        path_patterns=_SESSION,
    ),
    Operation(
        method="GET",
        path="/api/consultations/{session_id}/chunks",
        summary="Which chunks of a session are stored",
        security=_KEYS,
        scope=SCOPE,
        answers={
            **dict.fromkeys((400, 401, 404, 503), answers.ConsultationErrorAnswer),
            200: answers.ChunksAnswer,
        },
        path_patterns=_SESSION,
    ),
    _stored_bytes("/api/consultations/{session_id}/chunks/all", "All stored chunks, one after another, as 16-bit PCM"),
    _stored_bytes(
        "/api/consultations/{session_id}/chunks/{number}",
        "A chunk as it was stored, as 16-bit PCM",
        path_patterns={**_SESSION, "number": r"^[0-9]{1,9}$"},
    ),
    _note("/api/consultations/{session_id}/note", "The note of a session"),
    Operation(
        method="PUT",
        path="/api/consultations/{session_id}/note",
        summary="Store the note as a person has corrected it",
        security=_KEYS,
        scope=SCOPE,
        body=EditNoteRequest,
        answers={
            **dict.fromkeys((400, 401, 404, 408, 409, 412, 413, 415, 503, 507), answers.ConsultationErrorAnswer),
            200: answers.SessionNoteAnswer,
        },
        headers=IF_MATCH,
        path_patterns=_SESSION,
    ),
    Operation(
        method="GET",
        path="/api/consultations/{session_id}/note/versions",
        summary="The versions of the note of a session: which, when, by whom",
        security=_KEYS,
        scope=SCOPE,
        answers={
            **dict.fromkeys((400, 401, 404, 409, 503), answers.ConsultationErrorAnswer),
            200: answers.SessionNoteVersionsAnswer,
        },
        path_patterns=_SESSION,
    ),
    _note(
        "/api/consultations/{session_id}/note/versions/{number}",
        "A version of the note of a session",
        path_patterns={**_SESSION, "number": VERSION_NUMBER},
    ),
    Operation(
        method="POST",
        path="/api/consultations/{session_id}/retry",
        summary="Take a failed session up again",
        security=_KEYS,
        scope=SCOPE,
        answers={
            **dict.fromkeys((400, 401, 404, 409, 503, 507), answers.ConsultationErrorAnswer),
            202: answers.RetriedAnswer,
        },
        path_patterns=_SESSION,
    ),
)

REFERENCE = ReferencePart(
    name="Dorsum",
    summary="Notes transcription: half a minute of samples after the other, words at once, a clinical note at the end.",
    operations=_OPERATIONS,
    security_schemes={
        "dorsum_api_key": {"type": "apiKey", "in": "header", "name": access.API_KEY_HEADER},
        "dorsum_client_key": {"type": "apiKey", "in": "header", "name": access.CLIENT_KEY_HEADER},
    },
)
