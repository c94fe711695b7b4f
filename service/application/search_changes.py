"""What the log's events mean for the search index: which transcripts there are now, and which are gone."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from uuid import UUID

from adapters.blobs.port import BlobNotFound, BlobStore, StorageUnavailable
from adapters.event_log.mapper import RecordedEvent
from adapters.search.digests import Owner
from adapters.search.index import Change, Changes, Forgotten, Indexed
from adapters.search.passages import passages_of
from domain.events import (
    LoggedEvent,
    RecordingDeleted,
    RecordingOpened,
    RetryRequested,
    Stage,
    Transcribed,
    TranscriptionRequested,
)
from service.application.stored_content import content_of

logger = logging.getLogger(__name__)

EVENTS_AT_ONCE = 64
"""Their transcripts are in memory together."""

ATTEMPTS = 5
"""How often a transcript is read that cannot be though the store works, before the others no longer wait for it."""

FirstEvents = Callable[[Collection[UUID]], Awaitable[Mapping[UUID, LoggedEvent]]]
"""The first event of each of these streams."""


class SearchChanges:
    """Reads what there is to be indexed."""

    def __init__(self, blobs: BlobStore, first_events: FirstEvents) -> None:
        self._blobs = blobs
        self._first_events = first_events
        self._failures: dict[str, int] = {}

    async def of(self, events: Sequence[RecordedEvent]) -> Changes:
        """Only the last of a recording's events counts.

        Raises: StorageUnavailable, after which the same events are to be asked for again; LogUnavailable.
        """
        last = {
            recorded.stream_id: recorded.event
            for recorded in events
            if isinstance(recorded.event, Transcribed | RecordingDeleted) or _makes_anew(recorded.event)
        }
        transcribed = [recording_id for recording_id, event in last.items() if isinstance(event, Transcribed)]
        openings = await self._first_events(transcribed) if transcribed else {}
        changes = [
            await self._change(recording_id, event, openings.get(recording_id)) for recording_id, event in last.items()
        ]
        return Changes(events[-1].position, changes)

    async def _change(self, recording_id: UUID, event: LoggedEvent, opened: LoggedEvent | None) -> Change:
        """A recording of no end user cannot be searched for, so it is not indexed."""
        if not isinstance(event, Transcribed) or not isinstance(opened, RecordingOpened) or opened.end_user_id is None:
            return Forgotten(recording_id)
        try:
            stored = await content_of(self._blobs, event.blob_key)
            passages = await asyncio.to_thread(passages_of, stored)
        except BlobNotFound:  # erased since; a later event says so
            return Forgotten(recording_id)
        except StorageUnavailable as error:
            if not await self._is_given_up(event.blob_key):
                raise
            logger.error(  # noqa: TRY400 - why is in the error's text
                "a transcript cannot be indexed; `tapedeck rebuild search` tries again",
                extra={"recording_id": recording_id.hex, "because": str(error)},
            )
            return Forgotten(recording_id)
        except (ValueError, KeyError, TypeError):  # it cannot be read by anyone; the others must not wait for it
            logger.exception("a transcript cannot be indexed", extra={"recording_id": recording_id.hex})
            return Forgotten(recording_id)
        self._failures.pop(event.blob_key, None)
        owner = Owner(opened.tenant_id, opened.end_user_id)
        return Indexed(recording_id, event.sha256, owner, [passage.text for passage in passages])

    async def _is_given_up(self, blob_key: str) -> bool:
        """Whether it was tried often enough while the store works but for this one. Raises: StorageUnavailable."""
        await self._blobs.check_writable()
        self._failures[blob_key] = self._failures.get(blob_key, 0) + 1
        if self._failures[blob_key] < ATTEMPTS:
            return False
        del self._failures[blob_key]
        return True


def _makes_anew(event: LoggedEvent) -> bool:
    """Whether the transcript, if there is one, will be another: of audio stitched anew, or in another language."""
    if isinstance(event, TranscriptionRequested):
        return event.is_anew
    return isinstance(event, RetryRequested) and event.stage is Stage.STITCH
