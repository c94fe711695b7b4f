"""The event log as asyncio sees it: group commit over a `LogRecorder`, reading in order, waking on commit."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import TypeVar, cast
from uuid import UUID

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import PersistenceError

from adapters.event_log.mapper import EventMapper, RecordedEvent, VersionedEvent
from adapters.event_log.port import Append, LogRecorder, LogUnavailable, VersionConflict
from adapters.event_log.reader import EventReader, Fold, StateAt
from adapters.event_log.recent import RecentEvents
from adapters.futures import shared
from adapters.staged_bytes import Keeper, StagedBytes
from domain.events import LoggedEvent

LARGEST_COMMIT = 1_024
"""Maximum appends per transaction, so that one commit does not keep its first caller waiting for long."""

FOREIGN_COMMIT_CHECK_SECONDS = 1.0
"""How often the log is checked for commits of other processes that this one has not heard of."""

SECONDS_BETWEEN_WAKES = 0.05
"""Under load, followers are woken once per this interval: waking all of them costs more than a commit. A caller that
waits for a follower wakes it (`wake`)."""

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Waiting:
    append: Append
    events: Sequence[VersionedEvent]
    rests_on: asyncio.Future[int] | None
    bytes: StagedBytes | None
    done: asyncio.Future[int]


CommitObserver = Callable[[int, int], None]
"""Called after each commit with the numbers of appends and events in it."""

BytesObserver = Callable[[int], None]
"""Called after each commit with the number of bytes that became durable with it."""

ForeignObserver = Callable[[Sequence[RecordedEvent]], None]
"""Called with events that were read and are new to this process, in order, before a reader gets them. Most of them
are other processes'. Not all that these commit are among them: not what is read far behind the log's end, or ahead of
those who follow it."""

SecondsObserver = Callable[[float], None]
"""Called after each commit with the seconds that it took, from when the bytes were synced to when it was durable."""


class EventLog:
    """Everything that was ever recorded, in order. Open it within a running event loop; close it when done."""

    def __init__(
        self,
        recorder: LogRecorder,
        *,
        on_commit: CommitObserver | None = None,
        on_commit_bytes: BytesObserver | None = None,
        on_commit_seconds: SecondsObserver | None = None,
        on_commit_failed: Callable[[], None] | None = None,
        on_head: Callable[[int], None] | None = None,
        is_shared: bool = False,
    ) -> None:
        """`is_shared`: other processes write to the log. `on_head`: called after each commit with the log's last
        position, for those who tell them."""
        self._recorder = recorder
        self._reader = EventReader(recorder)
        self._mapper = EventMapper()
        self._on_commit = on_commit
        self._on_commit_bytes = on_commit_bytes
        self._on_commit_seconds = on_commit_seconds
        self._on_commit_failed = on_commit_failed
        self._on_head = on_head
        self._is_shared = is_shared
        self._waiting: deque[_Waiting] = deque()
        self._committing: asyncio.Task[None] | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="log-writer")
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="log-reader")
        self._recent = RecentEvents()
        self._pages: dict[tuple[int, int], asyncio.Task[list[RecordedEvent]]] = {}
        self._foreign_observers: list[ForeignObserver] = []
        self._head = recorder.max_notification_id() or 0
        self._grown = asyncio.Event()
        self._heard_head = self._head
        self._listens = False
        self._woken_at = 0.0
        self._waking: asyncio.Handle | None = None

    @property
    def identity(self) -> str:
        """What distinguishes this log from every other."""
        return self._recorder.identity

    @property
    def head(self) -> int:
        """The position of the last event that this process knows to be committed; 0 if there is none."""
        return self._head

    def append(
        self,
        stream_id: UUID,
        expected_version: int,
        events: Sequence[LoggedEvent],
        *,
        trace_id: str | None,
        rests_on: asyncio.Future[int] | None = None,
        after: StagedBytes | None = None,
    ) -> asyncio.Future[int]:
        """Queue events for the next commit, in the order of the calls.

        `rests_on`: the append whose events this decision was based on, if it may not be committed yet. The two are
        committed in this order or not at all: another process's events may have taken the version meant for those.
        `after`: bytes that are made durable first; the bytes of all events that wait together share one sync.

        The future gives the position of the last event once they are durable. It raises VersionConflict when the
        stream is not at `expected_version`, or when `rests_on` failed for any reason; LogFull or LogUnavailable when
        the commit failed as a whole; and what kept the bytes from becoming durable.
        """
        versions = range(expected_version + 1, expected_version + 1 + len(events))
        versioned = [
            VersionedEvent(stream_id, version, event, trace_id) for version, event in zip(versions, events, strict=True)
        ]
        stored = [self._mapper.to_stored_event(cast("DomainEventProtocol[UUID]", event)) for event in versioned]
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(Append(stream_id, expected_version, stored), versioned, rests_on, after, done))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_all(), name="log commit")
        return done

    async def _commit_all(self) -> None:
        """One commit after another until nothing waits; what arrives during a commit shares the next."""
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), LARGEST_COMMIT))]
                await self._commit(batch)
        finally:
            self._committing = None
            self.hear(self._heard_head)

    async def _commit(self, batch: list[_Waiting]) -> None:
        chains = _chains(batch)
        if not chains:
            return
        try:
            outcomes = await self._commit_in_thread(chains)
        except Exception as error:  # noqa: BLE001 - handed to every caller of the batch
            for waiting in batch:
                _fail(waiting.done, error)
            return
        committed = committed_bytes = 0
        for waiting, outcome in zip((waiting for chain in chains for waiting in chain), outcomes, strict=True):
            if isinstance(outcome, Exception):
                _fail(waiting.done, outcome)
                continue
            self._remember(waiting.events, last_position=outcome)
            committed += len(waiting.events)
            committed_bytes += waiting.bytes.size_bytes if waiting.bytes is not None else 0
            if not waiting.done.done():
                waiting.done.set_result(outcome)
        if self._on_commit is not None and committed:
            self._on_commit(len(batch), committed)
        if self._on_commit_bytes is not None and committed_bytes:
            self._on_commit_bytes(committed_bytes)
        self._head = max(self._head, self._heard_head)
        if self._on_head is not None and committed:
            self._on_head(self._head)
        self._wake_soon()

    async def _commit_in_thread(self, chains: Sequence[Sequence[_Waiting]]) -> list[int | Exception]:
        """One commit, which is measured. Raises: what makes it fail as a whole."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            outcomes = await loop.run_in_executor(self._writer, self._make_durable, chains)
        except Exception:
            if self._on_commit_failed is not None:
                self._on_commit_failed()
            raise
        if self._on_commit_seconds is not None:
            self._on_commit_seconds(loop.time() - began)
        return outcomes

    def _make_durable(self, chains: Sequence[Sequence[_Waiting]]) -> list[int | Exception]:
        """In the writer's thread: the bytes first, then the transaction. Returns an outcome per append, chain by chain.

        A chain ends where an append's bytes failed: neither that append nor what rests on it gets into the log.
        """
        failures = _bytes_failures(chains)
        whole = [_until_a_failure(chain, failures) for chain in chains]
        appends = [_joined(chain) for chain in whole if chain]
        last_positions = iter(self._recorder.insert_batch(appends) if appends else ())
        outcomes: list[int | Exception] = []
        for chain, committed in zip(chains, whole, strict=True):
            if committed:
                outcomes += _outcomes(committed, next(last_positions))
            if failed := chain[len(committed) :]:
                outcomes += [failures[failed[0].done], *(VersionConflict() for _ in failed[1:])]
        return outcomes

    def _remember(self, events: Sequence[VersionedEvent], *, last_position: int) -> None:
        self._recent.committed(
            [
                RecordedEvent(position, event.originator_id, event.originator_version, event.event, event.trace_id)
                for position, event in enumerate(events, last_position - len(events) + 1)
            ]
        )
        self._head = max(self._head, last_position)

    def _listen(self) -> None:
        """Hear of the commits of other processes, if the store can tell of them."""
        if self._listens:
            return
        self._listens = True
        loop = asyncio.get_running_loop()

        def heard(position: int) -> None:
            loop.call_soon_threadsafe(self.hear, position)

        self._recorder.listen(heard)

    def hear(self, position: int) -> None:
        """Another process has committed an event at this position."""
        self._heard_head = max(self._heard_head, position)
        # During a commit it may be this process's own, which is read from memory once its outcome is here.
        if self._committing is None and self._heard_head > self._head:
            self._head = self._heard_head
            self._wake_soon()

    def _wake_soon(self) -> None:
        loop = asyncio.get_running_loop()
        if self._waking is None:
            if loop.time() - self._woken_at >= SECONDS_BETWEEN_WAKES:
                self._waking = loop.call_soon(self.wake)  # after those who wait for this commit
            else:
                self._waking = loop.call_later(SECONDS_BETWEEN_WAKES, self.wake)

    def wake(self) -> None:
        """Let followers read at once what has been committed, for a caller that waits for them."""
        if self._waking is not None:
            self._waking.cancel()
            self._waking = None
        self._woken_at = asyncio.get_running_loop().time()
        self._grown.set()
        self._grown = asyncio.Event()

    async def history(
        self, stream_id: UUID, *, after_version: int = 0, limit: int | None = None
    ) -> list[RecordedEvent]:
        """One stream's events after `after_version`, in order, at most `limit`; positions are not looked up (0).

        Raises: LogUnavailable.
        """
        return await self._read(lambda: self._reader.history(stream_id, after_version=after_version, limit=limit))

    async def first_events(self, stream_ids: Collection[UUID]) -> dict[UUID, LoggedEvent]:
        """The first event of each stream that has any, looked up one after another in one thread.

        Raises: LogUnavailable.
        """
        return await self._read(lambda: self._reader.first_events(stream_ids))

    async def opening(self, stream_id: UUID) -> RecordedEvent | None:
        """The first event of a stream, with its position; None if there is no such stream. Raises: LogUnavailable."""
        return await self._read(lambda: self._reader.opening(stream_id))

    async def last_position(self, stream_id: UUID) -> int:
        """Of the last event of a stream; 0 if there is no such stream. Raises: LogUnavailable."""
        return await self._read(lambda: self._recorder.select_position(stream_id)) or 0

    async def state(self, stream_id: UUID, fold: Fold[S], *, after: StateAt[S] | None = None) -> StateAt[S]:
        """One stream's state, folded by `fold` in a thread from its events, or from those `after` an earlier state.

        The caller hands that earlier state over. Raises: LogUnavailable; what `fold` raises.
        """
        return await self._read(lambda: self._reader.state(stream_id, fold, after=after))

    async def read(self, *, after: int, limit: int = 512) -> list[RecordedEvent]:
        """At most `limit` events after position `after`, in order; empty at the end. Raises: LogUnavailable."""
        if self._head <= after:
            return []
        if events := self._recent.after(after, limit=limit):
            return events
        page = self._pages.get((after, limit))
        if page is None:
            page = self._pages[after, limit] = asyncio.create_task(self._read_page(after, limit))
        try:
            return [*await shared(page)]
        finally:
            del page  # its error would hold this frame, and its callers'

    async def _read_page(self, after: int, limit: int) -> list[RecordedEvent]:
        """Read from the store, once for all who ask for the same meanwhile."""
        try:
            events = await self._read(lambda: self._reader.after(after, limit=limit))
        finally:
            # Here and not in a callback: who asks after this task is done must not get what it read.
            del self._pages[after, limit]
        if events:  # another process may have written more than is known here, and who reads on must find it
            self._head = max(self._head, events[-1].position)
        if new := self._recent.read(events, head=self._head):
            for observe in self._foreign_observers:
                observe(new)
        return events

    def observe_foreign(self, observer: ForeignObserver) -> None:
        """Tell `observer` of what other processes commit, as far as someone reads on where the events in memory end."""
        self._foreign_observers.append(observer)

    async def follow(self, *, after: int, limit: int = 512) -> AsyncIterator[list[RecordedEvent]]:
        """Batches of events after position `after`, without end: those there are, then new ones, woken on commit."""
        while True:
            events = await self.read(after=after, limit=limit)
            if events:
                after = events[-1].position
                yield events
            else:
                await self.wait_for_growth(after)

    async def wait_for_growth(self, after: int) -> None:
        """Return when there may be events after position `after`; at the latest when it is worth checking again."""
        self._listen()
        grown = self._grown
        if self._head > after:
            return
        try:
            async with asyncio.timeout(FOREIGN_COMMIT_CHECK_SECONDS):  # wait_for may swallow a cancellation in 3.11
                await grown.wait()
        except TimeoutError:
            await self.refresh_head()

    async def newest_head(self) -> int:
        """The position of the last event, of whatever process may write. Raises: LogUnavailable."""
        return await self.refresh_head() if self._is_shared else self._head

    async def refresh_head(self) -> int:
        """Ask the store for the last position, which another process may have moved. Raises: LogUnavailable."""
        head = await self._read(self._recorder.max_notification_id)
        self._head = max(self._head, head or 0)
        return self._head

    def newest_now(self) -> int:
        """As `newest_head`, but blocking: for a start. Raises: LogUnavailable."""
        return _reading(self._recorder.max_notification_id) or 0

    async def _read(self, query: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, _reading, query)

    async def close(self) -> None:
        """Wait for commits and reads under way, then release the store."""
        while self._committing is not None:
            await asyncio.wait([self._committing])
        while under_way := [page for page in self._pages.values() if not page.done()]:
            await asyncio.wait(under_way)
        if self._waking is not None:
            self._waking.cancel()
        self._writer.shutdown()
        self._readers.shutdown()
        self._recorder.close()


