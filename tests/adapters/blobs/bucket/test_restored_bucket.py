"""A bucket from a backup that is older than its index: what was moved out of its objects since is in them again."""

import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from adapters.blobs.bucket.index import SHARED
from adapters.blobs.bucket.store import BucketBlobStore
from adapters.blobs.port import StorageUnavailable
from tests.adapters.blobs.bucket.conftest import Indexes
from tests.adapters.blobs.bucket.test_store import kept_together, keys_of, shared_objects
from tests.adapters.blobs.contract import noise, whole
from tests.tools.s3.server import S3Server

BODIES = [noise(3_000, number) for number in range(5)]


class Backup:
    """A copy of the bucket, from when it had BODIES in one object."""

    def __init__(self, objects: Path, copy: Path, open_store: Callable[[], BucketBlobStore]) -> None:
        self.objects = objects
        self._copy = copy
        self.open = open_store
        shutil.copytree(objects, copy)

    def restore(self) -> None:
        """While no store is open."""
        shutil.rmtree(self.objects)
        shutil.copytree(self._copy, self.objects)

    def has(self, body: bytes) -> bool:
        return any(body in path.read_bytes() for path in shared_objects(self.objects))


@pytest.fixture
async def keys(backup: Backup) -> Sequence[str]:
    store = backup.open()
    keys = await keys_of(store, BODIES)
    await store.close()
    return keys


@pytest.fixture
async def backup(s3: S3Server, bucket_url: str, tmp_path: Path, indexes: Indexes) -> AsyncIterator[Backup]:
    opened = []

    def open_store() -> BucketBlobStore:
        opened.append(indexes.open(bucket_url, tmp_path / "bucket"))
        return opened[-1]

    store = open_store()
    store.recover()
    await kept_together(store, BODIES)
    await store.close()
    yield Backup(s3.files_of(bucket_url) / "tapes", tmp_path / "backup", open_store)
    for each in opened:
        await each.close()


async def test_what_was_moved_since_is_read_again_and_what_was_erased_can_be_erased_again(
    backup: Backup, keys: Sequence[str]
) -> None:
    store = backup.open()
    await store.delete(keys[0])
    await store.close()
    assert not backup.has(BODIES[0])
    backup.restore()

    restored = backup.open()
    said = [each.sentence for each in restored.differences()]
    assert len(said) == 2, said  # the new object is missing, and the old one is back
    assert list(restored.unindexed_keys()) == [keys[0]]
    restored.recover()
    assert [await whole(restored, key) for key in keys[1:]] == BODIES[1:]
    assert sorted(restored.keys()) == sorted(keys)
    assert list(restored.unindexed_keys()) == []
    await restored.delete(keys[0])
    assert not backup.has(BODIES[0])
    assert [await whole(restored, key) for key in keys[1:]] == BODIES[1:]
    assert list(restored.differences()) == []


async def test_what_was_about_to_be_deleted_when_the_index_was_backed_up_is_looked_into_first(
    backup: Backup, keys: Sequence[str]
) -> None:
    store = backup.open()
    delete = store._bucket.delete

    def delete_large(names: Sequence[str]) -> None:
        (refused if any(name.startswith(SHARED) for name in names) else delete)(names)

    store._bucket.delete = delete_large  # type: ignore[method-assign]
    with pytest.raises(StorageUnavailable):
        await store.delete(keys[0])
    await store.close()
    assert len(shared_objects(backup.objects)) == 2
    backup.restore()

    restored = backup.open()
    restored.recover()
    await restored.erase("none/")
    assert [await whole(restored, key) for key in keys[1:]] == BODIES[1:]


async def test_a_start_that_is_killed_while_it_looks_loses_nothing_of_it(backup: Backup, keys: Sequence[str]) -> None:
    store = backup.open()
    await store.delete(keys[0])
    await store.close()
    backup.restore()
    killed = backup.open()
    killed._index.adopt = refused  # type: ignore[method-assign]
    with pytest.raises(StorageUnavailable):
        killed.recover()
    await killed.close()

    restored = backup.open()
    restored.recover()
    assert [await whole(restored, key) for key in keys[1:]] == BODIES[1:]


def refused(*_: object) -> NoReturn:
    raise StorageUnavailable("it is only a test")
