"""Bota's whole-file upload (P): the same aggregate, with one chunk that is the file.

No digest that a client says is believed: the file's own is taken while its bytes come in, and `upload-complete`
compares. The PUT itself is that of a chunk.
"""

from uuid import UUID

import orjson
from aiohttp import web

from domain import commands
from domain.errors import RecordingExpired
from domain.events import ChunkStored, RecordingKind, RecordingOpened
from domain.recording import Recording
from domain.summary import evolve_summary
from service.application.trace import trace_id
from service.dialects.bota import access
from service.dialects.bota.answers import RecordingAnswer, UploadUrlAnswer
from service.dialects.bota.errors import ContentDiffers, NotWholeFileRecording, UploadNotVerified
from service.dialects.bota.identifiers import public_media_id, public_recording_id, recording_id_of
from service.dialects.bota.objects import recording_object
from service.dialects.bota.requests import CompleteUpload, CreateRecording, InvalidRequest, RequestUploadUrl, parse
from service.dialects.bota.view import View
from service.dialects.http.json_answers import json_answer, utc_text
from service.dialects.http.limits import whole_body
from service.runtime.deck import Deck


class WholeFile:
    """The handlers, over one deck."""

    def __init__(self, deck: Deck) -> None:
        self._deck = deck
        self._view = View(deck)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/v1/recordings/{recording_id}/upload-url", self.upload_url)
        router.add_post("/v1/recordings/{recording_id}/upload-complete", self.upload_complete)

    async def upload_url(self, request: web.Request) -> web.Response:
        """Where to PUT the file; good as long as the recording takes uploads, and asked for as often as one likes."""
        its_id, recording = await self._whole_file(request)
        asked = parse(RequestUploadUrl, await self._json_body(request))
        largest = self._deck.limits.chunk_bytes
        if asked.file_size_bytes > largest:
            raise InvalidRequest("file_size_bytes", f"A file has at most {largest} bytes here.")
        opened = recording.opened
        if recording.has_expired(self._deck.clock()):
            raise RecordingExpired(opened.expires_at.isoformat())
        directory = f"{opened.tenant_id}/{public_recording_id(its_id)}"
        query = self._deck.signer.query("upload", directory, opened.expires_at)
        answer = UploadUrlAnswer(
            media_id=public_media_id(its_id),
            upload_url=f"{self._deck.settings.base_url}/v1/uploads/{directory}/chunk_1.file?{query}",
            content_type=asked.content_type,
            headers={"Content-Type": asked.content_type},
            expires_at=utc_text(opened.expires_at),
        )
        return json_answer(answer)

    async def upload_complete(self, request: web.Request) -> web.Response:
        """The file is the recording's audio from here on. The same call again gets the same answer.

        What differs from what arrived is refused and changes nothing: the file can be PUT again.
        """
        its_id, recording = await self._whole_file(request)
        asked = parse(CompleteUpload, await self._json_body(request) or b"{}")
        file = _verified(recording, asked)
        command = commands.FinalizeRecording(at=self._deck.clock(), total_chunks=1, checksum_md5=file.md5)
        outcome = await self._deck.recordings.execute(its_id, command, trace_id=trace_id.get())
        return json_answer(await self._uploaded_answer(its_id, outcome.recording))

    async def _uploaded_answer(self, its_id: UUID, recording: Recording) -> RecordingAnswer:
        """The recording as it stood when its upload was completed, however far it has come since."""
        summary = evolve_summary(None, recording.opened)
        if recording.finalized is not None:
            summary = evolve_summary(summary, recording.finalized)
        return await self._view.recording_object(its_id, summary)

    async def _whole_file(self, request: web.Request) -> tuple[UUID, Recording]:
        """The recording asked for. Raises: Unauthorized, Forbidden; RecordingNotFound; NotWholeFileRecording."""
        key = access.permitted(request, self._deck, access.UPLOAD_FILE)
        its_id = recording_id_of(request.match_info["recording_id"])
        recording = await self._deck.recordings.find(its_id)
        opened = recording.opened
        access.check_owner(key, its_id, tenant_id=opened.tenant_id, device_id=opened.device_id)
        if opened.kind is not RecordingKind.WHOLE_FILE:
            raise NotWholeFileRecording
        return its_id, recording

    async def _json_body(self, request: web.Request) -> bytes:
        limits = self._deck.limits
        return await whole_body(request, limit_bytes=limits.json_bytes, seconds=limits.json_seconds)


def _verified(recording: Recording, asked: CompleteUpload) -> ChunkStored:
    """The file that arrived, which is the one that the client means. Raises: UploadNotVerified; ContentDiffers."""
    file = recording.chunks.get(1)
    if file is None:
        raise UploadNotVerified
    if asked.file_size_bytes is not None and asked.file_size_bytes != file.size_bytes:
        raise ContentDiffers(f"The file that arrived has {file.size_bytes} bytes, not {asked.file_size_bytes}.")
    if asked.content_sha256 is not None and asked.content_sha256.lower() != file.sha256:
        raise ContentDiffers(f"The file that arrived has the SHA-256 {file.sha256}, not the one that is given.")
    return file


def pending_answer(its_id: UUID, opened: RecordingOpened, asked: CreateRecording) -> RecordingAnswer:
    """A recording that has just been created, its file still to come."""
    details = orjson.dumps({"name": asked.name, "metadata": asked.metadata})
    return recording_object(its_id, evolve_summary(None, opened), details)
