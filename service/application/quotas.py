"""What each project may have at most: bytes kept, recordings, notes waiting, sessions, webhooks, end users,
devices.

A request takes what it will need when it is let in, and gives it back only once the view of usage shows what came of it
(`service.application.taking`): many requests at once get no more than the same requests one after another.
"""

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol, Self

from adapters.quotas import Most, Quota
from service.application.taking import Ask, Refusal, Takes

FINISHING_SHARE = 10
"""An open recording may go on beyond the quota of bytes by this part of it, a tenth: a visit that is being recorded is
not cut off because the project became full meanwhile."""

_KEPT = frozenset({Quota.BYTES, Quota.RECORDINGS})
_PASSING = frozenset({Quota.OPEN_RECORDINGS, Quota.WAITING_NOTES})


class QuotaReached(Exception):
    """The project has what it may have, and nothing of the request was stored. `used`: what it has, or would have."""

    def __init__(self, quota: Quota, *, used: int, most: int) -> None:
        super().__init__(_SENTENCES[quota].format(used=used, most=most))
        self.quota = quota
        self.used = used
        self.most = most


class KeptQuotaReached(QuotaReached):
    """What is kept must be deleted, or the quota enlarged: of bytes or recordings."""


class PassingQuotaReached(QuotaReached):
    """There is room again after a while: of recordings that are open, or notes that wait."""


class EntryQuotaReached(QuotaReached):
    """Something registered must be deleted, or the quota enlarged: of webhooks, end users, devices or sessions."""


def reached(quota: Quota, *, used: int, most: int) -> QuotaReached:
    """The refusal because of this quota."""
    kind = KeptQuotaReached if quota in _KEPT else PassingQuotaReached if quota in _PASSING else EntryQuotaReached
    return kind(quota, used=used, most=most)


_SENTENCES: Mapping[Quota, str] = {
    Quota.BYTES: "The project's quota is {most} bytes, and it has, or would have, {used}; delete recordings, or ask "
    "the operator for a larger quota.",
    Quota.OPEN_RECORDINGS: "The project's quota is {most} recordings whose upload is not complete, and it has {used}; "
    "complete or delete some, or wait until they expire.",
    Quota.RECORDINGS: "The project's quota is {most} recordings, and it has {used}; delete some, or ask the operator "
    "for a larger quota.",
    Quota.WAITING_NOTES: "The project's quota is {most} notes that wait to be written, and it has {used}; order again "
    "when some are written.",
    Quota.SESSIONS: "The project's quota is {most} announcements of ambient sessions, and it has {used}; ask the "
    "operator for a larger quota.",
    Quota.WEBHOOKS: "The project's quota is {most} webhooks, and it has {used}; delete one, or ask the operator for a "
    "larger quota.",
    Quota.END_USERS: "The project's quota is {most} end users, and it has {used}; erase one, or ask the operator for a "
    "larger quota.",
    Quota.DEVICES: "The project's quota is {most} devices, and it has {used}; ask the operator for a larger quota.",
}


class SetQuotas(Protocol):
    """Knows the quotas that are set for single projects."""

    async def of(self, project_id: str) -> Most: ...


