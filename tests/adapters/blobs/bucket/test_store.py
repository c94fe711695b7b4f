"""A bucket keeps the contract, and what only a bucket can be asked: shared objects, and bytes that are gone."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.blobs.bucket.object_format import parts_in
from adapters.blobs.bucket.store import BucketBlobStore
from adapters.blobs.port import BlobFailure, BlobNotFound, BlobStore, StorageUnavailable
from adapters.blobs.segments.staging import StagedBody
from tests.adapters.blobs.bucket.conftest import Indexes
from tests.adapters.blobs.contract import PREFIX, BlobStoreContract, noise, streamed, whole
from tests.tools.s3.server import S3Server


class TestBucketBlobStore(BlobStoreContract):
    @pytest.fixture
    def url(self, bucket_url: str, tmp_path: Path, indexes: Indexes) -> str:
        return indexes.url(bucket_url, tmp_path / "bucket")

    @pytest.mark.slow
    async def test_memory_stays_flat_while_200_mb_are_put_and_read(self, url: str) -> None:
        await super().test_memory_stays_flat_while_200_mb_are_put_and_read(url)


@pytest.fixture
def objects(s3: S3Server, bucket_url: str) -> Path:
    """The folder in which the server keeps the store's objects as files."""
    return s3.files_of(bucket_url) / "tapes"


@pytest.fixture
async def store(bucket_url: str, tmp_path: Path, indexes: Indexes) -> AsyncIterator[BucketBlobStore]:
    store = indexes.open(bucket_url, tmp_path / "bucket")
    yield store
    await store.close()


async def kept_together(store: BlobStore, bodies: Sequence[bytes]) -> list[BlobFailure | None]:
    """The failures of bodies that are made durable in one call."""
    async with AsyncExitStack() as all_of_them:
        staged = [
            await all_of_them.enter_async_context(store.stage(PREFIX, streamed([each]), announced_bytes=len(each)))
            for each in bodies
        ]
        assert all(isinstance(each, StagedBody) for each in staged)
        return await asyncio.to_thread(staged[0].keeper.make_durable, staged)


def shared_objects(objects: Path) -> list[Path]:
    return sorted((objects / "segments").glob("*"))


async def keys_of(store: BlobStore, bodies: Sequence[bytes]) -> list[str]:
    return [(await store.put(PREFIX, streamed([each]))).key for each in bodies]


# --- sharing objects


async def test_bodies_that_wait_together_share_one_object(store: BucketBlobStore, objects: Path) -> None:
    bodies = [noise(10_000, number) for number in range(100)]
    assert await kept_together(store, bodies) == [None] * 100
    assert len(shared_objects(objects)) == 1
    for key, body in zip(await keys_of(store, bodies), bodies, strict=True):
        assert await whole(store, key) == body
    assert len(shared_objects(objects)) == 1


async def test_an_object_has_at_most_128_bodies_and_8_mib(store: BucketBlobStore, objects: Path) -> None:
    assert await kept_together(store, [noise(100, number) for number in range(300)]) == [None] * 300
    assert len(shared_objects(objects)) == 3
    assert await kept_together(store, [noise(256 * 1024, number) for number in range(40)]) == [None] * 40
    assert len(shared_objects(objects)) == 5
    assert max(path.stat().st_size for path in shared_objects(objects)) < 8 * 1024 * 1024 + 64 * 1024


async def test_a_large_body_is_an_object_of_its_own_named_by_its_key(store: BucketBlobStore, objects: Path) -> None:
    body = noise(20_000_000, 1)
    blob = await store.put(PREFIX, streamed([body]))
    assert (objects / "blobs" / blob.key).read_bytes() == body
    assert shared_objects(objects) == []


async def test_what_is_staged_and_never_made_durable_never_reaches_the_bucket(
    store: BucketBlobStore, s3: S3Server, bucket_url: str
) -> None:
    async with store.stage(PREFIX, streamed([b"refused by the domain"])):
        pass
    assert not s3.contains(bucket_url, b"refused by the domain")


