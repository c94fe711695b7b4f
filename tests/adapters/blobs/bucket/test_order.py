"""The object first, then its rows in the index, then the answer: whatever fails in between, no row names an object that
is not in the bucket, and nothing is said to be stored that is not."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from adapters.blobs.bucket.index_in_file import IndexInFile
from adapters.blobs.bucket.index_in_postgres import IndexInPostgres
from adapters.blobs.bucket.object_format import Part
from adapters.blobs.bucket.store import BucketBlobStore
from adapters.blobs.port import StorageUnavailable
from tests.adapters.blobs.bucket.conftest import Indexes
from tests.adapters.blobs.bucket.test_store import kept_together
from tests.adapters.blobs.contract import PREFIX, described, noise, streamed, whole
from tests.tools.postgres.server import PostgresServer

BODIES = [noise(3_000, number) for number in range(6)]
KEYS = [described(PREFIX, body).key for body in BODIES]
LARGE = noise(300_000, 99)


@pytest.fixture
async def store(bucket_url: str, tmp_path: Path, indexes: Indexes) -> AsyncIterator[BucketBlobStore]:
    store = indexes.open(bucket_url, tmp_path / "bucket")
    store.recover()
    store._removing.submit(int).result()  # it removes nothing any more
    yield store
    await store.close()


def refused(*_: object) -> None:
    raise StorageUnavailable("the bucket does not answer as it should")


async def assert_index_and_bucket_agree(store: BucketBlobStore, bodies: Sequence[bytes]) -> None:
    """These bodies are there, whole, and nothing is missing or unknown."""
    assert [await whole(store, described(PREFIX, body).key) for body in bodies] == bodies
    assert list(store.differences()) == []


# --- what is new


async def test_until_an_object_is_in_the_bucket_the_index_knows_nothing_of_its_bodies(
    store: BucketBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, known = store._bucket.put, []

    def watched(name: str, content: bytes) -> None:
        known.append(store._index.present(KEYS))
        put(name, content)
        known.append(store._index.present(KEYS))

    monkeypatch.setattr(store._bucket, "put", watched)
    assert await kept_together(store, BODIES) == [None] * len(BODIES)
    assert known == [set(), set()]
    await assert_index_and_bucket_agree(store, BODIES)


async def test_if_an_object_cannot_be_put_each_body_says_so_and_is_stored_when_it_comes_again(
    store: BucketBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as away:
        away.setattr(store._bucket, "put", refused)
        failures = await kept_together(store, BODIES)
        assert [type(failure) for failure in failures] == [StorageUnavailable] * len(BODIES)
        assert store._index.present(KEYS) == set()
    assert await kept_together(store, BODIES) == [None] * len(BODIES)
    await assert_index_and_bucket_agree(store, BODIES)


async def test_if_the_index_cannot_take_them_in_each_body_says_so_and_is_stored_when_it_comes_again(
    store: BucketBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as away:
        away.setattr(store._index, "add", refused)
        failures = await kept_together(store, BODIES)
        assert [type(failure) for failure in failures] == [StorageUnavailable] * len(BODIES)
    assert await kept_together(store, BODIES) == [None] * len(BODIES)
    await store.erase("none/")
    await assert_index_and_bucket_agree(store, BODIES)


async def test_if_only_the_indexs_answer_is_lost_the_object_stays_that_its_rows_name(
    store: BucketBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = store._index.add

    def unanswered(name: str, size_bytes: int, parts: Sequence[Part]) -> bool:
        assert add(name, size_bytes, parts)
        raise StorageUnavailable("its index does not answer")

    with monkeypatch.context() as away:
        away.setattr(store._index, "add", unanswered)
        assert None not in await kept_together(store, BODIES)
    await store.erase("none/")  # what was given up is deleted
    assert store._index.present(KEYS) == set(KEYS)
    await assert_index_and_bucket_agree(store, BODIES)


async def test_if_a_body_with_an_object_of_its_own_cannot_be_put_that_is_said(
    store: BucketBlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "made"
    file.write_bytes(LARGE)
    with monkeypatch.context() as away:
        for how in ("put", "put_file"):
            away.setattr(store._bucket, how, refused)
        with pytest.raises(StorageUnavailable):
            await store.put(PREFIX, streamed([LARGE]))
        with pytest.raises(StorageUnavailable):
            store.put_bytes(PREFIX, LARGE)
        with pytest.raises(StorageUnavailable):
            store.put_file(PREFIX, file)
    assert file.read_bytes() == LARGE
    assert list(store.keys()) == []
    await store.put(PREFIX, streamed([LARGE]))
    await assert_index_and_bucket_agree(store, [LARGE])


# --- what moves, since its neighbours are erased


async def test_what_moves_is_found_where_it_was_until_it_is_in_its_new_object(
    store: BucketBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await kept_together(store, BODIES) == [None] * len(BODIES)
    put, before, seen = store._bucket.put, store._index.find(KEYS[1]), []

    def watched(name: str, content: bytes) -> None:
        seen.append(store._index.find(KEYS[1]))
        with store.open(KEYS[1]) as reader:
            assert reader.read() == BODIES[1]
        put(name, content)
        seen.append(store._index.find(KEYS[1]))

    monkeypatch.setattr(store._bucket, "put", watched)
    await store.delete(KEYS[0])
    assert seen == [before, before]
    assert store._index.find(KEYS[1]) != before
    await assert_index_and_bucket_agree(store, BODIES[1:])


async def test_if_the_new_object_cannot_be_put_what_was_to_move_is_still_there(
    store: BucketBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await kept_together(store, BODIES) == [None] * len(BODIES)
    with monkeypatch.context() as away:
        away.setattr(store._bucket, "put", refused)
        for _ in range(2):
            with pytest.raises(StorageUnavailable):
                await store.delete(KEYS[0])
    assert [await whole(store, key) for key in KEYS[1:]] == BODIES[1:]
    await store.erase("none/")
    await assert_index_and_bucket_agree(store, BODIES[1:])


# --- what is lasting


def test_what_an_index_in_a_file_has_noted_is_synced(tmp_path: Path) -> None:
    index = IndexInFile(tmp_path)
    with index._file.writing() as writer:
        assert writer.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    index.close()


async def test_what_an_index_in_postgresql_has_noted_is_synced(
    bucket_url: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    indexes = Indexes(postgres)
    store = indexes.open(bucket_url, tmp_path / "bucket")
    assert isinstance(store._index, IndexInPostgres)
    with store._index._writing() as tables:
        assert tables.execute("SHOW synchronous_commit").fetchone() == ("on",)
    await store.close()
    indexes.close()
