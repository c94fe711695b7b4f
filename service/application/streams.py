"""Load, decide, append, and decide again if another writer was faster: the same for every kind of stream.

The state of hot streams stays in memory and runs ahead of the log: commands on one stream share a commit instead of
waiting for each other's. But nothing is answered before everything that the answer depends on is committed.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, cast
from uuid import UUID

from adapters.database.looking_up import in_database_thread
from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from adapters.event_log.port import LogUnavailable, VersionConflict
from adapters.event_log.reader import StateAt
from adapters.event_log.snapshots import SnapshotNotKept, SnapshotUnreadable
from adapters.futures import shared
from adapters.staged_bytes import StagedBytes
from domain.events import LoggedEvent

logger = logging.getLogger(__name__)

DECISIONS_PER_COMMAND = 20
"""How often a command is decided again when other writers keep being faster, before it is given up."""

SNAPSHOT_AFTER = 500
"""A cold stream with more events than this to fold gets a snapshot, so that the next load folds fewer."""

CONTINUED_EVENTS = 100
"""So many events of other processes are folded onto the state that was in memory; after more, the stream is folded
anew in a thread."""

S = TypeVar("S")
C = TypeVar("C")
E = TypeVar("E", bound=LoggedEvent)


class Snapshots(Protocol[S]):
    """Keeps states, so that a long history need not be folded from its beginning."""

    def newest(self, stream_id: UUID) -> StateAt[S] | None:
        """Blocking: for threads. Raises: SnapshotUnreadable."""
        ...

    def keeping(self, stream_id: UUID, reached: StateAt[S]) -> Callable[[], None]:
        """A function that keeps the state, to be called in a thread. It raises SnapshotNotKept.

        The state is captured now: later states of its stream may grow what it shares with them, in this thread.
        """
        ...

    def forget(self, stream_id: UUID) -> None:
        """Remove what is kept of the stream. Blocking: for threads. Raises: SnapshotNotForgotten."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate(Generic[S, C, E]):
    """The domain's functions for one kind of stream, and what its states cost to keep.

    `events`: the types of its events; a stream of another kind has no state here. `refusals`: the base class of
    everything that `decide` raises. `weight`: what a state counts for in memory. `is_current`: whether a state in
    memory may answer a query; if not, the log is checked for newer events.
    """

    decide: Callable[[S | None, C], Sequence[E]]
    fold: Callable[[Iterable[E], S | None], S | None]
    events: frozenset[type[LoggedEvent]]
    refusals: type[Exception]
    weight: Callable[[S | None], int]
    is_current: Callable[[S | None], bool]


class Contended(Exception):
    """Other writers were faster every time."""

    def __init__(self) -> None:
        super().__init__("Too many requests are changing the recording at once; try again.")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[S, E]):
    """The result of a command, all of it durable."""

    state: S
    events: Sequence[E]


@dataclass(slots=True)
class _Hot(Generic[S]):
    """A stream in memory: its state with all queued events, and the future of the last queued append.

    `settled`: its newest state that is known to be in the log.
    """

    state: S | None
    version: int
    settled: S | None
    settled_version: int
    commit: asyncio.Future[int] | None = None
    opening: asyncio.Future[int] | None = None