async def test_there_is_a_url_of_a_blob_with_an_object_of_its_own_and_of_no_other(store: BucketBlobStore) -> None:
    alone, sharing = store.put_bytes(PREFIX, b"transcript"), await store.put(PREFIX, streamed([b"chunk"]))
    assert "X-Amz-Signature=" in (await store.direct_url(alone.key, timedelta(seconds=60)) or "")
    assert await store.direct_url(sharing.key, timedelta(seconds=60)) is None


# --- bytes that are really gone


async def test_what_is_erased_is_in_no_object_and_its_neighbours_are_still_read(
    store: BucketBlobStore, s3: S3Server, bucket_url: str, objects: Path
) -> None:
    bodies = [noise(5_000, number) for number in range(20)]
    await kept_together(store, bodies)
    keys = await keys_of(store, bodies)
    await store.erase_keys(keys[:7])
    assert not any(s3.contains(bucket_url, body[100:200]) for body in bodies[:7])
    assert [await whole(store, key) for key in keys[7:]] == bodies[7:]
    assert len(shared_objects(objects)) == 1
    await store.erase(PREFIX)
    assert shared_objects(objects) == []


async def test_what_is_left_of_several_objects_is_put_into_one(store: BucketBlobStore, objects: Path) -> None:
    bodies = [noise(5_000, number) for number in range(20)]
    keys = await keys_of(store, bodies)
    assert len(shared_objects(objects)) == 20
    more = [noise(5_000, number) for number in range(20, 40)]
    await kept_together(store, more[:10])
    await kept_together(store, more[10:])
    await store.erase_keys([*keys, *(await keys_of(store, [more[0], more[10]]))])
    assert len(shared_objects(objects)) == 1
    for body in (*more[1:10], *more[11:]):
        (key,) = await keys_of(store, [body])
        assert await whole(store, key) == body


async def test_a_blob_that_moves_while_it_is_read_is_read_to_its_end(store: BucketBlobStore) -> None:
    kept, gone = noise(200_000, 1), noise(200_000, 2)
    await kept_together(store, [kept, gone])
    kept_key, gone_key = await keys_of(store, [kept, gone])
    with store.open(kept_key) as reader, store.open(gone_key) as vanishing:
        beginning = await asyncio.to_thread(reader.raw.read, 100_000)  # type: ignore[attr-defined]
        await store.delete(gone_key)
        assert beginning + await asyncio.to_thread(reader.read) == kept
        with pytest.raises(BlobNotFound):
            await asyncio.to_thread(vanishing.read)


async def test_erasing_many_at_once_by_many_callers_leaves_nothing_of_any(
    store: BucketBlobStore, objects: Path
) -> None:
    bodies = [noise(2_000, number) for number in range(60)]
    await kept_together(store, bodies)
    keys = await keys_of(store, bodies)
    await asyncio.gather(*(store.delete(key) for key in keys[:50]))
    assert sorted(store.keys()) == sorted(keys[50:])
    assert [await whole(store, key) for key in keys[50:]] == bodies[50:]
    (left,) = shared_objects(objects)
    assert not any(body in left.read_bytes() for body in bodies[:50])


# --- damaged objects


def table_destroyed(content: bytes, keys: Sequence[str]) -> bytes:
    return bytes(16) + content[16:]


def last_key_not_in_the_table(content: bytes, keys: Sequence[str]) -> bytes:
    return content.replace(keys[-1].encode(), keys[-1][:-4].encode() + b"none")


