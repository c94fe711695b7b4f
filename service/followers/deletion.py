"""Erases everything that was ever stored of a recording, right after its deletion."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from random import Random
from uuid import UUID

from adapters.blobs.port import BlobStore
from adapters.claims.port import Claims
from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from adapters.positions import PositionStore
from domain.events import RecordingDeleted
from service.application.blob_names import recording_prefix
from service.application.claimed_jobs import jobs_on
from service.application.clock import Clock
from service.application.metrics import Metrics
from service.application.recordings import Recordings
from service.followers.jobs import JobKind, Jobs
from service.followers.projects import Projects

logger = logging.getLogger(__name__)

LetGo = Callable[[UUID], Awaitable[None]]
"""Returns when nothing is stored of this recording any more, which is deleted."""


class Deletion:
    """One follower. Erasing what is gone is no error, so reading an event twice does no harm.

    What is erased is nowhere in the store any more. A snapshot of the recording goes, too: with many chunks it is the
    largest thing that a deletion would leave behind. Who still works on the recording, in whatever process, stores
    nothing after that: its claim is waited for. `let_go`: of the work in this process that is not claimed.
    """

    name = "erase"

    def __init__(
        self,
        *,
        claims: Claims,
        let_go: LetGo,
        log: EventLog,
        recordings: Recordings,
        blobs: BlobStore,
        positions: PositionStore,
        clock: Clock,
        random: Random,
        metrics: Metrics,
    ) -> None:
        self._claims = claims
        self._let_go = let_go
        self._recordings = recordings
        self._blobs = blobs
        self._one_at_a_time = asyncio.Lock()
        self._jobs = Jobs(
            JobKind(
                name=self.name,
                wanted=lambda recorded: type(recorded.event) is RecordingDeleted,
                recording_of=lambda recorded: recorded.stream_id,
                do=lambda recorded: self._erase_all(recorded.stream_id),
                on_gone=None,
                about=_about,
            ),
            projects_of=Projects(log, recordings).of,
            log=log,
            positions=positions,
            clock=clock,
            random=random,
            metrics=metrics,
        )

    async def run(self) -> None:
        """Follow the log until cancelled."""
        await self._jobs.run()

    async def _erase_all(self, recording_id: UUID) -> None:
        await self._let_go(recording_id)
        await self._claims.until_free(jobs_on(recording_id))
        async with self._one_at_a_time:
            await self.erase(recording_id)

    async def erase(self, recording_id: UUID) -> None:
        """Erase all blobs of the recording now, and its snapshot. Raises: as `erase_recording`."""
        await erase_recording(self._blobs, self._recordings, recording_id)


async def erase_recording(blobs: BlobStore, recordings: Recordings, recording_id: UUID) -> None:
    """Erase all blobs of the recording now, and its snapshot.

    Raises: StorageFull, StorageUnavailable, SnapshotNotForgotten.
    """
    erased = await blobs.erase(recording_prefix(recording_id))
    await recordings.forget_snapshot(recording_id)
    logger.info("erased", extra={"follower": Deletion.name, "recording_id": recording_id.hex, "blobs": erased})


def _about(recorded: RecordedEvent) -> dict[str, str]:
    return {"follower": Deletion.name, "recording_id": recorded.stream_id.hex}
