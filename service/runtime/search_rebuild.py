"""Rebuilds the search index from the log and the stored transcripts, beside a running service or without one."""

import asyncio
from collections.abc import Collection, Mapping
from uuid import UUID

from adapters.blobs.opening import open_store
from adapters.event_log.reader import EventReader
from adapters.search.index import Changes, SearchIndex
from domain.events import LoggedEvent
from service.application.search_changes import EVENTS_AT_ONCE, SearchChanges
from service.runtime.places import search_place
from service.runtime.settings import Settings


def rebuild_search(settings: Settings, events: EventReader) -> int:
    """Returns the position of the last event in it. Raises: OtherSchema, RebuildRunning; as log, blobs and index do."""

    async def first_events(recording_ids: Collection[UUID]) -> Mapping[UUID, LoggedEvent]:
        return events.first_events(recording_ids)

    index = SearchIndex(search_place(settings))
    try:
        with asyncio.Runner() as runner:
            blobs = open_store(settings.blob_store_url)
            changes = SearchChanges(blobs, first_events)

            def read(after: int) -> Changes | None:
                found = events.after(after, limit=EVENTS_AT_ONCE)
                return runner.run(changes.of(found)) if found else None

            try:
                return index.rebuild(read)
            finally:
                runner.run(blobs.close())
    finally:
        index.close()
