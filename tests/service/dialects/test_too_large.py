"""A recording has a most of bytes and of chunks: each dialect refuses what is beyond, and keeps what is stored."""

import pytest

from tests.end_to_end.dragon_client import SUCCESS, Dragon, development_token, error_of, ids
from tests.service.dialects.shelf import credentials
from tests.service.running_service import TurnedClock, running_service

pytestmark = pytest.mark.filterwarnings("ignore:It is recommended to use web.RequestKey")

MOST_BYTES = 1_000
LEFT = bytes(MOST_BYTES - 600)


async def in_pieces(content):
    for start in range(0, len(content), 100):
        yield content[start : start + 100]


async def test_a_recording_takes_the_bytes_it_may_have_and_is_finalized_without_the_rest(tmp_path):
    async with running_service(
        tmp_path / "data", TurnedClock(), max_recording_bytes=MOST_BYTES, dragon_max_chunks=2
    ) as running:
        api = running.api
        recording = await api.upload([bytes(600)])
        for refused in (LEFT + b"x", in_pieces(LEFT + b"x")):
            answer = await api.put(recording, 2, refused)
            assert (answer.status, answer.error["type"]) == (413, "recording_too_large")
            assert f"more than {MOST_BYTES} bytes" in answer.error["message"]
        assert (await api.put(recording, 2, LEFT)).status == 200
        assert (await api.put(recording, 1, bytes(600))).status == 200
        assert (await api.finalize(recording, 2)).status == 200

        its_credentials = credentials(running, "dragon")
        dragon = Dragon(running.settings.base_url, await development_token(its_credentials), ids(its_credentials))
        await dragon.announce()
        assert (await dragon.store(1, bytes(600))).body == SUCCESS
        assert f"more than {MOST_BYTES} bytes" in await error_of(dragon.store(2, LEFT + b"x"), 413)
        assert await error_of(dragon.store(3, b"x"), 400) == "chunkId must be at most 2"
        assert await error_of(dragon.finalize(3), 400) == "totalChunks must be at most 2"
        assert (await dragon.store(2, LEFT)).body == SUCCESS
        assert (await dragon.finalize(2)).body == SUCCESS
