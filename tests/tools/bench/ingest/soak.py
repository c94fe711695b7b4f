"""`make soak-ingest`: kill -9 two hundred times under load; then a million small chunks, and what a start costs.

KILLS and CHUNKS in the environment make it shorter; 0 skips that part.
"""

import asyncio
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from adapters.blobs.port import Staged
from adapters.blobs.segments.store import SegmentBlobStore
from tests.end_to_end.service_process import ServiceProcess
from tests.files_on_disk import disk_bytes
from tests.tools.peak_memory import MEBIBYTE, peak_bytes

KILLS = int(os.environ.get("KILLS", "200"))
CHUNKS = int(os.environ.get("CHUNKS", "1000000"))
CLIENTS = 16
SIZES = (100, 4_096, 20_000, 70_000, 300_000)
CHUNK_BYTES = 4_096
AT_A_TIME = 1_000


async def main() -> None:
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        if KILLS:
            await killed_again_and_again(Path(folder) / "data")
        if CHUNKS:
            await a_million_chunks(Path(folder) / "million")


async def killed_again_and_again(data_dir: Path) -> None:
    """Every chunk that was answered with 200 must read back with its digest, and there may be no others."""
    service = ServiceProcess(data_dir, {"MAX_CHUNKS": "1000000", "LOG_LEVEL": "WARNING"})
    chance, kills, done = random.Random(1), 0, asyncio.Event()
    acknowledged: dict[tuple[str, int], str] = {}
    sent: set[tuple[str, int]] = set()
    try:
        api = (await service.start()).api()
        recordings = [await api.create() for _ in range(CLIENTS)]

        async def upload(session: aiohttp.ClientSession, recording: dict[str, str]) -> None:
            number, its_chance = 0, random.Random(recording["id"])
            while not done.is_set():
                number += 1
                body = its_chance.randbytes(its_chance.choice(SIZES))
                url = recording["chunk_upload_url_template"].replace("{part}", str(number))
                sent.add((recording["id"], number))
                while not done.is_set():
                    try:
                        async with session.put(aiohttp.client.URL(url, encoded=True), data=body) as answer:
                            if answer.status == 200:
                                acknowledged[recording["id"], number] = hashlib.sha256(body).hexdigest()
                                break
                            sys.exit(f"{answer.status}: {await answer.text()}")
                    except aiohttp.ClientError:
                        await asyncio.sleep(0.005)

        async with aiohttp.ClientSession() as session:
            uploads = [asyncio.create_task(upload(session, recording)) for recording in recordings]
            while kills < KILLS:
                await asyncio.sleep(chance.uniform(0.02, 0.4))
                await service.restart()
                kills += 1
                if kills % 20 == 0:
                    print(f"  {kills} kills, {len(acknowledged)} chunks acknowledged", flush=True)
            done.set()
            await asyncio.gather(*uploads)
        await service.restart()
        stored = {
            (recording["id"], chunk["number"]): chunk["sha256"]
            for recording in recordings
            for chunk in (await api.get(recording, "/chunks"))["data"]
        }
        lost = {place for place, sha256 in acknowledged.items() if stored.get(place) != sha256}
        strange = stored.keys() - sent
    finally:
        service.stop()
    checked = check(data_dir)
    print(f"{KILLS} kills: {len(acknowledged)} acknowledged, {len(lost)} lost, {len(strange)} that nobody sent")
    print(f"tapedeck blobs check: code {checked.returncode}: {checked.stdout.splitlines()[-1]}")
    if lost or strange or checked.returncode:
        sys.exit(1)


def check(data_dir: Path) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"TAPEDECK_DATA_DIR": str(data_dir)}
    command = [sys.executable, "-m", "service.cli", "blobs", "check"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


async def a_million_chunks(root: Path) -> None:
    """On the store alone, in groups as in commits; then a start in a separate process."""
    store, body = SegmentBlobStore(root), os.urandom(CHUNK_BYTES - 8)
    began = time.perf_counter()
    for first in range(0, CHUNKS, AT_A_TIME):
        await put_group(store, body, range(first, min(CHUNKS, first + AT_A_TIME)))
    seconds = time.perf_counter() - began
    os.sync()
    more = disk_bytes(root) / (CHUNKS * CHUNK_BYTES) - 1
    print(f"{CHUNKS} chunks of {CHUNK_BYTES} bytes in {seconds:.0f} s; on disk {more:.1%} more than they have")
    print(f"  memory of the process that wrote them: {peak_bytes() // MEBIBYTE} MiB")
    # Not closed: the start below finds what a crash leaves behind. The lock goes with this process's descriptors.
    for own in store._writer._own:
        own.segment.close()
    program = (
        "import sys, time; from pathlib import Path\n"
        "from adapters.blobs.segments.store import SegmentBlobStore; from tests.tools.peak_memory import peak_bytes\n"
        "def read(): return next(int(l.split()[1]) for l in open('/proc/self/io') if l.startswith('rchar'))\n"
        "before, already, began = peak_bytes(), read(), time.perf_counter()\n"
        "store = SegmentBlobStore(Path(sys.argv[1])); torn = store.recover()\n"
        "seconds, more = time.perf_counter() - began, (peak_bytes() - before) // 1024\n"
        "megabytes = (read() - already) / 1e6\n"
        "print(f'  a start: {seconds * 1000:.0f} ms, {more} KiB of memory, {megabytes:.1f} MB read, {torn} torn')\n"
    )
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program, str(root)], check=True)
    await store._files.close()


async def put_group(store: SegmentBlobStore, body: bytes, numbers: range) -> None:
    async def pieces(number: int) -> AsyncIterator[bytes]:
        yield number.to_bytes(8, "big") + body

    staged: list[Staged] = []
    for number in numbers:
        async with store.stage(f"recordings/{number // 100:032x}/chunk-{number % 100}-", pieces(number)) as one:
            staged.append(one)
    failures = await asyncio.to_thread(store._writer.make_durable, staged)
    if any(failures):
        sys.exit(str(failures))


if __name__ == "__main__":
    asyncio.run(main())
