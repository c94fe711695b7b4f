"""The values and errors of the port, and how a store is named."""

import pickle
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.blobs.files.store import FileBlobStore
from adapters.blobs.opening import open_store
from adapters.blobs.port import (
    BlobNotFound,
    BlobTooLarge,
    InvalidBlobKey,
    StorageFull,
    StorageUnavailable,
)
from adapters.blobs.segments.store import SegmentBlobStore


@pytest.mark.parametrize(
    "error", [BlobNotFound("a/b"), InvalidBlobKey("../x"), BlobTooLarge(7), StorageFull(), StorageUnavailable("why")]
)
def test_an_error_is_one_sentence_and_survives_the_way_out_of_a_worker_process(error: Exception) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
    assert str(error).endswith(".")
    assert "\n" not in str(error)


def test_a_very_long_key_is_not_repeated_in_full() -> None:
    assert len(str(InvalidBlobKey("x" * 100_000))) < 200


def test_a_file_url_names_a_directory_escapes_and_all(tmp_path: Path) -> None:
    blob = open_store(f"file://{tmp_path}/with%20space").put_bytes("", b"here")
    assert (tmp_path / "with space" / blob.key).read_bytes() == b"here"
    assert isinstance(open_store(f"file://{tmp_path}"), FileBlobStore)


async def test_segments_are_named_likewise_and_find_what_was_stored_as_files(tmp_path: Path) -> None:
    blob = open_store(f"file://{tmp_path}").put_bytes("", b"here")
    store = open_store(f"segments://{tmp_path}")
    assert isinstance(store, SegmentBlobStore)
    assert await store.size(blob.key) == 4
    await store.close()


async def test_up_to_a_size_that_is_given_bodies_share_a_segment(tmp_path: Path) -> None:
    store = open_store(f"segments://{tmp_path}", small_bytes=10)
    small, large = [await store.put("", _once(bytes(size_bytes))) for size_bytes in (10, 11)]
    assert [(tmp_path / blob.key).exists() for blob in (small, large)] == [False, True]
    await store.close()


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3://bucket/x",
        "gs://bucket/x",
        "az://container/x",
        "/no/scheme",
        "file:relative",
        "file://host/x",
        "file:///x?y",
        "file:///x#y",
        "file:///a%00b",
    ],
)
def test_a_url_that_names_no_store_is_refused_in_one_sentence(url: str) -> None:
    with pytest.raises(ValueError, match=r"^[A-Z].*\.$"):
        open_store(url)
