"""Segments keep the contract, and what only segments can be asked: one sync for many, erased bytes, failing disks."""

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from adapters.blobs.port import BlobFailure, BlobNotFound, StorageFull, StorageUnavailable
from adapters.blobs.segments import gathering
from adapters.blobs.segments.file import WritableSegment, segments_in
from adapters.blobs.segments.store import SegmentBlobStore
from adapters.blobs.segments.writer import StagedBody
from tests.adapters.blobs.contract import PREFIX, BlobStoreContract, described, noise, run, streamed, whole
from tests.files_on_disk import content_below

SEGMENT_BYTES = 64 * 1024


class TestSegmentBlobStore(BlobStoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"segments://{tmp_path}/data/blobs"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
async def store(root: Path) -> AsyncIterator[SegmentBlobStore]:
    store = SegmentBlobStore(root)
    yield store
    await store.close()


@pytest.fixture
async def small_segments(root: Path) -> AsyncIterator[SegmentBlobStore]:
    store = SegmentBlobStore(root, segment_bytes=SEGMENT_BYTES)
    yield store
    await store.close()


def segments(root: Path) -> list[int]:
    return segments_in(root / ".segments")


def is_anywhere(below: Path, body: bytes) -> bool:
    """Whether these bytes can be found in any file, as someone who has the disk would look for them."""
    return body in content_below(below)


async def stored(store: SegmentBlobStore, prefix: str, *bodies: bytes) -> list[str]:
    return [(await store.put(prefix, streamed([body]))).key for body in bodies]


async def all_indexed(store: SegmentBlobStore) -> None:
    """Everything that is left to do in the background is done."""
    await asyncio.wrap_future(store._background.submit(lambda: None))


# --- one write and one sync for all that wait


async def test_bodies_that_wait_together_share_one_write_and_one_sync(
    store: SegmentBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.put(PREFIX, streamed([b"makes the segment"]))
    calls: list[str] = []
    for name in ("pwritev", "fdatasync", "fsync"):
        monkeypatch.setattr(os, name, recorded(getattr(os, name), name, calls))
    async with AsyncExitStack() as all_of_them:
        staged = [
            await all_of_them.enter_async_context(store.stage(PREFIX, streamed([noise(30_000, number)])))
            for number in range(20)
        ]
        assert calls == []
        bodies = [body for body in staged if isinstance(body, StagedBody)]
        assert await asyncio.to_thread(bodies[0].keeper.make_durable, bodies) == [None] * 20
    assert calls == ["pwritev", "fdatasync"]
    monkeypatch.undo()
    for number, body in enumerate(bodies):
        assert await whole(store, body.blob.key) == noise(30_000, number)


def recorded(function: Callable[..., Any], name: str, calls: list[str]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        calls.append(name)
        return function(*arguments)

    return call


async def test_what_is_staged_and_never_made_durable_was_never_stored(store: SegmentBlobStore, root: Path) -> None:
    async with store.stage(PREFIX, streamed([b"refused by the domain"])):
        pass
    assert list(store.keys()) == []
    assert not is_anywhere(root, b"refused by the domain")


async def test_equal_bodies_in_one_commit_are_one_blob(store: SegmentBlobStore, root: Path) -> None:
    body = noise(5000, 1)
    async with store.stage(PREFIX, streamed([body])) as one, store.stage(PREFIX, streamed([body])) as other:
        assert isinstance(one, StagedBody)
        await asyncio.to_thread(one.keeper.make_durable, [one, other])
    (segment,) = (root / ".segments").glob("*.segment")
    assert segment.read_bytes().count(body) == 1


async def test_a_small_body_goes_into_a_segment_and_a_large_one_into_a_file_of_its_own(
    store: SegmentBlobStore, root: Path
) -> None:
    small, large = noise(256 * 1024, 1), noise(256 * 1024 + 1, 2)
    keys = await stored(store, PREFIX, small, large)
    assert not (root / keys[0]).exists()
    assert (root / keys[1]).read_bytes() == large


async def test_a_range_of_a_chunk_is_one_read_of_the_disk(
    store: SegmentBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key,) = await stored(store, PREFIX, noise(100_000, 1))
    read: list[int] = []

    def counted(descriptor: int, length: int, offset: int, pread: Any = os.pread) -> bytes:
        read.append(length)
        result: bytes = pread(descriptor, length, offset)
        return result

    monkeypatch.setattr(os, "pread", counted)
    assert await whole(store, key, start=70_000, length=1_000) == noise(100_000, 1)[70_000:71_000]
    assert [length for length in read if length > 1] == [1_000]  # the one byte tells that it is not erased


# --- rolling, and finding everything again


async def test_a_full_segment_is_sealed_and_a_new_one_begun(small_segments: SegmentBlobStore, root: Path) -> None:
    bodies = [noise(20_000, number) for number in range(10)]
    keys = await stored(small_segments, PREFIX, *bodies)
    await all_indexed(small_segments)
    assert len(segments(root)) == 3
    for key, body in zip(keys, bodies, strict=True):
        assert await whole(small_segments, key) == body


async def test_every_key_is_found_again_from_the_segments_alone(small_segments: SegmentBlobStore, root: Path) -> None:
    bodies = [noise(9_000, number) for number in range(30)]
    keys = await stored(small_segments, PREFIX, *bodies)
    await small_segments.close()
    for path in (root / ".segments").glob("index*"):
        path.unlink()
    again = SegmentBlobStore(root)
    again.recover()
    assert sorted(again.keys()) == sorted(keys)
    assert await whole(again, keys[17]) == bodies[17]
    await again.close()


async def test_a_start_reads_nothing_of_sealed_segments(
    small_segments: SegmentBlobStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stored(small_segments, PREFIX, *(noise(9_000, number) for number in range(30)))
    await small_segments.close()
    opened: list[str] = []
    open_file = os.open

    def noted(path: Any, *arguments: Any, **options: Any) -> int:
        opened.append(str(path))
        return open_file(path, *arguments, **options)

    again = SegmentBlobStore(root)
    monkeypatch.setattr(os, "open", noted)
    again.recover()
    assert not [path for path in opened if path.endswith(".segment")]
    await again.close()


# --- erasing


async def test_an_erased_recordings_bytes_are_nowhere_and_its_neighbours_read_back(
    store: SegmentBlobStore, root: Path
) -> None:
    gone = [noise(size, size) for size in (10, 5_000, 70_000, 256 * 1024, 400_000)]
    stay = [noise(size, size + 1) for size in (10, 5_000, 70_000, 256 * 1024, 400_000)]
    stay_keys = []
    for gone_body, stays in zip(gone, stay, strict=True):
        await stored(store, "recordings/a/chunk-", gone_body)
        stay_keys += await stored(store, "recordings/b/chunk-", stays)
    assert await store.erase("recordings/a/") == len(gone)
    for body in gone:
        assert not is_anywhere(root, body[:4_000])
        assert not is_anywhere(root, body[-4_000:])
    assert sorted(store.keys()) == sorted(stay_keys)
    for key, body in zip(stay_keys, stay, strict=True):
        assert await whole(store, key) == body
    assert await store.erase("recordings/a/") == 0


async def test_what_was_erased_stays_so_after_a_restart_and_without_the_index(
    store: SegmentBlobStore, root: Path
) -> None:
    (gone,) = await stored(store, "a/", noise(5_000, 1))
    (stays,) = await stored(store, "b/", noise(5_000, 2))
    await store.erase("a/")
    await store.close()
    for path in (root / ".segments").glob("index*"):
        path.unlink()
    again = SegmentBlobStore(root)
    again.recover()
    assert list(again.keys()) == [stays]
    with pytest.raises(BlobNotFound):
        await again.size(gone)
    await again.close()


async def test_a_reader_of_what_is_erased_is_told_so_and_gets_no_zeros(store: SegmentBlobStore) -> None:
    (key,) = await stored(store, PREFIX, noise(200_000, 1))
    with store.open(key) as reader:
        assert reader.read(10) == noise(200_000, 1)[:10]
        await store.erase(PREFIX)
        reader.seek(100_000)
        with pytest.raises(BlobNotFound):
            reader.read(10)


async def test_a_segment_nothing_lives_in_is_removed(small_segments: SegmentBlobStore, root: Path) -> None:
    await stored(small_segments, "a/", *(noise(20_000, number) for number in range(8)))
    await all_indexed(small_segments)
    await small_segments.erase("a/")
    await all_indexed(small_segments)
    assert len(segments(root)) <= 1


async def test_a_segment_with_little_left_is_compacted_and_removed(
    small_segments: SegmentBlobStore, root: Path
) -> None:
    (kept,) = await stored(small_segments, "kept/", noise(5_000, 99))
    await stored(small_segments, "gone/", *(noise(20_000, number) for number in range(6)))
    await all_indexed(small_segments)
    first = set(segments(root))
    await small_segments.erase("gone/")
    await all_indexed(small_segments)
    assert await whole(small_segments, kept) == noise(5_000, 99)
    assert len(first & set(segments(root))) < len(first)
    assert small_segments.usage().live_bytes < 6_000
    await small_segments.erase("kept/")
    assert not is_anywhere(root, noise(5_000, 99)[:1000])


async def test_what_the_background_indexed_before_its_put_returned_can_be_erased_and_stored_again(
    small_segments: SegmentBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = small_segments._writer
    monkeypatch.setattr(writer, "_on_unindexed", writer.index_durable)  # the background thread, at its quickest
    bodies = [noise(20_000, number) for number in range(4)]
    keys = await stored(small_segments, PREFIX, *bodies)
    assert writer.segments == []
    await small_segments.delete(keys[3])
    assert sorted(small_segments.keys()) == sorted(keys[:3])
    assert await stored(small_segments, PREFIX, bodies[3]) == [keys[3]]
    assert await whole(small_segments, keys[3]) == bodies[3]


async def test_what_the_background_synced_before_it_was_noted_is_found_after_a_crash(
    store: SegmentBlobStore, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = await stored(store, PREFIX, b"makes the segment")
    store._writer.index_durable()
    (own,) = store._writer._own

    def append(buffers: Any, size_bytes: int, append: Any = own.segment.append) -> int:
        offset: int = append(buffers, size_bytes)
        store._writer.sync()
        store._writer.index_durable()
        return offset

    with monkeypatch.context() as quick:
        quick.setattr(WritableSegment, "append", lambda _, *arguments: append(*arguments))
        (second,) = await stored(store, PREFIX, b"acknowledged")
    shutil.copytree(root, tmp_path / "after the crash")
    again = SegmentBlobStore(tmp_path / "after the crash")
    again.recover()
    assert sorted(again.keys()) == sorted([first, second])
    assert await whole(again, second) == b"acknowledged"
    await again.close()


STEPS = """
import asyncio, os, signal, sys
from adapters.blobs.segments import space
from adapters.blobs.segments.store import SegmentBlobStore
from adapters.blobs.segments.index import SegmentIndex
from pathlib import Path
from urllib.parse import urlsplit
root, last_step = urlsplit(sys.argv[1]).path.rsplit("/", 1)
left = int(last_step)
def dies(function):
    def step(*arguments, **options):
        global left
        if left == 0: os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return function(*arguments, **options)
    return step
async def body(data): yield data
async def main():
    store = SegmentBlobStore(Path(root), segment_bytes=65536)
    for number in range(7):
        await store.put("gone/", body(b"gone%d" % number * 4000))
        if number == 1: await store.put("kept/", body(b"kept" * 3000))
    await asyncio.wrap_future(store._background.submit(lambda: None))
    os.pwrite, os.fdatasync, os.unlink, os.pwritev = map(dies, (os.pwrite, os.fdatasync, os.unlink, os.pwritev))
    space.punch = dies(space.punch)
    SegmentIndex.drop, SegmentIndex.add = dies(SegmentIndex.drop), dies(SegmentIndex.add)
    SegmentIndex.erased, SegmentIndex.forget_segment = dies(SegmentIndex.erased), dies(SegmentIndex.forget_segment)
    await store.erase("gone/")
    await asyncio.wrap_future(store._background.submit(lambda: None))
    print("done")
asyncio.run(main())
"""


@pytest.mark.slow
async def test_killed_at_any_step_of_erasing_and_compacting_nothing_is_lost_and_nothing_comes_back(
    tmp_path: Path,
) -> None:
    for step in range(60):
        root = tmp_path / str(step)
        ended = await asyncio.to_thread(run, STEPS, f"file://{root}/{step}")
        assert ended.returncode in (0, -9), ended.stderr
        store = SegmentBlobStore(root, segment_bytes=SEGMENT_BYTES)
        store.recover()
        if list(store.keys("gone/")):
            await store.erase("gone/")  # killed before it was noted down: it is asked for again, by its follower
        await all_indexed(store)
        (kept,) = store.keys()
        assert await whole(store, kept) == b"kept" * 3000
        assert not any(is_anywhere(root, b"gone%d" % number * 3) for number in range(7)), step
        await store.erase("kept/")
        assert not is_anywhere(root, b"kept" * 3), step
        await store.close()
        if ended.returncode == 0:
            break
    else:
        pytest.fail("there are more steps than were tried")


# --- disks that fail


def failing(number: int) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("has_segment", [True, False])
@pytest.mark.parametrize(
    ("call", "number", "expected"),
    [
        ("posix_fallocate", errno.ENOSPC, StorageFull),
        ("posix_fallocate", errno.EDQUOT, StorageFull),
        ("pwritev", errno.ENOSPC, StorageFull),
        ("pwritev", errno.EIO, StorageUnavailable),
        ("fdatasync", errno.EIO, StorageUnavailable),
        ("fdatasync", errno.ENOSPC, StorageFull),
    ],
)
async def test_a_failing_disk_is_named_nothing_is_stored_and_it_is_over_when_it_is_over(
    root: Path, call: str, number: int, expected: type[BlobFailure], has_segment: bool
) -> None:
    store = SegmentBlobStore(root, step_bytes=4096)
    before = await stored(store, PREFIX, noise(1_000, 1)) if has_segment else []
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(os, call, failing(number))
        for _ in range(2):
            with pytest.raises(expected) as failure:
                await store.put(PREFIX, streamed([noise(10_000, 2)]))
            assert str(root) not in str(failure.value)
    assert list(store.keys()) == before
    after = await stored(store, PREFIX, noise(10_000, 2), noise(2_000, 3))
    await store.close()
    again = SegmentBlobStore(root)
    again.recover()
    assert sorted(again.keys()) == sorted(before + after)
    assert await whole(again, after[0]) == noise(10_000, 2)
    await again.close()


async def test_a_segment_whose_sync_failed_is_never_synced_or_written_again_and_what_was_durable_stays(
    store: SegmentBlobStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kept,) = await stored(store, PREFIX, noise(3_000, 1))
    (failed_segment,) = segments(root)
    touched: list[str] = []

    def fails(descriptor: int) -> None:
        touched.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fails)
        with pytest.raises(StorageUnavailable):
            await store.put(PREFIX, streamed([noise(3_000, 2)]))
        with pytest.raises(StorageUnavailable):
            await store.put(PREFIX, streamed([noise(3_000, 2)]))
    assert touched.count(f"{failed_segment:016x}.segment") == 1
    await all_indexed(store)
    assert (root / ".segments" / f"{failed_segment:016x}.segment").read_bytes().find(noise(3_000, 2)[:100]) < 0
    assert await whole(store, kept) == noise(3_000, 1)
    (retried,) = await stored(store, PREFIX, noise(3_000, 2))
    assert await whole(store, retried) == noise(3_000, 2)


async def test_a_failed_sync_fails_every_body_that_waited_for_it_and_no_other(
    store: SegmentBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.put(PREFIX, streamed([noise(10, 0)]))
    async with (
        store.stage(PREFIX, streamed([noise(100, 1)])) as old,
        store.stage(PREFIX, streamed([noise(10, 0)])) as stored_before,
    ):
        assert isinstance(old, StagedBody)
        with monkeypatch.context() as broken:
            broken.setattr(os, "fdatasync", failing(errno.EIO))
            outcomes = await asyncio.to_thread(old.keeper.make_durable, [old, stored_before])
    assert [type(outcome) for outcome in outcomes] == [StorageUnavailable, type(None)]


# --- slow clients


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(gathering, "PATIENCE_SECONDS", 0.01)
    return


@pytest.mark.parametrize("size_bytes", [1, 200_000, 700_000])
async def test_a_slow_client_holds_no_buffer_of_its_bodys_size_and_nobody_elses_place(
    root: Path, no_patience: None, size_bytes: int
) -> None:
    store = SegmentBlobStore(root, waiting_bytes=256 * 1024)
    has_begun, go_on, body = asyncio.Event(), asyncio.Event(), noise(size_bytes, 1)

    async def slow() -> AsyncIterator[bytes]:
        has_begun.set()
        yield body[: size_bytes // 2]
        await go_on.wait()
        yield body[size_bytes // 2 :]

    putting = asyncio.create_task(store.put("slow/", slow()))
    await has_begun.wait()
    (quick,) = await stored(store, "quick/", noise(256 * 1024, 2))  # it takes the whole room
    assert await whole(store, quick) == noise(256 * 1024, 2)
    assert store._intake._room.taken_bytes == 0
    if size_bytes // 2 > gathering.SLOW_BYTES:
        incoming = root / ".incoming"
        while not any(path.stat().st_size == size_bytes // 2 for path in incoming.iterdir()):
            await asyncio.sleep(0)
    go_on.set()
    assert await putting == described("slow/", body)
    assert await whole(store, described("slow/", body).key) == body
    assert list((root / ".incoming").iterdir()) == []
    await store.close()


async def test_bytes_on_their_way_are_bounded_and_who_waits_gets_his_turn(root: Path) -> None:
    store = SegmentBlobStore(root, waiting_bytes=300_000)
    most = 0

    async def watched(body: bytes) -> AsyncIterator[bytes]:
        nonlocal most
        most = max(most, store._intake._room.taken_bytes)
        yield body

    bodies = [noise(100_000, number) for number in range(30)]
    blobs = await asyncio.gather(*(store.put(PREFIX, watched(body)) for body in bodies))
    assert 0 < most <= 300_000
    for blob, body in zip(blobs, bodies, strict=True):
        assert await whole(store, blob.key) == body
    assert store._intake._room.taken_bytes == 0
    await store.close()
