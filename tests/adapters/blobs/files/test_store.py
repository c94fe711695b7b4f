"""Local files keep the contract, and what only files can be asked: order of syncs, modes, leftovers, full disks."""

import asyncio
import errno
import os
import stat
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from adapters.blobs.files.store import BLOCK_BYTES, FileBlobStore
from adapters.blobs.port import BlobFailure, BlobNotFound, StorageFull, StorageUnavailable, StoredBlob
from tests.adapters.blobs.contract import PREFIX, BlobStoreContract, described, noise, streamed, whole


class TestFileBlobStore(BlobStoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"file://{tmp_path}/data/blobs"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FileBlobStore]:
    store = FileBlobStore(tmp_path / "blobs")
    yield store
    await store.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


# --- durable before acknowledged


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """What the store really asks of the system, in order; temporary files all go by one name."""
    made: list[str] = []

    def name(path: object) -> str:
        relative = Path(str(path)).relative_to(tmp_path)
        return "temporary" if relative.parent.name == ".incoming" else str(relative)

    def recorded(function: Callable[..., Any], told: Callable[..., str]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            result = function(*arguments, **options)
            made.append(told(*arguments))
            return result

        return call

    def descriptor_name(descriptor: int) -> str:
        return name(Path(f"/proc/self/fd/{descriptor}").readlink())

    monkeypatch.setattr(os, "fsync", recorded(os.fsync, lambda fd: f"sync {descriptor_name(fd)}"))
    monkeypatch.setattr(os, "write", recorded(os.write, lambda fd, _: f"write {descriptor_name(fd)}"))
    monkeypatch.setattr(os, "replace", recorded(os.replace, lambda a, b: f"rename {name(a)} {name(b)}"))
    monkeypatch.setattr(os, "mkdir", recorded(os.mkdir, lambda path, *_: f"mkdir {name(path)}"))
    monkeypatch.setattr(os, "unlink", recorded(os.unlink, lambda path, *_: f"unlink {name(path)}"))
    yield made
    monkeypatch.undo()


async def test_a_new_directory_the_file_and_its_directory_are_synced_before_the_answer(
    store: FileBlobStore, calls: list[str]
) -> None:
    blob = await store.put("rec_1/chunks/", streamed([b"body"]))
    assert calls == [
        "write temporary",
        "sync temporary",
        "mkdir blobs/rec_1",
        "sync blobs",
        "mkdir blobs/rec_1/chunks",
        "sync blobs/rec_1",
        f"rename temporary blobs/{blob.key}",
        "sync blobs/rec_1/chunks",
    ]


async def test_in_a_directory_known_to_be_durable_two_syncs_are_enough(store: FileBlobStore, calls: list[str]) -> None:
    await store.put(PREFIX, streamed([b"first"]))
    calls.clear()
    blob = await store.put(PREFIX, streamed([b"second"]))
    assert calls == [
        "write temporary",
        "sync temporary",
        f"rename temporary blobs/{blob.key}",
        "sync blobs/rec_1/chunks",
    ]


async def test_a_directory_that_another_process_made_is_synced_before_it_is_relied_on(
    store: FileBlobStore, root: Path, calls: list[str]
) -> None:
    (root / "rec_1").mkdir()
    calls.clear()
    blob = await store.put("rec_1/", streamed([b"body"]))
    assert calls.index("sync blobs") < calls.index(f"rename temporary blobs/{blob.key}")


def test_a_new_root_and_all_its_new_parents_are_synced(tmp_path: Path, calls: list[str]) -> None:
    FileBlobStore(tmp_path / "a" / "b")
    assert calls == ["mkdir a", "sync .", "mkdir a/b", "sync a", "sync a", "mkdir a/b/.incoming", "sync a/b"]


async def test_a_deletion_is_synced_too(store: FileBlobStore, calls: list[str]) -> None:
    blob = store.put_bytes(PREFIX, b"goes")
    calls.clear()
    await store.delete(blob.key)
    assert calls == [f"unlink blobs/{blob.key}", "sync blobs/rec_1/chunks"]


async def test_a_file_taken_over_is_synced_and_moved_not_copied(
    store: FileBlobStore, tmp_path: Path, calls: list[str]
) -> None:
    (tmp_path / "done").write_bytes(b"stitched")
    blob = store.put_file("", tmp_path / "done")
    assert calls == ["sync done", f"rename done blobs/{blob.key}", "sync blobs"]


def test_a_file_on_another_file_system_is_copied_and_synced_before_it_is_removed(
    store: FileBlobStore, tmp_path: Path, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, body = tmp_path / "done", noise(BLOCK_BYTES + 5, 1)
    path.write_bytes(body)
    replace = os.replace

    def across(source: Path, target: Path) -> None:
        if source == path:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        replace(source, target)

    monkeypatch.setattr(os, "replace", across)
    blob = store.put_file("", path)
    copied = calls[calls.index("write temporary") :]
    assert copied == [
        "write temporary",
        "write temporary",
        "sync temporary",
        f"rename temporary blobs/{blob.key}",
        "sync blobs",
        "unlink done",
    ]
    with store.open(blob.key) as reader:
        assert reader.read() == body


# --- one hop, off the event loop


async def test_a_chunk_of_64_kib_costs_one_hop_to_a_thread_and_none_of_it_runs_on_the_event_loop(
    store: FileBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    hops = 0
    submit = store._threads._pool.submit

    def counted(*arguments: Any) -> Any:
        nonlocal hops
        hops += 1
        return submit(*arguments)

    def not_here(descriptor: int, sync: Callable[[int], None] = os.fsync) -> None:
        assert threading.current_thread() is not threading.main_thread()
        sync(descriptor)

    monkeypatch.setattr(store._threads._pool, "submit", counted)
    monkeypatch.setattr(os, "fsync", not_here)
    await store.put(PREFIX, streamed([noise(32 * 1024, 1), noise(32 * 1024, 2)]))
    assert hops == 1


# --- nobody else's business


@pytest.mark.parametrize("mask", [0o000, 0o022])
async def test_files_and_directories_are_the_owners_alone_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        store = FileBlobStore(tmp_path / "blobs")
        await store.put(PREFIX, streamed([b"private"]))
        (tmp_path / "shared").write_bytes(b"was readable")
        store.put_file(PREFIX, tmp_path / "shared")
        await store.close()
    finally:
        os.umask(before)
    paths = [tmp_path / "blobs", *(tmp_path / "blobs").rglob("*")]
    modes = {path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in paths}
    assert modes == {True: 0o700, False: 0o600}
    assert not any(path.stat().st_mode & 0o077 for path in paths)


# --- leftovers


async def test_opening_the_store_again_leaves_another_process_s_running_put_alone(
    store: FileBlobStore, root: Path
) -> None:
    halfway, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield bytes(BLOCK_BYTES)
        halfway.set()
        await go_on.wait()
        yield b"end"

    putting = asyncio.create_task(store.put(PREFIX, slow()))
    await halfway.wait()
    assert len(temporary_files(root)) == 1
    worker = FileBlobStore(root)
    go_on.set()
    assert await putting == described(PREFIX, bytes(BLOCK_BYTES) + b"end")
    await worker.close()


async def test_recovery_removes_leftovers_and_no_blob(store: FileBlobStore, root: Path) -> None:
    blob = await store.put(PREFIX, streamed([b"acknowledged"]))
    (root / ".incoming" / "left-by-a-crash").write_bytes(b"half a body")
    assert store.recover() == 1
    assert temporary_files(root) == []
    assert list(store.keys()) == [blob.key]


async def test_leftovers_are_never_listed(store: FileBlobStore, root: Path) -> None:
    (root / ".incoming" / "leftover").write_bytes(b"half")
    assert list(store.keys()) == []


@pytest.mark.parametrize("how", ["body", "check", "cancel"])
async def test_no_temporary_file_is_left_when_a_put_fails(store: FileBlobStore, root: Path, how: str) -> None:
    sent = asyncio.Event()

    async def failing() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield bytes(BLOCK_BYTES)
        assert len(temporary_files(root)) == 1
        sent.set()
        if how == "body":
            raise ConnectionResetError
        if how == "cancel":
            await asyncio.Event().wait()

    def check(_: StoredBlob) -> None:
        raise ValueError("wrong digest")

    putting = asyncio.create_task(store.put(PREFIX, failing(), check=check))
    await sent.wait()
    if how == "cancel":
        putting.cancel()
    with pytest.raises((ConnectionResetError, ValueError, asyncio.CancelledError)):
        await putting
    assert temporary_files(root) == []


async def test_cancelling_while_a_thread_writes_waits_for_it_and_then_cleans_up(
    store: FileBlobStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes, may_go_on, ended = threading.Event(), threading.Event(), threading.Event()
    write = os.write

    def held(descriptor: int, block: bytes) -> int:
        writes.set()
        may_go_on.wait(10)
        written = write(descriptor, block)
        ended.set()
        return written

    monkeypatch.setattr(os, "write", held)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(BLOCK_BYTES)

    putting = asyncio.create_task(store.put(PREFIX, endless()))
    await asyncio.to_thread(writes.wait)
    putting.cancel()
    await asyncio.wait([putting], timeout=0)
    putting.cancel()  # an impatient caller does so twice
    may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert ended.is_set()
    assert temporary_files(root) == []
    assert list(store.keys()) == []


async def test_closing_the_store_under_a_running_put_leaves_nothing_either(store: FileBlobStore, root: Path) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield bytes(BLOCK_BYTES)
        await store.close()
        yield bytes(BLOCK_BYTES)

    with pytest.raises(StorageUnavailable, match="closed"):
        await store.put(PREFIX, body())
    assert temporary_files(root) == []


# --- disks that fail


def failing(number: int, only: Callable[[int], bool] = lambda _: True) -> Callable[..., Any]:
    def fail(descriptor: int, *_: Any) -> None:
        if only(descriptor):
            raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, StorageFull),
        (errno.EDQUOT, StorageFull),
        (errno.EIO, StorageUnavailable),
        (errno.EROFS, StorageUnavailable),
        (errno.EACCES, StorageUnavailable),
    ],
)
@pytest.mark.parametrize("call", ["write", "fsync", "open", "replace", "mkdir"])
async def test_a_failing_system_call_is_named_leaves_nothing_and_is_over_when_it_is_over(
    store: FileBlobStore, root: Path, call: str, number: int, expected: type[BlobFailure]
) -> None:
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(os, call, failing(number))
        with pytest.raises(expected) as failure:
            await store.put(PREFIX, streamed([b"body"]))
        with pytest.raises(expected):
            store.put_bytes(PREFIX, b"body")
    assert str(root) not in str(failure.value)
    assert temporary_files(root) == []
    assert list(store.keys()) == []
    assert (await store.put(PREFIX, streamed([b"body"]))).size_bytes == 4


@pytest.mark.parametrize("call", ["write", "fsync", "open"])
async def test_a_store_that_cannot_be_written_says_so(
    store: FileBlobStore, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setattr(os, call, failing(errno.EROFS))
    with pytest.raises(StorageUnavailable, match="read-only file system"):
        await store.check_writable()


async def test_a_file_whose_sync_failed_is_thrown_away_and_never_synced_again(
    store: FileBlobStore, root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    synced: list[str] = []

    def fails(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(StorageUnavailable, match="input/output error"):
        await store.put(PREFIX, streamed([b"body"]))
    with pytest.raises(StorageUnavailable):
        await store.put(PREFIX, streamed([b"body"]))
    (tmp_path / "done").write_bytes(b"done")
    with pytest.raises(StorageUnavailable):
        store.put_file(PREFIX, tmp_path / "done")
    assert len(synced) == len(set(synced)) == 3
    assert temporary_files(root) == []
    assert not (tmp_path / "done").exists()


async def test_erasing_again_after_a_sync_that_failed_makes_what_is_gone_durably_gone(
    store: FileBlobStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.put("rec_1/chunk-1-", streamed([b"body"]))
    synced: list[str] = []

    def fails(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    def syncs(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(StorageUnavailable, match="input/output error"):
        await store.erase("rec_1/")
    monkeypatch.setattr(os, "fsync", syncs)
    assert await store.erase("rec_1/") == 0
    assert synced == [str(root / "rec_1")]


async def test_a_file_that_could_not_be_moved_is_still_the_callers(
    store: FileBlobStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "done"
    path.write_bytes(b"done")
    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", failing(errno.ENOSPC))
        with pytest.raises(StorageFull):
            store.put_file(PREFIX, path)
    assert store.put_file(PREFIX, path) == described(PREFIX, b"done")


async def test_when_syncing_the_directory_fails_an_equal_blob_acknowledged_before_stays(
    store: FileBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = await store.put(PREFIX, streamed([b"acknowledged"]))
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", failing(errno.EIO, only=lambda fd: stat.S_ISDIR(os.fstat(fd).st_mode)))
        with pytest.raises(StorageUnavailable):
            await store.put(PREFIX, streamed([b"acknowledged"]))
    assert await whole(store, blob.key) == b"acknowledged"


async def test_a_write_that_takes_only_part_is_gone_on_with(
    store: FileBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, block: write(descriptor, block[:1000]))
    body = noise(64 * 1024, 7)
    blob = await store.put(PREFIX, streamed([body]))
    assert await whole(store, blob.key) == body


async def test_reading_an_unreadable_disk_is_not_the_same_as_not_found(
    store: FileBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = store.put_bytes(PREFIX, b"body")
    monkeypatch.setattr(os, "pread", failing(errno.EIO))
    with pytest.raises(StorageUnavailable):
        await whole(store, blob.key)


async def test_a_directory_removed_by_hand_is_made_again(store: FileBlobStore, root: Path) -> None:
    blob = store.put_bytes("rec_1/", b"body")
    (root / blob.key).unlink()
    (root / "rec_1").rmdir()
    with pytest.raises(BlobNotFound):
        await store.size(blob.key)
    with pytest.raises(StorageUnavailable):
        store.put_bytes("rec_1/", b"body")
    assert store.put_bytes("rec_1/", b"body") == blob


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    disk = tmp_path / "small"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("Mounting a small file system takes root, and the permission to mount.")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


async def test_a_full_disk_refuses_keeps_what_it_has_and_works_again_when_there_is_room(small_disk: Path) -> None:
    store = FileBlobStore(small_disk / "blobs")
    kept = await store.put(PREFIX, streamed([noise(600_000, 1)]))
    with pytest.raises(StorageFull):
        await store.put(PREFIX, streamed(noise(65_536, number) for number in range(40)))
    with pytest.raises(StorageFull):
        store.put_bytes(PREFIX, noise(600_000, 2))
    assert temporary_files(small_disk / "blobs") == []
    filler = small_disk / "filler"
    fill_up(filler)
    with pytest.raises(StorageFull):
        await store.check_writable()
    assert await whole(store, kept.key) == noise(600_000, 1)
    filler.unlink()
    await store.check_writable()
    assert (await store.put(PREFIX, streamed([b"room"]))).size_bytes == 4
    await store.close()


async def test_a_file_from_a_really_different_file_system_is_taken_over(store: FileBlobStore, small_disk: Path) -> None:
    path, body = small_disk / "done", noise(700_000, 8)
    path.write_bytes(body)
    blob = store.put_file(PREFIX, path)
    assert blob == described(PREFIX, body)
    assert await whole(store, blob.key) == body
    assert not path.exists()


def temporary_files(root: Path) -> list[Path]:
    return list((root / ".incoming").iterdir())


def fill_up(filler: Path) -> None:
    with filler.open("wb", buffering=0) as rest, suppress(OSError):
        while True:
            rest.write(bytes(4096))