@pytest.mark.parametrize("damage", [table_destroyed, last_key_not_in_the_table])
async def test_from_a_damaged_object_what_is_erased_goes_and_the_rest_is_rescued(
    store: BucketBlobStore,
    s3: S3Server,
    bucket_url: str,
    objects: Path,
    damage: Callable[[bytes, Sequence[str]], bytes],
) -> None:
    bodies = [noise(3_000, number) for number in range(4)]
    await kept_together(store, bodies)
    keys = await keys_of(store, bodies)
    (path,) = shared_objects(objects)
    path.write_bytes(damage(path.read_bytes(), keys))
    await store.erase_keys(keys[:2])
    assert not any(s3.contains(bucket_url, body) for body in bodies[:2])
    assert [await whole(store, key) for key in keys[2:]] == bodies[2:]
    (path,) = shared_objects(objects)
    assert [part.key for part in parts_in(path.read_bytes())] == keys[2:]


async def test_a_damaged_object_in_which_nothing_is_live_is_deleted(store: BucketBlobStore, objects: Path) -> None:
    await kept_together(store, [noise(3_000, number) for number in range(4)])
    (path,) = shared_objects(objects)
    path.write_bytes(bytes(100) + noise(3_000, 3))
    with pytest.raises(StorageUnavailable):
        await store.delete((await keys_of(store, [noise(3_000, 0)]))[0])
    await store.erase(PREFIX)
    assert shared_objects(objects) == []


async def test_while_an_object_lacks_a_body_that_is_needed_erasing_fails_rather_than_lose_it_or_leave_the_others(
    store: BucketBlobStore, s3: S3Server, bucket_url: str, objects: Path
) -> None:
    bodies = [noise(3_000, number) for number in range(4)]
    await kept_together(store, bodies)
    keys = await keys_of(store, bodies)
    (path,) = shared_objects(objects)
    path.write_bytes(path.read_bytes()[:-1])
    for _ in range(2):
        with pytest.raises(StorageUnavailable, match="lacks some of what is still needed"):
            await store.erase_keys(keys[:1])
    assert await whole(store, keys[2]) == bodies[2]
    await store.erase_keys(keys[3:])
    assert not any(s3.contains(bucket_url, part) for part in (bodies[0], bodies[3][:-1]))
    assert [await whole(store, key) for key in keys[1:3]] == bodies[1:3]


# --- whose the bucket is


async def test_two_data_directories_or_databases_cannot_share_a_bucket(
    bucket_url: str, tmp_path: Path, indexes: Indexes
) -> None:
    mine, other = indexes.open(bucket_url, tmp_path / "mine"), indexes.open(bucket_url, tmp_path / "other")
    mine.recover()
    with pytest.raises(StorageUnavailable, match=rf"s3://bucket-\w+/tapes belongs to another {indexes.owned_by}"):
        other.recover()
    mine.recover()
    for store in (mine, other):
        await store.close()


async def test_two_services_can_have_a_bucket_with_a_prefix_each(
    bucket_url: str, tmp_path: Path, indexes: Indexes
) -> None:
    mine, other = (
        indexes.open(bucket_url, tmp_path / "a"),
        indexes.open(bucket_url.replace("/tapes", "/more"), tmp_path / "b"),
    )
    for store in (mine, other):
        store.recover()
        store.put_bytes(PREFIX, b"same")
    await mine.erase(PREFIX)
    assert list(mine.keys()) == []
    assert len(list(other.keys())) == 1
    for store in (mine, other):
        await store.close()


@pytest.mark.parametrize("size_bytes", [0, 6, 400_000], ids=["nothing", "a small one", "a large one"])
async def test_a_bucket_that_was_emptied_is_not_taken_for_a_new_one(
    store: BucketBlobStore, objects: Path, size_bytes: int
) -> None:
    store.recover()
    if size_bytes:
        await keys_of(store, [noise(size_bytes, 1)])
    (objects / "owner").unlink()
    for _ in range(2):
        with pytest.raises(StorageUnavailable, match="is without its marker"):
            store.recover()
    assert not (objects / "owner").exists()


