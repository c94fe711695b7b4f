"""The service as its users run it: a real process on a real port, which tests can kill and start again."""

import asyncio
import hashlib
import io
import json
import os
import sys
import time
import wave
from base64 import b64encode
from collections.abc import AsyncIterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import aiohttp
import av
import orjson
import psutil

import service.sample
from adapters.blobs.url import is_bucket
from adapters.event_log.url import is_postgres
from tests.end_to_end.tapedeck_process import TapedeckProcess
from tests.tools.free_ports import free_port

if TYPE_CHECKING:
    from tests.end_to_end.profile import ScaledOut

SAMPLE = Path(service.sample.__file__).with_name("consultation.opus")
START_SECONDS = 240
LONGEST_PAUSE_SECONDS = 0.5
"""Between two questions whether a recording has ended, or a service is ready. What works on that has less of the
processor than who asks, and would hardly get any on a machine where many ask all the time."""

API_PROCESSES = int(os.environ.get("TEST_API_PROCESSES", "1"))
"""Of each service that does not say how many it has. `TEST_API_PROCESSES=3` runs the suite with three."""

_WHERE = ("DATABASE_URL", "BLOB_URL")

_NEEDS_ONE = {"REQUESTS_PER_MINUTE"}
"""Settings that cannot be had with several."""

PATIENT = {"DORSUM_SECONDS": "170", "STOP_SECONDS": "10"}
"""Half a minute of speech takes long on a machine with other work; a request that a test leaves unfinished does not
hold up the service's end for long."""


@cache
def short_speech() -> bytes:
    """The first three seconds of the sample as a WAV file: enough to be transcribed, and quickly."""
    output = io.BytesIO()
    with av.open(SAMPLE) as sample, wave.open(output, "wb") as wav:
        wav.setparams((1, 2, 16_000, 0, "NONE", "NONE"))
        resampler = av.AudioResampler("s16", "mono", 16_000)
        for frame in sample.decode(audio=0):
            for resampled in resampler.resample(frame):
                wav.writeframes(resampled.to_ndarray().tobytes())
            if wav.tell() >= 3 * 16_000:
                break
    return output.getvalue()


ENDED = ("completed", "failed", "integrity_failure")


