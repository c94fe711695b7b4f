"""What a bucket must do at every cloud: a cloud passes by subclassing CloudContract with its own `server`.

Where the index is makes no difference to a cloud, so it is in a file here.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest

from adapters.blobs.bucket.address import parse_address, with_folder
from adapters.blobs.bucket.bucket import Bucket
from adapters.blobs.bucket.store import BucketBlobStore
from adapters.blobs.opening import open_store
from adapters.blobs.port import StorageUnavailable
from tests.adapters.blobs.bucket.test_kills import goes_on_after_kills
from tests.adapters.blobs.bucket.test_store import kept_together, keys_of
from tests.adapters.blobs.contract import PREFIX, BlobStoreContract, noise, streamed, whole
from tests.tools.bucket_server import BucketServer

SMALL, LARGE = noise(30_000, 1), noise(9_000_000, 2)


def opened(url: str, folder: Path) -> BucketBlobStore:
    store = open_store(with_folder(url, folder / "bucket"))
    assert isinstance(store, BucketBlobStore)
    return store


class CloudContract(BlobStoreContract):
    signature = ""
    """What an address has in it that the cloud has signed."""

    @pytest.fixture
    def server(self) -> BucketServer:
        raise NotImplementedError

    @pytest.fixture
    def bucket(self, server: BucketServer) -> str:
        return f"{server.new_bucket()}/tapes?endpoint={server.endpoint}"

    @pytest.fixture
    def url(self, bucket: str, tmp_path: Path) -> str:
        return with_folder(bucket, tmp_path / "bucket")

    @pytest.fixture
    async def bucket_store(self, bucket: str, tmp_path: Path) -> AsyncIterator[BucketBlobStore]:
        store = opened(bucket, tmp_path)
        yield store
        await store.close()

    @pytest.mark.slow
    async def test_memory_stays_flat_while_200_mb_are_put_and_read(self, url: str) -> None:
        await super().test_memory_stays_flat_while_200_mb_are_put_and_read(url)

    async def test_there_is_a_url_of_a_blob_with_an_object_of_its_own_and_of_no_other(
        self, bucket_store: BucketBlobStore
    ) -> None:
        alone, sharing = (
            bucket_store.put_bytes(PREFIX, b"transcript"),
            await bucket_store.put(PREFIX, streamed([SMALL])),
        )
        assert self.signature in (await bucket_store.direct_url(alone.key, timedelta(seconds=60)) or "")
        assert await bucket_store.direct_url(sharing.key, timedelta(seconds=60)) is None

    async def test_what_is_erased_is_in_no_object_and_its_neighbours_are_still_read(
        self, bucket_store: BucketBlobStore, server: BucketServer, bucket: str
    ) -> None:
        bodies = [*(noise(5_000, number) for number in range(10, 50)), LARGE]
        await kept_together(bucket_store, bodies[:-1])
        keys = await keys_of(bucket_store, bodies)
        assert len(server.objects(bucket)) == 2
        await asyncio.gather(*(bucket_store.delete(key) for key in keys[:7]))
        left = b"".join(server.objects(bucket).values())
        assert [body[100:200] in left for body in bodies] == [False] * 7 + [True] * 34
        assert [await whole(bucket_store, key) for key in keys[7:]] == bodies[7:]
        await bucket_store.erase(PREFIX)
        assert server.objects(bucket) == {}

    async def test_two_data_directories_cannot_share_a_bucket_also_if_both_start_at_once(
        self, bucket: str, tmp_path: Path
    ) -> None:
        stores = [opened(bucket, tmp_path / str(number)) for number in range(4)]
        starts = await asyncio.gather(*(asyncio.to_thread(store.recover) for store in stores), return_exceptions=True)
        refused = [each for each in starts if isinstance(each, BaseException)]
        assert len(refused) == 3
        assert all(isinstance(each, StorageUnavailable) for each in refused), refused
        for store in stores:
            await store.close()

    async def test_a_bucket_that_is_not_there_has_not_simply_lost_the_blobs(self, bucket: str, tmp_path: Path) -> None:
        store = opened(bucket, tmp_path)
        kept = [(await store.put(PREFIX, streamed([body]))).key for body in (SMALL, LARGE)]
        await store.close()
        elsewhere = opened(bucket.replace("://bucket-", "://none-"), tmp_path)
        for failing in (
            lambda: whole(elsewhere, kept[0]),
            lambda: whole(elsewhere, kept[1]),
            lambda: elsewhere.size(PREFIX + "0" * 64),
            lambda: elsewhere.put(PREFIX, streamed([noise(40_000, 3)])),
            lambda: elsewhere.put(PREFIX, streamed([noise(9_000_000, 4)])),
            lambda: elsewhere.erase(PREFIX),
            lambda: asyncio.to_thread(elsewhere.recover),
            elsewhere.check_writable,
        ):
            with pytest.raises(StorageUnavailable, match="there is no such bucket"):
                await failing()
        await elsewhere.close()

    def test_a_404_that_is_not_the_bucket_s_own_counts_for_no_deletion(self, bucket: str, server: BucketServer) -> None:
        """Such as a proxy's."""
        with answering(NotHere) as host:
            elsewhere = Bucket(parse_address(bucket.replace(urlsplit(server.endpoint).netloc, host)))
            with pytest.raises(StorageUnavailable):
                elsewhere.delete(["blobs/a"])

    @pytest.mark.slow
    async def test_while_the_bucket_hangs_everything_says_so_and_afterwards_all_is_there(
        self, bucket: str, server: BucketServer, tmp_path: Path
    ) -> None:
        store, impatient = opened(bucket, tmp_path), opened(f"{bucket}&seconds=1", tmp_path)
        kept = [(await store.put(PREFIX, streamed([body]))).key for body in (SMALL, LARGE)]
        server.hold()
        try:
            for failing in (
                lambda: impatient.put("new/", streamed([noise(len(SMALL), 5)])),  # which may be done yet, at any time
                lambda: impatient.put("new/", streamed([noise(len(LARGE), 6)])),
                lambda: whole(impatient, kept[0]),
                lambda: whole(impatient, kept[1]),
                lambda: impatient.erase(PREFIX + "0"),
                impatient.check_writable,
            ):
                with pytest.raises(StorageUnavailable, match="does not answer as it should"):
                    await failing()
        finally:
            server.go_on()
        assert [await whole(store, key) for key in kept] == [SMALL, LARGE]
        await store.erase("")
        assert not any(server.contains(bucket, body) for body in (SMALL, LARGE))
        for each in (store, impatient):
            await each.close()

    @pytest.mark.slow
    async def test_killed_at_some_steps_it_goes_on_from_there(self, server: BucketServer, tmp_path: Path) -> None:
        def url(bucket: str, folder: Path) -> str:
            return with_folder(f"{bucket}/tapes?endpoint={server.endpoint}", folder)

        assert await goes_on_after_kills(server, tmp_path, url, every=5) >= 20


class NotHere(BaseHTTPRequestHandler):
    def do_DELETE(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b"<html>There is nothing here.</html>"
        self.send_response(HTTPStatus.NOT_FOUND)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_DELETE  # noqa: N815 - as the server calls it

    def log_message(self, *_: object) -> None:
        """Not on the screen of the tests."""


@contextmanager
def answering(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The host and port of a server that stands in for a cloud's."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()
