"""The service is stopped under load: whatever was begun is ended, and nobody gets a wrong answer or none."""

import asyncio
import hashlib
import os
import signal
from dataclasses import dataclass, field

import aiohttp
import pytest

from tests.end_to_end.service_process import ServiceProcess, short_speech, slices

CLIENTS = 8
ROUNDS_AFTERWARDS = 5
WHOLE_LIFE = ["RecordingOpened", *["ChunkStored"] * 3, "FinalizeRequested", "Stitched", "Transcribed"]


@dataclass
class Client:
    """Keeps its connection, sends chunks one after another, and notes each that is acknowledged."""

    session: aiohttp.ClientSession
    recording: dict
    acknowledged: list[str] = field(default_factory=list)
    ends_connections: int = 0

    async def send(self, url):
        chunk = os.urandom(3_000)
        async with self.session.put(url, data=chunk) as answer:
            assert answer.status == 200, await answer.text()
            await answer.read()
            self.ends_connections += answer.headers.get("Connection") == "close"
        self.acknowledged.append(hashlib.sha256(chunk).hexdigest())

    async def run(self, drained):
        """Until it has seen that the service is about to stop, and some rounds more."""
        left = ROUNDS_AFTERWARDS
        for number in range(1, 10_000):
            await self.send(self.recording["chunk_upload_url_template"].replace("{part}", str(number)))
            left -= drained.is_set()
            if not left:
                return


async def is_refused(service):
    """Once nobody can open a connection any more."""
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", service.port)
                writer.close()
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                pass  # it waited to be accepted when the listener closed; nothing was sent over it
            await asyncio.sleep(0.01)


async def until_not_ready(session, service):
    while True:
        async with session.get(f"{service.url}/readyz") as answer:
            if answer.status == 503:
                return await answer.json()
        await asyncio.sleep(0.02)


@dataclass
class SlowBody:
    """A body whose second half is sent when it is told to."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aiter__(self):
        yield b"first half, "
        self.begun.set()
        await self.goes_on.wait()
        yield b"second half"


@pytest.mark.slow
async def test_under_load_each_request_that_was_accepted_is_answered_and_each_answer_is_true(tmp_path):
    service = ServiceProcess(tmp_path / "data", {"DRAIN_SECONDS": "600", "STOP_SECONDS": "120", "MAX_CHUNKS": "10000"})
    api = (await service.start()).api()
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            clients = [Client(session, await api.create()) for _ in range(CLIENTS)]
            drained = asyncio.Event()
            running = [asyncio.create_task(client.run(drained)) for client in clients]
            processed = await api.upload(slices(short_speech(), 3))
            assert (await api.finalize(processed, 3)).status == 200
            slow_body, slow_recording = SlowBody(), await api.create()
            slow = asyncio.create_task(api.put(slow_recording, 1, slow_body))
            await slow_body.begun.wait()

            service.process.send_signal(signal.SIGTERM)
            told = await until_not_ready(session, service)
            assert told["parts"]["process"]["because"] == told["reason"] == "The service is about to stop."
            drained.set()
            await asyncio.gather(*running)
            assert all(client.ends_connections >= ROUNDS_AFTERWARDS - 1 for client in clients)
            service.process.send_signal(signal.SIGTERM)
            await is_refused(service)
            slow_body.goes_on.set()
            assert (await slow).status == 200
        assert await asyncio.to_thread(service.process.wait, 120) == 0

        await service.start()
        for client in clients:
            found = (await api.get(client.recording, "/chunks"))["data"]
            assert found
            assert [chunk["sha256"] for chunk in found] == client.acknowledged[: len(found)]
        kept = (await api.get(slow_recording, "/chunks"))["data"]
        assert [chunk["sha256"] for chunk in kept] == [hashlib.sha256(b"first half, second half").hexdigest()]
        assert (await api.ended(processed))["status"] == "completed"
        assert await api.event_types(processed) == WHOLE_LIFE
    finally:
        service.kill()


@pytest.mark.slow
async def test_after_the_times_that_are_set_connections_are_refused_and_what_never_ends_is_cut(tmp_path):
    service = ServiceProcess(tmp_path / "data", {"DRAIN_SECONDS": "0.1", "STOP_SECONDS": "0.5"})
    api = (await service.start()).api()
    try:
        body = SlowBody()
        stuck = asyncio.create_task(api.put(await api.create(), 1, body))
        await body.begun.wait()
        service.process.send_signal(signal.SIGTERM)
        await is_refused(service)
        with pytest.raises(aiohttp.ClientConnectionError):
            await stuck
        assert await asyncio.to_thread(service.process.wait, 60) == 0
        stopping = [line for line in service.log_lines() if line["message"] == "stopping"]
        assert [(line["drain_seconds"], line["stop_seconds"]) for line in stopping] == [(0.1, 0.5)]
    finally:
        service.kill()
