"""Dorsum's chunks in the real handler: the time until recognition begins, compared with `orjson.loads` of the body."""

import asyncio
import http.client
import logging
import tempfile
import time
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np
import orjson
import psutil

from service.application.live_recognition import LiveRecognition
from service.dialects.dorsum.transcribe import Transcribe
from tests.end_to_end.dorsum_client import CHUNK, PATH, keys_in
from tests.end_to_end.service_process import ServiceProcess
from tests.service.running_service import TurnedClock, running_service
from tests.tools.bench.figures import spread

REQUESTS = 25
AT_ONCE = 32
MEBIBYTE = 1024 * 1024


async def measure() -> None:
    print(f"Chunks of {CHUNK} samples, {REQUESTS} of one session one after another")
    for form, body in bodies().items():
        ratios = await handler_ratios(body)
        print(f"  the handler before recognition : orjson.loads, {form:<9} {spread(ratios)}   (at most 1.6)")
    grown = await memory_growth()
    print(f"  {AT_ONCE} such requests of floats at once: the process grows by {grown / MEBIBYTE:.0f} MiB   (below 600)")


def bodies() -> dict[str, bytes]:
    """Half a minute as a browser writes it: as integers, and as the floats of its audio buffer."""
    noise = np.random.default_rng(1).normal(0, 0.1, CHUNK)
    floats = noise.astype(np.float32).astype(np.float64)
    return {"integers": _body((noise * 32767).astype(np.int16).tolist()), "floats": _body(floats.tolist())}


def _body(chunk: list[float]) -> bytes:
    return orjson.dumps({"session_id": "SESSION", "chunk": chunk, "is_final": False, "previous_transcript": "WORDS"})


async def handler_ratios(body: bytes) -> list[float]:
    """For each request: its handler's seconds before recognition, divided by those of the JSON parser alone.

    This includes all of the handler: reading, parsing, hashing, syncing the bytes and committing the events. Requests
    and parsing take turns, so that other load affects both.
    """
    seconds: list[float] = []
    handle = Transcribe.transcribe
    began = 0.0

    async def timed(self, request):  # type: ignore[no-untyped-def]
        nonlocal began
        began = time.perf_counter()
        return await handle(self, request)

    async def nothing_heard(self, chunk_key, *, project, language, prefix):  # type: ignore[no-untyped-def]
        seconds.append(time.perf_counter() - began)
        raise BenchOver

    ratios = []
    logging.disable()
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            patch.object(Transcribe, "transcribe", timed),
            patch.object(LiveRecognition, "transcribe_chunk", nothing_heard),
        ):
            async with running_service(Path(folder) / "data", TurnedClock()) as running:
                keys, in_session = keys_in(Path(folder) / "data"), of_a_new_session(body)
                for number in range(REQUESTS):
                    sent = in_session.replace(b"WORDS", b"%d" % number)
                    began_parsing = time.perf_counter()
                    orjson.loads(sent)
                    parsing = time.perf_counter() - began_parsing
                    await asyncio.to_thread(post, running.settings.base_url, sent, keys)
                    ratios.append(seconds.pop() / parsing)
    finally:
        logging.disable(logging.NOTSET)
    return ratios


class BenchOver(Exception):
    """The bench has what it needs: nothing has to be recognized."""


def of_a_new_session(body: bytes) -> bytes:
    return body.replace(b"SESSION", str(uuid4()).encode(), 1)


def post(url: str, body: bytes, keys: dict[str, str]) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    connection.request("POST", PATH, body, keys | {"Content-Type": "application/json"})
    connection.getresponse().read()
    connection.close()


async def memory_growth() -> int:
    """How many bytes the service's own process grows at most while several chunks of floats come in at once."""
    body = bodies()["floats"]
    with tempfile.TemporaryDirectory() as folder:
        settings = {"LOG_LEVEL": "ERROR", "DORSUM_WAITING": "64", "DORSUM_SECONDS": "10"}
        service = await ServiceProcess(Path(folder) / "data", settings).start()
        try:
            assert service.process is not None
            process, keys = psutil.Process(service.process.pid), keys_in(service.data_dir)
            await asyncio.to_thread(post, service.url, of_a_new_session(body), keys)
            before = most = process.memory_info().rss
            posts = [
                asyncio.create_task(asyncio.to_thread(post, service.url, of_a_new_session(body), keys))
                for _ in range(AT_ONCE)
            ]
            while not all(each.done() for each in posts):
                most = max(most, process.memory_info().rss)
                await asyncio.sleep(0.005)
            return most - before
        finally:
            service.kill()
