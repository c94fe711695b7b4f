"""Recordings with transcripts that a test makes up, as if an engine had heard them."""

import asyncio
from uuid import UUID, uuid4

from adapters.event_log.port import VersionConflict
from adapters.speech.transcript import Transcript, TranscriptSegment
from domain.events import Stage, Stitched, Transcribed
from service.application.blob_names import blob_prefix
from service.application.clock import utc_now
from service.runtime.assembly import Stores
from tests.domain.histories import TRANSCRIBED_FACTS, chunk, finalized, opened, retry_requested, stitched

SECONDS = 5.0


def transcript(*texts: str, speaker: str | None = None) -> Transcript:
    """Each text is said in five seconds, a minute after the one before."""
    segments = [
        TranscriptSegment(start=60.0 * number, end=60.0 * number + SECONDS, text=text, speaker=speaker)
        for number, text in enumerate(texts)
    ]
    return Transcript.of_segments(segments, language="en", engine="made up", provider=None, duration_ms=1)


class Spoken:
    """Appends to the log of a running service what its stages would have."""

    def __init__(self, stores: Stores, project_id: str) -> None:
        self._stores = stores
        self.project_id = project_id

    async def recording(self, *texts: str, speaker: str | None = None, **facts: object) -> UUID:
        """A completed one. `facts`: of its opening."""
        its_id = uuid4()
        heard = await self._transcribed(its_id, transcript(*texts, speaker=speaker))
        history = [opened(tenant_id=self.project_id, **facts), chunk(1), finalized(1), stitched_now(), heard]
        await self._stores.log.append(its_id, 0, history, trace_id=None)
        return its_id

    async def heard_again(self, its_id: UUID, *texts: str) -> None:
        """Its chunks were replaced, and stitching retried, up to another transcript, if there are texts for it."""
        history = [retry_requested(Stage.STITCH), stitched_now()]
        if texts:
            history.append(await self._transcribed(its_id, transcript(*texts)))
        while True:
            version = (await self._stores.log.history(its_id))[-1].version
            try:
                await self._stores.log.append(its_id, version, history, trace_id=None)
            except VersionConflict:  # where no transcript was given before, the service's own stage fails meanwhile
                continue
            return

    async def _transcribed(self, its_id: UUID, spoken: Transcript) -> Transcribed:
        prefix = blob_prefix(its_id, "transcript")
        blob = await asyncio.to_thread(self._stores.blobs.put_bytes, prefix, spoken.to_json())
        facts = {"blob_key": blob.key, "sha256": blob.sha256, "size_bytes": blob.size_bytes}
        return Transcribed(**TRANSCRIBED_FACTS | facts)


def stitched_now() -> Stitched:
    """So that the chunks are not due to be erased, which would add an event at any moment."""
    return stitched().model_copy(update={"at": utc_now()})
