"""What each project may have at most: bytes kept, recordings, notes waiting, sessions, webhooks, end users,
devices.

What a project has is known from the log (`adapters.usage`), a moment late. So a request takes what it will need when it
is let in, and gives it back only once the view shows what came of it: many requests at once get no more than the same
requests one after another.
"""

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, Self

from adapters.quotas import Most, Quota
from adapters.usage import Usage, UsageAt
from service.application.this_turn import ThisTurn

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


class UsageView(Protocol):
    """Follows the log."""

    def of(self, project_id: str) -> UsageAt: ...


class SetQuotas(Protocol):
    """Knows the quotas that are set for single projects."""

    def of(self, project_id: str) -> Most: ...


class Log(Protocol):
    @property
    def head(self) -> int:
        """The position of the last event."""
        ...


class Quotas:
    """For one event loop. `most`: for projects that have no quotas of their own; what it does not name has no limit.

    All methods may raise DatabaseFull, DatabaseUnavailable.
    """

    def __init__(self, most: Most, own: SetQuotas, usage: UsageView, *, log: Log) -> None:
        self._most = most
        self._own = ThisTurn(own.of)
        self._usage = usage
        self._log = log
        self._held: dict[tuple[str, Quota], _Held] = {}

    def most(self, project_id: str, quota: Quota) -> int | None:
        """The most that the project may have; None: no limit."""
        own = self._own.of(project_id)
        return own[quota] if quota in own else self._most.get(quota)

    def check_opening(self, project_id: str) -> None:
        """Raises: QuotaReached, if no recording could be opened now."""
        for quota in (Quota.BYTES, Quota.RECORDINGS, Quota.OPEN_RECORDINGS):
            self._check(project_id, quota)

    @contextmanager
    def opening(self, project_id: str) -> Iterator[None]:
        """A block that opens a recording. Raises: QuotaReached."""
        self._check(project_id, Quota.BYTES)
        with self.taking(project_id, Quota.RECORDINGS), self.taking(project_id, Quota.OPEN_RECORDINGS):
            yield

    @contextmanager
    def taking(self, project_id: str, quota: Quota) -> Iterator[None]:
        """A block that adds one to what the project has. Raises: QuotaReached."""
        if not self._check(project_id, quota):
            yield
            return
        held = self._held.setdefault((project_id, quota), _Held())
        held.taken += 1
        try:
            yield
        finally:
            held.give_back(1, known_at=self._log.head)

    def _check(self, project_id: str, quota: Quota) -> bool:
        """Whether there is a limit at all. Raises: QuotaReached."""
        most = self.most(project_id, quota)
        if most is not None and (used := self._used(project_id, quota)) >= most:
            raise reached(quota, used=used, most=most)
        return most is not None

    def room(self, project_id: str) -> "Room":
        """For a block that stores bytes of a recording that is open; it takes what it stores from the room."""
        return Room(self, project_id)

    def check_room(self, project_id: str, size_bytes: int) -> bool:
        """Whether there is a limit at all. Raises: QuotaReached, if so many bytes more could not be stored now."""
        most = self.most(project_id, Quota.BYTES)
        if most is None:
            return False
        used = self._used(project_id, Quota.BYTES) + size_bytes
        if used > most + most // FINISHING_SHARE:
            raise reached(Quota.BYTES, used=used, most=most)
        return True

    def take_room(self, room: "Room", size_bytes: int) -> None:
        """Raises: QuotaReached; then nothing more is taken."""
        if self.check_room(room.project_id, size_bytes):
            room.held = self._held.setdefault((room.project_id, Quota.BYTES), _Held())
            room.held.taken += size_bytes
            room.taken_bytes += size_bytes

    def give_back(self, room: "Room") -> None:
        """What became of it is in the log by now."""
        if room.held is not None:
            room.held.give_back(room.taken_bytes, known_at=self._log.head)

    def _used(self, project_id: str, quota: Quota) -> int:
        """What the view knows, and what was taken by those whose events it does not know yet."""
        known = self._usage.of(project_id)
        held = self._held.get((project_id, quota))
        if held is None:
            return used_of(known.usage, quota)
        held.forget_up_to(known.position)
        if not held.taken:
            del self._held[project_id, quota]
        return used_of(known.usage, quota) + held.taken


class Room:
    """What one request takes of its project's bytes, and gives back at the end of its block."""

    def __init__(self, quotas: Quotas, project_id: str) -> None:
        self._quotas = quotas
        self.project_id = project_id
        self.held: _Held | None = None
        self.taken_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._quotas.give_back(self)

    @property
    def is_limited(self) -> bool:
        return self._quotas.most(self.project_id, Quota.BYTES) is not None

    def take(self, size_bytes: int) -> None:
        """Take room for so many bytes more. Raises: QuotaReached."""
        self._quotas.take_room(self, size_bytes)

    async def as_it_grows(self, body: AsyncIterable[bytes], *, beyond: int = 0) -> AsyncIterator[bytes]:
        """The same bytes; room is taken for those after the first `beyond`. Raises: QuotaReached; what `body` does."""
        passed = 0
        async for piece in body:
            passed += len(piece)
            if passed > beyond:
                self.take(passed - beyond)
                beyond = passed
            yield piece


class _Held:
    """What is taken and not in the view. `leaving`: what is given back once the view has come to a log position."""

    def __init__(self) -> None:
        self.taken = 0
        self.leaving: deque[tuple[int, int]] = deque()

    def give_back(self, amount: int, *, known_at: int) -> None:
        """What came of it is in the log up to `known_at`, if anything did."""
        if self.leaving and (self.leaving[-1][0] == known_at or len(self.leaving) >= _MOST_LEAVING):
            amount += self.leaving.pop()[1]
        self.leaving.append((known_at, amount))

    def forget_up_to(self, position: int) -> None:
        while self.leaving and self.leaving[0][0] <= position:
            self.taken -= self.leaving.popleft()[1]


_MOST_LEAVING = 1_000
"""Further ones are given back together, so that a view that stands still costs no memory."""


COUNTED = _KEPT | _PASSING | {Quota.SESSIONS}
"""The quotas of what is counted from the log."""


def used_of(usage: Usage, quota: Quota) -> int:
    """What of a quota is used, of those that are `COUNTED`."""
    return {
        Quota.BYTES: usage.kept_bytes,
        Quota.OPEN_RECORDINGS: usage.open_recordings,
        Quota.RECORDINGS: usage.recordings,
        Quota.WAITING_NOTES: usage.waiting_notes,
        Quota.SESSIONS: usage.sessions,
    }[quota]
