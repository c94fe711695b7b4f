"""Bota's whole-file upload (P): the same aggregate, with one chunk that is the file.

Digests from clients are not trusted: the service computes the file's own while its bytes come in, and
`upload-complete` compares. The PUT itself is that of a chunk.
"""

from datetime import datetime, timedelta
from uuid import UUID

import orjson
from aiohttp import web

from adapters.keys import Key, KeyKind
from domain.errors import AlreadyFinalized
from domain.events import ChunkStored, RecordingKind, RecordingOpened
from domain.recording import Phase, Recording
from domain.summary import evolve_summary
from service.application.callers import Callers
from service.application.clock import Clock
from service.application.queries import Queries
from service.application.uploads import Uploads
from service.dialects.bota import access
from service.dialects.bota.answers import RecordingAnswer, UploadUrlAnswer
from service.dialects.bota.errors import ContentDiffers, NotWholeFileRecording, UploadNotVerified
from service.dialects.bota.identifiers import DIALECT, public_media_id, public_recording_id, recording_id_of
from service.dialects.bota.rendering import recording_answer
from service.dialects.bota.requests import CompleteUpload, CreateRecording, InvalidRequest, RequestUploadUrl, parse
from service.dialects.bota.upload_tokens import LIFE_AFTER_UPLOAD, UploadTokens
from service.dialects.bota.upload_urls import UploadUrls, accepts_until, check_not_expired
from service.dialects.bota.view import View
from service.dialects.http.json_answers import json_answer, utc_text
from service.dialects.http.limits import Limits


