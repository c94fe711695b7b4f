"""A container of Azure keeps the contract, and what only Azure says and refuses."""

from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from adapters.blobs.bucket.address import parse_address
from adapters.blobs.bucket.bucket import Bucket
from adapters.blobs.port import StorageUnavailable
from tests.adapters.blobs.bucket.cloud_contract import CloudContract, answering, opened
from tests.adapters.blobs.contract import PREFIX, streamed, whole
from tests.tools.azure.server import AzureServer


class TestContainer(CloudContract):
    signature = "sig="

    @pytest.fixture
    def server(self, azure: AzureServer) -> AzureServer:
        return azure


async def test_a_wrong_key_is_said_to_be_so_and_no_blob_is_said_to_be_missing(
    azure: AzureServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "d3Jvbmc=")
    store = opened(f"{azure.new_bucket()}?endpoint={azure.endpoint}", tmp_path)
    for failing in (
        lambda: store.put(PREFIX, streamed([b"body"])),
        lambda: store.size(PREFIX + "0" * 64),
        lambda: store.erase(PREFIX),
        lambda: whole(store, PREFIX + "0" * 64),
    ):
        with pytest.raises(StorageUnavailable, match="the bucket refuses these credentials"):
            await failing()
    await store.close()


def test_without_an_account_it_is_said_which_variable_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(StorageUnavailable, match="AZURE_STORAGE_ACCOUNT_NAME is not set"):
        opened("az://recordings/tapes", tmp_path)


def test_a_token_that_can_read_and_write_can_sign_no_url_and_that_fails_as_the_bucket_does(
    azure: AzureServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_KEY")
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", "sv=2023-11-03&sig=none")
    bucket = Bucket(parse_address(f"{azure.new_bucket()}?endpoint={azure.endpoint}"))
    with pytest.raises(StorageUnavailable):
        bucket.signed_url("blobs/key", timedelta(seconds=60))


async def test_a_container_that_keeps_what_is_deleted_is_refused(azure: AzureServer, tmp_path: Path) -> None:
    with answering(Versioning) as host:
        store = opened(f"az://recordings?endpoint=http://{host}/tapedeck", tmp_path)
        with pytest.raises(StorageUnavailable, match=r"az://recordings keeps old versions"):
            store.recover()
        await store.close()


class Versioning(BaseHTTPRequestHandler):
    """Answers a write and a deletion as Azure does with versioning, which Azurite has not."""

    def do_PUT(self) -> None:
        self._answer(201, {"ETag": '"0x8D"', "x-ms-version-id": "2026-01-01T00:00:00.0000000Z"}, b"")

    def do_POST(self) -> None:
        one = (
            b"--b\r\nContent-Type: application/http\r\nContent-ID: 0\r\n\r\nHTTP/1.1 202 Accepted\r\n\r\n\r\n--b--\r\n"
        )
        self._answer(202, {"Content-Type": "multipart/mixed; boundary=b"}, one)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Not on the screen of the tests."""
