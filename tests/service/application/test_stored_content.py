"""Bytes that are being stored when whoever stores them is cancelled."""

import asyncio
import threading

import pytest

from adapters.blobs.files.store import FileBlobStore
from adapters.blobs.port import StorageUnavailable
from service.application.stored_content import stored


class Slow(FileBlobStore):
    """Stores when it is told to. `because`: what it fails with then."""

    def __init__(self, path, because):
        super().__init__(path)
        self.has_begun, self.may_end, self.because = threading.Event(), threading.Event(), because
        self.done = []

    def put_bytes(self, prefix, body):
        self.has_begun.set()
        self.may_end.wait()
        if self.because is not None:
            raise self.because
        self.done.append(body)
        return super().put_bytes(prefix, body)


@pytest.mark.parametrize("because", [None, StorageUnavailable("away")])
async def test_who_is_cancelled_twice_is_so_only_once_the_bytes_are_stored(tmp_path, because):
    blobs = Slow(tmp_path, because)
    storing = asyncio.create_task(stored(blobs, "rec_1/", b"words"))
    await asyncio.to_thread(blobs.has_begun.wait)
    for _ in range(3):
        storing.cancel()
        await asyncio.sleep(0)
    assert not storing.done()
    blobs.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await storing
    assert blobs.done == ([b"words"] if because is None else [])
