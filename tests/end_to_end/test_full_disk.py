"""A full disk refuses what it cannot keep, loses nothing, and is forgotten when there is room again."""

import hashlib
import os
import subprocess
from contextlib import suppress

import psutil
import pytest

from tests.end_to_end.service_process import ServiceProcess, short_speech, slices


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)], check=False, capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill_up(path):
    """Lengthen the file until its disk takes nothing any more; the service may be writing there, too."""
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["file", "segments"])
async def test_uploads_work_again_when_there_is_room(small_disk, tmp_path, scheme):
    service = ServiceProcess(tmp_path / "data", {"BLOB_URL": f"{scheme}://{small_disk}/blobs"})
    service.data_dir = small_disk / "data"
    try:
        api = (await service.start()).api()
        recording = await api.create()
        ballast = small_disk / "ballast"
        stored = [short_speech()]
        assert (await api.put(recording, 1, stored[0])).status == 200
        free = os.statvfs(small_disk)
        ballast.write_bytes(bytes(free.f_bavail * free.f_frsize - 300_000))

        answer = await api.put(recording, 2, os.urandom(1_000_000))
        assert (answer.status, answer.error["type"]) == (507, "storage_full")
        assert answer.headers["Retry-After"]
        fill_up(ballast)
        small = await api.put(recording, 2, b"small")
        answers = [
            small,
            await api.call("GET", "/readyz"),
            await api.finalize(recording, 2 if small.status == 200 else 1),
        ]
        assert {answer.status for answer in answers} <= {200, 503, 507}
        if scheme == "file":  # a segment may have taken the room for a small body before
            assert answers[0].status == 507
        assert answers[1].status == 503
        told = answers[1].json["parts"]
        assert told["blob_store"]["because"] == "There is no room left in the blob store."
        assert told["data_dir"]["because"] == "There is no room left in the data directory."

        ballast.unlink()
        assert (await api.call("GET", "/readyz")).status == 200
        chunks = slices(short_speech(), 3)
        other = await api.upload(chunks)
        assert (await api.finalize(other, 3)).status == 200
        assert (await api.ended(other))["status"] == "completed"
        found = (await api.get(recording, "/chunks"))["data"]
        assert found[0]["sha256"] == hashlib.sha256(stored[0]).hexdigest()
        await service.nothing_stays_half_written()
    finally:
        processes = service.processes()  # all have the store open, and some end a moment after the service
        service.kill()
        psutil.wait_procs(processes, 30)
