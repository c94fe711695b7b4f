"""A bucket that hangs, dies or refuses: an error says so, nothing acknowledged is lost, nothing is wrong."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest

from adapters.blobs.bucket.address import parse_address, with_folder
from adapters.blobs.bucket.store import BucketBlobStore
from adapters.blobs.opening import open_store
from adapters.blobs.port import StorageUnavailable
from adapters.blobs.url import check_blob_url
from tests.adapters.blobs.bucket.conftest import Indexes
from tests.adapters.blobs.contract import PREFIX, noise, streamed, whole
from tests.conftest import open_s3
from tests.tools.postgres.certificates import Certificates
from tests.tools.s3.server import S3Server

SMALL, LARGE = noise(30_000, 1), noise(9_000_000, 2)


@pytest.fixture
def url(own_s3: S3Server, s3_credentials: None) -> str:
    return f"{own_s3.new_bucket()}?endpoint={own_s3.endpoint}"


@pytest.fixture
async def store(url: str, tmp_path: Path, indexes: Indexes) -> AsyncIterator[BucketBlobStore]:
    store = indexes.open(url, tmp_path / "bucket")
    yield store
    await store.close()


@pytest.fixture
async def impatient(url: str, tmp_path: Path, indexes: Indexes) -> AsyncIterator[BucketBlobStore]:
    """The same store, for what is to fail."""
    store = indexes.open(f"{url}&seconds=1", tmp_path / "bucket")
    yield store
    await store.close()


def opened(url: str, tmp_path: Path) -> BucketBlobStore:
    store = open_store(with_folder(url, tmp_path / "bucket"))
    assert isinstance(store, BucketBlobStore)
    return store


@contextmanager
def killed(server: S3Server) -> Iterator[None]:
    server.kill()
    yield
    server.start()


@contextmanager
def hanging(server: S3Server) -> Iterator[None]:
    server.hold()
    yield
    server.go_on()


@contextmanager
def answering_503(server: S3Server) -> Iterator[None]:
    with in_its_place(server, b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"):
        yield


@contextmanager
def cutting_off(server: S3Server) -> Iterator[None]:
    """What is read ends before it is complete; nothing else is answered."""
    with in_its_place(server, b"", to_get=b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegun"):
        yield


class StandIn(ThreadingTCPServer):
    allow_reuse_address = True


@contextmanager
def in_its_place(server: S3Server, answer: bytes, *, to_get: bytes | None = None) -> Iterator[None]:
    class Answering(StreamRequestHandler):
        def handle(self) -> None:
            method = self.rfile.read(3)
            while self.rfile.readline().strip():
                pass
            self.wfile.write(to_get if to_get is not None and method == b"GET" else answer)

    server.kill()
    with StandIn(("127.0.0.1", server.port), Answering) as standing_in:
        serving = Thread(target=standing_in.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            yield
        finally:
            standing_in.shutdown()
            serving.join()
    server.start()


@pytest.mark.slow
@pytest.mark.parametrize("away", [killed, hanging, answering_503, cutting_off])
async def test_while_the_bucket_is_away_everything_says_so_and_afterwards_all_is_there(
    store: BucketBlobStore,
    impatient: BucketBlobStore,
    own_s3: S3Server,
    away: Callable[[S3Server], AbstractContextManager[None]],
) -> None:
    store.recover()
    kept = [(await store.put(PREFIX, streamed([body]))).key for body in (SMALL, LARGE)]
    with away(own_s3):
        for failing in (
            lambda: impatient.put("new/", streamed([SMALL])),
            lambda: impatient.put("new/", streamed([LARGE])),
            lambda: whole(impatient, kept[0]),
            lambda: whole(impatient, kept[1]),
            lambda: impatient.size(kept[1]),
            lambda: impatient.erase(PREFIX + "0"),
            impatient.check_writable,
        ):
            with pytest.raises(StorageUnavailable, match="does not answer as it should"):
                await failing()
    assert [await whole(store, key) for key in kept] == [SMALL, LARGE]
    for body in (SMALL, LARGE):
        blob = await store.put("new/", streamed([body]))
        assert await whole(store, blob.key) == body


async def test_an_erasing_that_failed_is_finished_when_it_is_asked_for_again(
    store: BucketBlobStore, impatient: BucketBlobStore, own_s3: S3Server, url: str
) -> None:
    gone, stays = await store.put(PREFIX, streamed([SMALL])), await store.put("kept/", streamed([b"stays"]))
    with killed(own_s3), pytest.raises(StorageUnavailable):
        await impatient.erase_keys([gone.key])
    assert own_s3.contains(url, SMALL)
    await store.erase_keys([gone.key])
    assert not own_s3.contains(url, SMALL)
    assert list(store.keys()) == [stays.key]


async def test_what_failed_and_reached_the_bucket_all_the_same_is_deleted_there(
    store: BucketBlobStore, impatient: BucketBlobStore, own_s3: S3Server, url: str
) -> None:
    own_s3.hold()
    with pytest.raises(StorageUnavailable):
        await impatient.put(PREFIX, streamed([SMALL]))
    own_s3.go_on()
    async with asyncio.timeout(30):
        while not own_s3.contains(url, SMALL):  # the server has had the request, and goes on with it
            await asyncio.sleep(0.01)
    await store.erase(PREFIX)
    assert not own_s3.contains(url, SMALL)


async def test_a_bucket_that_is_deleted_has_not_simply_lost_the_blobs(
    store: BucketBlobStore, own_s3: S3Server, url: str
) -> None:
    kept = [(await store.put(PREFIX, streamed([body]))).key for body in (SMALL, LARGE)]
    own_s3.files_of(url).rename(own_s3.buckets.with_name("elsewhere"))
    for key in kept:
        with pytest.raises(StorageUnavailable, match="there is no such bucket"):
            await whole(store, key)
    with pytest.raises(StorageUnavailable, match="there is no such bucket"):
        await store.size(PREFIX + "0" * 64)


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
async def test_wrong_credentials_are_said_to_be_so_and_no_blob_is_said_to_be_missing(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "wrong")
    store = opened(url, tmp_path)
    for failing in (
        lambda: store.put(PREFIX, streamed([SMALL])),
        lambda: store.size(PREFIX + "0" * 64),
        lambda: store.erase(PREFIX),
        lambda: whole(store, PREFIX + "0" * 64),
    ):
        with pytest.raises(StorageUnavailable, match=r"the bucket|no such bucket"):
            await failing()
    await store.close()


async def test_a_bucket_that_keeps_what_is_deleted_is_refused(s3_credentials: None, tmp_path: Path) -> None:
    server = open_s3(tmp_path / "s3", versions=tmp_path / "versions").start()
    try:
        url = f"{server.new_bucket()}?endpoint={server.endpoint}"
        store = opened(url, tmp_path)
        for attempt in (
            store.recover,
            lambda: list(store.mend(take_over=False)),
            lambda: list(store.mend(take_over=True)),
        ):
            with pytest.raises(StorageUnavailable, match=r"s3://bucket-\w+ keeps old versions"):
                attempt()
        assert not (server.files_of(url) / "owner").exists()
        await store.close()
    finally:
        server.kill()


async def test_over_tls_the_bucket_is_used_if_its_certificate_is_trusted_and_only_then(
    certificates: Certificates, tmp_path: Path, s3_credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key, authority = (tmp_path / name for name in ("server.crt", "server.key", "ca.crt"))
    certificate.write_bytes(certificates.server)
    key.write_bytes(certificates.server_key)
    authority.write_bytes(certificates.authority)
    server = open_s3(tmp_path / "s3", certificate=certificate, key=key).start()
    try:
        url = f"{server.new_bucket()}?endpoint={server.endpoint}&seconds=1"
        untrusting = opened(url, tmp_path)
        with pytest.raises(StorageUnavailable):
            untrusting.put_bytes(PREFIX, SMALL)
        await untrusting.close()
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        trusting = opened(url.replace("seconds=1", "seconds=20"), tmp_path)
        blob = trusting.put_bytes(PREFIX, SMALL)
        assert await whole(trusting, blob.key) == SMALL
        await trusting.close()
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://key:secret@bucket/x", "without credentials"),
        ("gs://key:secret@bucket/x", "read from GOOGLE_APPLICATION_CREDENTIALS"),
        ("az://key:secret@bucket/x", "read from AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY"),
        ("gcs://bucket/x", "must be segments:///PATH, file:///PATH, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://"),
        ("gs://Bucket/x", "must be gs://BUCKET or gs://BUCKET/PREFIX"),
        ("az://a--b/x", "must be az://CONTAINER or az://CONTAINER/PREFIX"),
        ("az://a.b/x", "must be az://CONTAINER"),
        ("az://ab", "must be az://CONTAINER"),
        ("gs://bucket/x?region=eu", "without 'region': only endpoint and seconds can be given"),
        ("gs://bucket/x?endpoint=https://host/account", "an endpoint such as"),
        ("az://bucket/x?endpoint=https://host/a/b", "an endpoint such as"),
        ("s3://Bucket/x", "must be s3://BUCKET"),
        ("s3:///x", "must be s3://BUCKET"),
        ("s3://bucket/../x", "must be s3://BUCKET"),
        ("s3://bucket/x?endpoint=ftp://x", "an endpoint such as"),
        ("s3://bucket/x?seconds=-1", "seconds between"),
        ("s3://bucket/x?acl=public", "without 'acl': only endpoint, region and seconds can be given"),
        ("s3://bucket/x?folder=/x", "without 'folder'"),
        ("s3://bucket/x?index=postgresql://x/y", "without 'index'"),
        ("s3://bucket/x#y", "without a fragment"),
    ],
)
def test_a_url_that_cannot_be_is_refused_with_what_it_must_be(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_blob_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket",
        "s3://my.bucket-2/a/b",
        "s3://bucket/x?endpoint=https://host:1/&region=eu",
        "gs://my_bucket.example/a",
        "gs://bucket?endpoint=http://host:1&seconds=2.5",
        "az://my-container/a/b",
        "az://container/x?endpoint=https://host:1/account1",
    ],
)
def test_other_urls_are_taken(url: str) -> None:
    check_blob_url(url)
    assert str(parse_address(url)) == url.partition("?")[0]
