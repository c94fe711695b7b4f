"""Claims of several simulated processes: they end with their process, or when its session is ended."""

from collections.abc import Callable, Collection

from adapters.claims.held import HeldClaims
from adapters.claims.port import ClaimsUnavailable


class MemoryLocks(dict[str, tuple["MemoryClaims", int]]):
    """By job: who has the claim on it, and in which session. What others are told of them is theirs to forget."""

    def holder(self, job: str) -> "MemoryClaims | None":
        claims, _ = self.get(job, (None, 0))
        return claims if claims is not None and claims.is_alive() else None


class MemoryClaims(HeldClaims):
    """`Claims` of one process, in a session that can be ended."""

    are_shared = True

    def __init__(self, locks: MemoryLocks, is_alive: Callable[[], bool] = lambda: True) -> None:
        super().__init__()
        self.is_alive = is_alive
        self._locks = locks
        self._session = 1
        self._has_ended = False

    @property
    def session(self) -> int:
        """The one in which this process believes to hold its claims."""
        return self._session

    def holds_in(self, session: int) -> bool:
        """Whether what was claimed in this session is still its own."""
        return self.is_alive() and session == self._session and not self._has_ended

    def end_session(self) -> None:
        """Others may have the claims from now on. This process has yet to notice."""
        self._has_ended = True
        for job in [job for job, (claims, _) in self._locks.items() if claims is self]:
            del self._locks[job]

    def notice(self) -> None:
        """What was claimed in a session that has ended is lost."""
        if self._has_ended:
            self._has_ended, ended = False, self._session
            self._session += 1
            self.lose(lambda session: session <= ended)

    async def lock(self, job: str) -> int | None:
        if self._has_ended:
            self.notice()
            raise ClaimsUnavailable("The session has ended.")
        if self._locks.holder(job) not in (None, self):
            return None
        self._locks[job] = (self, self._session)
        return self._session

    async def unlock(self, job: str, session: int | None) -> None:
        if self._locks.get(job) == (self, session or self._session):
            del self._locks[job]

    async def are_elsewhere(self, jobs: Collection[str]) -> bool:
        return any(self._locks.holder(job) not in (None, self) for job in jobs)
