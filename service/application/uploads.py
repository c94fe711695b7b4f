"""Taking recordings in, the same for every dialect: open one, store or append its chunks, declare it complete.

Bytes come first, their event second, and one commit makes both durable; a refused chunk leaves no bytes behind.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Self
from uuid import UUID

from adapters.audio.signatures import BEGINNING_SIZE, not_audio_by_its_beginning
from adapters.blobs.discarding import discard
from adapters.blobs.looking import is_stored
from adapters.blobs.port import BlobStore, Staged, StorageUnavailable, StoredBlob
from adapters.event_log.port import LogUnavailable
from adapters.futures import shared
from adapters.staged_bytes import Keeper
from domain import commands
from domain.decisions import chunk_asked_for
from domain.errors import RecordingAlreadyOpened, RecordingError, RecordingNotFound, RecordingTooLarge
from domain.events import ChunkStored, ErasedPart, FinalizePolicy, RecordingKind, RecordingOpened, SampleScale
from domain.life import decide
from domain.recording import Phase, Recording
from service.application.blob_names import blob_prefix
from service.application.chunk_room import Check, Content, within_room
from service.application.clock import Clock
from service.application.keyed_locks import Locks
from service.application.metrics import Metrics
from service.application.quotas import QuotaReached, Quotas, Room
from service.application.recordings import Recordings
from service.application.streams import Contended
from service.application.trace import trace_id

logger = logging.getLogger(__name__)

NO_BYTES_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
NO_BYTES_MD5 = "d41d8cd98f00b204e9800998ecf8427e"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What a caller says about a recording before its bytes come.

    `window`: how long it accepts uploads. `details`: free text about it, which is content and kept as a blob.
    """

    recording_id: UUID
    dialect: str
    tenant_id: str
    external_id: str
    kind: RecordingKind
    finalize_policy: FinalizePolicy
    max_chunks: int
    window: timedelta
    codec: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    estimated_duration_ms: int | None = None
    chunk_duration_ms: int | None = None
    device_id: str | None = None
    end_user_id: str | None = None
    details: bytes | None = None
    note_wanted: bool = False
    language: str | None = None
    recorded_at: datetime | None = None
    source: str | None = None
    upload_method: str | None = None
    recording_uuid: str | None = None
    recording_generation: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivedChunk:
    """A chunk that gets the next number: its bytes, their digest, and what identifies its request.

    A request with an idempotency key is recognized whenever it is repeated, any other only if it is repeated directly.
    """

    content: bytes
    sha256: str
    request_sha256: str
    request_is_named: bool
    is_last: bool
    sample_scale: SampleScale | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """The recording including the chunk, and the chunk as it is stored, now or before."""

    recording: Recording
    chunk: ChunkStored


