"""Listening to all events of the service as a process, which is killed meanwhile."""

import asyncio
from contextlib import suppress

import aiohttp
import pytest

from tests.end_to_end.listening import listening_at
from tests.end_to_end.service_process import ServiceProcess

KILLS = 4
LEAST_HEARD = 20
"""Events of each life of the service, after which it is killed while more of them are being written."""

PATHS = ("/v1/events?since=beginning", "/v1/events?since=beginning&types=tapedeck.recording.chunk_stored.v1")
CUT_OFF = (aiohttp.ClientError, ConnectionError)


async def store(api, acknowledged):
    """Open recordings and put chunks, until the service is killed; each chunk that was acknowledged is noted."""
    with suppress(*CUT_OFF):
        while True:
            answer = await api.asked_for_one()
            if answer.status != 201:  # one of several processes, while the service is being killed
                return
            recording = answer.json
            for number in range(1, 6):
                if (await api.put(recording, number, b"%d" % number)).status == 200:
                    acknowledged.append((recording["id"], number))


class Listener:
    """Whose connection is cut again and again. `told`: the messages, in the order in which they came."""

    def __init__(self, path):
        self.path = path
        self.told = []
        self.before = None
        self.has_heard = asyncio.Event()

    async def listen(self, api, query=""):
        self.has_heard.clear()
        enough = len(self.told) + LEAST_HEARD
        with suppress(*CUT_OFF):
            async with listening_at(api, self.path + query, self.before) as self.before:
                assert self.before.status == 200
                while (one := await self.before.next()) is not None:
                    self.told.append(one.data)
                    if len(self.told) >= enough:
                        self.has_heard.set()


@pytest.mark.slow
async def test_listeners_miss_and_double_nothing_however_often_the_service_is_killed(tmp_path):
    service = ServiceProcess(tmp_path / "data")
    listeners, acknowledged = [Listener(path) for path in PATHS], []
    try:
        for _ in range(KILLS):
            api = (await service.start()).api()
            listening = [asyncio.create_task(listener.listen(api)) for listener in listeners]
            storing = [asyncio.create_task(store(api, acknowledged)) for _ in range(3)]
            async with asyncio.timeout(400):
                for listener in listeners:
                    await listener.has_heard.wait()
            service.kill()
            await asyncio.gather(*listening, *storing)
        api = (await service.start()).api()
        for listener in listeners:
            await listener.listen(api, "&follow=false")
            again = Listener(listener.path)
            await again.listen(api, "&follow=false")
            assert listener.told == again.told
            assert len({one["id"] for one in listener.told}) == len(listener.told)
            heard = [
                (one["data"]["client_ids"]["recording_id"], one["data"]["number"])
                for one in listener.told
                if one["type"] == "tapedeck.recording.chunk_stored.v1"
            ]
            assert len(set(heard)) == len(heard)
            assert set(acknowledged) <= set(heard)
    finally:
        service.kill()
