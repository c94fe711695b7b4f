"""Several openings of one bucket with one index, as several processes have them: each stores, reads and erases."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.blobs.bucket.recovery import described as differences
from adapters.blobs.bucket.store import BucketBlobStore
from adapters.blobs.port import BlobNotFound
from tests.adapters.blobs.bucket.conftest import Indexes
from tests.adapters.blobs.bucket.test_store import kept_together, keys_of, shared_objects
from tests.adapters.blobs.contract import noise, streamed, whole
from tests.tools.s3.server import S3Server

OPENINGS = 3


@pytest.fixture
async def stores(bucket_url: str, tmp_path: Path, indexes: Indexes) -> AsyncIterator[list[BucketBlobStore]]:
    stores = [indexes.open(bucket_url, tmp_path / "bucket") for _ in range(OPENINGS)]
    stores[0].recover()
    yield stores
    for store in stores:
        await store.close()


async def is_found(store: BucketBlobStore, key: str) -> bool:
    try:
        await whole(store, key)
    except BlobNotFound:
        return False
    return True


async def test_what_one_has_stored_all_read_and_another_erases_for_good(
    stores: list[BucketBlobStore], s3: S3Server, bucket_url: str
) -> None:
    one, other, third = stores
    bodies = [noise(9_000, 1), noise(300_000, 2)]
    gone, stays = await keys_of(one, bodies)
    assert [await whole(store, stays) for store in stores] == [bodies[1]] * OPENINGS
    await other.delete(gone)
    assert [await is_found(store, gone) for store in stores] == [False] * OPENINGS
    assert not s3.contains(bucket_url, bodies[0][:2_000])
    assert (await keys_of(third, bodies[:1])) == [gone]
    assert [await whole(store, gone) for store in stores] == [bodies[0]] * OPENINGS


async def test_all_erase_at_once_what_shares_an_object_and_what_stays_is_there_and_nothing_else(
    stores: list[BucketBlobStore], s3: S3Server, bucket_url: str, tmp_path: Path
) -> None:
    bodies = [noise(3_000, number) for number in range(48)]
    assert await kept_together(stores[0], bodies) == [None] * len(bodies)
    keys = await keys_of(stores[0], bodies)

    async def erase(number: int) -> None:
        mine = stores[number]
        for which in range(number, 42, OPENINGS):
            await mine.delete(keys[which])
            assert not s3.contains(bucket_url, bodies[which][:500])
            again = noise(2_000, 1_000 + which)
            assert await whole(mine, (await mine.put("again/", streamed([again]))).key) == again

    await asyncio.gather(*map(erase, range(OPENINGS)))
    for store in stores:
        assert sorted(store.keys("again/")) == sorted(stores[0].keys("again/"))
        assert len(list(store.keys("again/"))) == 42
        assert [await whole(store, key) for key in keys[42:]] == bodies[42:]
        assert [await is_found(store, key) for key in keys[:42]] == [False] * 42
    assert list(differences(stores[0]._bucket, stores[0]._index)) == []
    await stores[1].erase("")
    assert shared_objects(s3.files_of(bucket_url) / "tapes") == []
