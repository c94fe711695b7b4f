"""Every body gets its own digests, however many come at once and whoever stops waiting."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator

import pytest

from adapters.blobs.port import StoredBlob
from adapters.blobs.segments.digesting import Digesting


@pytest.fixture(params=[1, 3])
async def digesting(request: pytest.FixtureRequest) -> AsyncIterator[Digesting]:
    digesting = Digesting(threads=request.param)
    yield digesting
    await asyncio.to_thread(digesting.close)


def body(number: int) -> list[bytes]:
    chance = random.Random(number)
    return [chance.randbytes(chance.choice((1, 3_000, 40_000))) for _ in range(chance.randint(1, 4))]


def expected(prefix: str, pieces: list[bytes]) -> StoredBlob:
    whole = b"".join(pieces)
    sha256 = hashlib.sha256(whole).hexdigest()
    return StoredBlob(prefix + sha256, len(whole), sha256, hashlib.md5(whole).hexdigest())


async def test_each_of_many_bodies_at_once_gets_its_own_digests(digesting: Digesting) -> None:
    bodies = [body(number) for number in range(300)]
    blobs = await asyncio.gather(*(digesting.digested(f"{n}/", pieces) for n, pieces in enumerate(bodies)))
    assert blobs == [expected(f"{n}/", pieces) for n, pieces in enumerate(bodies)]


async def test_one_body_alone_is_not_kept_waiting_for_others(digesting: Digesting) -> None:
    for number in range(50):
        assert await digesting.digested("", body(number)) == expected("", body(number))


async def test_who_stops_waiting_keeps_nobody_else_from_an_answer(digesting: Digesting) -> None:
    tasks = [asyncio.create_task(digesting.digested("", body(number))) for number in range(100)]
    await asyncio.sleep(0)  # all have been given in
    for task in tasks[::2]:
        task.cancel()
    assert [await task for task in tasks[1::2]] == [expected("", body(number)) for number in range(1, 100, 2)]
    ended = await asyncio.gather(*tasks[::2], return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in ended)
