"""Load, decide, append, and decide again when another writer was faster: the same for every kind of stream.

The state of hot streams stays in memory and runs ahead of the log: commands on one stream do not wait for each other's
commit, they share it. But nothing is answered before all that the answer rests on is committed.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from adapters.event_log.log import EventLog
from adapters.event_log.port import LogUnavailable, VersionConflict
from adapters.event_log.reader import Fold, StateAt
from adapters.event_log.snapshots import SnapshotNotKept, SnapshotUnreadable
from adapters.staged_bytes import StagedBytes
from domain.events import LoggedEvent

logger = logging.getLogger(__name__)

DECISIONS_PER_COMMAND = 20
"""How often a command is decided again when others keep being faster, before it is given up."""

SNAPSHOT_AFTER = 500
"""A cold stream that took more events than this to fold has a snapshot taken, and takes fewer the next time."""

S = TypeVar("S")
C = TypeVar("C")
E = TypeVar("E", bound=LoggedEvent)


class Snapshots(Protocol[S]):
    """Keeps states, so that a long history need not be folded from its beginning."""

    def newest(self, stream_id: UUID) -> StateAt[S] | None:
        """Blocking: for threads. Raises: SnapshotUnreadable."""
        ...

    def keeping(self, stream_id: UUID, reached: StateAt[S]) -> Callable[[], None]:
        """What keeps the state, when it is called in a thread. It raises SnapshotNotKept.

        The state is taken now: it may share what later states of its stream grow in this thread.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate(Generic[S, C, E]):
    """What the domain says of one kind of stream, and what that costs to keep.

    `fold` passes over events of other kinds. `refusals`: the base of everything that `decide` raises. `weight`: what a
    state counts for in memory.
    `is_current`: whether a state in memory may answer a query; if not, the log is asked whether there is more.
    """

    decide: Callable[[S | None, C], Sequence[E]]
    fold: Fold[S]
    refusals: type[Exception]
    weight: Callable[[S | None], int]
    is_current: Callable[[S | None], bool]


class Contended(Exception):
    """Other writers kept being faster."""

    def __init__(self) -> None:
        super().__init__("The recording is being written to by too many at once; try again.")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[S, E]):
    """What a command led to, all of it durable."""

    state: S
    events: Sequence[E]


@dataclass(slots=True)
class _Hot(Generic[S]):
    """A stream in memory: its state with all queued events, and the future of the last queued append.

    `settled`: the newest of its states that is known to be in the log.
    """

    state: S | None
    version: int
    settled: S | None
    settled_version: int
    commit: asyncio.Future[int] | None = None
    opening: asyncio.Future[int] | None = None


