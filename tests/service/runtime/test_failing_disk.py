"""A disk that fails under the running service: the requests it fails say so, and nothing else is touched."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from service.runtime.blob_check import check_blobs
from tests.service.running_service import Running, TurnedClock, running_service

SMALL, LARGE = 3_000, 400_000


@contextmanager
def failing_disk(blobs: Path, call: str, number: int) -> Iterator[list[str]]:
    """Every `call` on a file under `blobs` fails. Gives the names of the files that it failed on."""
    real, touched = getattr(os, call), list[str]()

    def fails(descriptor: int, *arguments: Any) -> Any:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.is_relative_to(blobs):
            touched.append(path.name)
            raise OSError(number, os.strerror(number))
        return real(descriptor, *arguments)

    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(os, call, fails)
        yield touched


@asynccontextmanager
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_service(tmp_path / "data", TurnedClock(), max_chunks=100) as running:
        yield running


@dataclass(frozen=True)
class Fault:
    """What `call` fails with while bodies of this size are put, and what is answered to them."""

    call: str
    number: int
    size_bytes: int
    status: int
    error: str

    def __str__(self) -> str:
        return f"{self.call}-{errno.errorcode[self.number]}"


FAULTS = (
    Fault("posix_fallocate", errno.ENOSPC, SMALL, 507, "storage_full"),
    Fault("pwritev", errno.ENOSPC, SMALL, 507, "storage_full"),
    Fault("pwritev", errno.EIO, SMALL, 503, "storage_unavailable"),
    Fault("fdatasync", errno.EIO, SMALL, 503, "storage_unavailable"),
    Fault("write", errno.ENOSPC, LARGE, 507, "storage_full"),
    Fault("write", errno.EIO, LARGE, 503, "storage_unavailable"),
    Fault("fsync", errno.EIO, LARGE, 503, "storage_unavailable"),
)


@pytest.mark.parametrize("has_segment", [True, False], ids=["open segment", "first segment"])
@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_what_a_failing_disk_cannot_keep_is_refused_and_service_goes_on_when_the_fault_is_over(
    tmp_path: Path, fault: Fault, has_segment: bool
) -> None:
    bodies = {part: os.urandom(fault.size_bytes + part) for part in range(2, 10)}
    stored: dict[int, bytes] = {}
    blobs = tmp_path / "data" / "blobs"
    async with service(tmp_path) as running:
        api = running.api
        recording = await api.create()
        if has_segment:
            stored[1] = os.urandom(SMALL)
            assert (await api.put(recording, 1, stored[1])).status == 200

        with failing_disk(blobs, fault.call, fault.number) as touched:
            if fault.call == "posix_fallocate" and has_segment:  # there is room in what the segment has reserved
                running.stores.blobs._writer._own[-1].segment._reserved_end = 0  # type: ignore[attr-defined]
            answers = await asyncio.gather(*(api.put(recording, part, body) for part, body in bodies.items()))
        assert touched
        assert {(answer.status, answer.error["type"]) for answer in answers} == {(fault.status, fault.error)}
        assert all(answer.headers["Retry-After"] for answer in answers)
        assert await numbers(running, recording) == list(stored)

        answers = await asyncio.gather(*(api.put(recording, part, body) for part, body in bodies.items()))
        assert {answer.status for answer in answers} == {200}
        stored |= bodies
        assert await numbers(running, recording) == list(stored)

    async with service(tmp_path) as again:
        findings = await asyncio.to_thread(lambda: list(check_blobs(again.settings)))
        assert not [finding for finding in findings if finding.is_loss]
        assert await numbers(again, recording) == list(stored)
        (its_id,) = {key.split("/")[1] for key in again.stores.blobs.keys("recordings/")}
        for part, body in stored.items():
            (key,) = again.stores.blobs.keys(f"recordings/{its_id}/chunk-{part}-")
            with again.stores.blobs.open(key) as reader:
                assert reader.read() == body


async def test_after_a_failed_sync_the_segment_takes_nothing_any_more_and_is_not_synced_again(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        recording = await running.api.create()
        assert (await running.api.put(recording, 1, b"before" * 100)).status == 200
        with failing_disk(tmp_path / "data" / "blobs", "fdatasync", errno.EIO) as touched:
            for _ in range(3):
                assert (await running.api.put(recording, 2, b"failed" * 100)).status == 503
            assert len(set(touched)) == len(touched), "each segment was synced once"
        assert (await running.api.put(recording, 2, b"failed" * 100)).status == 200
        assert await numbers(running, recording) == [1, 2]


async def numbers(running: Running, recording: dict[str, Any]) -> list[int]:
    return [chunk["number"] for chunk in (await running.api.get(recording, "/chunks"))["data"]]
