"""Copies are whole, whatever the kernel can do for them."""

import errno
import io
import os
from pathlib import Path

import pytest

from adapters.blobs.copying import copy_blob
from adapters.blobs.segments.store import SegmentBlobStore
from tests.adapters.blobs.contract import noise, streamed

BODY = noise(200_000, 1)


def refused(*_: object) -> int:
    raise OSError(errno.EXDEV, "Invalid cross-device link")


@pytest.mark.parametrize("kernel_can", [("copy_file_range", "sendfile"), ("sendfile",), ()])
@pytest.mark.parametrize("kind", ["segment", "file", "memory"])
async def test_a_blob_is_appended_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel_can: tuple[str, ...], kind: str
) -> None:
    for name in {"copy_file_range", "sendfile"}.difference(kernel_can):
        monkeypatch.setattr(os, name, refused)
    store = SegmentBlobStore(tmp_path / "blobs", small_bytes=256 * 1024 if kind == "segment" else 10)
    blob = await store.put("rec/", streamed([BODY]))
    with (tmp_path / "output").open("w+b") as output:
        output.write(b"before")
        with io.BytesIO(BODY) if kind == "memory" else store.open(blob.key) as reader:
            assert copy_blob(reader, output) == len(BODY)
        output.write(b"after")
    assert (tmp_path / "output").read_bytes() == b"before" + BODY + b"after"
    await store.close()


async def test_no_byte_of_a_chunk_in_a_segment_passes_through_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SegmentBlobStore(tmp_path / "blobs")
    blob = await store.put("rec/", streamed([BODY]))
    read: list[int] = []

    def counted(descriptor: int, length: int, offset: int, pread: object = os.pread) -> bytes:
        block: bytes = pread(descriptor, length, offset)  # type: ignore[operator]
        read.append(len(block))
        return block

    with (tmp_path / "output").open("w+b") as output, store.open(blob.key) as reader:
        try:
            os.copy_file_range(output.fileno(), output.fileno(), 0)
        except OSError:
            pytest.skip("copy_file_range is not to be had here")
        monkeypatch.setattr(os, "pread", counted)
        assert copy_blob(reader, output) == len(BODY)
    assert sum(read) < 100
    await store.close()
