"""Searching what was said: passages that the index finds, read from the transcripts, which alone have the text."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from adapters.blobs.port import BlobNotFound, BlobStore
from adapters.database.looking_up import in_database_thread
from adapters.event_log.log import EventLog
from adapters.search.digests import Owner
from adapters.search.index import Match, SearchIndex
from adapters.search.passages import Passage, passages_of
from domain.summary import RecordingSummary
from service.application.queries import VIEW_SECONDS, Projection, Queries, ViewBehind
from service.application.stored_content import content_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """For up to `limit` passages of an end user's recordings, or of those with `recording_ids`."""

    project_id: str
    end_user_id: str
    text: str
    limit: int
    recording_ids: tuple[UUID, ...] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A passage that matches, the best first. `place`: which of the transcript's passages it is, from 0."""

    recording_id: UUID
    summary: RecordingSummary
    transcript_sha256: str
    place: int
    passage: Passage
    score: float


class TranscriptSearch:
    """`projection` keeps the index in step with the log."""

    def __init__(
        self, index: SearchIndex, projection: Projection, queries: Queries, *, log: EventLog, blobs: BlobStore
    ) -> None:
        self._index = index
        self._projection = projection
        self._queries = queries
        self._log = log
        self._blobs = blobs

    async def search(self, query: SearchQuery) -> list[Found]:
        """What was transcribed before this call is found, what was deleted before it is not.

        Raises: ViewBehind; LogUnavailable; StorageUnavailable; DatabaseUnavailable.
        """
        await self._catch_up()
        owner = Owner(query.project_id, query.end_user_id)
        matches = await in_database_thread(self._index.search, owner, query.text, recording_ids=query.recording_ids)
        found: list[Found] = []
        while matches and len(found) < query.limit:  # a second time only if some are gone
            found += await self._read(matches[: query.limit], owner)
            matches = matches[query.limit :]
        return found[: query.limit]

    async def _catch_up(self) -> None:
        try:
            await self._projection.wait_for(await self._log.newest_head(), seconds=VIEW_SECONDS)
        except TimeoutError:
            raise ViewBehind("search index") from None

    async def _read(self, matches: Sequence[Match], owner: Owner) -> list[Found]:
        """Those of the matches that are still there."""
        summaries = await self._queries.summaries({match.recording_id for match in matches})
        current = [match for match in matches if _is_current(match, summaries.get(match.recording_id), owner)]
        passages = await self._passages({match.recording_id: summaries[match.recording_id] for match in current})
        return [
            Found(
                match.recording_id,
                summaries[match.recording_id],
                match.transcript_sha256,
                match.place,
                passages[match.recording_id][match.place],
                match.score,
            )
            for match in current
            if match.place < len(passages.get(match.recording_id, ()))
        ]

    async def _passages(self, summaries: Mapping[UUID, RecordingSummary]) -> dict[UUID, list[Passage]]:
        """Each recording's passages, unless they were erased meanwhile."""
        read = await asyncio.gather(*(self._passages_of(summary) for summary in summaries.values()))
        pairs = zip(summaries, read, strict=True)
        return {recording_id: passages for recording_id, passages in pairs if passages is not None}

    async def _passages_of(self, summary: RecordingSummary) -> list[Passage] | None:
        if summary.transcribed is None:
            return None
        try:
            return await asyncio.to_thread(passages_of, await content_of(self._blobs, summary.transcribed.blob_key))
        except BlobNotFound:
            return None
        except (ValueError, KeyError, TypeError):  # it was damaged since it was indexed
            logger.exception("a transcript cannot be read", extra={"sha256": summary.transcribed.sha256})
            return None


def _is_current(match: Match, summary: RecordingSummary | None, owner: Owner) -> bool:
    """Whether the recording is there, the owner's, and still has the transcript that was indexed."""
    return (
        summary is not None
        and (summary.tenant_id, summary.end_user_id) == (owner.project_id, owner.end_user_id)
        and summary.transcribed is not None
        and summary.transcribed.sha256 == match.transcript_sha256
    )
