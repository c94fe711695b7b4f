"""A rolling upgrade: one process after another is stopped and started with the code of another release."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from tests.tools.soak.cluster.cluster import Cluster
from tests.tools.soak.cluster.members import Member

FEWEST_HOSTS = 2

Release = Literal["previous", "this"]
Beside = tuple[Release, Release]
"""The releases of the host that leads and of one that stands by."""

_ACKNOWLEDGED = 25
"""So many calls are answered well after each step."""
_GOES_ON_SECONDS = 600
_LOOK_SECONDS = 0.05
_TRIES = 10
"""A host that is starved of processor time may not come to lead although the other one has stopped."""


class Upgrade:
    """Of a cluster that runs the code in `previous`. `tell`: is told of each step. `acknowledged`: how many calls were,
    up to now. `beside`: which releases were beside each other while calls were answered."""

    def __init__(
        self, cluster: Cluster, previous: Path, tell: Callable[[str], None], acknowledged: Callable[[], int]
    ) -> None:
        self._cluster = cluster
        self._previous = previous
        self._tell = tell
        self._acknowledged = acknowledged
        self.beside: set[Beside] = set()

    async def run(self) -> None:
        """Upgrade all; roll back a host, which comes to lead then, a worker and a publisher; and upgrade these again.

        Raises: TimeoutError.
        """
        cluster = self._cluster
        for member in cluster.members:
            await self._start(member, "this")
        rolled_back = (cluster.hosts[1], cluster.workers[0], cluster.publishers[0])
        for member in rolled_back:
            await self._start(member, "previous")
        for _ in range(_TRIES):
            leads = await asyncio.to_thread(cluster.leader)
            if leads is cluster.hosts[1]:
                break
            if leads is not None:
                await self._start(leads, "this")
        for member in rolled_back:
            await self._start(member, "this")

    async def _start(self, member: Member, release: Release) -> None:
        await member.restart_with(self._previous if release == "previous" else None)
        self._tell(f"{member.name} runs {'this' if release == 'this' else 'the previous'} release")
        async with asyncio.timeout(_GOES_ON_SECONDS):
            await self._cluster.until_ready()
            leads = await asyncio.to_thread(self._cluster.leader)
            enough = self._acknowledged() + _ACKNOWLEDGED
            while self._acknowledged() < enough:
                await asyncio.sleep(_LOOK_SECONDS)
        if leads is not None and await asyncio.to_thread(self._cluster.leader) is leads:
            others = (host for host in self._cluster.hosts if host is not leads)
            self.beside |= {(_release(leads), _release(host)) for host in others}


def _release(member: Member) -> Release:
    return "this" if member.code_dir is None else "previous"
