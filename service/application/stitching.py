"""The first stage: joins a recording's chunks into one audio file, in a worker process.

An order and its result cross a process boundary, so they are plain values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

from adapters.audio import damage as audio
from adapters.audio.as_it_came import CameWhole
from adapters.audio.pcm import stitch_pcm
from adapters.audio.stitching import StitchedAudio, stitch
from adapters.blobs.port import StoredBlob
from adapters.blobs.storage_errors import storage_errors
from domain.commands import RecordStitched
from domain.events import MOST_DAMAGE, Damage, RecordingKind
from domain.recording import Recording
from domain.sample_scales import chunks_of_float_units
from service.application.blob_names import made_prefix
from service.application.scratch import own_scratch
from service.application.stage_parts import Effort, Permit, StageParts
from service.application.worker_store import store_at

LONG_BYTES = 1 << 28
"""Chunks of more than this take long to be read, whatever is in them."""


@dataclass(frozen=True, slots=True)
class StitchOrder:
    """`scratch_dir`: this order's own, which whoever gives the order removes, also when the worker is killed.

    `came`: what was found of the chunks' file while it arrived.
    """

    blob_store_url: str
    scratch_dir: Path
    chunk_keys: Sequence[str]
    chunk_numbers: Sequence[int]
    checksum_md5: str | None
    prefix: str
    are_samples: bool = False
    float_units: frozenset[int] = frozenset()
    longest: timedelta | None = None
    came: CameWhole | None = None


def stitch_blobs(order: StitchOrder) -> tuple[StoredBlob, StitchedAudio]:
    """In a worker: join chunk blobs into audio. Raises: AudioError; StorageFull, StorageUnavailable; OSError."""
    store = store_at(order.blob_store_url)
    with storage_errors():
        output = order.scratch_dir / "audio"
        chunks = [partial(store.open, key) for key in order.chunk_keys]
        if order.are_samples or not chunks:
            stitched = stitch_pcm(chunks, output, float_units=order.float_units, longest=order.longest)
        else:
            stitched = stitch(
                chunks,
                output,
                numbers=order.chunk_numbers,
                checksum_md5=order.checksum_md5,
                longest=order.longest,
                came=order.came,
            )
        return store.put_file(order.prefix, output), stitched


class Stitching:
    """The stage's `Work`."""

    def __init__(self, parts: StageParts) -> None:
        self._parts = parts

    def effort(self, recording: Recording) -> Effort:
        """How long its sound is, nobody knows yet: work that turns out to be long is begun anew as such."""
        size_bytes = sum(chunk.size_bytes for chunk in recording.chunks.values())
        return self._parts.effort(recording, self._parts.stitch_limit, is_long=size_bytes > LONG_BYTES)

    async def do(self, recording_id: UUID, recording: Recording, permit: Permit) -> RecordStitched:
        parts, chunks = self._parts, recording.chunks_to_stitch()
        float_units = chunks_of_float_units(chunks)
        arrived = await parts.arriving.whole(recording_id)
        async with own_scratch(parts.scratch_dir) as scratch:
            order = StitchOrder(
                blob_store_url=parts.blob_store_url,
                scratch_dir=scratch,
                chunk_keys=[chunk.blob_key for chunk in chunks if chunk.blob_key is not None],
                chunk_numbers=[chunk.number for chunk in chunks],
                checksum_md5=recording.checksum_md5,
                prefix=made_prefix(recording_id, "audio", recording.edition),
                are_samples=recording.opened.kind is RecordingKind.SAMPLES,
                float_units=frozenset(index for index, chunk in enumerate(chunks) if chunk.number in float_units),
                longest=parts.longest_recording,
                came=arrived.came if arrived is not None else None,
            )
            blob, stitched = await parts.in_worker(stitch_blobs, order, permit)
        return RecordStitched(
            at=parts.clock(),
            blob_key=blob.key,
            size_bytes=blob.size_bytes,
            sha256=blob.sha256,
            content_type=stitched.content_type,
            codec=stitched.codec,
            method=stitched.method,
            duration_ms=stitched.duration_ms,
            chunk_count=len(recording.chunks),
            chunks_md5=stitched.chunks_md5,
            damage=tuple(map(_recorded, stitched.damage[:MOST_DAMAGE])),
        )


def _recorded(found: audio.Damage) -> Damage:
    return Damage(chunk_number=found.chunk_number, reason=found.reason, message=found.message)
