"""Chunks and finalize may come in any order, doubled, and at once: there is always one Stitched, and the same bytes."""

import asyncio
from random import Random

import pytest

from tests.end_to_end.dragon_client import SUCCESS, Dragon, ended, sha256, silence
from tests.end_to_end.service_process import ServiceProcess, slices

ORDERS = 200
SIDE_BY_SIDE = 8
PIECES = 3


@pytest.fixture
async def dragon(service: ServiceProcess) -> Dragon:
    dragon = await Dragon.connect(service)
    await dragon.announce()
    return dragon


async def send_in_random_order(dragon: Dragon, recording_id: int) -> None:
    """The placeholder, the chunks and finalize, shuffled, some of them twice or thrice, up to three at once."""
    random = Random(recording_id)
    pieces = slices(silence(), PIECES)
    calls = [(1, None), *enumerate(pieces, 2), (None, None)]
    calls += random.choices(calls, k=random.randint(0, 3))
    random.shuffle(calls)
    while calls:
        together, calls = calls[: (count := random.randint(1, 3))], calls[count:]
        sent = [
            dragon.finalize(PIECES + 1, recording_id) if number is None else dragon.store(number, body, recording_id)
            for number, body in together
        ]
        for answer in await asyncio.gather(*sent):
            assert (answer.status, answer.body) == (200, SUCCESS)


@pytest.mark.slow
async def test_two_hundred_random_orders_end_in_one_stitched_and_the_same_bytes(dragon, api):
    room = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(recording_id: int) -> None:
        async with room:
            await send_in_random_order(dragon, recording_id)

    await asyncio.gather(*(one(number) for number in range(1, ORDERS + 1)))
    for number in range(1, ORDERS + 1):
        recording = await ended(api, dragon.correlation_id, number)
        assert (recording["status"], recording["content_sha256"]) == ("completed", sha256(silence())), number
        types = await api.event_types(recording)
        assert types.count("Stitched") == types.count("FinalizeRequested") == types.count("Transcribed") == 1, types
        assert types.count("ChunkStored") == PIECES + 1, types
