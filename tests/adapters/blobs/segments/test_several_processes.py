"""Several openings of one store of segments, as several processes have it: each stores, reads and erases.

What one has just written is in no index yet. It must be found, and be erased for good, by all others nevertheless.
"""

import asyncio
import fcntl
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from adapters.blobs.port import BlobNotFound, StorageUnavailable
from adapters.blobs.segments.check import check_segments
from adapters.blobs.segments.file import segments_in
from adapters.blobs.segments.index import SegmentIndex
from adapters.blobs.segments.recovery import recover_segments
from adapters.blobs.segments.space import SegmentSpace
from adapters.blobs.segments.store import SegmentBlobStore
from tests.adapters.blobs.contract import noise, streamed, whole
from tests.files_on_disk import content_below

BODY, OTHER_BODY = noise(9_000, 1), noise(9_000, 2)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is a disk for that: what is asked here is not what a power cut leaves."""
    in_memory = Path("/dev/shm")  # noqa: S108
    with TemporaryDirectory(dir=in_memory if in_memory.is_dir() else tmp_path) as folder:
        yield Path(folder) / "blobs"


@pytest.fixture
async def one(root: Path) -> AsyncIterator[SegmentBlobStore]:
    store = SegmentBlobStore(root)
    yield store
    await store.close()


@pytest.fixture
async def other(root: Path) -> AsyncIterator[SegmentBlobStore]:
    store = SegmentBlobStore(root)
    yield store
    await store.close()


async def stored(store: SegmentBlobStore, prefix: str, body: bytes) -> str:
    return (await store.put(prefix, streamed([body]))).key


async def is_found(store: SegmentBlobStore, key: str) -> bool:
    """Whether the store says so in each of its ways, which must agree."""
    try:
        await whole(store, key)
    except BlobNotFound:
        assert key not in list(store.keys())
        with pytest.raises(BlobNotFound):
            await store.size(key)
        with pytest.raises(BlobNotFound):
            store.open(key)
        return False
    assert key in list(store.keys())
    return True


async def after_a_restart(root: Path) -> set[str]:
    """The keys that are there when nobody uses the store any more."""
    store = SegmentBlobStore(root)
    store.recover()
    keys = set(store.keys())
    await store.close()
    return keys


def is_anywhere(below: Path, body: bytes) -> bool:
    return body[:2_000] in content_below(below)


@pytest.mark.parametrize("is_indexed", [False, True])
async def test_what_one_has_stored_the_other_erases_for_good(
    one: SegmentBlobStore, other: SegmentBlobStore, root: Path, is_indexed: bool
) -> None:
    gone = await stored(one, "gone/", BODY)
    stays = await stored(one, "stays/", OTHER_BODY)
    if is_indexed:
        one._writer.index_durable()
    assert await other.erase("gone/") == 1
    assert not is_anywhere(root, BODY)
    for store in (one, other):
        assert not await is_found(store, gone)
        assert await whole(store, stays) == OTHER_BODY
    await one.close()  # with all that it has still to index
    assert not await is_found(other, gone)
    await other.close()
    assert await after_a_restart(root) == {stays}


@pytest.mark.parametrize("again_in", ["one", "other"])
async def test_what_the_other_erased_can_be_stored_again_in_either(
    one: SegmentBlobStore, other: SegmentBlobStore, root: Path, again_in: str
) -> None:
    key = await stored(one, "rec/", BODY)
    await other.delete(key)
    assert await stored({"one": one, "other": other}[again_in], "rec/", BODY) == key
    for store in (one, other):
        assert await whole(store, key) == BODY
        store._writer.index_durable()
    assert await whole(one, key) == await whole(other, key) == BODY
    await one.close()
    await other.close()
    assert await after_a_restart(root) == {key}
    assert list(check_segments(root / ".segments")) == []


async def test_equal_bytes_that_both_have_stored_are_erased_in_both(
    one: SegmentBlobStore, other: SegmentBlobStore, root: Path
) -> None:
    third = SegmentBlobStore(root)
    assert await stored(one, "rec/", BODY) == await stored(other, "rec/", BODY)
    assert await third.erase("rec/") == 1
    assert not is_anywhere(root, BODY)
    for store in (one, other, third):
        await store.close()
    assert await after_a_restart(root) == set()


async def test_killed_between_noting_and_erasing_the_start_erases_it(
    one: SegmentBlobStore, other: SegmentBlobStore, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stored(one, "gone/", BODY)
    stays = await stored(one, "stays/", OTHER_BODY)

    def killed(_: SegmentSpace) -> None:
        raise StorageUnavailable("as if it were killed here")

    with monkeypatch.context() as dying:
        dying.setattr(SegmentSpace, "erase_noted", killed)
        with pytest.raises(StorageUnavailable):
            await other.erase("gone/")
    at_that_moment = tmp_path / "at that moment"
    shutil.copytree(root, at_that_moment)
    assert await after_a_restart(at_that_moment) == {stays}
    assert not is_anywhere(at_that_moment, BODY)


async def test_a_segment_that_a_recovery_removes_before_it_is_locked_is_not_written_to(
    one: SegmentBlobStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = root / ".segments"
    index = SegmentIndex(directory / "index.sqlite3")
    removed: list[int] = []

    def lock(descriptor: int, operation: int, flock: Any = fcntl.flock) -> None:
        if operation == fcntl.LOCK_EX and not removed:
            removed.extend(segments_in(directory))
            recover_segments(directory, index)
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", lock)
    key = await stored(one, "rec/", BODY)
    await one.close()
    index.close()
    assert len(removed) == 1
    assert await after_a_restart(root) == {key}


async def test_what_a_failed_commit_of_the_index_had_stored_is_not_counted_twice(
    one: SegmentBlobStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stored(one, "rec/", BODY)

    def add(index: SegmentIndex, *arguments: Any, add: Any = SegmentIndex.add, **options: Any) -> None:
        add(index, *arguments, **options)
        raise StorageUnavailable("whether it was committed is not known")

    with monkeypatch.context() as failing:
        failing.setattr(SegmentIndex, "add", add)
        with pytest.raises(StorageUnavailable):
            one._writer.index_durable()
    one._writer.index_durable()
    assert one.usage().live_blobs == 1


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_three_do_in_turn_each_finds_what_is_there_and_nothing_else(root: Path, seed: int) -> None:
    random, there = Random(seed), dict[str, bytes]()
    stores = [_small_segments(root) for _ in range(3)]
    for _ in range(120):
        number = random.randrange(3)
        store, recording = stores[number], random.choice("abcd")
        match random.choices(["put", "erase", "delete", "index", "compact", "restart"], [60, 10, 10, 8, 8, 4])[0]:
            case "put":
                body = noise(random.choice([40, 3_000, 20_000]), random.randrange(6))
                there[await stored(store, f"{recording}/", body)] = body
            case "erase":
                assert await store.erase(f"{recording}/") == len(_taken(there, f"{recording}/"))
            case "delete" if there:
                key = random.choice(sorted(there))
                del there[key]
                await store.delete(key)
            case "index":
                store._writer.index_durable()
            case "compact":
                store._background.submit(store._space.compact).result()
            case "restart":
                await store.close()
                stores[number] = _small_segments(root)
        reader = random.choice(stores)
        assert sorted(reader.keys()) == sorted(there)
        for key in random.sample(sorted(there), min(3, len(there))):
            assert await whole(reader, key) == there[key]
    for store in stores:
        await store.close()
    assert await after_a_restart(root) == set(there)
    assert list(check_segments(root / ".segments")) == []
    last = _small_segments(root)
    assert last.usage().live_blobs == len(there)
    await last.erase("")
    await last.close()
    assert not any(is_anywhere(root, noise(20_000, number)) for number in range(6))


async def test_while_all_store_and_erase_at_once_what_is_stored_again_stays_and_what_is_erased_does_not(
    root: Path,
) -> None:
    stores = [_small_segments(root) for _ in range(3)]

    async def work(number: int) -> None:
        mine, next_one = stores[number], stores[(number + 1) % 3]
        for turn in range(25):
            prefix, body = f"{number}/{turn}/", noise(_size_of(turn), 10 * turn + number)
            key = await stored(mine, prefix, body)
            await next_one.delete(key)
            assert [await is_found(store, key) for store in stores] == [False] * 3
            assert await stored(mine, prefix, body) == key
            assert [await whole(store, key) for store in stores] == [body] * 3

    await asyncio.gather(*map(work, range(3)))
    for store in stores:
        await store.close()
    assert len(await after_a_restart(root)) == 75
    assert list(check_segments(root / ".segments")) == []


def _size_of(turn: int) -> int:
    return (40, 3_000, 20_000)[turn % 3]


def _small_segments(root: Path) -> SegmentBlobStore:
    return SegmentBlobStore(root, segment_bytes=64 * 1024)


def _taken(there: dict[str, bytes], prefix: str) -> list[str]:
    taken = [key for key in there if key.startswith(prefix)]
    for key in taken:
        del there[key]
    return taken
