"""What all kinds of claims share: one holder per job within the process, and the end of work whose claim is lost."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from types import TracebackType

from adapters.claims import port
from adapters.claims.port import ClaimLost


class HeldClaims(ABC):
    """The claims of one process. A session is what they are held in: all claims of a session are lost together."""

    def __init__(self) -> None:
        self._own: dict[str, HeldClaim] = {}
        self._freed = asyncio.Event()

    def claim(self, job: str) -> "HeldClaim":
        """See `Claims`."""
        return HeldClaim(self, job)

    async def until_free(self, jobs: Collection[str]) -> None:
        """See `Claims`."""
        wanted = frozenset(jobs)
        while True:
            if wanted & self._own.keys():
                await self._freed.wait()
            elif await self.are_elsewhere(wanted):
                await asyncio.sleep(port.LOOK_SECONDS)
            else:
                return

    def reserve(self, claim: "HeldClaim") -> bool:
        """Whether nobody in this process has the claim, or is about to have or to leave it."""
        return self._own.setdefault(claim.job, claim) is claim

    def free(self, claim: "HeldClaim") -> None:
        if self._own.get(claim.job) is claim:
            del self._own[claim.job]
            self._freed.set()
            self._freed = asyncio.Event()

    def lose(self, is_lost: Callable[[int], bool]) -> None:
        """The claims of these sessions are not held any more, and the work that they were for ends."""
        for claim in list(self._own.values()):
            if claim.session is not None and is_lost(claim.session):
                claim.lose()

    @abstractmethod
    async def lock(self, job: str) -> int | None:
        """The session in which the job is claimed now; None if another process has it.

        If the caller is cancelled, it may be claimed yet, before any later call. Raises: ClaimsUnavailable.
        """

    @abstractmethod
    async def unlock(self, job: str, session: int | None) -> None:
        """End the claim if it is held, in this session or, if that is not known, in the current one."""

    @abstractmethod
    async def are_elsewhere(self, jobs: Collection[str]) -> bool:
        """Whether another process has a claim on one of the jobs. Raises: ClaimsUnavailable."""


class HeldClaim:
    """A `Claim`, and the block that it is for. `session`: that in which it is held; None if it is not."""

    session: int | None = None

    def __init__(self, claims: HeldClaims, job: str) -> None:
        self.job = job
        self._claims = claims
        self._task: asyncio.Task[object] | None = None
        self._cancelled_before = 0
        self._is_lost = self._has_cancelled = False

    async def __aenter__(self) -> "HeldClaim":
        self._task = asyncio.current_task()
        if self._task is None:
            raise RuntimeError("a claim is a task's")
        self._cancelled_before = self._task.cancelling()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._has_cancelled and self._task is not None:
            left = self._task.uncancel()
            if left <= self._cancelled_before and isinstance(error, asyncio.CancelledError):
                raise ClaimLost from None
        await self.leave()

    async def take(self) -> bool:
        """See `Claim`."""
        if self._is_lost:
            raise ClaimLost
        if self.session is not None:
            return True
        if not self._claims.reserve(self):
            return False
        try:
            self.session = await self._claims.lock(self.job)
        except asyncio.CancelledError:
            await self._unlocked()
            raise
        except BaseException:
            self._claims.free(self)
            raise
        if self.session is None:
            self._claims.free(self)
        return self.session is not None

    async def leave(self) -> None:
        """See `Claim`."""
        if self.session is not None:
            await self._unlocked()

    async def _unlocked(self) -> None:
        """Also if the caller is cancelled meanwhile; until it is unlocked, nobody of this process takes it."""
        session, self.session = self.session, None
        unlocking = asyncio.create_task(self._claims.unlock(self.job, session), name=f"unlocks {self.job}")
        unlocking.add_done_callback(lambda _: self._claims.free(self))
        await asyncio.shield(unlocking)

    def lose(self) -> None:
        """The work ends: its task is cancelled, unless it has been for another reason."""
        self._is_lost = True
        self.session = None
        self._claims.free(self)
        if self._task is not None and self._task.cancelling() <= self._cancelled_before:
            self._has_cancelled = True
            self._task.cancel()
