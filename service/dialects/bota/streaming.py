"""Bota's streaming recording: create, finalize, resume. Its chunks come by the signed template (`chunk_puts.py`).

Source: REFERENCE.md, "Streaming recording"; our own additions (D) are marked below.
"""

import hashlib
from datetime import timedelta
from typing import Literal
from uuid import UUID

import orjson
from aiohttp import web

from adapters.keys import Key, KeyKind
from domain.errors import RecordingAlreadyOpened
from domain.events import FinalizePolicy, RecordingKind, RecordingOpened
from domain.identity import recording_id
from domain.recording import Phase, Recording
from service.application.callers import Callers
from service.application.clock import Clock, NewId
from service.application.queries import Queries
from service.application.uploads import Announcement, Uploads
from service.dialects.bota import access
from service.dialects.bota.answers import ChunksAnswer, RecordingAnswer, StreamingCreatedAnswer
from service.dialects.bota.errors import NotStreamingRecording
from service.dialects.bota.identifiers import DIALECT, public_recording_id, recording_id_of
from service.dialects.bota.rendering import chunk_answers, finalize_answer
from service.dialects.bota.requests import CreateRecording, FinalizeRecording, InvalidRequest, parse, parse_create
from service.dialects.bota.upload_urls import UploadUrls, accepts_until, check_not_expired
from service.dialects.bota.view import View
from service.dialects.bota.whole_file import pending_answer
from service.dialects.http.json_answers import json_answer, utc_text
from service.dialects.http.limits import Limits

_LONGEST_IDEMPOTENCY_KEY = 255