@dataclass
class ServiceProcess(TapedeckProcess):
    """`settings`: further TAPEDECK_ variables, without the prefix."""

    data_dir: Path
    settings: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = (sys.executable, "-m", "service.cli", "serve")

    scaled_out: ClassVar["ScaledOut | None"] = None
    """Where services keep what they know, if not in files; see `tests/end_to_end/profile.py`."""

    def __post_init__(self) -> None:
        if self.scaled_out is not None and self.where.keys() != set(_WHERE):
            self.settings = self.scaled_out.settings_of(self.data_dir) | self.settings
        if API_PROCESSES > 1 and not _NEEDS_ONE & self.settings.keys():
            self.settings = {"API_PROCESSES": str(API_PROCESSES)} | self.settings
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_file = self.data_dir.parent / f"{self.data_dir.name}.log"

    async def start(self) -> "ServiceProcess":
        """Start it and wait until it says that it can store."""
        its_own = {"DATA_DIR": str(self.data_dir), "PORT": str(self.port)}
        process = self.launch(self.command, PATIENT | self.settings | its_own)
        asked = f"http://127.0.0.1:{self.settings.get('OPERATIONS_PORT', self.port)}/readyz"
        pauses = growing_pauses(0.02)
        async with asyncio.timeout(START_SECONDS), aiohttp.ClientSession() as session:
            while True:
                assert process.poll() is None, f"the service ended: {self.log_file.read_text()[-3000:]}"
                try:
                    async with session.get(asked) as response:
                        if response.status == HTTPStatus.OK:
                            return self
                except aiohttp.ClientConnectionError:
                    pass
                await asyncio.sleep(next(pauses))

    async def restart(self) -> None:
        self.kill()
        await self.start()

    @property
    def log_url(self) -> str:
        """The URL of its event log."""
        return self.settings.get("DATABASE_URL", f"sqlite:///{self.data_dir}/tapedeck.sqlite3")

    @property
    def where(self) -> dict[str, str]:
        """Its settings of what is not where it is by itself: in the data directory."""
        return {name: self.settings[name] for name in _WHERE if name in self.settings}

    @property
    def has_a_database(self) -> bool:
        """Whether the log and all tables are in PostgreSQL."""
        return is_postgres(self.log_url)

    @property
    def has_a_bucket(self) -> bool:
        return is_bucket(self.settings.get("BLOB_URL", ""))

    @property
    def incoming(self) -> Path:
        """The folder of what is being received for its blobs."""
        if self.has_a_bucket:
            return self.data_dir / "bucket" / "incoming"
        blobs = self.settings.get("BLOB_URL", f"segments://{self.data_dir}/blobs")
        return Path(urlsplit(blobs).path) / ".incoming"

    @property
    def environment(self) -> dict[str, str]:
        """For commands that use what the service has stored."""
        where = {f"TAPEDECK_{name}": url for name, url in self.where.items()}
        return os.environ | {"TAPEDECK_DATA_DIR": str(self.data_dir)} | where

    @property
    def credentials(self) -> dict[str, str]:
        return orjson.loads((self.data_dir / "dev-credentials.json").read_bytes())["bota"]

    def api(self, token: str | None = None) -> "Api":
        return Api(self.url, token or self.credentials["api_key"], self.credentials["end_user_id"])

    def log_lines(self) -> list[dict[str, Any]]:
        """Without one that is being written at this moment, and without Python's own words, in which a worker ends that
        was being started when its service was killed."""
        said = self.log_file.read_bytes().split(b"\n")[:-1]
        return [orjson.loads(line) for line in said if line.startswith(b"{")]

    async def lines_of_trace(self, trace_id: str) -> list[dict[str, Any]]:
        """The log's lines with this trace id, once there are any: they are written a moment after the answer."""
        while not (lines := [line for line in self.log_lines() if line.get("trace_id") == trace_id]):
            await asyncio.sleep(0.01)
        return lines

    async def nothing_stays_half_written(self) -> None:
        """Returns when every temporary file that is there now has gone; others may come, of work that goes on.

        Raises TimeoutError: one stays.
        """
        half_written = set(self.incoming.iterdir())
        async with asyncio.timeout(30):
            while half_written := half_written & set(self.incoming.iterdir()):
                await asyncio.sleep(0.01)

    def processes(self) -> list[psutil.Process]:
        """The service itself, and all that it has started."""
        assert self.process is not None
        itself = psutil.Process(self.process.pid)
        return [itself, *itself.children(recursive=True)]

    def api_processes(self) -> list[psutil.Process]:
        """Those that it started to take chunks, if it has several."""
        return [process for process in self.processes()[1:] if _is_api_process(process)]

    def answering(self) -> list[psutil.Process]:
        """Those that take requests: itself, and its API processes if it has several."""
        return [self.processes()[0], *self.api_processes()]

    def workers(self) -> list[psutil.Process]:
        """Those that it started to work on recordings."""
        return [process for process in self.processes()[1:] if not _is_api_process(process)]


