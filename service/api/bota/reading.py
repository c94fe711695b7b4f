"""Bota's reading side: the recording, its transcription, audio and history; and asking for a failed stage again."""

from typing import Any
from uuid import UUID

from aiohttp import web

from adapters.keys import Key
from adapters.speech.transcript import Transcript
from domain.commands import DeleteRecording, RetryRecording
from domain.errors import RecordingNotFound
from domain.events import LoggedEvent, Stitched
from domain.summary import RecordingSummary, Standing
from service.api.bota import access
from service.api.bota.errors import NotReady, TranscriptionNotFound, ViewBehind
from service.api.bota.identifiers import public_recording_id, recording_id_of, recording_id_of_transcription
from service.api.bota.objects import recording_object, transcription_object
from service.api.json_answers import json_answer, utc_text
from service.api.serving import ServedBlob, serve_blob
from service.deck import Deck
from service.logs import trace_id

VIEW_SECONDS = 5.0
"""How long a query waits for the view to have seen every write that was answered before it."""

CONTENT_FIELDS = {"blob_key", "details_key"}
"""Fields of an event that say where we keep something: nobody's business outside."""

FILE_ENDINGS = {
    "audio/ogg": "opus",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/mpeg": "mp3",
    "audio/aac": "aac",
    "audio/mp4": "m4a",
    "audio/webm": "webm",
}


class Reading:
    """The handlers, over one deck."""

    def __init__(self, deck: Deck) -> None:
        self._deck = deck

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v1/recordings/{recording_id}", self.recording)
        router.add_delete("/v1/recordings/{recording_id}", self.delete)
        router.add_get("/v1/recordings/{recording_id}/events", self.events)
        router.add_post("/v1/recordings/{recording_id}/retry", self.retry)
        router.add_get("/v1/recordings/{recording_id}/download-url", self.download_url)
        router.add_get("/v1/downloads/{recording_id}.{ending}", self.download)
        router.add_get("/v1/transcriptions/{transcription_id}", self.transcription)

    async def recording(self, request: web.Request) -> web.Response:
        key = access.permitted(request, self._deck, access.RECORDINGS_READ)
        return await self._recording_answer(key, request.match_info["recording_id"])

    async def _recording_answer(self, key: Key, public_id: str, *, status: int = 200) -> web.Response:
        its_id = recording_id_of(public_id)
        summary = await self.summary(key, its_id)
        details = await self._blob(summary.details_key) if summary.details_key else None
        return json_answer(recording_object(its_id, summary, details), status=status)

    async def transcription(self, request: web.Request) -> web.Response:
        key = access.permitted(request, self._deck, access.TRANSCRIPTIONS_READ)
        try:
            its_id = recording_id_of_transcription(request.match_info["transcription_id"])
            summary = await self.summary(key, its_id)
        except RecordingNotFound:
            raise TranscriptionNotFound from None
        if summary.finalized_at is None:
            raise TranscriptionNotFound
        transcribed = summary.transcribed
        transcript = Transcript.from_json(await self._blob(transcribed.blob_key)) if transcribed else None
        return json_answer(transcription_object(its_id, summary, transcript))

    async def events(self, request: web.Request) -> web.Response:
        """The history (D), one fact after another, without what only we need to find the content."""
        key = access.permitted(request, self._deck, access.RECORDINGS_READ)
        its_id = recording_id_of(request.match_info["recording_id"])
        await self.summary(key, its_id)
        history = await self._deck.log.history(its_id)
        return json_answer({"data": [_event_object(recorded.version, recorded.event) for recorded in history]})

    async def retry(self, request: web.Request) -> web.Response:
        """Try a failed stage again (D); 202 with the recording."""
        key = access.permitted(request, self._deck, access.RECORDINGS_WRITE)
        public_id = request.match_info["recording_id"]
        its_id = recording_id_of(public_id)
        await self.summary(key, its_id)
        await self._deck.recordings.execute(its_id, RetryRecording(at=self._deck.clock()), trace_id=trace_id.get())
        return await self._recording_answer(key, public_id, status=202)

    async def delete(self, request: web.Request) -> web.Response:
        """The recording is gone when this answers; its bytes are erased right after (P)."""
        key = access.permitted(request, self._deck, access.RECORDINGS_WRITE)
        its_id = recording_id_of(request.match_info["recording_id"])
        await self.summary(key, its_id)
        await self._deck.recordings.execute(its_id, DeleteRecording(at=self._deck.clock()), trace_id=trace_id.get())
        return web.Response(status=204)

    async def download_url(self, request: web.Request) -> web.Response:
        key = access.permitted(request, self._deck, access.RECORDINGS_READ)
        its_id = recording_id_of(request.match_info["recording_id"])
        summary = await self.summary(key, its_id)
        stitched = summary.stitched
        if stitched is None:
            raise NotReady("The recording's audio is not stitched yet; ask again when its status is processing.")
        public_id = public_recording_id(its_id)
        window = self._deck.settings.download_window
        query = self._deck.signer.query("download", public_id, self._deck.clock() + window)
        return json_answer(
            {
                "download_url": f"{self._deck.settings.base_url}/v1/downloads/{_file_name(its_id, stitched)}?{query}",
                "expires_in": int(window.total_seconds()),
                "content_type": stitched.content_type,
                "file_size_bytes": stitched.size_bytes,
            }
        )

    async def download(self, request: web.Request) -> web.StreamResponse:
        """The stitched audio, by a signed URL that needs no key."""
        public_id = request.match_info["recording_id"]
        self._deck.signer.check("download", public_id, request.query, now=self._deck.clock())
        its_id = recording_id_of(public_id)
        stitched = (await self._deck.recordings.find(its_id)).stitched
        if stitched is None:
            raise RecordingNotFound
        blob = ServedBlob(
            key=stitched.blob_key,
            size_bytes=stitched.size_bytes,
            sha256=stitched.sha256,
            content_type=stitched.content_type,
            file_name=_file_name(its_id, stitched),
        )
        return await serve_blob(request, self._deck.blobs, blob)

    async def summary(self, key: Key, its_id: UUID) -> RecordingSummary:
        """The view's row, which has seen every write answered before. Raises: RecordingNotFound; ViewBehind."""
        try:
            await self._deck.projector.wait_for(self._deck.log.head, seconds=VIEW_SECONDS)
        except TimeoutError:
            raise ViewBehind from None
        summary = self._deck.summaries.find(its_id)
        if summary is None or summary.standing is Standing.DELETED:
            raise RecordingNotFound
        access.check_owner(key, tenant_id=summary.tenant_id, device_id=summary.device_id)
        return summary

    async def _blob(self, key: str) -> bytes:
        return b"".join([block async for block in self._deck.blobs.read(key)])


def _file_name(its_id: UUID, stitched: Stitched) -> str:
    return f"{public_recording_id(its_id)}.{FILE_ENDINGS.get(stitched.content_type, 'audio')}"


def _event_object(version: int, event: LoggedEvent) -> dict[str, Any]:
    return {
        "version": version,
        "type": type(event).__name__,
        "at": utc_text(event.at),
        "data": event.model_dump(mode="json", exclude={"at", *CONTENT_FIELDS}),
    }
