"""What every blob store promises, as tests: a store passes by subclassing BlobStoreContract with its own `url`."""

import asyncio
import hashlib
import io
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.blobs.discarding import discard
from adapters.blobs.opening import open_store
from adapters.blobs.port import (
    BlobNotFound,
    BlobStore,
    BlobTooLarge,
    InvalidBlobKey,
    Staged,
    StorageUnavailable,
    StoredBlob,
)
from tests.places import REPOSITORY

PREFIX = "rec_1/chunks/"
ABSENT = PREFIX + "0" * 64

each_example_may_share_the_store = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
# Sizes around the 64 KiB of a pipe or a network read and the block sizes of file adapters.
piece_sizes = st.one_of(st.integers(0, 3000), st.sampled_from([65_535, 65_536, 262_144, 524_287, 524_288, 600_001]))

keys_that_could_get_out = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../x",
    "a/../b",
    "a/..",
    "a/./b",
    "./a",
    "a//b",
    "a/",
    ".incoming/x",
    ".hidden",
    "a/.hidden",
    "a\\b",
    "a\0b",
    "a\n",
    "a b",
    "ä",
    "\uff0e\uff0e/x",
    "%2e%2e/x",
    "~root",
    "-rf",
    "C:/x",
    "a" * 129,
    "a/" * 300 + "a",
    "\udc80",
]