class Streams(Generic[S, C, E]):
    """All streams of one kind, by id. Used from one event loop.

    `most_held`: the weight of all states kept in memory; the streams used least recently are let go first.
    """

    def __init__(
        self,
        log: EventLog,
        aggregate: Aggregate[S, C, E],
        *,
        most_held: int,
        snapshots: Snapshots[S] | None = None,
    ) -> None:
        self._log = log
        self._aggregate = aggregate
        self._snapshots = snapshots
        self._keeping: set[asyncio.Task[None]] = set()
        self._hot: OrderedDict[UUID, _Hot[S]] = OrderedDict()
        self._most_held = most_held
        self._held = 0
        self._loading: dict[UUID, asyncio.Task[_Hot[S]]] = {}

    async def execute(
        self, stream_id: UUID, command: C, *, trace_id: str | None = None, after: StagedBytes | None = None
    ) -> Outcome[S, E]:
        """Decide `command` and wait until its events, and all before them, are durable.

        `after`: bytes that its events speak of, made durable by the same commit; left alone when there are no events.

        Raises: a refusal of the domain; LogFull, LogUnavailable; Contended; what `after` raises.
        """
        for _ in range(DECISIONS_PER_COMMAND):
            hot = await self._load(stream_id)
            if self._hot.get(stream_id) is not hot:
                continue  # let go while this call was waking up
            try:
                return await self._decide(stream_id, hot, command, trace_id, after)
            except VersionConflict:
                self._forget(stream_id, hot)
            except self._aggregate.refusals:
                raise
            except Exception:
                self._forget(stream_id, hot)
                raise
        raise Contended

    async def _decide(
        self, stream_id: UUID, hot: _Hot[S], command: C, trace_id: str | None, after: StagedBytes | None
    ) -> Outcome[S, E]:
        rests_on, decided_at = hot.commit, hot.version
        try:
            events = self._aggregate.decide(hot.state, command)
        except self._aggregate.refusals:
            await _settled(rests_on)  # a refusal, too, must not rest on what may yet fail to be committed
            await self._check_newest(stream_id, hot, decided_at)
            raise
        if not events:
            state = hot.state
            await _settled(rests_on)
            await self._check_newest(stream_id, hot, decided_at)
        else:
            state = hot.state = self._evolve(hot, events)
            commit = hot.commit = self._log.append(
                stream_id, hot.version, events, trace_id=trace_id, rests_on=rests_on, after=after
            )
            if hot.version == 0:
                hot.opening = commit
            version = hot.version = hot.version + len(events)
            await asyncio.shield(commit)
            if version > hot.settled_version:
                hot.settled, hot.settled_version = state, version
        assert state is not None  # noqa: S101 - every decision that is not refused leaves a state
        return Outcome(state, events)

    async def _check_newest(self, stream_id: UUID, hot: _Hot[S], decided_at: int) -> None:
        """An append is checked by the log; what is answered without one must be checked against other processes here.

        Raises: VersionConflict when one of them has written to the stream after version `decided_at`; what keeps
        the commands decided here since then from being committed.
        """
        newer = await self._log.history(stream_id, after_version=decided_at)
        if not newer:
            return
        if newer[-1].version > hot.version:
            raise VersionConflict
        await _settled(hot.commit)  # the newer events are this process's own, if what it has queued is committed

    def _evolve(self, hot: _Hot[S], events: Sequence[E]) -> S | None:
        weight = self._aggregate.weight
        before = weight(hot.state)
        state = self._aggregate.fold(events, hot.state)
        self._held += weight(state) - before
        return state

    async def committed_opening(self, stream_id: UUID) -> S | None:
        """A state whose first event is durable, and perhaps not its later ones: unlike `find`, it waits for no other
        commit. None while there is no such state in memory. Raises: as `find`."""
        hot = await self._load(stream_id)
        return hot.state if _is_committed(hot.opening) else None

    async def find(self, stream_id: UUID, *, at_least: int = 0) -> S | None:
        """The state with every event of it durable, and not older than version `at_least`; None for no such stream.

        Another process may have taken it further meanwhile. Raises: LogFull, LogUnavailable; Contended.
        """
        for _ in range(DECISIONS_PER_COMMAND):
            was_known = stream_id in self._hot or stream_id in self._loading
            hot = await self._load(stream_id)
            if hot.version < at_least or (was_known and self._may_be_old(hot)):
                self._forget(stream_id, hot)
                hot = await self._load(stream_id)
            state = hot.state
            try:
                await _settled(hot.commit)
            except Exception as error:
                self._forget(stream_id, hot)
                if isinstance(error, VersionConflict):
                    continue
                raise
            return state
        raise Contended

    def _may_be_old(self, hot: _Hot[S]) -> bool:
        """Whether another process may have written to the stream, in a way that matters to a query.

        Not while an append is waited for: the log checks that one, and what it still lacks must not be forgotten.
        """
        is_settled = hot.commit is None or hot.commit.done()
        return is_settled and not self._aggregate.is_current(hot.state)

    def in_memory(self, stream_id: UUID, *, at_least: int) -> S | None:
        """The newest state that is known to be in the log, if the stream is hot and it is not older than version
        `at_least`.

        A state with events that are yet to be committed will not do: another process may have been faster, and then
        the events of its versions are others.
        """
        hot = self._hot.get(stream_id)
        return hot.settled if hot is not None and hot.settled_version >= at_least else None

    async def _load(self, stream_id: UUID) -> _Hot[S]:
        hot = self._hot.get(stream_id)
        if hot is not None:
            self._hot.move_to_end(stream_id)
            return hot
        loading = self._loading.get(stream_id)
        if loading is None:
            loading = self._loading[stream_id] = asyncio.create_task(self._load_cold(stream_id))
        return await asyncio.shield(loading)

    async def _load_cold(self, stream_id: UUID) -> _Hot[S]:
        try:
            begun = await self._newest_snapshot(stream_id)
            found = await self._log.state(stream_id, self._aggregate.fold, after=begun)
        finally:
            # Here and not in a callback: who asks when this task is done must not get what it once loaded.
            del self._loading[stream_id]
        hot = _Hot(found.state, found.version, settled=found.state, settled_version=found.version)
        if found.version - begun.version > SNAPSHOT_AFTER:
            self._keep_snapshot(stream_id, hot)
        self._hot[stream_id] = hot
        self._held += self._aggregate.weight(hot.state)
        self._evict(newest=hot)
        return hot

    async def _newest_snapshot(self, stream_id: UUID) -> StateAt[S]:
        beginning: StateAt[S] = StateAt(0, None)
        if self._snapshots is None:
            return beginning
        try:
            return await asyncio.to_thread(self._snapshots.newest, stream_id) or beginning
        except SnapshotUnreadable as error:
            about = {"recording_id": stream_id.hex, "because": str(error)}
            logger.warning("snapshot left aside; the history is folded instead", extra=about)
            return beginning

    def _keep_snapshot(self, stream_id: UUID, hot: _Hot[S]) -> None:
        """In the background, of a state that is all in the log: nobody waits for it, and it may fail."""
        if self._snapshots is None or hot.state is None:
            return
        keep = self._snapshots.keeping(stream_id, StateAt(hot.version, hot.state))
        task = asyncio.create_task(self._write_snapshot(stream_id, keep))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _write_snapshot(self, stream_id: UUID, keep: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(keep)
        except SnapshotNotKept as error:
            about = {"recording_id": stream_id.hex, "because": str(error)}
            logger.warning("snapshot not kept", extra=about)

    async def close(self) -> None:
        """Wait for what is being read and for the snapshots being written. The log is its owner's to close, after this.

        Both are in threads, and go on when those who asked have gone away.
        """
        while under_way := [*self._loading.values(), *self._keeping]:
            await asyncio.wait(under_way)

    def _evict(self, *, newest: _Hot[S]) -> None:
        if self._held <= self._most_held:
            return
        idle = ((stream_id, hot) for stream_id, hot in self._hot.items() if hot.commit is None or hot.commit.done())
        excess, leaving = self._held - self._most_held, []
        for stream_id, hot in idle:
            if excess <= 0 or hot is newest:
                break
            leaving.append((stream_id, hot))
            excess -= self._aggregate.weight(hot.state)
        for stream_id, hot in leaving:
            self._forget(stream_id, hot)

    def _forget(self, stream_id: UUID, hot: _Hot[S]) -> None:
        """Drop this state, if it is still the one in use: the next command folds what is really in the log."""
        if self._hot.get(stream_id) is hot:
            del self._hot[stream_id]
            self._held -= self._aggregate.weight(hot.state)


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
