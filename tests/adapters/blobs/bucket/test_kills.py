"""A process that is killed at any step of storing and erasing loses nothing acknowledged and leaves nothing erased."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from adapters.blobs.bucket.store import BucketBlobStore
from adapters.blobs.opening import open_store
from tests.adapters.blobs.bucket.conftest import Indexes
from tests.adapters.blobs.contract import described, noise, run, whole
from tests.tools.s3.server import S3Server

BODIES = [noise(3_000, number) for number in range(8)]
LARGE = noise(300_000, 99)
KEYS = [described("rec_1/", body).key for body in BODIES]
GOING, STAYING = range(3), range(3, 8)

PROGRAM = """
import asyncio, os, signal, sys
from contextlib import AsyncExitStack
from adapters.blobs.bucket.bucket import Bucket
from adapters.blobs.bucket.index_in_file import IndexInFile
from adapters.blobs.bucket.index_in_postgres import IndexInPostgres
from adapters.blobs.opening import open_store
from tests.adapters.blobs.bucket.test_kills import BODIES, GOING, KEYS, LARGE
from tests.adapters.blobs.contract import streamed

left = [int(sys.argv[1].partition(" ")[0])]

def pass_moment():
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1

def killed_in_time(step):
    def call(*arguments, **named):
        pass_moment()
        done = step(*arguments, **named)
        pass_moment()
        return done
    return call

INDEX = ("name_for_new", "add", "drop", "doom_empty", "name_for_moved", "replace", "deleted")
STEPS = {Bucket: ("put", "put_file", "delete"), IndexInFile: INDEX, IndexInPostgres: INDEX}

async def main():
    store = open_store(sys.argv[1].partition(" ")[2])
    store.recover()
    await asyncio.wrap_future(store._removing.submit(int))
    for owner, names in STEPS.items():
        for name in names:
            setattr(owner, name, killed_in_time(getattr(owner, name)))
    for some in (BODIES[:4], BODIES[4:]):
        async with AsyncExitStack() as all_of_them:
            staged = [await all_of_them.enter_async_context(store.stage("rec_1/", streamed([each]))) for each in some]
            assert await asyncio.to_thread(staged[0].keeper.make_durable, staged) == [None] * 4
        print("stored", flush=True)
    await store.put("rec_1/", streamed([LARGE]))
    print("stored", flush=True)
    await store.erase_keys([KEYS[each] for each in GOING])
    print("erased", flush=True)
    await store.close()

asyncio.run(main())
"""


@pytest.mark.slow
async def test_killed_before_or_after_any_step_it_goes_on_from_there(
    s3: S3Server, bucket_url: str, tmp_path: Path, indexes: Indexes
) -> None:
    def url(bucket: str, folder: Path) -> str:
        return indexes.url(f"{bucket}?{bucket_url.partition('?')[2]}", folder)

    assert await goes_on_after_kills(s3, tmp_path, url) >= 24


class Server(Protocol):
    def new_bucket(self) -> str: ...

    def contains(self, url: str, text: bytes, /) -> bool: ...


async def goes_on_after_kills(
    server: Server, folder: Path, url_of: Callable[[str, Path], str], *, every: int = 1
) -> int:
    """Kills a process at each step, or at some, until one goes to its end; returns at how many steps that was.

    `url_of`: the store's URL, for a bucket and the folder of its index.
    """
    for steps in range(0, 100, every):
        name = server.new_bucket()
        url = url_of(name, folder / str(steps))
        ended = await asyncio.to_thread(run, PROGRAM, f"{steps} {url}")
        assert ended.returncode in (0, -9), ended.stderr
        said = ended.stdout.split()
        store = open_store(url)
        assert isinstance(store, BucketBlobStore)
        store.recover()
        await _check(store, said)
        if "erased" in said:
            assert not any(server.contains(name, BODIES[each]) for each in GOING)
        await store.erase_keys([KEYS[each] for each in GOING])
        assert not any(server.contains(name, BODIES[each]) for each in GOING)
        await _check(store, said)
        assert list(store.differences()) == []
        await store.erase("rec_1/")
        assert not any(server.contains(name, body) for body in (*BODIES, LARGE))
        await store.close()
        if ended.returncode == 0:
            break
    assert ended.returncode == 0
    return steps


async def _check(store: BucketBlobStore, said: list[str]) -> None:
    """What was acknowledged is there, and what is there is whole."""
    there = set(store.keys())
    acknowledged = 4 * min(said.count("stored"), 2)
    assert {KEYS[each] for each in STAYING if each < acknowledged} <= there
    for key, body in zip(KEYS, BODIES, strict=True):
        if key in there:
            assert await whole(store, key) == body
    if said.count("stored") == 3:
        assert await whole(store, described("rec_1/", LARGE).key) == LARGE
