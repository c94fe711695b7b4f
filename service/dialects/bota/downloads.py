"""Bota's download URLs (P): of the stitched audio; or (D), until that is made, of a whole file as it was uploaded."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from aiohttp import web

from adapters.blobs.port import BlobNotFound
from adapters.keys import Key
from domain.summary import RecordingSummary
from service.application.callers import Callers
from service.application.clock import Clock
from service.application.queries import Queries
from service.dialects.bota import access
from service.dialects.bota.answers import DownloadUrlAnswer
from service.dialects.bota.errors import AudioNotStored, MediaNotFound, no_audio
from service.dialects.bota.identifiers import public_media_id, public_recording_id, recording_id_of
from service.dialects.bota.requests import RequestDownloadUrl, parse
from service.dialects.bota.view import View
from service.dialects.http.json_answers import json_answer, utc_text
from service.dialects.http.limits import Limits
from service.dialects.http.serving import Part, ServedBytes, serve_bytes
from service.dialects.http.signed_urls import UrlSigner

_PURPOSE = "download"

_OF_THIS_SERVICE = ("Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since")

FILE_ENDINGS = {
    "audio/ogg": "opus",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/mpeg": "mp3",
    "audio/aac": "aac",
    "audio/mp4": "m4a",
    "audio/webm": "webm",
}


@dataclass(frozen=True, slots=True)
class _Audio:
    """The bytes that are a recording's audio now."""

    blob_key: str
    size_bytes: int
    sha256: str
    content_type: str


class Downloads:
    """The handlers. `window`: how long a download URL works.

    `redirect`: how long the blob store's own URL works that whole downloads are redirected to; None for no redirects.
    """

    def __init__(
        self,
        queries: Queries,
        callers: Callers,
        limits: Limits,
        signer: UrlSigner,
        *,
        base_url: str,
        window: timedelta,
        redirect: timedelta | None,
        clock: Clock,
    ) -> None:
        self._queries = queries
        self._callers = callers
        self._limits = limits
        self._signer = signer
        self._base_url = base_url
        self._window = window
        self._redirect = redirect
        self._clock = clock
        self._view = View(queries)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v1/recordings/{recording_id}/download-url", self.download_url)
        router.add_post("/v1/recordings/{recording_id}/download-url", self.download_url_of_media)
        router.add_get("/v1/downloads/{recording_id}.{ending}", self.download)

    async def download_url(self, request: web.Request) -> web.Response:
        """GET /v1/recordings/{id}/download-url."""
        key, recording_id, summary = await self._asked_for(request)
        return await self._answer(key, recording_id, summary)

    async def download_url_of_media(self, request: web.Request) -> web.Response:
        """POST /v1/recordings/{id}/download-url: the same, for the one medium that a recording has."""
        key, recording_id, summary = await self._asked_for(request)
        asked = parse(RequestDownloadUrl, await self._limits.json_body(request))
        if asked.media_id != public_media_id(recording_id):
            raise MediaNotFound
        return await self._answer(key, recording_id, summary)

    async def _asked_for(self, request: web.Request) -> tuple[Key, UUID, RecordingSummary]:
        key = await access.permitted(request, self._callers, access.READ_RECORDINGS)
        recording_id = recording_id_of(request.match_info["recording_id"])
        return key, recording_id, await self._view.summary(key, recording_id)

    async def _answer(self, key: Key, recording_id: UUID, summary: RecordingSummary) -> web.Response:
        audio = await self._audio(summary)
        public_id, expires_at = public_recording_id(recording_id), self._clock() + self._window
        query = access.signed_query(self._signer, key, _PURPOSE, public_id, expires_at)
        answer = DownloadUrlAnswer(
            media_id=public_media_id(recording_id),
            download_url=f"{self._base_url}/v1/downloads/{_file_name(recording_id, audio)}?{query}",
            expires_at=utc_text(expires_at.replace(microsecond=0)),
            expires_in=int(self._window.total_seconds()),
            content_type=audio.content_type,
            file_size_bytes=audio.size_bytes,
        )
        return json_answer(answer)

    async def download(self, request: web.Request) -> web.StreamResponse:
        """The audio, by a signed URL that needs no key."""
        public_id = request.match_info["recording_id"]
        made_with = request.query.get(access.MAKER)
        self._signer.check(access.purpose_by(_PURPOSE, made_with), public_id, request.query, now=self._clock())
        recording_id = recording_id_of(public_id)
        summary = await self._queries.summary(recording_id)
        await access.check_maker(self._callers, made_with, tenant_id=summary.tenant_id)
        audio = await self._audio(summary)
        if (elsewhere := await self._direct_url(request, audio)) is not None:
            return web.Response(status=302, headers={"Location": elsewhere, "Cache-Control": "no-store"})
        served = ServedBytes(
            parts=(Part(audio.blob_key, audio.size_bytes),),
            etag=audio.sha256,
            content_type=audio.content_type,
            file_name=_file_name(recording_id, audio),
        )
        try:
            return await serve_bytes(request, self._queries.read, served)
        except BlobNotFound:
            raise AudioNotStored from None

    async def _direct_url(self, request: web.Request, audio: _Audio) -> str | None:
        """Only a plain GET of all of it is redirected: ranges and conditions are about this service's answers."""
        is_whole = request.method == "GET" and not any(name in request.headers for name in _OF_THIS_SERVICE)
        if self._redirect is None or not is_whole:
            return None
        return await self._queries.direct_url(audio.blob_key, self._redirect)

    async def _audio(self, summary: RecordingSummary) -> _Audio:
        """Raises: NotReady, also while a streamed recording is being stitched anew."""
        stitched, file = summary.stitched, summary.file
        if stitched is not None:
            return _Audio(stitched.blob_key, stitched.size_bytes, stitched.sha256, stitched.content_type)
        is_verified = summary.finalized_at is not None and summary.failed is None
        if file is None or file.blob_key is None or not is_verified:
            raise no_audio(summary)
        return _Audio(file.blob_key, file.size_bytes, file.sha256, await self._queries.media_type(file))


def _file_name(recording_id: UUID, audio: _Audio) -> str:
    return f"{public_recording_id(recording_id)}.{FILE_ENDINGS.get(audio.content_type, 'audio')}"
