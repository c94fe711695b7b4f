"""Claims on jobs, so that of all processes that could do a job, one does it at a time.

A claim ends with its process at the latest: whoever takes it next finds the job done, or does it again. So what a job
records must count once, however often it is done.
"""

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from typing import Protocol

LOOK_SECONDS = 2.0
"""How often it is looked whether another process's claim has ended, and whether one's own are still held."""


class ClaimsUnavailable(Exception):
    """It is not known who has which claim. It may be asked again."""


class ClaimLost(ClaimsUnavailable):
    """Another process may do the job from now on."""

    def __init__(self) -> None:
        super().__init__("The claim on the job was lost; another process may be doing it.")


class Claim(Protocol):
    """One task's claim on one job. It is not held at first."""

    async def take(self) -> bool:
        """Whether it is held now: still, or since this call. Nobody is waited for. Raises: ClaimsUnavailable."""
        ...

    async def leave(self) -> None:
        """Somebody else may have it. It can be taken again."""
        ...


class Claims(Protocol):
    """Used from one event loop."""

    @property
    def are_shared(self) -> bool:
        """Whether other processes may work on the same log, and have claims."""
        ...

    def claim(self, job: str) -> AbstractAsyncContextManager[Claim]:
        """A block of the current task in which the job may be claimed; at its end the claim is left.

        If the claim is lost while it is held, the task is cancelled inside the block, and the block raises ClaimLost.
        """
        ...

    async def until_free(self, jobs: Collection[str]) -> None:
        """Return when nobody, in whatever process, has had a claim on any of the jobs. Raises: ClaimsUnavailable."""
        ...