class WholeFile:
    """The handlers. `window`: how long the URL for another file is valid, where the first could not be used."""

    def __init__(
        self,
        uploads: Uploads,
        queries: Queries,
        callers: Callers,
        urls: UploadUrls,
        limits: Limits,
        *,
        tokens: UploadTokens,
        window: timedelta,
        clock: Clock,
    ) -> None:
        self._uploads = uploads
        self._queries = queries
        self._callers = callers
        self._urls = urls
        self._tokens = tokens
        self._limits = limits
        self._window = window
        self._clock = clock
        self._view = View(queries)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/v1/recordings/{recording_id}/upload-url", self.upload_url)
        router.add_post("/v1/recordings/{recording_id}/upload-complete", self.upload_complete)

    async def upload_url(self, request: web.Request) -> web.Response:
        """Where to PUT the file, and a token to complete it with; may be asked for repeatedly. (D) Also for a file that
        could not be used, to replace it; and for one that is complete, for a client that did not hear so: the same
        bytes are accepted again."""
        key, recording_id, recording = await self._whole_file(request)
        asked = parse(RequestUploadUrl, await self._limits.json_body(request) or b"{}")
        largest = self._limits.chunk_bytes
        if asked.file_size_bytes is not None and asked.file_size_bytes > largest:
            raise InvalidRequest("file_size_bytes", f"A file may have at most {largest} bytes here.")
        now = self._clock()
        check_not_expired(recording, now)
        if asked.file_size_bytes is not None and not recording.chunks:
            await self._uploads.check_room(
                key.project_id, asked.file_size_bytes
            )  # or it is told before anything is sent
        until = accepts_until(recording, now, self._window) or (now + self._window).replace(microsecond=0)
        answer = UploadUrlAnswer(
            media_id=public_media_id(recording_id),
            upload_url=self._urls.of_file(
                key, recording_id, recording.opened, until, expected_bytes=asked.file_size_bytes
            ),
            upload_token=await self._token(key, recording_id, until),
            content_type=asked.content_type,
            headers={"Content-Type": asked.content_type},
            expires_at=utc_text(until),
        )
        return json_answer(answer)

    async def _token(self, key: Key, recording_id: UUID, until: datetime) -> str:
        """A token that is asked for with an upload token lives no longer than that one: no token renews itself."""
        expires_at = until + LIFE_AFTER_UPLOAD
        if key.kind is KeyKind.UPLOAD and key.expires_at is not None:
            expires_at = min(expires_at, key.expires_at)
        return await self._tokens.issue(recording_id, key.root_id, expires_at)

    async def upload_complete(self, request: web.Request) -> web.Response:
        """From here on the file is the recording's audio. The same call again gets the same answer, also (D) for a file
        that was completed by itself, and for one that has replaced a file that could not be used: retry then stitches
        it.

        If the request differs from what arrived, it is refused and changes nothing: the file can be PUT again.
        """
        _, recording_id, recording = await self._whole_file(request)
        asked = parse(CompleteUpload, await self._limits.json_body(request) or b"{}")
        if asked.recording_id not in (None, public_recording_id(recording_id)):
            raise InvalidRequest("recording_id", "This must be the recording of the path, or be left out.")
        check_not_expired(recording, self._clock())
        file = _verified(recording, asked)
        if recording.finalized is None:
            recording = await self._completed(recording_id, file, asked)
        return json_answer(await self._uploaded_answer(recording_id, recording))

    async def _completed(self, recording_id: UUID, file: ChunkStored, asked: CompleteUpload) -> Recording:
        """The recording with this file declared to be all of it, now or by another call a moment ago."""
        seconds = asked.duration_seconds
        duration_ms = None if seconds is None else round(seconds * 1000)
        try:
            return await self._uploads.finalize(
                recording_id, total_chunks=1, final_duration_ms=duration_ms, checksum_md5=file.md5
            )
        except AlreadyFinalized:  # with another duration, or another file that was PUT meanwhile
            recording = await self._queries.recording(recording_id)
            _verified(recording, asked)
            return recording

    async def _uploaded_answer(self, recording_id: UUID, recording: Recording) -> RecordingAnswer:
        """The recording as it was when its upload was completed, however far it has come since; but with today's file,
        if that has replaced one that could not be used."""
        summary = evolve_summary(None, recording.opened)
        if (file := recording.chunks.get(1)) is not None:
            summary = evolve_summary(summary, file)
        if recording.finalized is not None:
            summary = evolve_summary(summary, recording.finalized)
        of_todays_file = summary.model_copy(update={"suspect_chunks": recording.suspect_chunks()})
        return await self._view.recording_answer(recording_id, of_todays_file)

    async def _whole_file(self, request: web.Request) -> tuple[Key, UUID, Recording]:
        """Who asks, and for which recording.

        Raises: Unauthorized, Forbidden; RecordingNotFound; NotWholeFileRecording; RecordingExpired.
        """
        key = await access.permitted(request, self._callers, access.UPLOAD_FILE)
        recording_id = recording_id_of(request.match_info["recording_id"])
        recording = await self._view.recording(key, recording_id)
        if recording.opened.kind is not RecordingKind.WHOLE_FILE:
            if recording.phase is Phase.EXPIRED:
                check_not_expired(recording, self._clock())
            raise NotWholeFileRecording(is_elsewhere=recording.opened.dialect != DIALECT)
        return key, recording_id, recording


def _verified(recording: Recording, asked: CompleteUpload) -> ChunkStored:
    """The file that arrived, if it is the one that the client means. Raises: UploadNotVerified; ContentDiffers."""
    file = recording.chunks.get(1)
    if file is None:
        raise UploadNotVerified
    if asked.file_size_bytes is not None and asked.file_size_bytes != file.size_bytes:
        raise ContentDiffers(f"The file that arrived has {file.size_bytes} bytes, not {asked.file_size_bytes}.")
    if asked.content_sha256 is not None and asked.content_sha256.lower() != file.sha256:
        raise ContentDiffers(f"The file that arrived has the SHA-256 {file.sha256}, not the given one.")
    return file


def pending_answer(recording_id: UUID, opened: RecordingOpened, asked: CreateRecording) -> RecordingAnswer:
    """A newly created recording whose file is still to come."""
    details = orjson.dumps({"name": asked.name, "metadata": asked.metadata})
    return recording_answer(recording_id, evolve_summary(None, opened), details)
