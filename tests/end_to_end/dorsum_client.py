"""Dorsum's API as its clients speak it."""

import asyncio
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import numpy as np
import orjson

from adapters.event_log.log import EventLog
from adapters.event_log.opening import open_log
from domain.events import Stage
from domain.identity import recording_id
from service.application.clock import utc_now
from service.dialects.dorsum.names import DIALECT
from tests.domain.histories import failed, finalized
from tests.end_to_end.profile import blob_store_of
from tests.end_to_end.service_process import Answer, ServiceProcess

CHUNK = 480_000
PATH = "/api/consultations/transcribe"


def silence(tag: int = 0) -> np.ndarray:
    """Half a minute without speech, recognized in no time; each tag gives other bytes."""
    samples = np.zeros(CHUNK, np.int16)
    samples[:4] = (2, tag % 100, tag // 100, -2)
    return samples


@dataclass
class Dorsum:
    """One session. `keys`: the headers that say who calls. `task_id`: for whoever wants to keep it."""

    url: str
    keys: dict[str, str]
    session_id: str = field(default_factory=lambda: str(uuid4()))
    task_id: str = ""

    @classmethod
    def of(cls, service: ServiceProcess) -> "Dorsum":
        return cls(service.url, keys_in(service.data_dir))

    def another(self) -> "Dorsum":
        return Dorsum(self.url, self.keys)

    async def post(self, body: Any, *, headers: dict[str, str] | None = None, keys: bool = True) -> Answer:
        """`body`: bytes, or anything to be sent as JSON."""
        sent = body if isinstance(body, bytes) else orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
        given = {"Content-Type": "application/json"} | (self.keys if keys else {}) | (headers or {})
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url + PATH, data=io.BytesIO(sent), headers=given) as answer,
        ):
            return Answer(answer.status, await answer.read(), answer.headers.copy())

    async def send(self, chunk: Any, *, final: bool = False, key: str | None = None, **fields: Any) -> Answer:
        body = {"session_id": self.session_id, "chunk": chunk, "is_final": final, **fields}
        return await self.post(body, headers={"Idempotency-Key": key} if key else None)

    async def send_all(self, samples: Sequence[int] | np.ndarray, **fields: Any) -> list[dict[str, Any]]:
        """Everything in chunks, as the vendor's own client does it; the last answer is the final one."""
        answers, transcript = [], ""
        cuts = [*range(0, len(samples), CHUNK), len(samples)]
        for start, end in pairwise(cuts):
            final = end == len(samples)
            answer = await self.send(samples[start:end], final=final, previous_transcript=transcript, **fields)
            assert answer.status == 200, answer
            answers.append(answer.json)
            transcript = f"{transcript} {answer.json.get('transcription', '')}".strip()
        return answers

    async def note(self, method: str = "GET", below: str = "", *, body: Any = None, **headers: str) -> Answer:
        """A request about the session's note. `below`: what the path has after it; `headers`: with _ for -."""
        url = f"{self.url}/api/consultations/{self.session_id}/note{below}"
        sent = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        sent = io.BytesIO(sent) if sent is not None else None
        given = self.keys | {name.replace("_", "-"): value for name, value in headers.items()}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, data=sent, headers=given) as answer,
        ):
            return Answer(answer.status, await answer.read(), answer.headers.copy())

    async def state(self, session_id: str | None = None) -> Answer:
        url = f"{self.url}/api/consultations/{session_id or self.session_id}"
        async with aiohttp.ClientSession() as session, session.get(url, headers=self.keys) as answer:
            return Answer(answer.status, await answer.read(), answer.headers.copy())


def keys_of(service: ServiceProcess) -> dict[str, str]:
    return keys_in(service.data_dir)


def keys_in(data_dir: Path) -> dict[str, str]:
    """The headers that the development credentials give."""
    credentials = orjson.loads((data_dir / "dev-credentials.json").read_bytes())["dorsum"]
    return {"Api-Key": credentials["api_key"], "Client-Key": credentials["client_key"]}


async def stored_chunks(service: ServiceProcess, task_id: str) -> list[bytes]:
    """The bytes of the recording's chunks as they lie in the store, in no promised order."""
    found = []
    async with blob_store_of(service) as store:
        for key in store.keys(f"recordings/{UUID(task_id).hex}/chunk-"):
            with store.open(key) as chunk:
                found.append(chunk.read())
    return found


async def stitched_samples(service: ServiceProcess, task_id: str) -> np.ndarray:
    """The session's sound, as whoever may download it gets it."""
    api = service.api()
    link = await api.call("GET", f"/v1/recordings/rec_{UUID(task_id).hex}/download-url")
    assert link.status == 200, link
    audio = await api.call("GET", link.json["download_url"], key=False)
    assert audio.body[:4] == b"RIFF"
    assert int.from_bytes(audio.body[40:44], "little") == len(audio.body) - 44
    return np.frombuffer(audio.body[44:], "<i2")


async def failed_at_stitching(service: ServiceProcess, dorsum: Dorsum) -> None:
    """A session of one chunk whose stitching failed. Samples never do so by themselves, so the log is told that it did,
    as another process of the service would tell it."""
    assert (await dorsum.send(silence(), previous_transcript="")).status == 200
    log = EventLog(open_log(service.log_url).recorder)
    its_id = recording_id(DIALECT, service.credentials["project_id"], dorsum.session_id)
    declared, broke = (event.model_copy(update={"at": utc_now()}) for event in (finalized(1), failed(Stage.STITCH)))
    await log.append(its_id, len(await log.history(its_id)), [declared, broke], trace_id=None)
    await log.close()
    async with asyncio.timeout(60):
        while (await dorsum.state()).json["status"] != "failed":
            await asyncio.sleep(0.05)


async def event_types(service: ServiceProcess, task_id: str) -> list[str]:
    return await service.api().event_types({"id": f"rec_{UUID(task_id).hex}"})


def sections_of(note: str) -> dict[str, list[str]]:
    """The sentences of a note of text, without the times behind them and without headings."""
    blocks = re.findall(r"^(\w+):\n((?:.+\n?)+)", note, re.MULTILINE)
    return {
        title: [
            re.sub(r" \[[\d:]+-[\d:]+\]$", "", line.removeprefix("- "))
            for line in lines.splitlines()
            if line.startswith("- ")
        ]
        for title, lines in blocks
    }