class Quotas:
    """For one event loop. `most`: for projects that have no quotas of their own; what it does not name has no limit.

    All methods may raise DatabaseFull, DatabaseUnavailable.
    """

    def __init__(self, most: Most, own: SetQuotas, takes: Takes) -> None:
        self._most = most
        self._own = own
        self._takes = takes

    async def most(self, project_id: str, quota: Quota) -> int | None:
        """The most that the project may have; None: no limit."""
        return self.most_of(await self._own.of(project_id), quota)

    def most_of(self, own: Most, quota: Quota) -> int | None:
        """The same of a project with these quotas of its own."""
        return own[quota] if quota in own else self._most.get(quota)

    async def check_opening(self, project_id: str) -> None:
        """Raises: QuotaReached, if no recording could be opened now."""
        await self._take(project_id, dict.fromkeys(_OF_OPENING, 0))

    @asynccontextmanager
    async def opening(self, project_id: str) -> AsyncIterator[None]:
        """A block that opens a recording. Raises: QuotaReached."""
        async with self._taken(project_id, _OF_OPENING):
            yield

    @asynccontextmanager
    async def taking(self, project_id: str, quota: Quota) -> AsyncIterator[None]:
        """A block that adds one to what the project has. Raises: QuotaReached."""
        async with self._taken(project_id, {quota: 1}):
            yield

    @asynccontextmanager
    async def _taken(self, project_id: str, amounts: Mapping[Quota, int]) -> AsyncIterator[None]:
        taken = await self._take(project_id, amounts)
        try:
            yield
        finally:
            for ask in taken:
                self._takes.give_back(project_id, ask.quota, ask.amount)

    async def _take(self, project_id: str, amounts: Mapping[Quota, int]) -> list[Ask]:
        """What was taken: of those that have a limit. Raises: QuotaReached, if there is as much as there may be."""
        own = await self._own.of(project_id)
        limits = {quota: most for quota in amounts if (most := self.most_of(own, quota)) is not None}
        asks = [Ask(quota, amounts[quota], full_at=most) for quota, most in limits.items()]
        refusal = await self._takes.take(project_id, asks) if asks else None
        if refusal is not None:
            raise reached(refusal.quota, used=refusal.used, most=limits[refusal.quota])
        return [ask for ask in asks if ask.amount]

    def room(self, project_id: str) -> "Room":
        """For a block that stores bytes of a recording that is open; it takes what it stores from the room."""
        return Room(self, project_id)

    async def check_room(self, project_id: str, size_bytes: int) -> None:
        """Raises: QuotaReached, if so many bytes more could not be stored now."""
        most = await self.most(project_id, Quota.BYTES)
        if most is not None:
            await self._take_bytes(project_id, size_bytes, 0, most)

    async def take_room(self, room: "Room", size_bytes: int, most: int) -> None:
        """Raises: QuotaReached; then nothing is taken."""
        await self._take_bytes(room.project_id, size_bytes, size_bytes, most)
        room.taken_bytes += size_bytes

    async def _take_bytes(self, project_id: str, size_bytes: int, amount: int, most: int) -> None:
        full_at = most + most // FINISHING_SHARE - size_bytes + 1
        refusal: Refusal | None = await self._takes.take(project_id, [Ask(Quota.BYTES, amount, full_at)])
        if refusal is not None:
            raise reached(Quota.BYTES, used=refusal.used + size_bytes, most=most)

    def give_back(self, room: "Room") -> None:
        """What became of it is in the log by now."""
        if room.taken_bytes:
            self._takes.give_back(room.project_id, Quota.BYTES, room.taken_bytes)


_OF_OPENING = {Quota.BYTES: 0, Quota.RECORDINGS: 1, Quota.OPEN_RECORDINGS: 1}


class Room:
    """What one request takes of its project's bytes, and gives back at the end of its block."""

    def __init__(self, quotas: Quotas, project_id: str) -> None:
        self._quotas = quotas
        self.project_id = project_id
        self.taken_bytes = 0
        self._most: int | None = None
        self._is_asked = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._quotas.give_back(self)

    async def limit(self) -> int | None:
        """The project's quota, as it was when this request first asked."""
        if not self._is_asked:
            self._most = await self._quotas.most(self.project_id, Quota.BYTES)
            self._is_asked = True
        return self._most

    async def take(self, size_bytes: int) -> None:
        """Take room for so many bytes more. Raises: QuotaReached; then nothing more is taken."""
        most = await self.limit()
        if most is not None:
            await self._quotas.take_room(self, size_bytes, most)

    async def as_it_grows(self, body: AsyncIterable[bytes], *, beyond: int = 0) -> AsyncIterator[bytes]:
        """The same bytes; room is taken for those after the first `beyond`. Raises: QuotaReached; what `body` does."""
        passed = 0
        async for piece in body:
            passed += len(piece)
            if passed > beyond:
                await self.take(passed - beyond)
                beyond = passed
            yield piece