def _chains(batch: Sequence[_Waiting]) -> list[list[_Waiting]]:
    """The batch's appends, each with those that rest on it; what rests on a failed one fails here."""
    chains: dict[asyncio.Future[int], list[_Waiting]] = {}
    for waiting in batch:
        rests_on = waiting.rests_on
        if rests_on is not None and rests_on in chains:
            chain = chains.pop(rests_on)
        elif rests_on is not None and rests_on.done() and rests_on.exception() is not None:
            _fail(waiting.done, VersionConflict())
            continue
        else:
            chain = []
        chain.append(waiting)
        chains[waiting.done] = chain
    return list(chains.values())


def _bytes_failures(chains: Sequence[Sequence[_Waiting]]) -> dict[asyncio.Future[int], Exception]:
    """Make the bytes of all appends durable, with one call per keeper. Returns the appends whose bytes failed."""
    by_keeper: dict[Keeper, list[_Waiting]] = {}
    for chain in chains:
        for waiting in chain:
            if waiting.bytes is not None and (keeper := waiting.bytes.keeper) is not None:
                by_keeper.setdefault(keeper, []).append(waiting)
    failures: dict[asyncio.Future[int], Exception] = {}
    for keeper, its_appends in by_keeper.items():
        outcomes = keeper.make_durable([waiting.bytes for waiting in its_appends])
        for waiting, failure in zip(its_appends, outcomes, strict=True):
            if failure is not None:
                failures[waiting.done] = failure
    return failures


def _until_a_failure(
    chain: Sequence[_Waiting], failures: Mapping[asyncio.Future[int], Exception]
) -> Sequence[_Waiting]:
    return list(takewhile(lambda waiting: waiting.done not in failures, chain))


def _joined(chain: Sequence[_Waiting]) -> Append:
    first = chain[0].append
    stored_events = [stored for waiting in chain for stored in waiting.append.stored_events]
    return Append(first.stream_id, first.expected_version, stored_events)


def _outcomes(chain: Sequence[_Waiting], joined: int | VersionConflict) -> list[int | Exception]:
    """What became of each append of a chain, given the outcome of the whole chain."""
    if isinstance(joined, VersionConflict):
        return [joined for _ in chain]
    first_position = joined - sum(len(waiting.events) for waiting in chain)
    return [first_position + count for count in accumulate(len(waiting.events) for waiting in chain)]


def _reading(query: Callable[[], T]) -> T:
    try:
        return query()
    except PersistenceError as error:
        raise LogUnavailable(f"The event log cannot be read: {error}.") from error


def _fail(done: asyncio.Future[int], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