class Streams(Generic[S, C, E]):
    """All streams of one kind, by id. Used from one event loop.

    `most_held`: the weight of all states kept in memory; the least recently used streams are dropped first.
    `is_shared`: whether other processes write to the log: then every answer is checked against it.
    """

    def __init__(
        self,
        log: EventLog,
        aggregate: Aggregate[S, C, E],
        *,
        most_held: int,
        snapshots: Snapshots[S] | None = None,
        is_shared: bool = False,
    ) -> None:
        self._log = log
        self._is_shared = is_shared
        self._aggregate = aggregate
        self._snapshots = snapshots
        self._keeping: set[asyncio.Task[None]] = set()
        self._hot: OrderedDict[int, _Hot[S]] = OrderedDict()  # by the id's number: a UUID is compared in Python
        self._most_held = most_held
        self._held = 0
        self._loading: dict[int, asyncio.Task[_Hot[S]]] = {}
        if is_shared:
            log.observe_foreign(self._continue)

    async def execute(
        self, stream_id: UUID, command: C, *, trace_id: str | None = None, after: StagedBytes | None = None
    ) -> Outcome[S, E]:
        """Decide `command` and wait until its events, and all before them, are durable.

        `after`: the bytes that its events refer to, made durable by the same commit; ignored when there are no events.

        Raises: a refusal of the domain; LogFull, LogUnavailable; Contended; what `after` raises.
        """
        known: _Hot[S] | None = None
        for _ in range(DECISIONS_PER_COMMAND):
            hot = await self._load(stream_id, after=known)
            if self._hot.get(stream_id.int) is not hot:
                continue  # dropped or replaced while this call was waking up
            try:
                return await self._decide(stream_id, hot, command, trace_id, after)
            except VersionConflict:
                known = hot
                self._forget(stream_id, hot)
            except self._aggregate.refusals:
                raise
            except Exception:
                self._forget(stream_id, hot)
                raise
            finally:
                del hot  # as in `_settled`
        raise Contended

    async def _decide(
        self, stream_id: UUID, hot: _Hot[S], command: C, trace_id: str | None, after: StagedBytes | None
    ) -> Outcome[S, E]:
        rests_on, decided_at = hot.commit, hot.version
        try:
            try:
                events = self._aggregate.decide(hot.state, command)
            except self._aggregate.refusals:
                await _settled(rests_on)  # a refusal, too, must not depend on what may still fail to be committed
                await self._check_newest(stream_id, hot, decided_at)
                raise
            if not events:
                state = hot.state
                await _settled(rests_on)
                await self._check_newest(stream_id, hot, decided_at)
            else:
                state = hot.state = self._evolve(hot, events)
                hot.commit = self._log.append(
                    stream_id, hot.version, events, trace_id=trace_id, rests_on=rests_on, after=after
                )
                if hot.version == 0:
                    hot.opening = hot.commit
                version = hot.version = hot.version + len(events)
                await shared(hot.commit)
                if version > hot.settled_version:
                    hot.settled, hot.settled_version = state, version
            assert state is not None  # noqa: S101 - every decision that is not refused leaves a state
            return Outcome(state, events)
        finally:
            del hot, rests_on  # as in `_settled`

    async def _check_newest(self, stream_id: UUID, hot: _Hot[S], decided_at: int) -> None:
        """Check an answer without an append against the writes of other processes; the log itself checks an append.

        Raises: VersionConflict when another process has written to the stream after version `decided_at`; what kept the
        commands decided here since then from being committed.
        """
        newer = await self._log.history(stream_id, after_version=decided_at)
        if not newer:
            return
        if newer[-1].version > hot.version:
            raise VersionConflict
        await _settled(hot.commit)  # if its queue is committed, the newer events are this process's own

    def _evolve(self, hot: _Hot[S], events: Sequence[E]) -> S | None:
        weight = self._aggregate.weight
        before = weight(hot.state)
        state = self._aggregate.fold(events, hot.state)
        self._held += weight(state) - before
        return state

    def _fold_own(self, events: Iterable[LoggedEvent], state: S | None) -> S | None:
        """Fold what the log has, which under this id may be a stream of another kind."""
        aggregate = self._aggregate
        return aggregate.fold((cast("E", event) for event in events if type(event) in aggregate.events), state)

    async def committed_opening(self, stream_id: UUID) -> S | None:
        """A state whose first event is durable, though perhaps not the later ones: unlike `find`, this waits for no
        other commit. None if no such state is in memory. Raises: as `find`."""
        hot = await self._load(stream_id)
        return hot.state if _is_committed(hot.opening) else None

    async def find(self, stream_id: UUID, *, at_least: int = 0) -> S | None:
        """The state with all its events durable, not older than version `at_least`; None if there is no such stream.

        Unless the streams are shared, another process may have written more meanwhile. Raises: LogFull,
        LogUnavailable; Contended.
        """
        return await (self.newest(stream_id) if self._is_shared else self._find(stream_id, at_least))

    async def newest(self, stream_id: UUID) -> S | None:
        """As `find`, with all that any process has committed before this call. Raises: as `find`."""
        hot = await self._load(stream_id)
        newer = await self._log.history(stream_id, after_version=hot.version)
        return await self._find(stream_id, newer[-1].version if newer else 0)

    async def _find(self, stream_id: UUID, at_least: int) -> S | None:
        known: _Hot[S] | None = None
        for _ in range(DECISIONS_PER_COMMAND):
            was_known = stream_id.int in self._hot or stream_id.int in self._loading
            hot = await self._load(stream_id, after=known)
            if hot.version < at_least or (was_known and self._may_be_old(hot)):
                self._forget(stream_id, hot)
                hot = await self._load(stream_id, after=hot)
            if hot.version < at_least:  # it was being loaded for another caller already, or another took its place
                self._forget(stream_id, hot)
                known = hot
                continue
            state = hot.state
            try:
                await _settled(hot.commit)
            except Exception as error:
                self._forget(stream_id, hot)
                if isinstance(error, VersionConflict):
                    known = hot
                    continue
                raise
            return state
        raise Contended

    def _may_be_old(self, hot: _Hot[S]) -> bool:
        """Whether another process may have written to the stream in a way that matters to a query.

        Not while an append is pending: the log checks it, and a reload would lose the events that the log still lacks.
        """
        is_settled = hot.commit is None or hot.commit.done()
        return is_settled and not self._aggregate.is_current(hot.state)

    def in_memory(self, stream_id: UUID, *, at_least: int) -> S | None:
        """The newest state known to be in the log, if the stream is hot and that state is not older than `at_least`.

        A state with uncommitted events will not do: another process may have been faster, and then other events have
        these versions.
        """
        hot = self._hot.get(stream_id.int)
        return hot.settled if hot is not None and hot.settled_version >= at_least else None

    def _continue(self, newer: Sequence[RecordedEvent]) -> None:
        """Fold what other processes have committed onto the states in memory that it follows at once.

        Not onto one with an append that is pending: the log decides which of the two has these versions. A state that
        is replaced stays what it was for the commands that are checked with it.
        """
        newest: _Hot[S] | None = None
        for recorded in newer:
            hot = self._hot.get(recorded.stream_id.int)
            if hot is None or recorded.version != hot.version + 1 or not _is_committed(hot.commit):
                continue
            state = self._fold_own((recorded.event,), hot.state)
            self._held += self._aggregate.weight(state) - self._aggregate.weight(hot.state)
            newest = self._hot[recorded.stream_id.int] = _Hot(state, recorded.version, state, recorded.version)
            self._hot.move_to_end(recorded.stream_id.int)
        if newest is not None:
            self._evict(newest=newest)

    async def _load(self, stream_id: UUID, *, after: _Hot[S] | None = None) -> _Hot[S]:
        """The stream as it is in memory, or else in the log. `after`: what was in memory and is older than the log."""
        hot = self._hot.get(stream_id.int)
        if hot is not None:
            self._hot.move_to_end(stream_id.int)
            return hot
        loading = self._loading.get(stream_id.int)
        if loading is None:
            loading = self._loading[stream_id.int] = asyncio.create_task(self._load_cold(stream_id, after))
        try:
            return await shared(loading)
        finally:
            del loading  # its error would hold this frame, and its callers'

    async def _load_cold(self, stream_id: UUID, known: _Hot[S] | None) -> _Hot[S]:
        try:
            begun, found = await self._continued(stream_id, known) or await self._folded(stream_id)
        finally:
            # Here and not in a callback: a caller that comes after this task is done must not get what it loaded.
            del self._loading[stream_id.int]
        hot = _Hot(found.state, found.version, settled=found.state, settled_version=found.version)
        if found.version - begun.version > SNAPSHOT_AFTER:
            self._keep_snapshot(stream_id, hot)
        self._hot[stream_id.int] = hot
        self._held += self._aggregate.weight(hot.state)
        self._evict(newest=hot)
        return hot

    async def _continued(self, stream_id: UUID, known: _Hot[S] | None) -> tuple[StateAt[S], StateAt[S]] | None:
        """What was known to be in the log, and with what other processes have written since; None if that is much.

        Folded here and not in a thread: other states may grow what they share with this one.
        """
        if known is None or known.settled is None:
            return None
        begun = StateAt(known.settled_version, known.settled)
        newer = await self._log.history(stream_id, after_version=begun.version, limit=CONTINUED_EVENTS + 1)
        if len(newer) > CONTINUED_EVENTS:
            return None
        state = self._fold_own((recorded.event for recorded in newer), begun.state)
        return begun, StateAt(begun.version + len(newer), state)

    async def _folded(self, stream_id: UUID) -> tuple[StateAt[S], StateAt[S]]:
        """The snapshot, and the state that the log has."""
        begun = await self._newest_snapshot(stream_id)
        return begun, await self._log.state(stream_id, self._fold_own, after=begun)

    async def _newest_snapshot(self, stream_id: UUID) -> StateAt[S]:
        beginning: StateAt[S] = StateAt(0, None)
        if self._snapshots is None:
            return beginning
        try:
            return await in_database_thread(self._snapshots.newest, stream_id) or beginning
        except SnapshotUnreadable as error:
            about = {"recording_id": stream_id.hex, "because": str(error)}
            logger.warning("snapshot left aside; the history is folded instead", extra=about)
            return beginning

    def _keep_snapshot(self, stream_id: UUID, hot: _Hot[S]) -> None:
        """In the background, for a state that is entirely in the log: nobody waits for it, and it may fail."""
        if self._snapshots is None or hot.state is None:
            return
        keep = self._snapshots.keeping(stream_id, StateAt(hot.version, hot.state))
        task = asyncio.create_task(self._write_snapshot(stream_id, keep))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _write_snapshot(self, stream_id: UUID, keep: Callable[[], None]) -> None:
        try:
            await in_database_thread(keep)
        except SnapshotNotKept as error:
            about = {"recording_id": stream_id.hex, "because": str(error)}
            logger.warning("snapshot not kept", extra=about)

    async def forget_snapshot(self, stream_id: UUID) -> None:
        """Remove the stream's snapshot, if one is kept. Raises: SnapshotNotForgotten."""
        if self._snapshots is not None:
            await in_database_thread(self._snapshots.forget, stream_id)

    async def close(self) -> None:
        """Wait for reads under way and for snapshots being written. The owner closes the log after this.

        Both run in threads and continue when their callers have gone away.
        """
        while under_way := [task for task in (*self._loading.values(), *self._keeping) if not task.done()]:
            await asyncio.wait(under_way)

    def _evict(self, *, newest: _Hot[S]) -> None:
        if self._held <= self._most_held:
            return
        idle = ((UUID(int=number), hot) for number, hot in self._hot.items() if hot.commit is None or hot.commit.done())
        excess, leaving = self._held - self._most_held, []
        for stream_id, hot in idle:
            if excess <= 0 or hot is newest:
                break
            leaving.append((stream_id, hot))
            excess -= self._aggregate.weight(hot.state)
        for stream_id, hot in leaving:
            self._forget(stream_id, hot)

    def _forget(self, stream_id: UUID, hot: _Hot[S]) -> None:
        """Drop this state if it is still the one in use: the next command folds what is really in the log."""
        if self._hot.get(stream_id.int) is hot:
            del self._hot[stream_id.int]
            self._held -= self._aggregate.weight(hot.state)


def _is_committed(commit: asyncio.Future[int] | None) -> bool:
    return commit is None or (commit.done() and not commit.cancelled() and commit.exception() is None)


async def _settled(commit: asyncio.Future[int] | None) -> None:
    """Wait until another command's append, on which something depends, is durable.

    Raises: LogFull, LogUnavailable when the log failed; VersionConflict when only that append failed, for whatever
    reason: its bytes do not concern what depends on it, which is decided again.
    """
    if commit is None:
        return
    try:
        await asyncio.shield(commit)
    except (LogUnavailable, VersionConflict):
        raise
    except Exception as error:
        raise VersionConflict from error
    finally:
        del commit  # its error would hold this frame, and its callers' with the bytes they store, for a long time
