"""Segments keep the contract, and what only segments can be asked: one sync for many, torn ends, erased bytes."""

from pathlib import Path

import pytest

from tests.adapters.blobs.contract import BlobStoreContract


class TestSegmentBlobStore(BlobStoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"segments://{tmp_path}/data/blobs"
