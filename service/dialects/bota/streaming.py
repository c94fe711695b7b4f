"""Bota's streaming recording: create, upload chunks by the signed template, finalize, resume.

Source: REFERENCE.md, "Streaming recording"; our own additions (D) are marked below.
"""

import binascii
import hashlib
import re
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Literal
from uuid import UUID

import orjson
from aiohttp import web

from adapters.blobs.port import StoredBlob
from adapters.keys import Key, KeyKind
from domain.errors import ChunkNumberOutOfRange, RecordingAlreadyOpened
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
from service.dialects.bota.upload_urls import PATH, UploadUrls, accepts_until, check_not_expired
from service.dialects.bota.view import View
from service.dialects.bota.whole_file import pending_answer
from service.dialects.http.content_codings import coding_of
from service.dialects.http.json_answers import json_answer, utc_text
from service.dialects.http.limits import Limits, announced_bytes, continue_later, tell_to_continue, waits_to_be_asked

_LONGEST_IDEMPOTENCY_KEY = 255
_CHUNK_FILE = re.compile(r"chunk_(.*)\.[a-z0-9]+", re.ASCII)
_PART = re.compile(r"[0-9]{1,9}", re.ASCII)


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
        router.add_put(PATH, self.put_chunk, expect_handler=continue_later)
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

    async def put_chunk(self, request: web.Request) -> web.Response:
        """PUT of the template with a part number. The answer comes when the bytes and the event are durable.

        (D) 200 with the stored bytes' MD5 as ETag, as object stores do; `Content-MD5` is checked when sent, and covers
        the body as sent (RFC 1864), with its content coding. A file of another size than was announced is stored, too.
        """
        allowed = self._urls.check(request)
        recording_id = allowed.recording_id
        opened = await self._uploads.opened(recording_id)
        await self._urls.check_maker(allowed, opened)
        number = _part_number(request.match_info["file"], opened.max_chunks)
        as_sent = hashlib.md5(usedforsecurity=False) if coding_of(request) else None
        check = _chunk_check(request.headers.get("Content-MD5"), as_sent)
        body = self._limits.chunk_pieces(request, as_sent=as_sent)
        if waits_to_be_asked(request):
            body = _asked_for(request, body)
        blob = await self._uploads.store_chunk(
            recording_id,
            number,
            body,
            tenant_id=opened.tenant_id,
            announced_bytes=announced_bytes(request),
            expected_bytes=allowed.expected_bytes,
            check=check,
        )
        return web.Response(headers={"ETag": f'"{blob.md5}"'})

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


async def _asked_for(request: web.Request, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body, once somebody wants it: a client that waits to be asked sends nothing that would be refused."""
    tell_to_continue(request)
    async for piece in body:
        yield piece


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


def _part_number(file_name: str, max_chunks: int) -> int:
    """The part that a chunk's file name names. Raises: InvalidRequest, ChunkNumberOutOfRange."""
    match = _CHUNK_FILE.fullmatch(file_name)
    part = match[1] if match else file_name
    if not match or not _PART.fullmatch(part):
        raise InvalidRequest("part", f"Put a number from 1 to {max_chunks} in place of {{part}}, not {part[:40]!r}.")
    number = int(part)
    if not 1 <= number <= max_chunks:
        raise ChunkNumberOutOfRange(number, max_chunks)
    return number


def _chunk_check(content_md5: str | None, as_sent: "hashlib._Hash | None") -> Callable[[StoredBlob], None]:
    """The check on a chunk's bytes before they are published. `as_sent`: the MD5 of the body, if it had a coding.

    Raises: InvalidRequest for a bad header.
    """
    expected = None
    if content_md5 is not None:
        with suppress(binascii.Error, ValueError):
            expected = b64decode(content_md5, validate=True).hex()
        if expected is None or len(expected) != hashlib.md5(usedforsecurity=False).digest_size * 2:
            raise InvalidRequest("Content-MD5", "This must be the base64 form of a 16-byte MD5.")

    def check(blob: StoredBlob) -> None:
        if blob.size_bytes == 0:
            raise InvalidRequest("body", "The chunk is empty; a chunk has at least one byte.")
        arrived = as_sent.hexdigest() if as_sent else blob.md5
        if expected is not None and arrived != expected:
            raise InvalidRequest("Content-MD5", f"The body that arrived has the MD5 {arrived}; send it again.")

    return check
