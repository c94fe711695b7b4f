"""Carries commands out: folds the recording, decides, appends, and decides again when another writer was faster.

The state of hot recordings stays in memory and runs ahead of the log: commands of one recording need not wait for
each other's commit, they share it. Nothing is answered, though, before all that the answer rests on is committed.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from adapters.event_log.log import EventLog
from adapters.event_log.port import LogUnavailable, VersionConflict
from adapters.event_log.reader import StateAt
from adapters.event_log.snapshots import SnapshotNotKept, SnapshotUnreadable
from adapters.staged_bytes import StagedBytes
from domain.commands import Command
from domain.errors import RecordingError, RecordingNotFound
from domain.events import LoggedEvent, RecordingEvent, RecordingOpened
from domain.life import decide
from domain.recording import Phase, Recording, fold
from domain.snapshots import Snapshot, take_snapshot
from service.application.recording_snapshots import RecordingSnapshots

logger = logging.getLogger(__name__)

HOT_CHUNKS = 200_000
"""Chunks kept in memory over all recordings, about 1 KiB each; a recording counts as one more. The recordings used
least recently are let go first."""

DECISIONS_PER_COMMAND = 20
"""How often a command is decided again when others keep being faster, before it is given up."""

SNAPSHOT_AFTER = 500
"""A cold recording that took more events than this to fold has a snapshot taken, and takes fewer the next time."""


class Contended(Exception):
    """Other writers kept being faster."""

    def __init__(self) -> None:
        super().__init__("The recording is being written to by too many at once; try again.")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command led to, all of it durable."""

    recording: Recording
    events: Sequence[RecordingEvent]


@dataclass(slots=True)
class _Hot:
    """A recording in memory: its state with all queued events, and the future of the last queued append.

    `settled`: the newest of its states that is known to be in the log.
    """

    recording: Recording | None
    version: int
    settled: Recording | None
    settled_version: int
    commit: asyncio.Future[int] | None = None
    opening: asyncio.Future[int] | None = None


