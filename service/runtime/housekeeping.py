"""The followers that erase what of recordings need not be kept any more."""

from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from typing import Any

from adapters.blobs.port import BlobStore
from adapters.event_log.log import EventLog
from adapters.positions import PositionStore
from service.application.clock import Clock
from service.application.erasing import Erasing
from service.application.keyed_locks import Locks
from service.application.recordings import Recordings
from service.followers.eraser import EXPIRED_RECORDINGS, STITCHED_CHUNKS, Eraser
from service.followers.superseded_eraser import SupersededEraser
from service.runtime.settings import Settings

Run = Callable[[], Coroutine[Any, Any, None]]


def erasers(
    settings: Settings,
    *,
    log: EventLog,
    recordings: Recordings,
    blobs: BlobStore,
    settling: Locks,
    positions: PositionStore,
    clock: Clock,
) -> Iterator[tuple[str, Run]]:
    """Names and run methods of the followers that erase what the retentions are over of."""
    erasing = Erasing(recordings, blobs, settling=settling, clock=clock)
    # The names are not those of the followers that erased before erasing was noted: these two begin with the log.
    stitched = ("erase-stitched-chunks", STITCHED_CHUNKS, settings.chunk_retention)
    expired = ("erase-expired", EXPIRED_RECORDINGS, timedelta(hours=settings.expired_retention_hours))
    for name, erasable, retention in (stitched, expired):
        eraser = Eraser(name, erasable, retention, log=log, erasing=erasing, positions=positions, clock=clock)
        yield eraser.name, eraser.run
    superseded = SupersededEraser(settings.chunk_retention, log=log, erasing=erasing, positions=positions, clock=clock)
    yield superseded.name, superseded.run
