"""Recognizes recordings while they arrive: what has come is decoded by a process that listens, and each part of it that
is whole is heard by the workers, before it is known whether more comes.

It is only ever a head start. What was heard is used where the whole recording has the same sound (`PartHeard`), so
whatever ends a listening process, or whatever of a recording it cannot read, costs nothing but time. What was decoded
to its end is handed to the stages (`Arriving`): they decode nothing again where the stored bytes are the same. After a
restart, a recording is listened to from its beginning again as soon as its next chunk comes; what was heard is not
heard again.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from adapters.worker_processes import RunningJob, WorkerProcesses
from domain.errors import RecordingNotFound
from domain.events import ChunkStored, Failed, LoggedEvent, RecordingDeleted, RecordingKind, Stitched, Transcribed
from domain.recording import Phase, Recording
from service.application.arriving import Arrived
from service.application.hearing_parts import order_to_hear, record_of
from service.application.listening_orders import FinishOrder, ListenOrder, finish_listening, listen
from service.application.part_orders import CutPart, hear_part
from service.application.project_turns import Turn, Urgency
from service.application.recordings import Recordings
from service.application.scratch import own_scratch
from service.application.stage_parts import StageParts
from service.application.trace import trace_id

logger = logging.getLogger(__name__)

WORTH_BYTES = 1 << 18
"""A recording of fewer bytes is heard soon enough when it is complete."""

IDLE = timedelta(minutes=1)
"""A recording that got nothing for so long gives its place to another one."""

_CHUNKS_AT_ONCE = 16
_LISTEN_LIMIT = timedelta(minutes=2)
_HEAR_LIMIT = timedelta(minutes=10)
_MOST_REMEMBERED = 10_000
_MOST_WAITING = 240
"""Parts of one recording whose sound, up to 1.9 MB each, waits on the disk to be heard."""

_ARRIVES = (Phase.OPEN, Phase.AWAITING_CHUNKS, Phase.STITCHING)
"""In which there may be chunks that were not listened to yet."""


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
    ) -> None:
        self._most = most
        self._new_process = new_process
        self._parts = parts
        self._log = log
        self._recordings = recordings
        self._listened: dict[UUID, _Listened] = {}
        self._free: list[WorkerProcesses] = []
        self._given_up: dict[UUID, None] = {}
        self._unread_bytes: dict[UUID, int] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self.position = log.head

    async def run(self) -> None:
        """Follow the log until cancelled, from where it was when this was made."""
        try:
            async for events in self._log.follow(after=self.position):
                for recorded in events:
                    await self._see(recorded)
                self.position = events[-1].position
        finally:
            for its in list(self._listened.values()):
                self._let_go(its)
            await asyncio.gather(*self._ending, return_exceptions=True)
            for process in self._free:
                await process.close()
            self._free.clear()

    async def _see(self, recorded: RecordedEvent) -> None:
        its = self._listened.get(recorded.stream_id)
        if its is not None:
            if _ends(recorded.event, its):
                self._let_go(its)
            else:
                its.wake(recorded)
        elif type(recorded.event) is ChunkStored and self._most and recorded.stream_id not in self._given_up:
            recording = await self._recording_of(recorded, recorded.event.size_bytes)
            if recording is not None and _is_worth_it(recording) and self._makes_room():
                self._begin(recorded)

    async def _recording_of(self, recorded: RecordedEvent, size_bytes: int) -> Recording | None:
        """The recording of a chunk; None if that is not known without reading, and it cannot have become large since.

        Of a chunk that another process has stored, nothing is in memory.
        """
        known = self._recordings.in_memory(recorded.stream_id, at_least=recorded.version)
        if known is not None:
            return known
        unread = self._unread_bytes.pop(recorded.stream_id, 0) + size_bytes
        if unread >= WORTH_BYTES:
            with suppress(RecordingNotFound):
                return await self._recordings.find(recorded.stream_id, at_least=recorded.version)
            return None
        self._unread_bytes[recorded.stream_id] = unread
        _forget_oldest(self._unread_bytes)
        return None

    def _makes_room(self) -> bool:
        """Whether there is a place, perhaps that of a recording that gets nothing any more."""
        if len(self._listened) < self._most:
            return True
        oldest = min(self._listened.values(), key=lambda its: its.fed_at)
        if asyncio.get_running_loop().time() - oldest.fed_at < IDLE.total_seconds():
            return False
        self._let_go(oldest)
        return True

    def _begin(self, recorded: RecordedEvent) -> None:
        process = self._free.pop() if self._free else self._new_process()
        its = _Listened(recorded, process, self._parts, self._recordings)
        self._listened[recorded.stream_id] = its
        self._parts.arriving.add(recorded.stream_id, its)
        its.task = asyncio.create_task(its.run(), name=f"{self.name} {recorded.stream_id}")
        its.task.add_done_callback(lambda _: self._let_go(its))

    def _let_go(self, its: "_Listened") -> None:
        """It is not listened to again: it would have to be decoded from its beginning."""
        if self._listened.pop(its.id, None) is None:
            return
        its.give_up()
        self._parts.arriving.remove(its.id)
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


def _forget_oldest(known: dict[UUID, Any]) -> None:
    for oldest in list(islice(known, max(0, len(known) - _MOST_REMEMBERED))):
        del known[oldest]


def _ends(event: LoggedEvent, its: "_Listened") -> bool:
    """Whether nothing is of use any more. Until it is stitched, parts that are whole may still be heard ahead."""
    return isinstance(event, Transcribed | Failed | RecordingDeleted) or (
        isinstance(event, Stitched) and not its.is_whole
    )


def _is_worth_it(recording: Recording) -> bool:
    first = recording.chunks.get(1)
    is_stream = recording.opened.kind is RecordingKind.STREAMED and recording.phase is Phase.OPEN
    is_audio = first is not None and first.blob_key is not None and first.looks_like is None
    return is_stream and is_audio and recording.chunks.size_bytes >= WORTH_BYTES


class _Listened:
    """One recording that is listened to. `fed_at`: when it last got something, on the event loop's clock."""

    def __init__(
        self, recorded: RecordedEvent, process: WorkerProcesses, parts: StageParts, recordings: Recordings
    ) -> None:
        self.id = recorded.stream_id
        self.process = process
        self.task: asyncio.Task[None] | None = None
        self._parts = parts
        self._recordings = recordings
        self._more = asyncio.Event()
        self._fed = self._whole = 0
        self._found: list[CutPart] = []
        self._whole_found: asyncio.Future[Arrived | None] = asyncio.get_running_loop().create_future()
        self._hearing: set[asyncio.Task[None]] = set()
        self._under_way: dict[asyncio.Task[None], RunningJob] = {}
        self._failed = asyncio.Event()
        self.wake(recorded)

    def wake(self, recorded: RecordedEvent) -> None:
        self._newest = recorded
        self.fed_at = asyncio.get_running_loop().time()
        self._more.set()

    @property
    def is_whole(self) -> bool:
        """Whether all of it was decoded, to its end."""
        return self._whole_found.done() and self._whole_found.result() is not None

    def give_up(self) -> None:
        if not self._whole_found.done():
            self._whole_found.set_result(None)

    async def whole(self) -> Arrived | None:
        return await asyncio.shield(self._whole_found)

    async def leave_to(self, turn: Turn) -> None:
        for task in self._hearing - self._under_way.keys():
            task.cancel()
        while self._under_way:
            task, job = next(iter(self._under_way.items()))
            turn.is_used_by(job)
            job.resume()
            await asyncio.wait([task])

    async def run(self) -> None:
        """Until it is cancelled, or nothing more can be heard of the recording."""
        trace_id.set(self._newest.trace_id)
        try:
            async with own_scratch(self._parts.scratch_dir) as scratch:
                try:
                    await self._listen(scratch)
                    await asyncio.gather(*self._hearing, return_exceptions=True)
                    if self.is_whole:
                        await asyncio.Event().wait()  # its sound is kept until it is let go
                finally:
                    self.give_up()
                    for task in self._hearing:
                        task.cancel()
                    await asyncio.gather(*self._hearing, return_exceptions=True)
        except RecordingNotFound:
            return
        except Exception as error:  # noqa: BLE001 - it is heard when it is complete, whatever broke here
            self._log_end(error)

    def _log_end(self, error: BaseException) -> None:
        about = {"follower": HeadStart.name, "recording_id": self.id.hex}
        logger.info("listening ends", extra={**about, "because": f"{type(error).__name__}: {error}"})

    async def _listen(self, scratch: Path) -> None:
        replacements = None
        while not self._failed.is_set():
            await self._more.wait()
            self._more.clear()
            recording = await self._recordings.find(self.id, at_least=self._newest.version)
            if replacements not in (None, recording.replacements) or recording.phase not in _ARRIVES:
                return
            replacements = recording.replacements
            while keys := _next_keys(recording, self._fed):
                if await self._feed(recording, keys, scratch) or self._failed.is_set():
                    return
                if len(self._hearing) > _MOST_WAITING:
                    return
            if recording.phase is Phase.STITCHING:
                if self._fed == len(recording.chunks_to_stitch()):
                    await self._finish(scratch)
                return

    async def _finish(self, scratch: Path) -> None:
        order = FinishOrder(name=str(self.id), parts_before=self._whole, scratch_dir=scratch)
        finished = await self.process.run(finish_listening, order, timeout=_LISTEN_LIMIT)
        if finished is not None and not self._whole_found.done():
            came, last = finished
            self._whole_found.set_result(Arrived(came, [*self._found, *last]))

    async def _feed(self, recording: Recording, keys: list[str], scratch: Path) -> bool:
        """Whether nothing comes of the recording any more."""
        order = ListenOrder(
            blob_store_url=self._parts.blob_store_url,
            name=str(self.id),
            begins=self._fed == 0,
            chunk_keys=keys,
            parts_before=self._whole,
            scratch_dir=scratch,
        )
        listened = await self.process.run(listen, order, timeout=_LISTEN_LIMIT)
        for part, index in listened.parts:
            self._whole = part.number
            self._found.append(part)
            hearing = asyncio.create_task(self._hear(recording, part, self._fed + index + 1))
            self._hearing.add(hearing)
            hearing.add_done_callback(self._heard)
        self._fed += len(keys)
        return listened.has_ended

    def _heard(self, task: asyncio.Task[None]) -> None:
        self._hearing.discard(task)
        self._under_way.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._log_end(error)
            self._failed.set()
            self._more.set()

    async def _hear(self, recording: Recording, part: CutPart, last_chunk: int) -> None:
        parts, language = self._parts, recording.language_wanted or self._parts.language
        if part.sound is None:
            raise ValueError("only a part with its sound can be heard")
        known = recording.heard.get(part.number)
        if known is None or known.sound_sha256 != part.sha256 or known.language != language:
            order = order_to_hear(part, parts, self.id, recording, language=language)
            async with parts.turns.turn(recording.opened.tenant_id, Urgency.AHEAD) as turn:
                on_start = partial(self._start, turn)
                heard = await parts.workers.run(hear_part, order, timeout=_HEAR_LIMIT, on_start=on_start)
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

    def _start(self, turn: Turn, job: RunningJob) -> None:
        turn.is_used_by(job)
        task = asyncio.current_task()
        if task is not None:
            self._under_way[task] = job


def _next_keys(recording: Recording, fed: int) -> list[str]:
    """The blobs of the chunks that follow the first `fed` without a gap."""
    keys = []
    for number in range(fed + 1, fed + 1 + _CHUNKS_AT_ONCE):
        chunk = recording.chunks.get(number)
        if chunk is None or chunk.blob_key is None:
            break
        keys.append(chunk.blob_key)
    return keys
