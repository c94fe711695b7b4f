"""Claims of a process that works alone: in memory. They are never lost."""

from collections.abc import Collection

from adapters.claims.held import HeldClaims


class OwnClaims(HeldClaims):
    """`Claims`."""

    are_shared = False

    async def lock(self, job: str) -> int:  # noqa: ARG002 - whoever of this process has it was asked before
        return 0

    async def unlock(self, job: str, session: int | None) -> None:
        """Nothing is held elsewhere."""

    async def are_elsewhere(self, jobs: Collection[str]) -> bool:  # noqa: ARG002
        return False
