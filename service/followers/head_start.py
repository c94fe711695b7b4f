"""Recognizes recordings while they arrive: what has come is decoded by a process that listens, and each part of it that
is whole is heard by the workers, before it is known whether more comes.

It is only ever a head start. What was heard is used where the whole recording has the same sound (`PartHeard`), so
whatever ends a listening process, or whatever of a recording it cannot read, costs nothing but time. After a restart, a
recording is listened to from its beginning again as soon as its next chunk comes; what was heard is not heard again.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from adapters.event_log.port import LogUnavailable
from adapters.worker_processes import WorkerProcesses
from domain.errors import RecordingNotFound
from domain.events import ChunkStored, Failed, LoggedEvent, RecordingDeleted, RecordingKind, Stitched
from domain.recording import Phase, Recording
from service.application.hearing_parts import order_to_hear, record_of
from service.application.listening_orders import ListenOrder, listen
from service.application.live_words import LiveWords
from service.application.part_orders import CutPart, hear_part
from service.application.project_turns import Urgency
from service.application.recordings import Recordings
from service.application.scratch import own_scratch
from service.application.stage_parts import StageParts
from service.application.trace import trace_id
from service.followers.listening_along import ListeningAlong

logger = logging.getLogger(__name__)

WORTH_BYTES = 1 << 18
"""A recording of fewer bytes is heard soon enough when it is complete, unless somebody listens."""

IDLE = timedelta(minutes=1)
"""A recording that got nothing for so long gives its place to another one."""

_CHUNKS_AT_ONCE = 16
_LISTEN_LIMIT = timedelta(minutes=2)
_HEAR_LIMIT = timedelta(minutes=10)
_MOST_REMEMBERED = 10_000


class HeadStart:
    """One follower. `most`: how many recordings are listened to at once, each by a process of its own.

    `new_process`: makes one that has not started yet. `position`: how far it has read the log.
    """

    name = "head-start"

    def __init__(
        self,
        most: int,
        new_process: Callable[[], WorkerProcesses],
        parts: StageParts,
        *,
        log: EventLog,
        recordings: Recordings,
        live: LiveWords,
    ) -> None:
        self._most = most
        self._live = live
        self._new_process = new_process
        self._parts = parts
        self._log = log
        self._recordings = recordings
        self._listened: dict[UUID, _Listened] = {}
        self._free: list[WorkerProcesses] = []
        self._given_up: dict[UUID, None] = {}
        self._unread_bytes: dict[UUID, int] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._beginning: set[asyncio.Task[None]] = set()
        self._along: set[ListeningAlong] = set()
        self.position = log.head

    async def run(self) -> None:
        """Follow the log until cancelled, from where it was when this was made."""
        self._live.when_wanted = self._listen_along
        try:
            async for events in self._log.follow(after=self.position):
                for recorded in events:
                    await self._see(recorded)
                self.position = events[-1].position
        finally:
            self._live.when_wanted = None
            for task in self._beginning:
                task.cancel()
            for its in list(self._listened.values()):
                self._let_go(its)
            for along in self._along:
                along.cancel()
            await asyncio.gather(*self._ending, return_exceptions=True)
            for process in self._free:
                await process.close()
            self._free.clear()

    async def _see(self, recorded: RecordedEvent) -> None:
        its = self._listened.get(recorded.stream_id)
        if its is not None:
            if _ends(recorded.event):
                self._let_go(its)
            else:
                its.wake(recorded.version)
        elif type(recorded.event) is ChunkStored and self._most and recorded.stream_id not in self._given_up:
            recording = await self._recording_of(recorded, recorded.event.size_bytes)
            if recording is not None:
                self._begin(recorded.stream_id, recording, recorded.version, recorded.trace_id)

    def _listen_along(self, recording_id: UUID) -> None:
        """Somebody listens to the recording from now on."""
        its = self._listened.get(recording_id)
        if its is not None:
            its.wake(0)
        elif self._most and recording_id not in self._given_up:
            task = asyncio.create_task(self._begin_along(recording_id), name=f"{self.name} {recording_id}")
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)

    async def _begin_along(self, recording_id: UUID) -> None:
        try:
            recording = await self._recordings.find(recording_id)
        except (RecordingNotFound, LogUnavailable):
            return  # its next chunk is another occasion
        self._begin(recording_id, recording, 0, None)

    async def _recording_of(self, recorded: RecordedEvent, size_bytes: int) -> Recording | None:
        """The recording of a chunk; None if that is not known without reading, and it cannot have become large since.

        Of a chunk that another process has stored, nothing is in memory.
        """
        known = self._recordings.in_memory(recorded.stream_id, at_least=recorded.version)
        if known is not None:
            return known
        unread = self._unread_bytes.pop(recorded.stream_id, 0) + size_bytes
        if unread >= WORTH_BYTES or self._live.is_wanted(recorded.stream_id):
            with suppress(RecordingNotFound):
                return await self._recordings.find(recorded.stream_id, at_least=recorded.version)
            return None
        self._unread_bytes[recorded.stream_id] = unread
        _forget_oldest(self._unread_bytes)
        return None

    def _makes_room(self, *, is_wanted: bool) -> bool:
        """Whether there is a place, perhaps that of a recording that gets nothing any more, or one that nobody listens
        to."""
        if len(self._listened) < self._most:
            return True
        oldest = min(self._listened.values(), key=lambda its: (is_wanted and its.along.is_wanted, its.fed_at))
        is_idle = asyncio.get_running_loop().time() - oldest.fed_at >= IDLE.total_seconds()
        if not is_idle and (oldest.along.is_wanted or not is_wanted):
            return False
        self._let_go(oldest)
        return True

    def _begin(self, recording_id: UUID, recording: Recording, version: int, its_trace_id: str | None) -> None:
        """Listen to it, if that is worth it, there is room, and nobody has begun meanwhile."""
        is_wanted = self._live.is_wanted(recording_id)
        if recording_id in self._listened or not _is_worth_it(recording, is_wanted=is_wanted):
            return
        if not self._makes_room(is_wanted=is_wanted):
            return
        process = self._free.pop() if self._free else self._new_process()
        along = ListeningAlong(recording_id, self._parts, self._live)
        self._along.add(along)
        its = _Listened(
            recording_id,
            version,
            process,
            along,
            parts=self._parts,
            recordings=self._recordings,
            its_trace_id=its_trace_id,
        )
        self._listened[recording_id] = its
        its.task = asyncio.create_task(its.run(), name=f"{self.name} {recording_id}")
        its.task.add_done_callback(lambda _: self._let_go(its))

    def _let_go(self, its: "_Listened") -> None:
        """It is not listened to again: it would have to be decoded from its beginning."""
        if self._listened.pop(its.id, None) is None:
            return
        self._given_up[its.id] = None
        _forget_oldest(self._given_up)
        ending = asyncio.create_task(self._end(its))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _end(self, its: "_Listened") -> None:
        if its.task is not None:
            its.task.cancel()
            await asyncio.gather(its.task, return_exceptions=True)
        self._free.append(its.process)
        await its.along.over()  # ending it would end a worker, and with it a model that is loaded
        self._along.discard(its.along)


def _forget_oldest(known: dict[UUID, Any]) -> None:
    for oldest in list(islice(known, max(0, len(known) - _MOST_REMEMBERED))):
        del known[oldest]


def _ends(event: LoggedEvent) -> bool:
    """Whether nothing need be heard ahead from now on. Until it is stitched, parts that are whole may still be."""
    return isinstance(event, Stitched | Failed | RecordingDeleted)


def _is_worth_it(recording: Recording, *, is_wanted: bool) -> bool:
    first = recording.chunks.get(1)
    is_stream = recording.opened.kind is RecordingKind.STREAMED and recording.phase is Phase.OPEN
    is_audio = first is not None and first.blob_key is not None and first.looks_like is None
    return is_stream and is_audio and (is_wanted or recording.chunks.size_bytes >= WORTH_BYTES)


class _Listened:
    """One recording that is listened to. `fed_at`: when it last got something, on the event loop's clock."""

    def __init__(
        self,
        recording_id: UUID,
        version: int,
        process: WorkerProcesses,
        along: ListeningAlong,
        *,
        parts: StageParts,
        recordings: Recordings,
        its_trace_id: str | None,
    ) -> None:
        self.id = recording_id
        self.process = process
        self.along = along
        self._trace_id = its_trace_id
        self._version = 0
        self.task: asyncio.Task[None] | None = None
        self._parts = parts
        self._recordings = recordings
        self._more = asyncio.Event()
        self._fed = self._whole = 0
        self._room = asyncio.Semaphore(2 * parts.turns.count)
        self._hearing: set[asyncio.Task[None]] = set()
        self._failed = asyncio.Event()
        self.wake(version)

    def wake(self, version: int) -> None:
        """`version`: of the newest event that is known of the recording."""
        self._version = max(self._version, version)
        self.fed_at = asyncio.get_running_loop().time()
        self._more.set()

    async def run(self) -> None:
        """Until it is cancelled, or nothing more can be heard of the recording."""
        trace_id.set(self._trace_id)
        about = {"follower": HeadStart.name, "recording_id": self.id.hex}
        try:
            async with own_scratch(self._parts.scratch_dir) as scratch:
                try:
                    await self._listen(scratch)
                    await asyncio.gather(*self._hearing)
                finally:
                    for task in self._hearing:
                        task.cancel()
                    await asyncio.gather(*self._hearing, return_exceptions=True)
        except RecordingNotFound:
            return
        except Exception as error:  # noqa: BLE001 - it is heard when it is complete, whatever broke here
            logger.info("listening ends", extra={**about, "because": f"{type(error).__name__}: {error}"})

    async def _listen(self, scratch: Path) -> None:
        replacements = None
        while not self._failed.is_set():
            await self._more.wait()
            self._more.clear()
            recording = await self._recordings.find(self.id, at_least=self._version)
            if replacements not in (None, recording.replacements):
                return
            if recording.phase is not Phase.OPEN:
                self.along.finish(recording)
                return
            replacements = recording.replacements
            while (keys := _next_keys(recording, self._fed)) or (self._fed and self.along.is_due):
                if await self._feed(recording, keys, scratch) or self._failed.is_set():
                    return

    async def _feed(self, recording: Recording, keys: list[str], scratch: Path) -> bool:
        """Whether nothing comes of the recording any more."""
        order = ListenOrder(
            blob_store_url=self._parts.blob_store_url,
            name=str(self.id),
            begins=self._fed == 0,
            chunk_keys=keys,
            parts_before=self._whole,
            scratch_dir=scratch,
            windows_since=self.along.windows_since() if len(keys) < _CHUNKS_AT_ONCE else None,
        )
        listened = await self.process.run(listen, order, timeout=_LISTEN_LIMIT)
        self.along.take(listened.windows, recording)
        for part, index in listened.parts:
            self._whole = part.number
            await self._room.acquire()
            hearing = asyncio.create_task(self._hear(recording, part, self._fed + index + 1))
            self._hearing.add(hearing)
            hearing.add_done_callback(self._heard)
        self._fed += len(keys)
        return listened.has_ended

    def _heard(self, task: asyncio.Task[None]) -> None:
        self._hearing.discard(task)
        self._room.release()
        if not task.cancelled() and task.exception() is not None:
            self._failed.set()
            self._more.set()

    async def _hear(self, recording: Recording, part: CutPart, last_chunk: int) -> None:
        parts, language = self._parts, recording.language_wanted or self._parts.language
        if part.sound is None:
            raise ValueError("only a part with its sound can be heard")
        known = recording.heard.get(part.number)
        if known is None or known.sound_sha256 != part.sha256 or known.language != language:
            order = order_to_hear(part, parts, self.id, recording, language=language)
            urgency = Urgency.SHORT if self.along.is_wanted else Urgency.AHEAD
            async with parts.turns.turn(recording.opened.tenant_id, urgency) as turn:
                heard = await parts.workers.run(hear_part, order, timeout=_HEAR_LIMIT, on_start=turn.is_used_by)
            command = record_of(
                heard,
                number=part.number,
                last_chunk=last_chunk,
                language=language,
                replacements=recording.replacements,
                at=parts.clock(),
            )
            await self._recordings.execute(self.id, command, trace_id=trace_id.get())
        with suppress(FileNotFoundError):
            await asyncio.to_thread(part.sound.unlink)


def _next_keys(recording: Recording, fed: int) -> list[str]:
    """The blobs of the chunks that follow the first `fed` without a gap."""
    keys = []
    for number in range(fed + 1, fed + 1 + _CHUNKS_AT_ONCE):
        chunk = recording.chunks.get(number)
        if chunk is None or chunk.blob_key is None:
            break
        keys.append(chunk.blob_key)
    return keys