def _is_api_process(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return "service.runtime.processes.child" in process.cmdline()
    return False


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Any

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def is_of_a_view_behind(self) -> bool:
        return self.status == 503 and b" is behind; try again." in self.body

    @property
    def error(self) -> dict[str, Any]:
        assert self.status >= 400, self
        return self.json["error"]


class Api:
    """Bota's API as a client speaks it, a connection a call. Only what a vendor's client would do is hidden here."""

    def __init__(self, url: str, token: str, end_user_id: str) -> None:
        self.url = url
        self._token = token
        self._end_user_id = end_user_id

    async def call(
        self, method: str, path: str, *, body: Any = None, headers: dict[str, str] | None = None, key: bool = True
    ) -> Answer:
        """`path`: below the service, or a whole URL. `body`: bytes, or anything to be sent as JSON.

        What may be repeated is asked again while a view is behind the log, as the service then asks its clients to.
        """
        may_be_repeated = method == "GET" or path.endswith("/search")
        deadline = time.monotonic() + 60
        while True:
            answer = await self.call_once(method, path, body=body, headers=headers, key=key)
            if not (may_be_repeated and answer.is_of_a_view_behind) or time.monotonic() > deadline:
                return answer
            await asyncio.sleep(0.1)

    async def call_once(
        self, method: str, path: str, *, body: Any = None, headers: dict[str, str] | None = None, key: bool = True
    ) -> Answer:
        url = path if path.startswith("http") else self.url + path
        sent = body if body is None or isinstance(body, bytes | AsyncIterable) else json.dumps(body).encode()
        sent = io.BytesIO(sent) if isinstance(sent, bytes) else sent
        authorization = self.authorization if key else {}
        async with (
            aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as session,
            session.request(
                method, aiohttp.client.URL(url, encoded=True), data=sent, headers=authorization | (headers or {})
            ) as answer,
        ):
            return Answer(answer.status, await answer.read(), answer.headers.copy())

    @property
    def authorization(self) -> dict[str, str]:
        """The header that has the key."""
        return {"Authorization": f"Bearer {self._token}"}

    async def create(self, **fields: Any) -> dict[str, Any]:
        answer = await self.asked_for_one(**fields)
        assert answer.status == 201, answer
        return answer.json

    async def asked_for_one(self, **fields: Any) -> Answer:
        """The answer to a request for a new recording."""
        asked = {"streaming": True, "end_user_id": self._end_user_id, "codec": "opus"} | fields
        return await self.call("POST", "/v1/recordings", body=asked)

    async def put(self, recording: dict[str, Any], part: int | str, body: Any, **headers: str) -> Answer:
        url = recording["chunk_upload_url_template"].replace("{part}", str(part))
        return await self.call("PUT", url, body=body, headers=headers, key=False)

    async def upload(self, chunks: list[bytes], **fields: Any) -> dict[str, Any]:
        recording = await self.create(**fields)
        for number, chunk in enumerate(chunks, 1):
            md5 = b64encode(hashlib.md5(chunk).digest()).decode()
            assert (await self.put(recording, number, chunk, **{"Content-MD5": md5})).status == 200
        return recording

    async def finalize(self, recording: dict[str, Any], total: Any, **fields: Any) -> Answer:
        asked = {"total_chunks": total, "final_duration_ms": 1000} | fields
        return await self.call("POST", f"/v1/recordings/{recording['id']}/finalize", body=asked)

    async def get(self, recording: dict[str, Any], below: str = "") -> Any:
        answer = await self.call("GET", f"/v1/recordings/{recording['id']}{below}")
        assert answer.status == 200, answer
        return answer.json

    async def ended(self, recording: dict[str, Any], *, seconds: float = 400) -> dict[str, Any]:
        """The recording once its processing has come to an end, good or bad."""
        pauses = growing_pauses(0.05)
        async with asyncio.timeout(seconds):
            while (found := await self.get(recording))["status"] not in ENDED:
                await asyncio.sleep(next(pauses))
        return found

    async def transcript(self, recording: dict[str, Any]) -> dict[str, Any]:
        found = await self.ended(recording)
        answer = await self.call("GET", f"/v1/transcriptions/{found['transcription_id']}")
        assert answer.status == 200, answer
        return answer.json

    async def event_types(self, recording: dict[str, Any]) -> list[str]:
        return [event["type"] for event in (await self.get(recording, "/events"))["data"]]


def growing_pauses(seconds: float) -> Iterator[float]:
    """The first is as long as is said, the longest `LONGEST_PAUSE_SECONDS`."""
    while True:
        yield seconds
        seconds = min(1.1 * seconds, LONGEST_PAUSE_SECONDS)


def slices(body: bytes, count: int) -> list[bytes]:
    size = -(-len(body) // count)
    return [body[start : start + size] for start in range(0, len(body), size)]