class Streaming:
    """The handlers. `max_chunks`, `window`: how many chunks a recording may have, and how long it accepts them."""

    def __init__(
        self,
        uploads: Uploads,
        queries: Queries,
        callers: Callers,
        urls: UploadUrls,
        limits: Limits,
        *,
        max_chunks: int,
        window: timedelta,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._uploads = uploads
        self._callers = callers
        self._urls = urls
        self._limits = limits
        self._max_chunks = max_chunks
        self._window = window
        self._clock = clock
        self._new_id = new_id
        self._view = View(queries)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/v1/recordings", self.create)
        router.add_get("/v1/recordings/{recording_id}/chunks", self.chunks)
        router.add_post("/v1/recordings/{recording_id}/finalize", self.finalize)

    async def create(self, request: web.Request) -> web.Response:
        """POST /v1/recordings. With an `Idempotency-Key`, the same request again gives the same recording (D)."""
        key = await access.permitted(request, self._callers, access.CREATE_RECORDING)
        asked = parse_create(await self._limits.json_body(request))
        announced = self._announcement(request, key, asked)
        opened = await self._opened(announced, asked)
        if not asked.streaming:
            return json_answer(await self._whole_file_answer(key, announced.recording_id, opened, asked), status=201)
        answer = StreamingCreatedAnswer(
            id=public_recording_id(announced.recording_id),
            status="streaming",
            chunk_upload_url_template=self._urls.template(key, announced.recording_id, opened),
            max_chunks=opened.max_chunks,
            expires_at=utc_text(opened.expires_at),
        )
        return json_answer(answer, status=201)

    async def _opened(self, announced: Announcement, asked: CreateRecording) -> RecordingOpened:
        """A recording that its device names is the same one, whatever else is said of it later. (D)

        Raises: RecordingAlreadyOpened.
        """
        if not _is_named_by_its_device(asked):
            return (await self._uploads.open(announced)).opened
        opened = (await self._uploads.ensure_open(announced)).opened
        if opened.kind is not announced.kind:
            raise RecordingAlreadyOpened
        return opened

    async def _whole_file_answer(
        self, key: Key, its_id: UUID, opened: RecordingOpened, asked: CreateRecording
    ) -> RecordingAnswer:
        if _is_named_by_its_device(asked):
            return await self._view.recording_answer(its_id, await self._view.summary(key, its_id))
        return pending_answer(its_id, opened, asked)

    def _announcement(self, request: web.Request, key: Key, asked: CreateRecording) -> Announcement:
        from_device = key.kind is KeyKind.DEVICE  # its token determines both ids (P)
        end_user_id = key.end_user_id if from_device else asked.end_user_id
        device_id = key.device_id if from_device else asked.device_id
        if end_user_id is None:
            raise InvalidRequest("end_user_id", "This field is required with an API key.")
        external_id = _external_id(asked, device_id or end_user_id) or self._external_id(request, key)
        return Announcement(
            recording_id=recording_id(DIALECT, key.project_id, external_id),
            dialect=DIALECT,
            tenant_id=key.project_id,
            external_id=external_id,
            kind=RecordingKind.STREAMED if asked.streaming else RecordingKind.WHOLE_FILE,
            finalize_policy=FinalizePolicy.REJECT,
            max_chunks=self._max_chunks if asked.streaming else 1,
            window=self._window,
            codec=asked.codec if asked.streaming else None,
            started_at=asked.started_at or asked.recorded_at,
            recorded_at=asked.recorded_at or asked.started_at,
            ended_at=asked.ended_at,
            estimated_duration_ms=asked.estimated_duration_ms,
            chunk_duration_ms=asked.chunk_duration_ms,
            device_id=device_id,
            end_user_id=end_user_id,
            details=_details(asked),
            source=asked.source,
            upload_method=asked.upload_method,
            recording_uuid=asked.recording_uuid,
            recording_generation=asked.recording_generation,
        )

    def _external_id(self, request: web.Request, key: Key) -> str:
        idempotency_key = request.headers.get("Idempotency-Key")
        if idempotency_key is None:
            return self._new_id()
        if not 1 <= len(idempotency_key) <= _LONGEST_IDEMPOTENCY_KEY:
            raise InvalidRequest("Idempotency-Key", f"This must have 1 to {_LONGEST_IDEMPOTENCY_KEY} characters.")
        named = f"{key.device_id or ''} {idempotency_key}"
        return hashlib.sha256(named.encode("utf-8", "surrogateescape")).hexdigest()

    async def finalize(self, request: web.Request) -> web.Response:
        """POST /v1/recordings/{id}/finalize (S). The same call again gives the same bytes, whatever happened since."""
        key = await access.permitted(request, self._callers, access.FINALIZE_RECORDING)
        asked = parse(FinalizeRecording, await self._limits.json_body(request))
        recording_id = recording_id_of(request.match_info["recording_id"])
        found = await self._view.recording(key, recording_id)
        if not _is_streamed_here(found.opened):
            if found.phase is Phase.EXPIRED:
                check_not_expired(found, self._clock())
            raise NotStreamingRecording(is_elsewhere=found.opened.dialect != DIALECT)
        recording = await self._uploads.finalize(
            recording_id,
            total_chunks=asked.total_chunks,
            final_duration_ms=asked.final_duration_ms,
            checksum_md5=asked.checksum_md5.lower() if asked.checksum_md5 else None,
        )
        return json_answer(finalize_answer(recording_id, recording))

    async def chunks(self, request: web.Request) -> web.Response:
        """GET /v1/recordings/{id}/chunks (D): what has arrived, and a template to send the rest, or to replace what
        could not be used."""
        key = await access.permitted(request, self._callers, access.RESUME_UPLOAD)
        recording_id = recording_id_of(request.match_info["recording_id"])
        recording = await self._view.recording(key, recording_id)
        opened, finalized = recording.opened, recording.finalized
        until = accepts_until(recording, self._clock(), self._window) if _is_streamed_here(opened) else None
        answer = ChunksAnswer(
            id=public_recording_id(recording_id),
            status=_upload_status(recording),
            chunks_received=len(recording.chunks),
            total_chunks=finalized.total_chunks if finalized else None,
            max_chunks=opened.max_chunks,
            chunk_upload_url_template=self._urls.template(key, recording_id, opened, until) if until else None,
            expires_at=utc_text(until or opened.expires_at),
            data=chunk_answers(recording),
        )
        return json_answer(answer)


def _upload_status(recording: Recording) -> Literal["pending", "streaming", "uploaded", "failed"]:
    """How far its upload has come, whatever was made of it since."""
    if recording.phase is Phase.EXPIRED:
        return "failed"
    if recording.finalized is not None:
        return "uploaded"
    return "pending" if recording.opened.kind is RecordingKind.WHOLE_FILE else "streaming"


def _is_named_by_its_device(asked: CreateRecording) -> bool:
    return asked.recording_uuid is not None and asked.recording_generation is not None


def _external_id(asked: CreateRecording, owner: str) -> str | None:
    """(P) What the device names the recording by makes its creation idempotent, for each device. (D) Or for each end
    user, without a device."""
    if asked.recording_uuid is None or asked.recording_generation is None:
        return None
    named = f"recording {owner} {asked.recording_uuid.lower()} {asked.recording_generation}"
    return hashlib.sha256(named.encode()).hexdigest()


def _is_streamed_here(opened: RecordingOpened) -> bool:
    """Whether the template and finalize are for it. Recordings of other dialects are uploaded and finalized there."""
    return opened.dialect == DIALECT and opened.kind is RecordingKind.STREAMED


def _details(asked: CreateRecording) -> bytes | None:
    if asked.name is None and not asked.metadata:
        return None
    return orjson.dumps({"name": asked.name, "metadata": asked.metadata}, option=orjson.OPT_SORT_KEYS)