async def test_a_wrong_prefix_is_not_taken_for_a_new_bucket(bucket_url: str, tmp_path: Path, indexes: Indexes) -> None:
    mine = indexes.open(bucket_url, tmp_path / "bucket")
    mine.recover()
    blob = mine.put_bytes(PREFIX, b"from a worker")
    await mine.close()
    mistaken = indexes.open(bucket_url.replace("/tapes", "/tape"), tmp_path / "bucket")
    with pytest.raises(
        StorageUnavailable, match=f"/tape is without its marker: it is not where this {indexes.owned_by}"
    ):
        mistaken.recover()
    await mistaken.close()
    mine = indexes.open(bucket_url, tmp_path / "bucket")
    mine.recover()
    assert await whole(mine, blob.key) == b"from a worker"
    await mine.close()


async def test_after_a_take_over_the_former_owner_deletes_nothing(
    store: BucketBlobStore, bucket_url: str, tmp_path: Path, indexes: Indexes
) -> None:
    store.recover()
    bodies = [noise(3_000, number) for number in range(3)]
    await kept_together(store, bodies)
    await store.delete((await keys_of(store, bodies[:1]))[0])
    keys = [*(await keys_of(store, bodies[1:])), store.put_bytes(PREFIX, b"from a worker").key]

    another = indexes.open(bucket_url, tmp_path / "new")
    list(another.mend(take_over=True))
    with pytest.raises(StorageUnavailable, match=f"no longer belongs to this {indexes.owned_by}, so nothing in it is"):
        await store.erase_keys([keys[0], keys[2]])
    for reader in (another, store):
        assert [await whole(reader, key) for key in keys] == [*bodies[1:], b"from a worker"]
    await another.erase(PREFIX)
    assert list(another.keys()) == []
    await another.close()


# --- an index and a bucket of different age


async def test_an_index_that_is_older_than_the_bucket_learns_at_the_start_what_was_stored_since(
    store: BucketBlobStore, bucket_url: str, tmp_path: Path, indexes: Indexes
) -> None:
    store.recover()
    before, since = [noise(3_000, number) for number in range(5)], [noise(3_000, number) for number in range(5, 10)]
    await kept_together(store, before)
    await store.close()
    indexes.back_up(tmp_path / "bucket")
    store = indexes.open(bucket_url, tmp_path / "bucket")
    await kept_together(store, since)
    keys = await keys_of(store, [*before, *since])
    await store.delete(keys[0])  # so the first object is another now
    await store.close()
    indexes.restore(tmp_path / "bucket")

    restored = indexes.open(bucket_url, tmp_path / "bucket")
    restored.recover()
    assert sorted(restored.keys()) == sorted(keys[1:])
    assert [await whole(restored, key) for key in keys[1:]] == [*before[1:], *since]
    with pytest.raises(BlobNotFound):
        await restored.size(keys[0])
    await restored.close()


async def test_a_lost_index_is_made_anew_from_the_bucket_by_whoever_takes_it_over(
    store: BucketBlobStore, bucket_url: str, tmp_path: Path, indexes: Indexes
) -> None:
    store.recover()
    bodies = [noise(3_000, number) for number in range(150)]
    await kept_together(store, bodies)
    keys = [*(await keys_of(store, bodies)), store.put_bytes(PREFIX, b"from a worker").key]
    await store.close()

    another = indexes.open(bucket_url, tmp_path / "new")
    with pytest.raises(StorageUnavailable, match="tapedeck blobs mend --take-over"):
        another.recover()
    assert len(list(another.mend(take_over=True))) == 2
    another.recover()
    assert sorted(another.keys()) == sorted(keys)
    assert [await whole(another, key) for key in keys[:-1]] == bodies
    assert list(another.mend(take_over=False)) == []
    await another.close()


async def test_an_object_of_somebody_else_is_named_and_left_alone(store: BucketBlobStore, objects: Path) -> None:
    store.recover()
    (objects / "segments").mkdir()
    (objects / "segments" / "notes.txt").write_text("not ours")
    (sentence,) = store.mend(take_over=False)
    assert "segments/notes.txt cannot be read" in sentence
    await keys_of(store, [b"stored"])
    await store.erase(PREFIX)
    assert (objects / "segments" / "notes.txt").read_text() == "not ours"
