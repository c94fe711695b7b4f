"""Stitching recordings of 100 and of 10 000 slices of the same size: what a byte costs may not grow with their number.

Everything is real but the HTTP: slices in the segments of a blob store that another opening writes to, and the work of
a worker process, in this one.
"""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from adapters.blobs.segments.store import SegmentBlobStore
from service.application.stitching import StitchOrder, stitch_blobs
from service.application.worker_store import store_at
from tests.adapters.audio.samples import tone, wav
from tests.tools.abuse.slices import slices
from tests.tools.bench.figures import nanoseconds, spread

FEW, MANY = 100, 10_000
SLICE_BYTES = 4_096
ROUNDS = 3


async def measure() -> None:
    print(f"Stitching slices of {SLICE_BYTES} bytes; processor time per byte, {ROUNDS} rounds")
    with tempfile.TemporaryDirectory() as folder:
        store = SegmentBlobStore(Path(folder) / "blobs")
        few, many = [await _order(store, Path(folder), count) for count in (FEW, MANY)]
        stitch_blobs(few)  # imports, and the store's opening
        rounds = [(_per_byte(many, MANY), min(_per_byte(few, FEW) for _ in range(ROUNDS))) for _ in range(ROUNDS)]
        await store_at(few.blob_store_url).close()
        await store.close()
    print(f"  {FEW} slices   {min(of_few for _, of_few in rounds):.1f} ns a byte")
    print(
        f"  {MANY} slices : {FEW} slices   {spread([of_many / of_few for of_many, of_few in rounds])}   (at most 1.2)"
    )


def _per_byte(order: StitchOrder, count: int) -> float:
    return nanoseconds(lambda: stitch_blobs(order)) / (count * SLICE_BYTES)


async def _order(store: SegmentBlobStore, folder: Path, count: int) -> StitchOrder:
    sound = wav(tone(count * SLICE_BYTES // 2 - 22, rate=16_000))
    keys = [(await store.put(f"{count}/chunk-", _in_one_piece(content))).key for content in slices(sound, count)]
    return StitchOrder(
        blob_store_url=f"segments://{folder}/blobs",
        scratch_dir=folder,
        chunk_keys=keys,
        chunk_numbers=range(1, count + 1),
        checksum_md5=None,
        prefix=f"{count}/audio-",
    )


async def _in_one_piece(content: bytes) -> AsyncIterator[bytes]:
    yield content
