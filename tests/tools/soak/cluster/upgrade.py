"""A rolling upgrade: one process after another is stopped and started with the code of another release."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from tests.tools.soak.cluster.cluster import Cluster
from tests.tools.soak.cluster.members import Member

Release = Literal["before", "this"]
Beside = tuple[Release, Release]
"""The releases of the host that leads and of one that stands by."""

_ACKNOWLEDGED = 40
"""So many calls are answered well between two steps."""
_LOOK_SECONDS = 0.05


async def upgrade(
    cluster: Cluster, before: Path, tell: Callable[[str], None], acknowledged: Callable[[], int]
) -> set[Beside]:
    """Upgrade the cluster, which has at least two hosts and runs the code in `before`, with a change of mind midway.

    `tell`: is told of each step. `acknowledged`: how many calls were, up to now. Returns which releases were beside
    each other while calls were answered.
    """
    found: set[Beside] = set()
    for member, release in _steps(cluster):
        await member.restart_with(before if release == "before" else None)
        tell(f"{member.name} runs {'this release' if release == 'this' else 'the release before'}")
        await cluster.until_ready()
        leads = await asyncio.to_thread(cluster.leader)
        enough = acknowledged() + _ACKNOWLEDGED
        while acknowledged() < enough:
            await asyncio.sleep(_LOOK_SECONDS)
        if leads is not None and await asyncio.to_thread(cluster.leader) is leads:
            found |= {(_release(leads), _release(host)) for host in cluster.hosts if host is not leads}
    return found


def _steps(cluster: Cluster) -> Iterator[tuple[Member, Release]]:
    """The first host leads before. The lead goes to a newer host, with older ones beside, and with two hosts back to an
    older one; then all are upgraded."""
    first, second, *others = cluster.hosts
    yield second, "this"
    yield first, "before"
    yield second, "before"
    for host in (second, first, *others):
        yield host, "this"
    for member in (*cluster.workers, *cluster.publishers):
        yield member, "this"


def _release(member: Member) -> Release:
    return "this" if member.code_dir is None else "before"
