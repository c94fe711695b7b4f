"""Recognizes recordings while they arrive: what has come is decoded by a process that listens, and each part of it that
is whole is heard by the workers, before it is known whether more comes.

It is only ever a head start. What was heard is used where the whole recording has the same sound (`PartHeard`), so
whatever ends a listening process, or whatever of a recording it cannot read, costs nothing but time. What was decoded
to its end is handed to the stages (`Arriving`): they decode nothing again where the stored bytes are the same. After a
restart, or when its process has died or its place was given to another, a recording is listened to from its beginning
again, at the latest as soon as its next chunk comes; what was heard is not heard again. While somebody listens to a
recording, however small it is, its words are heard for them too (`ListeningAlong`).
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from adapters.worker_processes import WorkerProcesses
from domain.errors import RecordingNotFound
from domain.events import ChunkStored, Failed, LoggedEvent, RecordingDeleted, RecordingKind, Stitched, Transcribed
from domain.recording import Phase, Recording
from service.application.live_words import LiveWords
from service.application.recordings import Recordings
from service.application.stage_parts import StageParts
from service.followers.listened_recording import NAME, WORTH_BYTES, ListenedRecording
from service.followers.listening_along import ListeningAlong

logger = logging.getLogger(__name__)

IDLE = timedelta(minutes=1)
"""A recording that got nothing for so long gives its place to another one."""

MOST_BEGINNINGS = 4
"""A recording is decoded from its beginning so often at most: it may be what its processes die of."""

_MOST_REMEMBERED = 10_000


class HeadStart:
    """One follower. `most`: how many recordings are listened to at once, each by a process of its own.

    `new_process`: makes one that has not started yet. `position`: how far it has read the log.
    """

    name = NAME

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
        self._new_process = new_process
        self._parts = parts
        self._log = log
        self._recordings = recordings
        self._live = live
        self._listened: dict[UUID, ListenedRecording] = {}
        self._free: list[WorkerProcesses] = []
        self._beginnings: dict[UUID, int] = {}
        self._unread_bytes: dict[UUID, int] = {}
        self._ending: dict[asyncio.Task[None], ListenedRecording] = {}
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
            for its in list(self._listened.values()):
                self._let_go(its)
            for its in self._ending.values():
                its.along.stop()
            await asyncio.gather(*self._ending, return_exceptions=True)
            for process in self._free:
                await process.close()
            self._free.clear()

    @property
    def listens(self) -> bool:
        """Whether it listens to any recording."""
        return self._most > 0

    async def let_go(self, recording_id: UUID) -> None:
        """Return when this stores nothing of the recording any more. It is not listened to again."""
        self._give_up(recording_id)
        its = self._listened.get(recording_id)
        if its is not None:
            self._let_go(its)
        storing = [its.task for its in self._ending.values() if its.id == recording_id and its.task is not None]
        if storing:
            await asyncio.wait(storing)

    async def _see(self, recorded: RecordedEvent) -> None:
        its = self._listened.get(recorded.stream_id)
        if its is not None:
            if _ends(recorded.event, its):
                self._let_go(its)
                self._give_up(its.id)
            else:
                its.wake(recorded.version)
        elif type(recorded.event) is ChunkStored and self._most and not self._is_given_up(recorded.stream_id):
            recording = await self._recording_of(recorded, recorded.event.size_bytes)
            if recording is not None:
                self._begin(recorded.stream_id, recording, recorded.version, recorded.trace_id)

    def _listen_along(self, recording_id: UUID) -> None:
        """Somebody listens to it from now on. If nothing of it is in memory, its next chunk is another occasion."""
        its = self._listened.get(recording_id)
        if its is not None:
            its.along.begin_anew()
            its.wake(0)
        elif self._most and not self._is_given_up(recording_id):
            recording = self._recordings.in_memory(recording_id, at_least=0)
            if recording is not None:
                self._begin(recording_id, recording, 0, None)

    async def _recording_of(self, recorded: RecordedEvent, size_bytes: int) -> Recording | None:
        """The recording of a chunk; None if that is not known without reading, and it cannot have become large since.

        Of a chunk that another process has stored, nothing may be in memory.
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

    def _makes_room(self) -> bool:
        """Whether there is a place, perhaps that of a recording that nobody needs heard, or that gets nothing any more.

        One that nobody needs heard is small: to decode it from its beginning again costs little.
        """
        if len(self._listened) < self._most:
            return True
        for its in self._listened.values():
            if not its.is_worth_waiting_for and not self._live.is_wanted(its.id):
                self._beginnings.pop(its.id, None)
                self._let_go(its)
                return True
        oldest = min(self._listened.values(), key=lambda its: its.fed_at)
        if asyncio.get_running_loop().time() - oldest.fed_at < IDLE.total_seconds():
            return False
        self._let_go(oldest)
        return True

    def _begin(self, recording_id: UUID, recording: Recording, version: int, its_trace_id: str | None) -> None:
        """Listen to it, if that is worth it and there is room. `version`: the newest that is known of it, or 0."""
        if recording_id in self._listened or self._is_given_up(recording_id):
            return  # since it was looked for, somebody came to listen to it
        if not _is_worth_it(recording, is_wanted=self._live.is_wanted(recording_id)) or not self._makes_room():
            return
        process = self._free.pop() if self._free else self._new_process()
        along = ListeningAlong(recording_id, self._parts, self._live)
        its = ListenedRecording(recording_id, process, along, self._parts, self._recordings)
        its.is_worth_waiting_for = recording.chunks.size_bytes >= WORTH_BYTES
        its.wake(version)
        self._listened[recording_id] = its
        self._beginnings[recording_id] = self._beginnings.pop(recording_id, 0) + 1
        _forget_oldest(self._beginnings)
        self._parts.arriving.add(recording_id, its)
        its.task = asyncio.create_task(its.run(its_trace_id), name=f"{self.name} {recording_id}")
        its.task.add_done_callback(lambda _: self._ended(its))

    def _ended(self, its: ListenedRecording) -> None:
        """Nothing more is heard of it ahead, unless that is begun anew."""
        self._free.append(its.process)
        if self._listened.get(its.id) is its:
            self._let_go(its)
            if its.has_lost_process:
                self._listen_along(its.id)
            else:
                self._give_up(its.id)

    def _is_given_up(self, recording_id: UUID) -> bool:
        return self._beginnings.get(recording_id, 0) >= MOST_BEGINNINGS

    def _give_up(self, recording_id: UUID) -> None:
        """It is not listened to again."""
        self._beginnings[recording_id] = MOST_BEGINNINGS
        _forget_oldest(self._beginnings)

    def _let_go(self, its: ListenedRecording) -> None:
        """It is not listened to any more. If it is again, it has to be decoded from its beginning."""
        del self._listened[its.id]
        its.give_up()
        self._parts.arriving.remove(its.id)
        ending = asyncio.create_task(self._end(its))
        self._ending[ending] = its
        ending.add_done_callback(lambda _: self._ending.pop(ending))

    async def _end(self, its: ListenedRecording) -> None:
        if its.task is not None:
            its.task.cancel()
            await asyncio.gather(its.task, return_exceptions=True)
        await its.along.over()


def _forget_oldest(known: dict[UUID, Any]) -> None:
    for oldest in list(islice(known, max(0, len(known) - _MOST_REMEMBERED))):
        del known[oldest]


def _ends(event: LoggedEvent, its: ListenedRecording) -> bool:
    """Whether nothing is of use any more. Until it is stitched, parts that are whole may still be heard ahead."""
    return isinstance(event, Transcribed | Failed | RecordingDeleted) or (
        isinstance(event, Stitched) and not its.is_whole
    )


def _is_worth_it(recording: Recording, *, is_wanted: bool) -> bool:
    first = recording.chunks.get(1)
    is_stream = recording.opened.kind is RecordingKind.STREAMED and recording.phase is Phase.OPEN
    is_audio = first is not None and first.blob_key is not None and first.looks_like is None
    return is_stream and is_audio and (is_wanted or recording.chunks.size_bytes >= WORTH_BYTES)
