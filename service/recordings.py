"""Carries commands out: folds the recording, decides, appends, and decides again when another writer was faster.

The state of hot recordings stays in memory and runs ahead of the log: commands of one recording need not wait for
each other's commit, they share it. Nothing is answered, though, before all that the answer rests on is committed.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from adapters.event_log.log import Bytes, EventLog
from adapters.event_log.recorder import VersionConflict
from domain.commands import Command
from domain.decisions import decide
from domain.errors import RecordingError, RecordingNotFound
from domain.events import RecordingEvent, RecordingOpened
from domain.recording import Recording, fold

HOT_CHUNKS = 200_000
"""Chunks kept in memory over all recordings, about 1 KiB each; a recording counts as one more. The recordings used
least recently are let go first."""

DECISIONS_PER_COMMAND = 20
"""How often a command is decided again when others keep being faster, before it is given up."""


class Contended(Exception):
    """Other writers kept being faster."""

    def __init__(self) -> None:
        super().__init__("The recording is being written to by too many at once; try again.")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command led to, all of it durable. `position`: of the last event it rests on, in this process's view."""

    recording: Recording
    events: Sequence[RecordingEvent]
    position: int


@dataclass(slots=True)
class _Hot:
    """A recording in memory: its state with all queued events, and the future of the last queued append."""

    recording: Recording | None
    version: int
    commit: asyncio.Future[int] | None = None
    opening: asyncio.Future[int] | None = None


class Recordings:
    """All recordings, by id. Used from one event loop."""

    def __init__(self, log: EventLog, *, hot_chunks: int = HOT_CHUNKS) -> None:
        self._log = log
        self._hot: OrderedDict[UUID, _Hot] = OrderedDict()
        self._hot_chunks = hot_chunks
        self._held = 0
        self._loading: dict[UUID, asyncio.Task[_Hot]] = {}

    async def execute(
        self, recording_id: UUID, command: Command, *, trace_id: str | None = None, after: Bytes | None = None
    ) -> Outcome:
        """Decide `command` and wait until its events, and all before them, are durable.

        `after`: bytes that its events speak of, made durable by the same commit; left alone when there are no events.

        Raises: a RecordingError of the domain; LogFull, LogUnavailable; Contended; what `after` raises.
        """
        for _ in range(DECISIONS_PER_COMMAND):
            hot = await self._load(recording_id)
            if self._hot.get(recording_id) is not hot:
                continue  # let go while this call was waking up
            try:
                return await self._decide(recording_id, hot, command, trace_id, after)
            except VersionConflict:
                self._forget(recording_id, hot)
            except RecordingError:
                raise
            except Exception:
                self._forget(recording_id, hot)
                raise
        raise Contended

    async def _decide(
        self, recording_id: UUID, hot: _Hot, command: Command, trace_id: str | None, after: Bytes | None
    ) -> Outcome:
        rests_on = hot.commit
        try:
            events = decide(hot.recording, command)
        except RecordingError:
            await _settled(rests_on)  # a refusal, too, must not rest on what may yet fail to be committed
            await self._check_newest(recording_id, hot)
            raise
        if events:
            hot.recording = self._fold(hot, events)
            rests_on = hot.commit = self._log.append(recording_id, hot.version, events, trace_id=trace_id, after=after)
            if hot.version == 0:
                hot.opening = hot.commit
            hot.version += len(events)
        recording = hot.recording
        assert recording is not None  # noqa: S101 - every decision that is not refused leaves a recording
        position = await _settled(rests_on)
        if not events:
            await self._check_newest(recording_id, hot)
        return Outcome(recording, events, position or self._log.head)

    async def _check_newest(self, recording_id: UUID, hot: _Hot) -> None:
        """An append is checked by the log; what is answered without one must be checked against other processes here.

        Raises: VersionConflict when one of them has written to the recording.
        """
        newer = await self._log.history(recording_id, after_version=hot.version)
        if newer and newer[-1].version > hot.version:
            raise VersionConflict

    def _fold(self, hot: _Hot, events: Sequence[RecordingEvent]) -> Recording | None:
        before = _weight(hot.recording)
        after = fold(events, hot.recording)
        self._held += _weight(after) - before
        return after

    async def opened(self, recording_id: UUID) -> RecordingOpened:
        """How the recording was opened, which never changes: unlike `find`, this waits for no other commit.

        Raises: RecordingNotFound; LogUnavailable.
        """
        hot = await self._load(recording_id)
        if hot.recording is None or (hot.opening is not None and not hot.opening.done()):
            return (await self.find(recording_id)).opened
        return hot.recording.opened

    async def find(self, recording_id: UUID, *, at_least: int = 0) -> Recording:
        """The recording with every event of it durable, and not older than version `at_least`.

        Another process may have taken it further meanwhile. Raises: RecordingNotFound; LogUnavailable.
        """
        hot = await self._load(recording_id)
        if hot.version < at_least or hot.recording is None:  # another process may have written to it
            self._forget(recording_id, hot)
            hot = await self._load(recording_id)
        recording = hot.recording
        try:
            await _settled(hot.commit)
        except Exception:
            self._forget(recording_id, hot)
            raise
        if recording is None:
            raise RecordingNotFound
        return recording

    async def _load(self, recording_id: UUID) -> _Hot:
        hot = self._hot.get(recording_id)
        if hot is not None:
            self._hot.move_to_end(recording_id)
            return hot
        loading = self._loading.get(recording_id)
        if loading is None:
            loading = self._loading[recording_id] = asyncio.create_task(self._load_cold(recording_id))
            loading.add_done_callback(lambda _: self._loading.pop(recording_id))
        return await asyncio.shield(loading)

    async def _load_cold(self, recording_id: UUID) -> _Hot:
        history = await self._log.history(recording_id)
        hot = _Hot(fold(recorded.event for recorded in history), version=len(history))
        self._hot[recording_id] = hot
        self._held += _weight(hot.recording)
        self._evict()
        return hot

    def _evict(self) -> None:
        if self._held <= self._hot_chunks:
            return
        for recording_id, hot in list(self._hot.items())[:-1]:
            if hot.commit is None or hot.commit.done():
                self._forget(recording_id, hot)
            if self._held <= self._hot_chunks:
                return

    def _forget(self, recording_id: UUID, hot: _Hot) -> None:
        """Drop this state, if it is still the one in use: the next command folds what is really in the log."""
        if self._hot.get(recording_id) is hot:
            del self._hot[recording_id]
            self._held -= _weight(hot.recording)


def _weight(recording: Recording | None) -> int:
    return 1 + (len(recording.chunks) if recording else 0)


async def _settled(commit: asyncio.Future[int] | None) -> int | None:
    """The position of a queued append once it is durable. Raises what kept it from that."""
    if commit is None:
        return None
    return commit.result() if commit.done() else await asyncio.shield(commit)
