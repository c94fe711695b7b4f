"""Whether recordings can be stored now: each part of the service is asked, and a part that is missing is named."""

import asyncio
import logging
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.blobs.port import BlobStore, StorageFull, StorageUnavailable
from adapters.blobs.storage_errors import storage_errors
from adapters.event_log.log import EventLog
from adapters.event_log.port import LogUnavailable
from adapters.speech.opening import EngineSpec, check_installed
from adapters.speech.port import EngineUnavailable
from service.followers.publisher import Publisher
from service.runtime.assembly import RunningService
from service.runtime.data_dir import scratch_dir
from service.runtime.draining import STOPPING, Drain
from service.runtime.engines import engine_of
from service.runtime.settings import ServiceSettings

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 3.0
"""How long a part has to answer: whoever asks, such as a load balancer, does not wait much longer."""

_PROBE = bytes(4096)
"""A block of a disk: what every file that grows takes at least."""


@dataclass(frozen=True, slots=True)
class Part:
    """`check` returns one sentence about what is wrong, or None. Anyone may read that sentence: it has no address, no
    path and no name of a user. `is_required`: without this part, nothing can be stored."""

    name: str
    is_required: bool
    check: Callable[[], Coroutine[Any, Any, str | None]]


@dataclass(frozen=True, slots=True)
class Finding:
    """`problem` is None if the part is there."""

    part: Part
    problem: str | None

    @property
    def prevents_storing(self) -> bool:
        return self.part.is_required and self.problem is not None

    @property
    def shown(self) -> dict[str, Any]:
        state = "ready" if self.problem is None else "missing"
        because = {} if self.problem is None else {"because": self.problem}
        return {"state": state, "required": self.part.is_required} | because


class Readiness:
    """What is needed, part by part. Used from one event loop.

    A check that is under way is shared by all who ask, so that asking often costs no more than asking once, and a part
    that gives no answer holds up one thread.
    """

    def __init__(self, parts: Iterable[Part]) -> None:
        self._parts = tuple(parts)
        self._under_way: dict[str, asyncio.Task[str | None]] = {}

    async def findings(self) -> list[Finding]:
        """One per part; within `ANSWER_SECONDS`."""
        return list(await asyncio.gather(*map(self._finding, self._parts)))

    async def _finding(self, part: Part) -> Finding:
        task = self._under_way.get(part.name)
        if task is None:
            task = self._under_way[part.name] = asyncio.create_task(part.check(), name=f"check {part.name}")
            task.add_done_callback(lambda _: self._under_way.pop(part.name))
        answered, _ = await asyncio.wait([task], timeout=ANSWER_SECONDS)
        return Finding(part, task.result() if answered else f"It gives no answer within {ANSWER_SECONDS:g} seconds.")


def process_part(drain: Drain) -> Part:
    """The process itself, which may be about to stop."""

    async def check() -> str | None:
        return STOPPING if drain.has_begun else None

    return Part("process", True, check)


class LogParts:
    """What every process needs that reads the log, for `Readiness`."""

    def __init__(self, drain: Drain, log: EventLog) -> None:
        self._drain = drain
        self._log = log

    def __iter__(self) -> Iterator[Part]:
        yield process_part(self._drain)
        yield Part("event_log", True, self._event_log)

    async def _event_log(self) -> str | None:
        try:
            await self._log.refresh_head()
        except LogUnavailable as error:
            return _told("event_log", error, "The event log cannot be read.")
        return None


class PublisherParts(LogParts):
    """What a publisher needs."""

    def __init__(self, drain: Drain, log: EventLog, publisher: Publisher) -> None:
        super().__init__(drain, log)
        self._publisher = publisher

    def __iter__(self) -> Iterator[Part]:
        yield from super().__iter__()
        yield Part("kafka", False, self._kafka)

    async def _kafka(self) -> str | None:
        return problem_of_publisher(self._publisher)


class ProcessParts(LogParts):
    """What every process needs that works on recordings."""

    def __init__(self, settings: ServiceSettings, drain: Drain, log: EventLog, blobs: BlobStore) -> None:
        super().__init__(drain, log)
        self._settings = settings
        self._blobs = blobs

    def __iter__(self) -> Iterator[Part]:
        yield from super().__iter__()
        yield Part("data_dir", True, self._data_dir)
        yield Part("blob_store", True, self._blob_store)
        if not self._engine.works_elsewhere:
            yield Part("speech_model", False, self._speech_model)

    @property
    def _engine(self) -> EngineSpec:
        return engine_of(self._settings)

    async def _data_dir(self) -> str | None:
        return await self._room("data_dir", "data directory", asyncio.to_thread(_write, self._settings.data_dir))

    async def _blob_store(self) -> str | None:
        return await self._room("blob_store", "blob store", self._blobs.check_writable())

    async def _room(self, name: str, called: str, writing: Awaitable[None]) -> str | None:
        try:
            await writing
        except StorageFull as error:
            return _told(name, error, f"There is no room left in the {called}.")
        except StorageUnavailable as error:
            return _told(name, error, f"The {called} cannot be written.")
        return None

    async def _speech_model(self) -> str | None:
        try:
            await asyncio.to_thread(check_installed, self._engine)
        except EngineUnavailable as error:
            return _told("speech_model", error, "The speech model is not there: recordings wait to be transcribed.")
        return None


def problem_of_processes(serving: int) -> str | None:
    """What is wrong if so many API processes serve."""
    return None if serving else "No process takes requests; they are being started."


def problem_of_publisher(publisher: Publisher | None) -> str | None:
    """What is wrong with it, if there is one."""
    if publisher is None or not publisher.is_held_up:
        return None
    return "Events are not published: they wait in the event log. The service's log says why."


class ServiceParts(ProcessParts):
    """What the service needs."""

    def __init__(self, service: RunningService) -> None:
        settings = service.parts.settings.section(ServiceSettings)
        super().__init__(settings, service.drain, service.stores.log, service.stores.blobs)
        self._service = service

    def __iter__(self) -> Iterator[Part]:
        process, *others = super().__iter__()
        yield process
        if self._settings.serves_by_processes:
            yield Part("api_processes", True, self._api_processes)
        yield from others
        if self._service.publisher is not None:
            yield Part("kafka", False, self._kafka)

    async def _api_processes(self) -> str | None:
        return problem_of_processes(self._service.other_processes.serving())

    async def _kafka(self) -> str | None:
        return problem_of_publisher(self._service.publisher)


def _told(part: str, error: Exception, sentence: str) -> str:
    logger.warning("a part is missing", extra={"part": part, "because": str(error)})
    return sentence


def _write(data_dir: Path) -> None:
    """Prove, by doing it, that a file in the data directory can grow. Raises: StorageFull, StorageUnavailable."""
    with storage_errors(), tempfile.TemporaryFile(dir=scratch_dir(data_dir), buffering=0) as file:
        file.write(_PROBE)