class Uploads:
    """`settling`: a lock for each blob, which whoever removes chunks' bytes takes, too."""

    def __init__(
        self,
        recordings: Recordings,
        blobs: BlobStore,
        *,
        quotas: Quotas,
        clock: Clock,
        metrics: Metrics,
        settling: Locks,
        most_bytes: int | None = None,
    ) -> None:
        self._recordings = recordings
        self._quotas = quotas
        self._blobs = blobs
        self._clock = clock
        self._counter = cache(metrics.chunk_bytes.labels)  # of few dialects; finding it costs more than counting
        self._most_bytes = most_bytes
        self._settling = settling  # by blob: equal bytes of a refused request are gone before others are accepted

    async def open(self, announced: Announcement) -> Recording:
        """Open the recording. Opening again with the same facts changes nothing, whatever the project's quotas.

        Raises: RecordingAlreadyOpened if the facts differ; RecordingNotFound once it is deleted; QuotaReached; what
        storing raises.
        """
        try:
            async with self._quotas.opening(announced.tenant_id):
                return await self._open(announced)
        except QuotaReached:
            if await self.find(announced.recording_id) is None:
                raise
        return await self._open(announced)

    async def _open(self, announced: Announcement) -> Recording:
        details_key = await self._keep_details(announced)
        now = self._clock()
        command = commands.OpenRecording(
            at=now,
            dialect=announced.dialect,
            tenant_id=announced.tenant_id,
            external_id=announced.external_id,
            kind=announced.kind,
            finalize_policy=announced.finalize_policy,
            max_chunks=announced.max_chunks,
            expires_at=(now + announced.window).replace(microsecond=0),
            codec=announced.codec,
            started_at=announced.started_at,
            ended_at=announced.ended_at,
            estimated_duration_ms=announced.estimated_duration_ms,
            chunk_duration_ms=announced.chunk_duration_ms,
            device_id=announced.device_id,
            end_user_id=announced.end_user_id,
            details_key=details_key,
            note_wanted=announced.note_wanted,
            language=announced.language,
            recorded_at=announced.recorded_at,
            source=announced.source,
            upload_method=announced.upload_method,
            recording_uuid=announced.recording_uuid,
            recording_generation=announced.recording_generation,
        )
        try:
            recording = await self._execute(announced.recording_id, command)
        except RecordingError:
            if details_key is not None:
                await self._discard_details(announced.recording_id, details_key)
            raise
        if details_key is not None and recording.erased is ErasedPart.EVERYTHING:  # and now back with this request
            await self._blobs.delete(details_key)
        return recording

    async def ensure_open(self, announced: Announcement) -> Recording:
        """Open the recording unless it is open: for dialects in which the first request about a recording opens it.

        Raises: RecordingNotFound once it is deleted; QuotaReached; what storing raises.
        """
        return await self.find(announced.recording_id) or await self._open_first(announced)

    async def _open_first(self, announced: Announcement) -> Recording:
        """Open a recording that was not found."""
        try:
            return await self.open(announced)
        except RecordingAlreadyOpened:  # by another call at the same moment, with other facts
            return await self._recordings.find(announced.recording_id)

    async def find(self, recording_id: UUID) -> Recording | None:
        """The recording; None if there is none or it is deleted. Raises: LogUnavailable."""
        try:
            return await self._recordings.find(recording_id)
        except RecordingNotFound:
            return None

    async def opened(self, recording_id: UUID) -> RecordingOpened:
        """How the recording was opened. Waits for no later commit. Raises: as `Recordings.opened`."""
        return await self._recordings.opened(recording_id)

    async def _keep_details(self, announced: Announcement) -> str | None:
        """Free text may name a patient, so it is a blob and not in the log."""
        if announced.details is None:
            return None
        prefix = blob_prefix(announced.recording_id, "details")
        return (await asyncio.to_thread(self._blobs.put_bytes, prefix, announced.details)).key

    async def _discard_details(self, recording_id: UUID, details_key: str) -> None:
        if not await self._holds(recording_id, lambda recording: recording.opened.details_key == details_key):
            await self._blobs.delete(details_key)

    async def store_chunk(
        self,
        recording_id: UUID,
        number: int,
        body: AsyncIterable[bytes],
        *,
        opening: Announcement | None = None,
        tenant_id: str | None = None,
        announced_bytes: int | None = None,
        expected_bytes: int | None = None,
        check: Check | None = None,
    ) -> StoredBlob:
        """Accept chunk `number` as it streams in; bytes and event are durable on return. Bytes that cannot be audio are
        stored, too, and noted as suspect.

        `opening`: opens the recording if nothing of it has come yet. `tenant_id`: its project, where the caller has
        looked it up. `announced_bytes`: how many this body will have;
        `expected_bytes`: how many the caller said before that the chunk would have. `check` gets the digests of the
        bytes before anything is recorded, and refuses by raising.

        Raises: a RecordingError of the domain; QuotaReached, before anything is read if the size was announced; what
        the body, `check` and storing raise.
        """
        if tenant_id is None:
            tenant_id = opening.tenant_id if opening else (await self.opened(recording_id)).tenant_id
        if announced_bytes is not None:
            await self._check_size(recording_id, number, announced_bytes)
        if opening is not None:
            await self._check_may_begin(opening)
        with self._quotas.room(tenant_id) as room:
            asked = Content(body, announced_bytes, check)
            content = await within_room(room, asked, stored=lambda: self._stored(recording_id, number))
            return await self._store_chunk(recording_id, number, content, opening, expected_bytes)

    async def _check_size(self, recording_id: UUID, number: int, announced_bytes: int) -> None:
        """Whether the recording may have so many bytes more, as far as that is known without waiting: the decision has
        the last word. Raises: RecordingTooLarge."""
        known = self._recordings.in_memory(recording_id, at_least=1)
        try:
            self._check_room(known, number, announced_bytes)
        except RecordingTooLarge:  # unless another process has replaced a chunk by a smaller one since
            self._check_room(await self._recordings.newest(recording_id), number, announced_bytes)

    def _check_room(self, known: Recording | None, number: int, announced_bytes: int) -> None:
        if known is not None and known.phase in (Phase.OPEN, Phase.AWAITING_CHUNKS):
            known.check_room(number, announced_bytes, self._most_bytes)

    async def _check_may_begin(self, opening: Announcement) -> None:
        """Raises: QuotaReached for a recording that is not open and could not be opened."""
        try:
            await self._quotas.check_opening(opening.tenant_id)
        except QuotaReached:
            if await self.find(opening.recording_id) is None:
                raise

    async def _stored(self, recording_id: UUID, number: int) -> ChunkStored | None:
        recording = await self.find(recording_id)
        return None if recording is None else recording.chunks.get(number)

    async def _store_chunk(
        self,
        recording_id: UUID,
        number: int,
        content: Content,
        opening: Announcement | None,
        expected_bytes: int | None,
    ) -> StoredBlob:
        prefix = blob_prefix(recording_id, f"chunk-{number}")
        beginning = bytearray()
        noted = _NotingTheBeginning(content.body, beginning)
        async with (
            self._blobs.stage(prefix, noted, announced_bytes=content.announced_bytes, check=content.check) as staged,
            self._settling.of(staged.blob.key),
        ):
            await self._ensure_kept(staged)
            try:
                if opening is not None:
                    await self.ensure_open(opening)
                looks_like = not_audio_by_its_beginning(bytes(beginning))
                recording = await self._record(recording_id, number, staged, looks_like, expected_bytes)
            except (RecordingError, QuotaReached):
                await self._discard(recording_id, number, staged)
                raise
        self._counter(recording.opened.dialect).inc(staged.size_bytes)
        return staged.blob

    async def _ensure_kept(self, staged: Staged) -> None:
        """Refuse bytes that went with equal ones that were refused a moment ago. Raises: StorageUnavailable."""
        if staged.keeper is None and not await is_stored(self._blobs, staged.blob.key):
            raise StorageUnavailable("equal bytes were refused a moment ago; send the chunk again")

    async def _record(
        self, recording_id: UUID, number: int, staged: Staged, looks_like: str | None, expected_bytes: int | None
    ) -> Recording:
        blob = staged.blob
        command = commands.StoreChunk(
            at=self._clock(),
            number=number,
            blob_key=blob.key,
            size_bytes=blob.size_bytes,
            sha256=blob.sha256,
            md5=blob.md5,
            looks_like=looks_like,
            expected_bytes=expected_bytes,
            most_bytes=self._most_bytes,
        )
        outcome = await self._recordings.execute(recording_id, command, trace_id=trace_id.get(), after=staged)
        recording = outcome.state
        if staged.keeper is None and not recording.keeps_chunks:  # and now back with a repeated request
            await self._blobs.delete(blob.key)
        is_repeated = not outcome.events and recording.keeps_chunks
        if is_repeated and staged.keeper is not None and not await is_stored(self._blobs, blob.key):
            await shared(asyncio.create_task(self._store_again(recording_id, number, staged, staged.keeper)))
        return recording

    async def _store_again(self, recording_id: UUID, number: int, staged: Staged, keeper: Keeper) -> None:
        """Store bytes that the log has for stored, and that are missing, as in a bucket from an older backup: who has
        sent them again may now forget them. Raises: StorageFull, StorageUnavailable."""
        (failure,) = await asyncio.to_thread(keeper.make_durable, [staged])
        if failure is not None:
            raise failure
        await self._discard(recording_id, number, staged)  # unless it is still wanted

    async def _discard(self, recording_id: UUID, number: int, staged: Staged) -> None:
        """Remove the bytes of a refused chunk, unless the recording holds the same ones. Raises: StorageUnavailable."""

        def has_it(recording: Recording) -> bool:
            stored = recording.chunks.get(number)
            return recording.keeps_chunks and stored is not None and stored.blob_key == staged.blob.key

        if not await self._holds(recording_id, has_it):
            await discard(self._blobs, staged)

    async def check_room(self, tenant_id: str, size_bytes: int) -> None:
        """Raises: QuotaReached, if so many bytes of an open recording could not be stored now."""
        await self._quotas.check_room(tenant_id, size_bytes)

    async def store_metadata(self, recording_id: UUID, number: int) -> Recording:
        """Record a chunk that has no bytes, or none yet. Raises: a RecordingError; what storing raises."""
        command = commands.StoreChunk(
            at=self._clock(), number=number, blob_key=None, size_bytes=0, sha256=NO_BYTES_SHA256, md5=NO_BYTES_MD5
        )
        return await self._execute(recording_id, command)

    async def append(self, announced: Announcement, arrived: ArrivedChunk) -> Appended:
        """Accept the next chunk; the first one opens the recording. The same request again changes nothing.

        Raises: a RecordingError of the domain; QuotaReached; what storing raises.
        """
        blob_key = blob_prefix(announced.recording_id, "chunk") + arrived.sha256
        async with self._settling.of(blob_key):
            with self._quotas.room(announced.tenant_id) as room:
                return await self._append(announced, arrived, blob_key, room)

    async def _append(self, announced: Announcement, arrived: ArrivedChunk, blob_key: str, room: Room) -> Appended:
        recording_id = announced.recording_id
        recording, blob = await self._opened_by(announced, arrived, room)
        command = commands.AppendChunk(
            at=self._clock(),
            blob_key=blob_key,
            size_bytes=len(arrived.content),
            sha256=arrived.sha256,
            md5=_NOT_TAKEN,
            request_sha256=arrived.request_sha256,
            is_named=arrived.request_is_named,
            is_last=arrived.is_last,
            sample_scale=arrived.sample_scale,
            most_bytes=self._most_bytes,
        )
        try:
            if any(type(event) is ChunkStored for event in decide(recording, command)):
                if blob is None:
                    await room.take(len(arrived.content))
                    blob = await self._put(recording_id, arrived)
                md5 = blob.md5
            else:  # what another process has appended since makes this a further chunk, of the same bytes
                md5 = await asyncio.to_thread(_md5_of, arrived.content)
            command = replace(command, md5=md5)
            outcome = await self._recordings.execute(recording_id, command, trace_id=trace_id.get())
        except RecordingError:
            await self._discard_appended(recording_id, command.blob_key)
            raise
        stored = chunk_asked_for(outcome.state, command)
        if stored is None:
            raise AssertionError("an accepted chunk is in its recording")
        if any(type(event) is ChunkStored for event in outcome.events):
            self._counter(announced.dialect).inc(stored.size_bytes)
        elif stored.blob_key == blob_key and outcome.state.keeps_chunks and not await is_stored(self._blobs, blob_key):
            await shared(asyncio.create_task(self._append_again(recording_id, arrived)))
        return Appended(outcome.state, stored)

    async def _append_again(self, recording_id: UUID, arrived: ArrivedChunk) -> None:
        """As `_store_again`."""
        blob = await self._put(recording_id, arrived)
        await self._discard_appended(recording_id, blob.key)  # unless it is still wanted

    async def _opened_by(
        self, announced: Announcement, arrived: ArrivedChunk, room: Room
    ) -> tuple[Recording, StoredBlob | None]:
        """The recording. Its first chunk opens it, and is stored while that is being committed."""
        recording_id = announced.recording_id
        if (recording := await self.find(recording_id)) is not None:
            return recording, None
        await room.take(len(arrived.content))
        opening = asyncio.create_task(self._open_first(announced))
        blob = await self._put(recording_id, arrived)
        try:
            return await opening, blob
        except (RecordingError, QuotaReached):
            await self._discard_appended(recording_id, blob.key)
            raise
        finally:
            del opening  # its error would hold this frame, and with it the bytes, until cycles are looked for

    async def _put(self, recording_id: UUID, arrived: ArrivedChunk) -> StoredBlob:
        return await self._blobs.put(blob_prefix(recording_id, "chunk"), _in_one_piece(arrived.content))

    async def _discard_appended(self, recording_id: UUID, blob_key: str) -> None:
        """Remove bytes that no chunk holds. Equal chunks share the same bytes."""

        def has_it(recording: Recording) -> bool:
            return recording.keeps_chunks and any(chunk.blob_key == blob_key for chunk in recording.chunks.values())

        if not await self._holds(recording_id, has_it):
            await self._blobs.delete(blob_key)

    async def _holds(self, recording_id: UUID, has_it: Callable[[Recording], bool]) -> bool:
        """Whether the recording holds the refused bytes, by all that any process has committed: another one may have
        accepted them. True if that cannot be determined now: `tapedeck blobs check` finds bytes that are not needed,
        and the caller still gets the refusal. A recording that is known to be deleted never holds any again."""
        try:
            recording = await self._recordings.newest(recording_id)
        except RecordingNotFound:
            return False
        except (LogUnavailable, Contended) as error:
            known = self._recordings.in_memory(recording_id, at_least=1)
            if known is not None and known.phase is Phase.DELETED:
                return False
            logger.warning("refused bytes stay", extra={"recording_id": recording_id.hex, "because": str(error)})
            return True
        return has_it(recording)

    async def finalize(
        self,
        recording_id: UUID,
        *,
        total_chunks: int,
        final_duration_ms: int | None = None,
        checksum_md5: str | None = None,
    ) -> Recording:
        """Declare how many chunks there are. The same declaration again changes nothing.

        Raises: a RecordingError of the domain; LogFull, LogUnavailable.
        """
        command = commands.FinalizeRecording(
            at=self._clock(),
            total_chunks=total_chunks,
            final_duration_ms=final_duration_ms,
            checksum_md5=checksum_md5,
        )
        return await self._execute(recording_id, command)

    async def _execute(self, recording_id: UUID, command: commands.Command) -> Recording:
        return (await self._recordings.execute(recording_id, command, trace_id=trace_id.get())).state


_NOT_TAKEN = "0" * 32
"""In place of the MD5, which is computed while bytes are stored; no decision depends on it."""


def _md5_of(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class _NotingTheBeginning:
    """The same bytes; as many of the first as tell what it is are added to `beginning`.

    No generator: the event loop keeps account of those, which costs more than this does.
    """

    def __init__(self, body: AsyncIterable[bytes], beginning: bytearray) -> None:
        self._pieces = aiter(body)
        self._beginning = beginning

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await anext(self._pieces)
        if len(self._beginning) < BEGINNING_SIZE:
            self._beginning += piece[: BEGINNING_SIZE - len(self._beginning)]
        return piece


async def _in_one_piece(content: bytes) -> AsyncIterator[bytes]:
    yield content
