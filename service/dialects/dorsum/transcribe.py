"""Dorsum's two calls: send a chunk, answered with its words and at the end the note; and ask how far a session is.

Source: REFERENCE.md; our own additions (D) are marked below.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

from aiohttp import web

from adapters.audio.pcm import PCM_CODEC
from domain.events import FinalizePolicy, RecordingKind
from domain.identity import recording_id
from domain.recording import Phase
from service.application.callers import Callers
from service.application.consultations import ChunkWords, Consultation, Consultations, ConsultationState
from service.application.uploads import Announcement
from service.dialects.dorsum import access
from service.dialects.dorsum.answers import ChunkWordsAnswer, ConsultationAnswer, FailureAnswer, NoteAnswer
from service.dialects.dorsum.names import DIALECT, session_name
from service.dialects.dorsum.notes import rendered
from service.dialects.dorsum.requests import (
    LONGEST_IDEMPOTENCY_KEY,
    Fields,
    InvalidRequest,
    OutputFormat,
    read_request,
    session_named,
)
from service.dialects.http.json_answers import json_answer
from service.dialects.http.limits import Limits, continue_later, tell_to_continue


class Transcribe:
    """The handlers. `window`: how long a session accepts chunks."""

    def __init__(
        self,
        consultations: Consultations,
        callers: Callers,
        limits: Limits,
        *,
        max_chunks: int,
        window: timedelta,
        largest_body_bytes: int,
    ) -> None:
        self._consultations = consultations
        self._callers = callers
        self._limits = limits
        self._max_chunks = max_chunks
        self._window = window
        self._largest_body_bytes = largest_body_bytes
        self._one_at_a_time = asyncio.Semaphore(1)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/api/consultations/transcribe", self.transcribe, expect_handler=continue_later)
        router.add_get("/api/consultations/{session_id}", self.session)

    async def transcribe(self, request: web.Request) -> web.Response:
        """POST /api/consultations/transcribe (S). The same request again gets the same answer (D)."""
        key = await access.permitted(request, self._callers)
        limits, largest = self._limits, self._largest_body_bytes
        idempotency_key = _idempotency_key(request)
        hold = limits.admit(request, largest)
        tell_to_continue(request)
        body = await limits.json_body(request, limit_bytes=largest, seconds=limits.chunk_seconds)
        async with self._one_at_a_time:  # parsing takes several times the body's size in memory
            fields, chunk = await asyncio.to_thread(read_request, body, idempotency_key)
        hold.shrink_to(len(chunk.content))
        del body
        self._consultations.check_language(fields.language)
        announced = self._announcement(key.project_id, fields)
        taken = await self._consultations.take(announced, chunk, language=fields.language)
        if isinstance(taken, ChunkWords):
            return json_answer(ChunkWordsAnswer(transcription=taken.transcript.text))
        return json_answer(_final_answer(taken, fields.output_format))

    def _announcement(self, tenant_id: str, fields: Fields) -> Announcement:
        name = session_name(fields.session_id)
        return Announcement(
            recording_id=recording_id(DIALECT, tenant_id, name),
            dialect=DIALECT,
            tenant_id=tenant_id,
            external_id=name,
            kind=RecordingKind.SAMPLES,
            finalize_policy=FinalizePolicy.RECONCILE,
            max_chunks=self._max_chunks,
            window=self._window,
            codec=PCM_CODEC,
            note_wanted=True,
            language=fields.language,
        )

    async def session(self, request: web.Request) -> web.Response:
        """GET /api/consultations/{session_id} (D): for a client that lost its own record."""
        key = await access.permitted(request, self._callers)
        name = session_named(request.match_info["session_id"])
        state = await self._consultations.state(recording_id(DIALECT, key.project_id, name))
        return json_answer(_session_answer(name, state))


def _idempotency_key(request: web.Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 1 <= len(key) <= LONGEST_IDEMPOTENCY_KEY:
        raise InvalidRequest(f"Idempotency-Key: This must have 1 to {LONGEST_IDEMPOTENCY_KEY} characters.")
    return key


def _final_answer(consultation: Consultation, output_format: OutputFormat) -> NoteAnswer:
    return NoteAnswer(
        task_id=str(consultation.recording_id),
        clinical_notes=rendered(consultation.note, output_format, consultation.edited),
        full_transcript=consultation.transcript.text,
    )


def _session_answer(name: str, state: ConsultationState) -> ConsultationAnswer:
    recording, failed = state.recording, state.recording.failed
    is_over = recording.finalized is not None
    return ConsultationAnswer(
        session_id=name,
        status="completed" if recording.note is not None else _STATUS.get(recording.phase, "processing"),
        chunks_received=len(recording.chunks),
        transcript=state.text,
        task_id=str(state.recording_id) if is_over else None,
        failure=None
        if failed is None
        else FailureAnswer(stage=failed.stage, reason=failed.reason, message=failed.message),
    )


_STATUS: Mapping[Phase, Literal["recording", "processing", "completed", "failed"]] = {
    Phase.OPEN: "recording",
    Phase.COMPLETED: "completed",
    Phase.FAILED: "failed",
    Phase.EXPIRED: "failed",
}
