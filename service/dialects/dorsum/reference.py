"""Dorsum's operations as the API reference shows them."""

from service.dialects.dorsum import access, answers, requests
from service.dialects.dorsum.names import SCOPE
from service.dialects.http.operation import Operation, ReferencePart

_KEYS = ("dorsum_api_key", "dorsum_client_key")

_OPERATIONS = (
    Operation(
        method="POST",
        path="/api/consultations/transcribe",
        summary="Send a chunk of a consultation and get its words; with the final one, the note",
        security=_KEYS,
        scope=SCOPE,
        body=requests.TranscribeRequest,
        answers={
            **dict.fromkeys((400, 401, 404, 408, 409, 413, 415, 500, 503, 507), answers.ConsultationErrorAnswer),
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
        path_patterns={"session_id": requests.SESSION_ID},
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
