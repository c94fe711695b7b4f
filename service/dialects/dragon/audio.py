"""Dragon's audio: chunks as multipart forms, and finalize, in any order. Source: REFERENCE.md."""

from uuid import UUID

from aiohttp import web

from adapters.blobs.staging import Staged, discard, staged
from adapters.tokens.allow_list import Application
from domain import commands
from domain.ambient_session import AmbientSessionNotFound
from domain.errors import RecordingAlreadyOpened, RecordingError, RecordingNotFound
from domain.events import FinalizePolicy
from domain.recording import Recording
from service.application.processing import blob_prefix
from service.application.stored_chunks import record_chunk
from service.application.trace import trace_id
from service.dialects.dragon import access
from service.dialects.dragon.answers import SuccessResponse
from service.dialects.dragon.chunk_form import ChunkForm
from service.dialects.dragon.names import DIALECT, external_id, recording_named
from service.dialects.dragon.requests import (
    AUDIO_API_VERSION,
    ChunkMetadata,
    InvalidRequest,
    RecordingPart,
    check_api_version,
    check_trace_header,
    parse_chunk_metadata,
    parse_finalize,
)
from service.dialects.http.json_answers import json_answer
from service.dialects.http.limits import continue_later, tell_to_continue, whole_body
from service.runtime.deck import Deck

METADATA_ONLY_CHUNK = 1
"""(P) The one chunk that may come without bytes."""

NO_BYTES_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
NO_BYTES_MD5 = "d41d8cd98f00b204e9800998ecf8427e"


class Audio:
    """The handlers, over one deck. (D) Order of checks: token, api-version, trace id, body, tenant, session."""

    def __init__(self, deck: Deck) -> None:
        self._deck = deck

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_put("/audio/storeChunk", self.store_chunk, expect_handler=continue_later)
        router.add_post("/audio/finalizeUpload", self.finalize_upload, expect_handler=continue_later)

    async def store_chunk(self, request: web.Request) -> web.Response:
        """PUT /audio/storeChunk (P). The answer comes when the bytes and the event are durable."""
        caller = await access.caller(request, self._deck)
        check_api_version(request, AUDIO_API_VERSION)
        check_trace_header(request)
        form = ChunkForm(request, self._deck.limits)
        tell_to_continue(request)
        max_chunks = self._deck.settings.dragon_max_chunks
        asked = parse_chunk_metadata(await form.metadata(), request.query, max_chunks=max_chunks)
        its_id = await self._permitted(request, caller, asked)
        content = await form.content()
        if content is None:
            if asked.chunk_number != METADATA_ONLY_CHUNK:
                raise InvalidRequest("content is required for every chunk but the first")
            await self._store(its_id, asked, None)
        else:
            async with staged(self._deck.blobs, blob_prefix(its_id, f"chunk-{asked.chunk_number}"), content) as chunk:
                await self._store(its_id, asked, chunk)
            self._deck.metrics.chunk_bytes.labels(DIALECT).inc(chunk.size_bytes)
        return _success()

    async def _store(self, its_id: UUID, asked: ChunkMetadata, chunk: Staged | None) -> None:
        try:
            await self._open(its_id, asked)
            if chunk is None:
                await self._record_announced(its_id, asked.chunk_number)
            else:
                await record_chunk(self._deck, its_id, asked.chunk_number, chunk)
        except RecordingError:
            if chunk is not None:
                await self._forget(its_id, asked.chunk_number, chunk)
            raise

    async def _record_announced(self, its_id: UUID, number: int) -> None:
        """A chunk of which there are no bytes, or not yet."""
        command = commands.StoreChunk(
            at=self._deck.clock(), number=number, blob_key=None, size_bytes=0, sha256=NO_BYTES_SHA256, md5=NO_BYTES_MD5
        )
        await self._deck.recordings.execute(its_id, command, trace_id=trace_id.get())

    async def _forget(self, its_id: UUID, number: int, chunk: Staged) -> None:
        """Remove the bytes of a refused chunk, unless the recording holds the same ones."""
        recording = await self._find(its_id)
        held = recording.chunks.get(number) if recording else None
        if held is None or held.blob_key != chunk.blob.key:
            await discard(self._deck.blobs, chunk)

    async def finalize_upload(self, request: web.Request) -> web.Response:
        """POST /audio/finalizeUpload (S). Before the chunks it is a success, too: they are waited for."""
        caller = await access.caller(request, self._deck)
        check_api_version(request, AUDIO_API_VERSION)
        check_trace_header(request)
        limits = self._deck.limits
        tell_to_continue(request)
        body = await whole_body(request, limit_bytes=limits.json_bytes, seconds=limits.json_seconds)
        asked = parse_finalize(body, request.query, max_chunks=self._deck.settings.dragon_max_chunks)
        its_id = await self._permitted(request, caller, asked)
        await self._open(its_id, asked)
        command = commands.FinalizeRecording(at=self._deck.clock(), total_chunks=asked.total_chunks)
        await self._deck.recordings.execute(its_id, command, trace_id=trace_id.get())
        return _success()

    async def _permitted(self, request: web.Request, caller: Application, asked: RecordingPart) -> UUID:
        """The recording's id, where the caller may write to it. Raises: NotYours; AmbientSessionNotFound."""
        access.check_tenant(
            caller, customer_id=asked.customer_id, partner_id=asked.partner_id, product_id=asked.product_id
        )
        its_id = recording_named(asked.session.tenant_id, asked.correlation_id, asked.recording_number)
        request["recording_id"] = its_id.hex  # for the request's log line
        await self._check_session(its_id, asked)
        return its_id

    async def _check_session(self, its_id: UUID, asked: RecordingPart) -> None:
        """(S) There must be a session, unless the check is off or the request skips it.

        Whether or not there must be one: a session that is there is its partner's alone, and after its end no further
        recording begins in it. Those that have begun take their late chunks.
        """
        try:
            session = await self._deck.sessions.find(asked.session.id)
        except AmbientSessionNotFound:
            if self._deck.settings.ambient_session_required and not asked.skips_session_check:
                raise
            return
        if session.partner_id != asked.partner_id:
            raise AmbientSessionNotFound
        if session.has_ended and not asked.skips_session_check and await self._find(its_id) is None:
            raise AmbientSessionNotFound

    async def _find(self, its_id: UUID) -> Recording | None:
        try:
            return await self._deck.recordings.find(its_id)
        except RecordingNotFound:
            return None

    async def _open(self, its_id: UUID, asked: RecordingPart) -> None:
        """Whatever comes first of a recording, a chunk or finalize, opens it. Raises: RecordingNotFound: deleted."""
        if await self._find(its_id) is not None:
            return
        now = self._deck.clock()
        command = commands.OpenRecording(
            at=now,
            dialect=DIALECT,
            tenant_id=asked.session.tenant_id,
            external_id=external_id(asked.correlation_id, asked.recording_number),
            finalize_policy=FinalizePolicy.RECONCILE,
            max_chunks=self._deck.settings.dragon_max_chunks,
            expires_at=now + self._deck.settings.dragon_upload_window,
            end_user_id=asked.external_user_id,
        )
        try:
            await self._deck.recordings.execute(its_id, command, trace_id=trace_id.get())
        except RecordingAlreadyOpened:
            return  # by another call at the same moment, which named another user


def _success() -> web.Response:
    """(S)"""
    return json_answer(SuccessResponse())
