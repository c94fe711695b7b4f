"""However a staged body's block ends, or never begins, its room is free again and nothing of it stays."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.blobs.port import StoredBlob
from adapters.blobs.segments.store import SegmentBlobStore
from tests.adapters.blobs.contract import PREFIX, described, noise, streamed

SMALL, LARGE = 100_000, 2_000_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SegmentBlobStore]:
    store = SegmentBlobStore(tmp_path / "blobs")
    yield store
    assert store._intake._room.taken_bytes == 0
    assert list(store.keys()) == []
    assert list((tmp_path / "blobs" / ".incoming").iterdir()) == []
    await store.close()


async def test_a_block_that_makes_nothing_durable(store: SegmentBlobStore) -> None:
    async with store.stage(PREFIX, streamed([noise(SMALL, 1)])) as staged:
        assert store._intake._room.taken_bytes > 0
        assert staged.blob == described(PREFIX, noise(SMALL, 1))


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_a_body_that_is_refused(store: SegmentBlobStore, size: int) -> None:
    def refuse(_: StoredBlob) -> None:
        raise ValueError("another digest")

    with pytest.raises(ValueError, match="another digest"):
        async with store.stage(PREFIX, streamed([noise(size, 2)]), check=refuse):
            pytest.fail("it was staged")


async def test_a_block_that_raises(store: SegmentBlobStore) -> None:
    with pytest.raises(ValueError, match="refused"):
        async with store.stage(PREFIX, streamed([noise(SMALL, 3)])):
            raise ValueError("refused")


@pytest.mark.parametrize("turns", range(6))
async def test_who_stops_waiting_while_digests_are_taken_and_the_others_get_theirs(
    store: SegmentBlobStore, turns: int
) -> None:
    """`turns` of the loop after it began: while it is read, before its thread has it, while that works."""

    async def staged(number: int) -> StoredBlob:
        async with store.stage(PREFIX, streamed([noise(SMALL, number)])) as body:
            return body.blob

    tasks = [asyncio.create_task(staged(number)) for number in range(10)]
    for _ in range(turns):
        await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert outcomes[1::2] == [described(PREFIX, noise(SMALL, number)) for number in range(1, 10, 2)]
    for number in range(0, 10, 2):
        blob = described(PREFIX, noise(SMALL, number))
        assert outcomes[number] == blob or isinstance(outcomes[number], asyncio.CancelledError)