class Recordings:
    """All recordings, by id. Used from one event loop."""

    def __init__(
        self, log: EventLog, *, snapshots: RecordingSnapshots | None = None, hot_chunks: int = HOT_CHUNKS
    ) -> None:
        self._log = log
        self._snapshots = snapshots
        self._keeping: set[asyncio.Task[None]] = set()
        self._hot: OrderedDict[UUID, _Hot] = OrderedDict()
        self._hot_chunks = hot_chunks
        self._held = 0
        self._loading: dict[UUID, asyncio.Task[_Hot]] = {}

    async def execute(
        self, recording_id: UUID, command: Command, *, trace_id: str | None = None, after: StagedBytes | None = None
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
        self, recording_id: UUID, hot: _Hot, command: Command, trace_id: str | None, after: StagedBytes | None
    ) -> Outcome:
        rests_on, decided_at = hot.commit, hot.version
        try:
            events = decide(hot.recording, command)
        except RecordingError:
            await _settled(rests_on)  # a refusal, too, must not rest on what may yet fail to be committed
            await self._check_newest(recording_id, hot, decided_at)
            raise
        if not events:
            recording = hot.recording
            await _settled(rests_on)
            await self._check_newest(recording_id, hot, decided_at)
        else:
            recording = hot.recording = self._fold(hot, events)
            commit = hot.commit = self._log.append(
                recording_id, hot.version, events, trace_id=trace_id, rests_on=rests_on, after=after
            )
            if hot.version == 0:
                hot.opening = commit
            version = hot.version = hot.version + len(events)
            await asyncio.shield(commit)
            if version > hot.settled_version:
                hot.settled, hot.settled_version = recording, version
        assert recording is not None  # noqa: S101 - every decision that is not refused leaves a recording
        return Outcome(recording, events)

    async def _check_newest(self, recording_id: UUID, hot: _Hot, decided_at: int) -> None:
        """An append is checked by the log; what is answered without one must be checked against other processes here.

        Raises: VersionConflict when one of them has written to the recording after version `decided_at`; what keeps
        the commands decided here since then from being committed.
        """
        newer = await self._log.history(recording_id, after_version=decided_at)
        if not newer:
            return
        if newer[-1].version > hot.version:
            raise VersionConflict
        await _settled(hot.commit)  # the newer events are this process's own, if what it has queued is committed

    def _fold(self, hot: _Hot, events: Sequence[RecordingEvent]) -> Recording | None:
        before = _weight(hot.recording)
        after = fold(events, hot.recording)
        self._held += _weight(after) - before
        return after

    async def opened(self, recording_id: UUID) -> RecordingOpened:
        """How the recording was opened, which never changes: unlike `find`, this waits for no other commit.

        Raises: as `find`.
        """
        hot = await self._load(recording_id)
        recording = hot.recording
        if recording is None or recording.phase is Phase.DELETED or not _is_committed(hot.opening):
            return (await self.find(recording_id)).opened
        return recording.opened

    async def find(self, recording_id: UUID, *, at_least: int = 0) -> Recording:
        """The recording with every event of it durable, and not older than version `at_least`.

        Another process may have taken it further meanwhile. Raises: RecordingNotFound; LogFull, LogUnavailable;
        Contended.
        """
        for _ in range(DECISIONS_PER_COMMAND):
            hot = await self._load(recording_id)
            if hot.version < at_least or hot.recording is None:  # another process may have written to it
                self._forget(recording_id, hot)
                hot = await self._load(recording_id)
            recording = hot.recording
            try:
                await _settled(hot.commit)
            except Exception as error:
                self._forget(recording_id, hot)
                if isinstance(error, VersionConflict):
                    continue
                raise
            if recording is None or recording.phase is Phase.DELETED:
                raise RecordingNotFound
            return recording
        raise Contended

    def in_memory(self, recording_id: UUID, *, at_least: int) -> Recording | None:
        """The newest state that is known to be in the log, if the recording is hot and it is not older than version
        `at_least`.

        A state with events that are yet to be committed will not do: another process may have been faster, and then
        the events of its versions are others.
        """
        hot = self._hot.get(recording_id)
        return hot.settled if hot is not None and hot.settled_version >= at_least else None

    async def _load(self, recording_id: UUID) -> _Hot:
        hot = self._hot.get(recording_id)
        if hot is not None:
            self._hot.move_to_end(recording_id)
            return hot
        loading = self._loading.get(recording_id)
        if loading is None:
            loading = self._loading[recording_id] = asyncio.create_task(self._load_cold(recording_id))
        return await asyncio.shield(loading)

    async def _load_cold(self, recording_id: UUID) -> _Hot:
        try:
            begun = await self._newest_snapshot(recording_id)
            state = await self._log.state(recording_id, fold_recording, after=begun)
        finally:
            # Here and not in a callback: who asks when this task is done must not get what it once loaded.
            del self._loading[recording_id]
        hot = _Hot(state.state, state.version, settled=state.state, settled_version=state.version)
        if state.version - begun.version > SNAPSHOT_AFTER:
            self._keep_snapshot(recording_id, hot)
        self._hot[recording_id] = hot
        self._held += _weight(hot.recording)
        self._evict(newest=hot)
        return hot

    async def _newest_snapshot(self, recording_id: UUID) -> StateAt[Recording]:
        if self._snapshots is None:
            return StateAt(0, None)
        try:
            return await asyncio.to_thread(self._snapshots.newest, recording_id) or StateAt(0, None)
        except SnapshotUnreadable as error:
            about = {"recording_id": recording_id.hex, "because": str(error)}
            logger.warning("snapshot left aside; the history is folded instead", extra=about)
            return StateAt(0, None)

    def _keep_snapshot(self, recording_id: UUID, hot: _Hot) -> None:
        """In the background, of a state that is all in the log: nobody waits for it, and it may fail."""
        if self._snapshots is None or hot.recording is None:
            return
        # Taken here and only written in a thread: states of one history share a dict, which grows in this one.
        snapshot = take_snapshot(hot.recording)
        task = asyncio.create_task(self._write_snapshot(self._snapshots, recording_id, hot.version, snapshot))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _write_snapshot(
        self, snapshots: RecordingSnapshots, recording_id: UUID, version: int, snapshot: Snapshot
    ) -> None:
        try:
            await asyncio.to_thread(snapshots.keep, recording_id, version, snapshot)
        except SnapshotNotKept as error:
            about = {"recording_id": recording_id.hex, "because": str(error)}
            logger.warning("snapshot not kept", extra=about)

    async def close(self) -> None:
        """Wait for what is being read and for the snapshots being written. The log is its owner's to close, after this.

        Both are in threads, and go on when those who asked have gone away.
        """
        while under_way := [*self._loading.values(), *self._keeping]:
            await asyncio.wait(under_way)

    def _evict(self, *, newest: _Hot) -> None:
        if self._held <= self._hot_chunks:
            return
        idle = (
            (recording_id, hot) for recording_id, hot in self._hot.items() if hot.commit is None or hot.commit.done()
        )
        excess, leaving = self._held - self._hot_chunks, []
        for recording_id, hot in idle:
            if excess <= 0 or hot is newest:
                break
            leaving.append((recording_id, hot))
            excess -= _weight(hot.recording)
        for recording_id, hot in leaving:
            self._forget(recording_id, hot)

    def _forget(self, recording_id: UUID, hot: _Hot) -> None:
        """Drop this state, if it is still the one in use: the next command folds what is really in the log."""
        if self._hot.get(recording_id) is hot:
            del self._hot[recording_id]
            self._held -= _weight(hot.recording)


def fold_recording(events: Iterable[LoggedEvent], recording: Recording | None) -> Recording | None:
    """None for the stream of a session: there is no recording of that name."""
    return fold((event for event in events if isinstance(event, RecordingEvent)), recording)


def _weight(recording: Recording | None) -> int:
    return 1 + (len(recording.chunks) if recording else 0)


def _is_committed(commit: asyncio.Future[int] | None) -> bool:
    return commit is None or (commit.done() and not commit.cancelled() and commit.exception() is None)


async def _settled(commit: asyncio.Future[int] | None) -> None:
    """Wait until another command's append, which something rests on, is durable.

    Raises: LogFull, LogUnavailable when the log failed; VersionConflict when that append alone did, of whatever: its
    bytes are no concern of what rests on it, which is decided again.
    """
    if commit is None:
        return
    try:
        await asyncio.shield(commit)
    except (LogUnavailable, VersionConflict):
        raise
    except Exception as error:
        raise VersionConflict from error
