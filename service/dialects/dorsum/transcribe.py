"""Dorsum's two calls: a chunk, answered with its words and at the end with the note; and how far a session has come.

Source: REFERENCE.md; what is our own there (D) is said below.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Literal

from aiohttp import web

from domain.recording import Phase
from service.application.consultations import ChunkWords, Consultation, Session, SessionState
from service.dialects.dorsum import access
from service.dialects.dorsum.answers import ChunkWordsAnswer, ConsultationAnswer, NoteAnswer
from service.dialects.dorsum.notes import rendered
from service.dialects.dorsum.requests import (
    LONGEST_IDEMPOTENCY_KEY,
    SESSION_ID,
    InvalidRequest,
    OutputFormat,
    read_request,
    session_name,
)
from service.dialects.http.json_answers import json_answer
from service.dialects.http.limits import check_announced_size, continue_later, tell_to_continue, whole_body
from service.runtime.deck import Deck

_SESSION_ID = re.compile(SESSION_ID, re.ASCII)


class Transcribe:
    """The handlers, over one deck."""

    def __init__(self, deck: Deck) -> None:
        self._deck = deck
        self._one_at_a_time = asyncio.Semaphore(1)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/api/consultations/transcribe", self.transcribe, expect_handler=continue_later)
        router.add_get("/api/consultations/{session_id}", self.session)

    async def transcribe(self, request: web.Request) -> web.Response:
        """POST /api/consultations/transcribe (S). The same request again gets the same answer (D)."""
        key = access.permitted(request, self._deck)
        limits = self._deck.limits
        idempotency_key = _idempotency_key(request)
        check_announced_size(request, limits.samples_bytes)
        tell_to_continue(request)
        body = await whole_body(request, limit_bytes=limits.samples_bytes, seconds=limits.chunk_seconds)
        async with self._one_at_a_time:  # what is parsed takes several times its size while that lasts
            fields, chunk = await asyncio.to_thread(read_request, body, idempotency_key)
        del body
        self._deck.consultations.check_language(fields.language)
        name = session_name(fields.session_id)
        session = Session(tenant_id=key.project_id, external_id=name, language=fields.language)
        taken = await self._deck.consultations.take(session, chunk)
        if isinstance(taken, ChunkWords):
            return json_answer(ChunkWordsAnswer(transcription=taken.transcript.text))
        return json_answer(_final_answer(taken, fields.output_format))

    async def session(self, request: web.Request) -> web.Response:
        """GET /api/consultations/{session_id} (D): for a client that lost its own record."""
        key = access.permitted(request, self._deck)
        session_id = request.match_info["session_id"]
        if not _SESSION_ID.fullmatch(session_id):
            raise InvalidRequest(f"session_id: This must be a UUID of version 4, not {session_id[:80]!r}.")
        name = session_name(session_id)
        return json_answer(_session_answer(name, await self._deck.consultations.state(key.project_id, name)))


def _idempotency_key(request: web.Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 1 <= len(key) <= LONGEST_IDEMPOTENCY_KEY:
        raise InvalidRequest(f"Idempotency-Key: It must have 1 to {LONGEST_IDEMPOTENCY_KEY} characters.")
    return key


def _final_answer(consultation: Consultation, output_format: OutputFormat) -> NoteAnswer:
    return NoteAnswer(
        task_id=str(consultation.recording_id),
        clinical_notes=rendered(consultation.note, output_format),
        full_transcript=consultation.transcript.text,
    )


def _session_answer(name: str, state: SessionState) -> ConsultationAnswer:
    recording = state.recording
    is_over = recording.finalized is not None
    return ConsultationAnswer(
        session_id=name,
        status=_STATUS.get(recording.phase, "processing"),
        chunks_received=len(recording.chunks),
        transcript=state.text,
        task_id=str(state.recording_id) if is_over else None,
    )


_STATUS: Mapping[Phase, Literal["recording", "processing", "completed", "failed"]] = {
    Phase.OPEN: "recording",
    Phase.COMPLETED: "completed",
    Phase.FAILED: "failed",
    Phase.EXPIRED: "failed",
}
