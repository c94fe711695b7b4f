"""Several processes that take from the same projects' quotas, or one whose view of usage is in a server.

What this guarantees: a process lets a request in while it holds the lock of `TakenStore`, and counts then what the view
shows, what itself has taken, and what the others have written down. Each writes what it takes before the lock is free.
So all of them together let in no more than one process would. What is given back, the others hear of a moment later,
and may refuse meanwhile what would have fitted. What a process had that was killed counts until the next one of its
name starts, and then until the view shows what became of it.

A process that is the only one needs no table, and has what it has taken in its memory. After it was killed, the next
one waits until the view shows what came of that.

It is not about webhooks, end users and devices: they are counted by the one thread of a process that registers them.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from adapters.database.looking_up import in_database_thread
from adapters.quotas import Quota
from adapters.sqlite_file import DatabaseUnavailable
from adapters.taken import Share, Taken, TakenStore
from adapters.usage import UsageAt
from service.application.gathering import Gathering
from service.application.taking import Ask, Held, Log, Refusal, used_of

TELL_SECONDS = 0.1
"""After how long the others are told what was given back. Mostly the next request that takes something tells them
before."""

SECONDS_BETWEEN_TRIES = 1.0
"""After they could not be told."""

VIEW_SECONDS = 10.0
"""How long the first requests wait for the view. While it is made anew, it takes longer: what it has not read yet does
not count then."""

SECONDS_BETWEEN_LOOKS = 0.02
"""At a view that is waited for."""


class UsageOfEach(Protocol):
    """Follows the log. Blocking."""

    def of_each(self, project_ids: Sequence[str]) -> Sequence[UsageAt]:
        """Of several projects, in their order, at one position."""
        ...

    def position(self) -> int:
        """Of the last event that it reflects."""
        ...


class TakesTogether:
    """The requests that wait at the same time are decided in one transaction, in the order in which they came."""

    def __init__(self, store: TakenStore | None, usage: UsageOfEach, *, log: Log) -> None:
        """`store`: None if no other process takes anything. Raises: DatabaseFull; DatabaseUnavailable."""
        self._store = store
        self._usage = usage
        self._log = log
        self._unseen_until: int | None = None if store else log.head
        left_behind = store.left_behind(log.head) if store else {}
        self._held = {share: Held(taken) for share, taken in left_behind.items()}
        self._untold: set[Share] = set()
        self._telling: asyncio.Task[None] | None = None
        self._deciding = Gathering(self._decide)

    async def take(self, project_id: str, asks: Sequence[Ask]) -> Refusal | None:
        request = _Request(project_id, asks)
        try:
            return await self._deciding.of(request)
        except asyncio.CancelledError:
            request.is_gone = True
            if request.has_taken:
                for (_, quota), amount in request.takes.items():
                    self.give_back(project_id, quota, amount)
            raise

    def give_back(self, project_id: str, quota: Quota, amount: int) -> None:
        share = project_id, quota
        self._held[share].give_back(amount, known_at=self._log.head)
        self._tell_soon({share})

    def _tell_soon(self, shares: set[Share]) -> None:
        if self._store is None:
            return
        self._untold |= shares
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        await asyncio.sleep(TELL_SECONDS)
        while self._untold:
            try:
                await self._deciding.of(_TELL)
            except DatabaseUnavailable:
                await asyncio.sleep(SECONDS_BETWEEN_TRIES)

    async def _decide(self, requests: Sequence["_Request"]) -> Sequence[Refusal | None]:
        """One call at a time, and this process's requests only give back meanwhile: too much is counted, not too
        little."""
        await self._see_what_was_left()
        asked = {share for request in requests for share in request.shares}
        told = self._to_be_told(requests)
        copies = {share: self._held[share].copy() if share in self._held else Held() for share in asked | told}
        try:
            decided = await in_database_thread(_decide, self._store, self._usage, requests, copies, told)
        except BaseException:
            if told:
                self._tell_soon(told)  # it may have been written
            raise
        for request, refusal in zip(requests, decided.refusals, strict=True):
            if refusal is None:
                self._take(request)
        for share in asked & self._held.keys():
            self._held[share].forget_up_to(decided.positions[share[0]])
            if not self._held[share].taken:
                del self._held[share]
        return decided.refusals

    async def _see_what_was_left(self) -> None:
        """Once: until the view is where the log was at the start, or has had time to get there."""
        if self._unseen_until is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(VIEW_SECONDS):
                while True:
                    if await in_database_thread(self._usage.position) >= self._unseen_until:
                        break
                    await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        self._unseen_until = None

    def _to_be_told(self, requests: Sequence["_Request"]) -> set[Share]:
        if self._store is None:
            return set()
        told = {share for request in requests for share in request.takes}
        if told or _TELL in requests:
            told, self._untold = told | self._untold, set()
        return told

    def _take(self, request: "_Request") -> None:
        if request.is_gone:
            self._tell_soon(set(request.takes))
            return
        request.has_taken = True
        for share, amount in request.takes.items():
            self._held.setdefault(share, Held()).taken += amount

    async def close(self) -> None:
        """What the others were not told by then, they are told by the next process of this name."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)
        await self._deciding.ended()


@dataclass(slots=True, eq=False)
class _Request:
    project_id: str
    asks: Sequence[Ask]
    is_gone: bool = False
    has_taken: bool = False

    @property
    def shares(self) -> list[Share]:
        return [(self.project_id, ask.quota) for ask in self.asks]

    @property
    def takes(self) -> dict[Share, int]:
        return {(self.project_id, ask.quota): ask.amount for ask in self.asks if ask.amount}


_TELL = _Request("", ())
"""Asks for nothing, but to tell the others, and to tidy up."""


@dataclass(frozen=True, slots=True)
class _Decided:
    """`positions`: of the view, by project, when it was decided."""

    refusals: list[Refusal | None]
    positions: Mapping[str, int]


def _decide(
    store: TakenStore | None,
    usage: UsageOfEach,
    requests: Sequence[_Request],
    own: Mapping[Share, Held],
    told: set[Share],
) -> _Decided:
    """`own`: what the process has of all that is asked for or `told`; changed here, but not shared. Blocking."""
    project_ids = list({request.project_id for request in requests if request.asks})
    if store is None:
        known = dict(zip(project_ids, usage.of_each(project_ids), strict=True))
        return _Decided([_decide_one(request, known, {}, own) for request in requests], _positions(known))
    with store.deciding() if told else store.looking() as table:
        others = table.by_others(project_ids)
        known = dict(zip(project_ids, usage.of_each(project_ids), strict=True))
        refusals = [_decide_one(request, known, others, own) for request in requests]
        if told:
            position = known[project_ids[0]].position if known else usage.position()
            for share in told:
                own[share].forget_up_to(position)
            table.write({share: own[share].told() for share in told})
            if _TELL in requests:
                table.forget(position)
    return _Decided(refusals, _positions(known))


def _positions(known: Mapping[str, UsageAt]) -> Mapping[str, int]:
    return {project_id: at.position for project_id, at in known.items()}


def _decide_one(
    request: _Request, known: Mapping[str, UsageAt], others: Mapping[Share, Sequence[Taken]], own: Mapping[Share, Held]
) -> Refusal | None:
    for share, ask in zip(request.shares, request.asks, strict=True):
        at = known[request.project_id]
        held = own[share].beyond(at.position) + sum(taken.beyond(at.position) for taken in others.get(share, ()))
        used = used_of(at.usage, ask.quota) + held
        if used >= ask.full_at:
            return Refusal(ask.quota, used)
    for share, amount in request.takes.items():
        own[share].taken += amount
    return None
