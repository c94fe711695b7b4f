"""A bucket of Google's keeps the contract, and what only Google says and refuses."""

from pathlib import Path

import pytest

from adapters.blobs.port import StorageUnavailable
from tests.adapters.blobs.bucket.cloud_contract import CloudContract, opened
from tests.adapters.blobs.contract import PREFIX, whole
from tests.conftest import in_environment, open_gcs
from tests.tools.gcs.server import GcsServer


class TestGoogle(CloudContract):
    signature = "X-Goog-Signature="

    @pytest.fixture
    def server(self, gcs: GcsServer) -> GcsServer:
        return gcs


async def test_refused_credentials_are_said_to_be_so_and_no_blob_is_said_to_be_missing(
    gcs: GcsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_SKIP_SIGNATURE", "true")
    store = opened(f"{gcs.new_bucket()}?endpoint={gcs.endpoint}", tmp_path)
    for failing in (
        lambda: store.size(PREFIX + "0" * 64),
        lambda: whole(store, PREFIX + "0" * 64),
    ):
        with pytest.raises(StorageUnavailable, match="the bucket refuses these credentials"):
            await failing()
    await store.close()


async def test_a_bucket_that_keeps_what_is_deleted_is_refused(tmp_path: Path) -> None:
    server = open_gcs(tmp_path / "gcs", keeps_versions=True).start()
    try:
        with in_environment(server.credentials):
            store = opened(f"{server.new_bucket()}?endpoint={server.endpoint}", tmp_path)
            for attempt in (store.recover, lambda: list(store.mend(take_over=True))):
                with pytest.raises(StorageUnavailable, match=r"gs://bucket-\w+ keeps old versions"):
                    attempt()
            await store.close()
    finally:
        server.kill()