class BlobStoreContract:
    @pytest.fixture
    def url(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    async def store(self, url: str) -> AsyncIterator[BlobStore]:
        store = open_store(url)
        yield store
        await store.close()

    # --- storing

    @given(sizes=st.lists(piece_sizes, max_size=8), seed=st.integers(0, 255))
    @each_example_may_share_the_store
    async def test_whatever_pieces_a_body_comes_in_it_is_stored_whole(
        self, store: BlobStore, sizes: list[int], seed: int
    ) -> None:
        pieces = [noise(size, seed + position) for position, size in enumerate(sizes)]
        body = b"".join(pieces)
        blob = await store.put(PREFIX, streamed(pieces))
        assert blob == described(PREFIX, body)
        assert await whole(store, blob.key) == body
        assert await store.size(blob.key) == len(body)

    async def test_many_tiny_pieces_are_one_body(self, store: BlobStore) -> None:
        blob = await store.put(PREFIX, streamed(b"ab" for _ in range(100_000)))
        assert blob == described(PREFIX, b"ab" * 100_000)

    async def test_the_same_bytes_again_are_the_same_blob(self, store: BlobStore) -> None:
        first = await store.put(PREFIX, streamed([b"once"]))
        again = await store.put(PREFIX, streamed([b"on", b"ce"]))
        assert again == first
        assert list(store.keys()) == [first.key]

    async def test_the_same_bytes_under_two_prefixes_are_two_blobs(self, store: BlobStore) -> None:
        one = await store.put("rec_1/chunks/", streamed([b"same"]))
        other = await store.put("rec_2/chunks/", streamed([b"same"]))
        await store.delete(one.key)
        assert await whole(store, other.key) == b"same"

    @pytest.mark.parametrize("prefix", ["", "rec_1/", "rec_1/part-", "a/b/c/d/e/"])
    async def test_a_prefix_may_end_anywhere(self, store: BlobStore, prefix: str) -> None:
        blob = await store.put(prefix, streamed([b"here"]))
        assert blob.key == prefix + hashlib.sha256(b"here").hexdigest()
        assert await whole(store, blob.key) == b"here"

    async def test_many_bodies_at_once_some_of_them_equal_are_all_there(self, store: BlobStore) -> None:
        bodies = [noise(40_000, number % 20) for number in range(80)]
        blobs = await asyncio.gather(
            *(store.put(f"rec_{position % 4}/", streamed([body])) for position, body in enumerate(bodies))
        )
        for blob, body in zip(blobs, bodies, strict=True):
            assert await whole(store, blob.key) == body
        assert sorted(store.keys()) == sorted({blob.key for blob in blobs})

    async def test_bytes_are_stored_from_a_worker_process_s_side_too(self, store: BlobStore) -> None:
        assert store.put_bytes(PREFIX, b"transcript") == described(PREFIX, b"transcript")
        assert store.put_bytes(PREFIX, b"") == described(PREFIX, b"")
        assert await whole(store, described(PREFIX, b"transcript").key) == b"transcript"

    async def test_a_finished_file_is_taken_over(self, store: BlobStore, tmp_path: Path) -> None:
        path, body = tmp_path / "stitched.opus", noise(1_500_000, 1)
        path.write_bytes(body)
        assert store.put_file("rec_1/stitched/", path) == described("rec_1/stitched/", body)
        assert not path.exists()
        assert await whole(store, described("rec_1/stitched/", body).key) == body

    async def test_a_file_is_still_the_callers_when_its_prefix_is_refused(
        self, store: BlobStore, tmp_path: Path
    ) -> None:
        path = tmp_path / "kept"
        path.write_bytes(b"kept")
        with pytest.raises(InvalidBlobKey):
            store.put_file("../", path)
        assert path.read_bytes() == b"kept"

    # --- not storing

    @pytest.mark.parametrize("size", [0, 10, 64 * 1024, 2_000_000])
    async def test_a_check_that_fails_keeps_a_body_of_any_size_out(self, store: BlobStore, size: int) -> None:
        seen: list[StoredBlob] = []

        def refuse(blob: StoredBlob) -> None:
            seen.append(blob)
            raise WrongDigest

        body = noise(size, 3)
        with pytest.raises(WrongDigest):
            await store.put(PREFIX, streamed([body]), check=refuse)
        assert seen == [described(PREFIX, body)]
        assert list(store.keys()) == []

    async def test_a_check_that_fails_leaves_the_equal_blob_that_was_there(self, store: BlobStore) -> None:
        def refuse(_: StoredBlob) -> None:
            raise WrongDigest

        blob = await store.put(PREFIX, streamed([b"kept"]))
        with pytest.raises(WrongDigest):
            await store.put(PREFIX, streamed([b"kept"]), check=refuse)
        assert await whole(store, blob.key) == b"kept"

    async def test_a_body_as_large_as_the_limit_is_stored_and_one_byte_more_is_not(self, store: BlobStore) -> None:
        body = noise(700_000, 4)
        await store.put("fits/", streamed([body]), limit_bytes=700_000)
        with pytest.raises(BlobTooLarge) as refused:
            await store.put("not/", streamed([body]), limit_bytes=699_999)
        assert refused.value.limit_bytes == 699_999
        assert list(store.keys("not/")) == []

    async def test_a_body_past_the_limit_is_not_read_to_its_end(self, store: BlobStore) -> None:
        sent = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal sent
            while True:
                sent += 65_536
                yield bytes(65_536)

        with pytest.raises(BlobTooLarge):
            await store.put(PREFIX, endless(), limit_bytes=1_000_000)
        assert sent <= 1_000_000 + 65_536

    @pytest.mark.parametrize("sent_bytes", [0, 100, 3_000_000])
    async def test_what_the_body_raises_comes_out_and_nothing_stays(self, store: BlobStore, sent_bytes: int) -> None:
        async def cut_off() -> AsyncIterator[bytes]:
            yield bytes(sent_bytes)
            raise ConnectionResetError("the client went away")

        with pytest.raises(ConnectionResetError, match="went away"):
            await store.put(PREFIX, cut_off())
        assert list(store.keys()) == []

    @pytest.mark.parametrize("sent_bytes", [0, 100, 3_000_000])
    async def test_cancelling_a_put_that_waits_for_its_client_stores_nothing(
        self, store: BlobStore, sent_bytes: int
    ) -> None:
        waits = asyncio.Event()

        async def silent() -> AsyncIterator[bytes]:
            yield bytes(sent_bytes)
            waits.set()
            await asyncio.Event().wait()

        putting = asyncio.create_task(store.put(PREFIX, silent()))
        await waits.wait()
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
        assert list(store.keys()) == []

    # --- staging

    @pytest.mark.parametrize("size", [0, 10, 64 * 1024, 2_000_000])
    async def test_what_is_staged_and_made_durable_is_stored_whole(self, store: BlobStore, size: int) -> None:
        body = noise(size, 7)
        async with store.stage(PREFIX, streamed([body[:5], body[5:]]), announced_bytes=size) as staged:
            assert (staged.blob, staged.size_bytes) == (described(PREFIX, body), size)
            assert await made_durable(staged) is None
        assert await whole(store, staged.blob.key) == body

    @pytest.mark.parametrize("size", [10, 2_000_000])
    async def test_a_staged_body_with_a_keeper_is_no_blob_until_that_was_asked(
        self, store: BlobStore, size: int
    ) -> None:
        async with store.stage(PREFIX, streamed([noise(size, 8)])) as staged:
            expected = [staged.blob.key] if staged.keeper is None else []
            assert list(store.keys()) == expected
        assert list(store.keys()) == expected

    async def test_bodies_that_are_staged_together_are_all_made_durable(self, store: BlobStore) -> None:
        async with AsyncExitStack() as all_of_them:
            staged = [
                await all_of_them.enter_async_context(store.stage(PREFIX, streamed([noise(1_000, number % 7)])))
                for number in range(20)
            ]
            for body in staged:
                assert await made_durable(body) is None
        assert set(store.keys()) == {described(PREFIX, noise(1_000, number)).key for number in range(7)}

    @pytest.mark.parametrize("is_made_durable", [False, True])
    @pytest.mark.parametrize("size", [10, 2_000_000])
    async def test_a_staged_body_that_is_discarded_leaves_nothing(
        self, store: BlobStore, size: int, is_made_durable: bool
    ) -> None:
        kept = store.put_bytes(PREFIX, b"kept")
        async with store.stage(PREFIX, streamed([noise(size, 9)])) as staged:
            if is_made_durable:
                await made_durable(staged)
            await discard(store, staged)
        assert list(store.keys()) == [kept.key]

    @pytest.mark.parametrize("size", [0, 10, 2_000_000])
    async def test_a_check_that_fails_keeps_a_body_from_being_staged(self, store: BlobStore, size: int) -> None:
        def refuse(_: StoredBlob) -> None:
            raise WrongDigest

        with pytest.raises(WrongDigest):
            async with store.stage(PREFIX, streamed([noise(size, 3)]), check=refuse):
                pytest.fail("it was staged")
        assert list(store.keys()) == []

    async def test_a_body_past_the_limit_and_one_that_breaks_off_are_not_staged(self, store: BlobStore) -> None:
        async def cut_off() -> AsyncIterator[bytes]:
            yield bytes(100)
            raise ConnectionResetError("the client went away")

        with pytest.raises(BlobTooLarge):
            async with store.stage(PREFIX, streamed([bytes(11)]), limit_bytes=10):
                pytest.fail("it was staged")
        with pytest.raises(ConnectionResetError, match="went away"):
            async with store.stage(PREFIX, cut_off()):
                pytest.fail("it was staged")
        assert list(store.keys()) == []

    async def test_what_is_raised_while_a_body_is_staged_comes_out(self, store: BlobStore) -> None:
        with pytest.raises(WrongDigest):
            async with store.stage(PREFIX, streamed([b"refused by the domain"])):
                raise WrongDigest

    # --- reading

    @given(start=st.integers(0, 1_300_000), length=st.none() | st.integers(0, 1_300_000))
    @each_example_may_share_the_store
    async def test_any_range_reads_as_a_slice_does(self, store: BlobStore, start: int, length: int | None) -> None:
        body = noise(1_200_000, 5)
        key = described(PREFIX, body).key
        if key not in store.keys(PREFIX):
            store.put_bytes(PREFIX, body)
        expected = body[start:] if length is None else body[start : start + length]
        assert await whole(store, key, start=start, length=length) == expected

    async def test_reading_comes_in_blocks_and_can_stop_early(self, store: BlobStore) -> None:
        blob = store.put_bytes(PREFIX, noise(5_000_000, 6))
        reading = store.read(blob.key)
        first = await anext(reading)
        assert 0 < len(first) <= 1024 * 1024
        await reading.aclose()  # type: ignore[attr-defined]

    async def test_a_negative_range_is_refused(self, store: BlobStore) -> None:
        blob = store.put_bytes(PREFIX, b"x")
        with pytest.raises(ValueError, match="negative"):
            await whole(store, blob.key, start=-1)
        with pytest.raises(ValueError, match="negative"):
            await whole(store, blob.key, length=-1)

    async def test_an_opened_blob_can_be_sought_in(self, store: BlobStore) -> None:
        blob = store.put_bytes(PREFIX, b"0123456789")
        with store.open(blob.key) as reader:
            assert reader.seek(-3, io.SEEK_END) == 7
            assert reader.read() == b"789"
            reader.seek(2)
            assert reader.read(2) == b"23"

    @pytest.mark.parametrize("absent", [ABSENT, "rec_1", "rec_1/chunks", "nowhere"])
    async def test_what_is_not_there_is_not_found(self, store: BlobStore, absent: str) -> None:
        store.put_bytes(PREFIX, b"something else")
        with pytest.raises(BlobNotFound, match=absent):
            await whole(store, absent)
        with pytest.raises(BlobNotFound, match=absent):
            await whole(store, absent, length=0)
        with pytest.raises(BlobNotFound, match=absent):
            await store.size(absent)
        with pytest.raises(BlobNotFound, match=absent):
            store.open(absent)

    async def test_a_url_of_a_whole_blob_if_there_is_one_has_its_bytes(self, store: BlobStore) -> None:
        for blob in (store.put_bytes(PREFIX, noise(1_000, 3)), await store.put(PREFIX, streamed([b"small"]))):
            url = await store.direct_url(blob.key, timedelta(seconds=60))
            if url is not None:
                async with aiohttp.ClientSession() as session, session.get(url) as answer:
                    assert hashlib.sha256(await answer.read()).hexdigest() == blob.sha256

    # --- deleting and listing

    async def test_a_deleted_blob_is_gone_and_its_neighbours_stay(self, store: BlobStore) -> None:
        blob, neighbour = store.put_bytes(PREFIX, b"goes"), store.put_bytes(PREFIX, b"stays")
        await store.delete(blob.key)
        with pytest.raises(BlobNotFound):
            await store.size(blob.key)
        assert list(store.keys()) == [neighbour.key]

    async def test_deleting_what_is_not_there_is_no_error(self, store: BlobStore) -> None:
        blob = store.put_bytes(PREFIX, b"goes")
        await store.delete(blob.key)
        await store.delete(blob.key)
        await store.delete("nowhere/at/all")
        await store.delete("rec_1/chunks")

    async def test_a_blob_that_was_deleted_can_be_stored_again(self, store: BlobStore) -> None:
        blob = store.put_bytes(PREFIX, b"back")
        await store.delete(blob.key)
        assert await store.put(PREFIX, streamed([b"back"])) == blob
        assert await whole(store, blob.key) == b"back"

    async def test_everything_under_a_prefix_is_erased_and_the_rest_stays(self, store: BlobStore) -> None:
        gone = [
            (await store.put("rec_1/chunk-1-", streamed([b"small"]))).key,
            (await store.put("rec_1/chunk-2-", streamed([noise(600_000, 1)]))).key,
            store.put_bytes("rec_1/audio-", b"from a worker").key,
        ]
        kept = [store.put_bytes("rec_10/", b"another's").key, (await store.put("", streamed([b"small"]))).key]
        assert await store.erase("rec_1/") == len(gone)
        assert sorted(store.keys()) == sorted(kept)
        for key in gone:
            with pytest.raises(BlobNotFound):
                await store.size(key)
        assert await store.erase("rec_1/") == 0

    async def test_many_are_erased_together_by_their_keys_and_what_is_not_there_is_no_error(
        self, store: BlobStore
    ) -> None:
        sizes = (0, 10, 5_000, 700_000)
        keys = [(await store.put(PREFIX, streamed([noise(size, number)]))).key for number, size in enumerate(sizes)]
        stays = (await store.put(PREFIX, streamed([b"stays"]))).key
        await store.erase_keys([*keys, f"{PREFIX}{'0' * 64}"])
        assert list(store.keys(PREFIX)) == [stays]
        await store.erase_keys(keys)
        await store.erase_keys([])
        assert await whole(store, stays) == b"stays"

    async def test_what_was_erased_can_be_stored_again(self, store: BlobStore) -> None:
        blob = await store.put(PREFIX, streamed([b"back"]))
        await store.erase(PREFIX)
        assert await store.put(PREFIX, streamed([b"back"])) == blob
        assert await whole(store, blob.key) == b"back"

    async def test_keys_are_found_by_how_they_begin(self, store: BlobStore) -> None:
        prefixes = ["", "a/", "a/b/", "ab/", "a/b-", "b/"]
        keys = [store.put_bytes(prefix, b"x").key for prefix in prefixes]
        for beginning in ["", "a", "a/", "a/b", "a/b/", "b/", "c/", keys[1], keys[1][:-1]]:
            expected = sorted(key for key in keys if key.startswith(beginning))
            assert sorted(store.keys(beginning)) == expected, beginning

    # --- keys

    @pytest.mark.parametrize("key", keys_that_could_get_out)
    async def test_a_key_that_could_get_out_is_refused_everywhere(self, store: BlobStore, key: str) -> None:
        with pytest.raises(InvalidBlobKey):
            await whole(store, key)
        with pytest.raises(InvalidBlobKey):
            store.open(key)
        with pytest.raises(InvalidBlobKey):
            await store.size(key)
        with pytest.raises(InvalidBlobKey):
            await store.delete(key)

    @pytest.mark.parametrize("prefix", [key for key in keys_that_could_get_out if key not in {"", "a/"}])
    async def test_a_prefix_that_could_get_out_is_refused_without_reading_the_body(
        self, store: BlobStore, prefix: str
    ) -> None:
        async def untouched() -> AsyncIterator[bytes]:
            pytest.fail("the body was read")
            yield b""

        with pytest.raises(InvalidBlobKey):
            await store.put(prefix, untouched())
        with pytest.raises(InvalidBlobKey):
            async with store.stage(prefix, untouched()):
                pytest.fail("it was staged")
        with pytest.raises(InvalidBlobKey):
            store.put_bytes(prefix, b"x")
        assert list(store.keys()) == []

    @pytest.mark.parametrize("prefix", ["/", "..", "../", "a//", "a/../", ".incoming/", "a/.", "a\0", "\n"])
    async def test_listing_and_erasing_cannot_get_out_either(self, store: BlobStore, prefix: str) -> None:
        with pytest.raises(InvalidBlobKey):
            store.keys(prefix)
        with pytest.raises(InvalidBlobKey):
            await store.erase(prefix)

    @given(key=st.text(max_size=40) | st.text(alphabet="ab./-_\\\0", max_size=12))
    @each_example_may_share_the_store
    async def test_any_text_is_a_clean_key_or_refused(self, store: BlobStore, key: str) -> None:
        try:
            await store.size(key)
        except BlobNotFound:
            assert all(segment and segment[0] not in ".-_" for segment in key.split("/"))
            assert key.isascii()
        except InvalidBlobKey:
            pass

    # --- crashes, other processes, and how much it takes

    async def test_what_was_put_is_there_after_kill_9(self, url: str) -> None:
        killed = run(
            "import asyncio, os, signal, sys; from adapters.blobs.opening import open_store\n"
            "async def body(): yield b'acknowledged'\n"
            "async def main():\n"
            "    blob = await open_store(sys.argv[1]).put('rec_9/chunks/', body())\n"
            "    os.write(1, blob.key.encode())\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
            "asyncio.run(main())",
            url,
        )
        assert killed.returncode == -9
        survivor = open_store(url)
        survivor.recover()
        assert await whole(survivor, killed.stdout) == b"acknowledged"
        await survivor.close()

    async def test_a_put_cut_off_by_kill_9_leaves_nothing_after_recovery(self, url: str) -> None:
        killed = run(
            "import asyncio, os, signal, sys; from adapters.blobs.opening import open_store\n"
            "async def body():\n"
            "    for _ in range(64): yield bytes(65536)\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
            "asyncio.run(open_store(sys.argv[1]).put('rec_9/chunks/', body()))",
            url,
        )
        assert killed.returncode == -9
        survivor = open_store(url)
        survivor.recover()
        assert list(survivor.keys()) == []
        assert survivor.recover() == 0
        await survivor.close()

    async def test_two_openings_of_a_store_see_each_others_blobs(self, store: BlobStore, url: str) -> None:
        other = open_store(pickle.loads(pickle.dumps(url)))  # noqa: S301 - as a worker process gets it
        blob = other.put_bytes(PREFIX, b"from a worker")
        assert await whole(store, blob.key) == b"from a worker"
        await other.close()

    @pytest.mark.skipif(sys.platform != "linux", reason="the highest use of memory is read from /proc")
    async def test_memory_stays_flat_while_200_mb_are_put_and_read(self, url: str) -> None:
        measured = run(
            "import asyncio, sys; from adapters.blobs.opening import open_store\n"
            "from service.runtime.memory import settle_allocator\n"
            "from tests.tools.peak_memory import MEBIBYTE, peak_bytes\n"
            "settle_allocator()  # as every process does that serves or works\n"
            "async def body(pieces):\n"
            "    for number in range(pieces): yield number.to_bytes(8, 'big') * 8192\n"
            "async def main():\n"
            "    store = open_store(sys.argv[1])\n"
            "    await store.put('warm/', body(32))\n"
            "    before = peak_bytes()\n"
            "    blob = await store.put('large/', body(3200))\n"
            "    async for _ in store.read(blob.key): pass\n"
            "    assert await store.size(blob.key) == 3200 * 65536\n"
            "    await store.close()\n"
            "    print((peak_bytes() - before) // MEBIBYTE)\n"
            "asyncio.run(main())",
            url,
        )
        assert measured.returncode == 0, measured.stderr
        assert int(measured.stdout) < 32

    async def test_a_store_with_room_says_that_it_can_be_written_and_keeps_no_trace(self, store: BlobStore) -> None:
        await store.check_writable()
        assert list(store.keys()) == []
        assert store.recover() == 0

    async def test_a_closed_store_says_so(self, url: str) -> None:
        store = open_store(url)
        await store.close()
        await store.close()
        with pytest.raises(StorageUnavailable, match="closed"):
            await store.put(PREFIX, streamed([b"late"]))


class WrongDigest(Exception):
    pass


def described(prefix: str, body: bytes) -> StoredBlob:
    sha256, md5 = hashlib.sha256(body).hexdigest(), hashlib.md5(body, usedforsecurity=False).hexdigest()
    return StoredBlob(prefix + sha256, len(body), sha256, md5)


async def made_durable(staged: Staged) -> Exception | None:
    """What kept the body from being made durable."""
    if staged.keeper is None:
        return None
    (failure,) = await asyncio.to_thread(staged.keeper.make_durable, [staged])
    return failure


def noise(size_bytes: int, seed: int) -> bytes:
    return hashlib.shake_128(seed.to_bytes(4, "big")).digest(size_bytes)


async def streamed(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def whole(store: BlobStore, key: str, *, start: int = 0, length: int | None = None) -> bytes:
    return b"".join([block async for block in store.read(key, start=start, length=length)])


def run(program: str, url: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program, url], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )
