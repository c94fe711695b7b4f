"""Bota's streaming recording: create, upload chunks by the signed template, finalize, resume.

Source: REFERENCE.md, "Streaming recording"; what is our own there (D) is said below.
"""

import asyncio
import binascii
import hashlib
import re
from base64 import b64decode
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import orjson
from aiohttp import web

from adapters.blobs.staging import discard, staged
from adapters.blobs.store import StoredBlob
from adapters.keys import Key, KeyKind
from domain import commands
from domain.errors import ChunkNumberOutOfRange, RecordingError
from domain.events import FinalizePolicy, RecordingOpened
from domain.identity import recording_id
from domain.recording import Recording
from service.application.processing import blob_prefix
from service.application.stored_chunks import record_chunk
from service.application.trace import trace_id
from service.dialects.bota import access
from service.dialects.bota.answers import ChunksAnswer, StreamingCreatedAnswer
from service.dialects.bota.errors import NotStreamingRecording
from service.dialects.bota.identifiers import DIALECT, public_recording_id, recording_id_of
from service.dialects.bota.objects import chunk_objects, finalize_answer, is_whole_file
from service.dialects.bota.requests import CreateRecording, FinalizeRecording, InvalidRequest, parse
from service.dialects.bota.whole_file import pending_answer
from service.dialects.http.json_answers import json_answer, utc_text
from service.dialects.http.limits import body_pieces, check_announced_size, continue_later, tell_to_continue, whole_body
from service.runtime.deck import Deck

_LONGEST_IDEMPOTENCY_KEY = 255
_CHUNK_FILE = re.compile(r"chunk_(.*)\.[a-z0-9]+", re.ASCII)
_PART = re.compile(r"[0-9]{1,9}", re.ASCII)


class Streaming:
    """The handlers, over one deck."""

    def __init__(self, deck: Deck) -> None:
        self._deck = deck
        self._chunk_bytes = deck.metrics.chunk_bytes.labels(DIALECT)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/v1/recordings", self.create)
        router.add_put(
            "/v1/uploads/{project_id}/{recording_id}/{file:[^/]+}", self.put_chunk, expect_handler=continue_later
        )
        router.add_get("/v1/recordings/{recording_id}/chunks", self.chunks)
        router.add_post("/v1/recordings/{recording_id}/finalize", self.finalize)

    async def create(self, request: web.Request) -> web.Response:
        """POST /v1/recordings. With an `Idempotency-Key`, the same request again gives the same recording (D)."""
        key = access.permitted(request, self._deck, access.CREATE_RECORDING)
        asked = parse(CreateRecording, await self._json_body(request))
        external_id = self._external_id(request, key)
        its_id = recording_id(DIALECT, key.project_id, external_id)
        outcome = await self._deck.recordings.execute(
            its_id, await self._open_command(its_id, external_id, key, asked), trace_id=trace_id.get()
        )
        opened = outcome.recording.opened
        if not asked.streaming:
            return json_answer(pending_answer(its_id, opened, asked), status=201)
        answer = StreamingCreatedAnswer(
            id=public_recording_id(its_id),
            status="streaming",
            chunk_upload_url_template=self._upload_template(its_id, opened),
            max_chunks=opened.max_chunks,
            expires_at=utc_text(opened.expires_at),
        )
        return json_answer(answer, status=201)

    def _external_id(self, request: web.Request, key: Key) -> str:
        idempotency_key = request.headers.get("Idempotency-Key")
        if idempotency_key is None:
            return self._deck.new_id()
        if not 1 <= len(idempotency_key) <= _LONGEST_IDEMPOTENCY_KEY:
            raise InvalidRequest("Idempotency-Key", f"It must have 1 to {_LONGEST_IDEMPOTENCY_KEY} characters.")
        named = f"{key.device_id or ''} {idempotency_key}"
        return hashlib.sha256(named.encode("utf-8", "surrogateescape")).hexdigest()

    async def _open_command(
        self, its_id: UUID, external_id: str, key: Key, asked: CreateRecording
    ) -> commands.OpenRecording:
        from_device = key.kind is KeyKind.DEVICE  # its token fixes who and what it is (P)
        end_user_id = key.end_user_id if from_device else asked.end_user_id
        if end_user_id is None:
            raise InvalidRequest("end_user_id", "This field is required with an API key.")
        now = self._deck.clock()
        return commands.OpenRecording(
            at=now,
            dialect=DIALECT,
            tenant_id=key.project_id,
            external_id=external_id,
            finalize_policy=FinalizePolicy.REJECT,
            max_chunks=self._deck.settings.max_chunks if asked.streaming else 1,
            expires_at=(now + self._deck.settings.upload_window).replace(microsecond=0),
            codec=asked.codec if asked.streaming else None,
            started_at=asked.started_at,
            ended_at=asked.ended_at,
            estimated_duration_ms=asked.estimated_duration_ms,
            chunk_duration_ms=asked.chunk_duration_ms,
            device_id=key.device_id if from_device else asked.device_id,
            end_user_id=end_user_id,
            details_key=await self._store_details(its_id, asked),
        )

    async def _store_details(self, its_id: UUID, asked: CreateRecording) -> str | None:
        """Free text may name a patient, so it is a blob and not in the log."""
        if asked.name is None and not asked.metadata:
            return None
        details = orjson.dumps({"name": asked.name, "metadata": asked.metadata}, option=orjson.OPT_SORT_KEYS)
        blob = await asyncio.to_thread(self._deck.blobs.put_bytes, blob_prefix(its_id, "details"), details)
        return blob.key

    def _upload_template(self, its_id: UUID, opened: RecordingOpened) -> str:
        """One URL for every part (S): it holds the literal `{part}` and its own signature."""
        directory = f"{opened.tenant_id}/{public_recording_id(its_id)}"
        query = self._deck.signer.query("upload", directory, opened.expires_at)
        return f"{self._deck.settings.base_url}/v1/uploads/{directory}/chunk_{{part}}.{opened.codec}?{query}"

    async def put_chunk(self, request: web.Request) -> web.Response:
        """PUT of the template with a part number. The answer comes when the bytes and the event are durable.

        (D) 200 with the MD5 as ETag, as object stores do; `Content-MD5` (RFC 1864) is checked when sent.
        """
        its_id = self._check_upload_signature(request)
        opened = await self._deck.recordings.opened(its_id)
        number = _part_number(request.match_info["file"], opened.max_chunks)
        limits = self._deck.limits
        check = _chunk_check(request.headers.get("Content-MD5"))
        check_announced_size(request, limits.chunk_bytes)
        tell_to_continue(request)
        body = body_pieces(request, limit_bytes=limits.chunk_bytes, seconds=limits.chunk_seconds)
        async with staged(
            self._deck.blobs,
            blob_prefix(its_id, f"chunk-{number}"),
            body,
            announced_bytes=request.content_length,
            check=check,
        ) as chunk:
            try:
                await record_chunk(self._deck, its_id, number, chunk)
            except RecordingError:
                await discard(self._deck.blobs, chunk)  # no recording can come to hold it any more
                raise
        self._chunk_bytes.inc(chunk.size_bytes)
        return web.Response(headers={"ETag": f'"{chunk.blob.md5}"'})

    def _check_upload_signature(self, request: web.Request) -> UUID:
        """The recording that the URL is for. Raises: SignatureRefused; RecordingNotFound."""
        directory = f"{request.match_info['project_id']}/{request.match_info['recording_id']}"
        self._deck.signer.check_query("upload", directory, request.query_string, now=self._deck.clock())
        return recording_id_of(request.match_info["recording_id"])

    async def finalize(self, request: web.Request) -> web.Response:
        """POST /v1/recordings/{id}/finalize (S). The same call again gives the same bytes, whatever happened since."""
        key = access.permitted(request, self._deck, access.FINALIZE_RECORDING)
        asked = parse(FinalizeRecording, await self._json_body(request))
        its_id = recording_id_of(request.match_info["recording_id"])
        if is_whole_file((await self._owned(key, its_id)).opened.codec):
            raise NotStreamingRecording
        command = commands.FinalizeRecording(
            at=self._deck.clock(),
            total_chunks=asked.total_chunks,
            final_duration_ms=asked.final_duration_ms,
            checksum_md5=asked.checksum_md5.lower() if asked.checksum_md5 else None,
        )
        outcome = await self._deck.recordings.execute(its_id, command, trace_id=trace_id.get())
        return json_answer(finalize_answer(its_id, outcome.recording))

    async def chunks(self, request: web.Request) -> web.Response:
        """GET /v1/recordings/{id}/chunks (D): what has arrived, and while it is open a template to send the rest."""
        key = access.permitted(request, self._deck, access.RESUME_UPLOAD)
        its_id = recording_id_of(request.match_info["recording_id"])
        recording = await self._owned(key, its_id)
        opened, finalized = recording.opened, recording.finalized
        is_file = is_whole_file(opened.codec)
        takes_chunks = not is_file and finalized is None and not recording.has_expired(self._deck.clock())
        answer = ChunksAnswer(
            id=public_recording_id(its_id),
            status="uploaded" if finalized else "pending" if is_file else "streaming",
            chunks_received=len(recording.chunks),
            total_chunks=finalized.total_chunks if finalized else None,
            max_chunks=opened.max_chunks,
            chunk_upload_url_template=self._upload_template(its_id, opened) if takes_chunks else None,
            expires_at=utc_text(opened.expires_at),
            data=chunk_objects(recording),
        )
        return json_answer(answer)

    async def _owned(self, key: Key, its_id: UUID) -> Recording:
        recording = await self._deck.recordings.find(its_id)
        opened = recording.opened
        access.check_owner(key, its_id, tenant_id=opened.tenant_id, device_id=opened.device_id)
        return recording

    async def _json_body(self, request: web.Request) -> bytes:
        limits = self._deck.limits
        return await whole_body(request, limit_bytes=limits.json_bytes, seconds=limits.json_seconds)


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


def _chunk_check(content_md5: str | None) -> Callable[[StoredBlob], None]:
    """What must hold of a chunk's bytes before they are published. Raises: InvalidRequest for a bad header."""
    expected = None
    if content_md5 is not None:
        with suppress(binascii.Error, ValueError):
            expected = b64decode(content_md5, validate=True).hex()
        if expected is None or len(expected) != hashlib.md5(usedforsecurity=False).digest_size * 2:
            raise InvalidRequest("Content-MD5", "It must be the base64 form of a 16-byte MD5.")

    def check(blob: StoredBlob) -> None:
        if blob.size_bytes == 0:
            raise InvalidRequest("body", "The chunk is empty; a chunk has at least one byte.")
        if expected is not None and blob.md5 != expected:
            raise InvalidRequest("Content-MD5", f"The body that arrived has the MD5 {blob.md5}; send it again.")

    return check
