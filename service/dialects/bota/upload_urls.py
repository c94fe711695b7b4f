"""Bota's signed upload URLs: one for all parts of a streamed recording (S), one for a file (P)."""

from datetime import datetime, timedelta
from uuid import UUID

from aiohttp import web

from domain.events import RecordingOpened
from domain.recording import Recording
from service.application.clock import Clock
from service.dialects.bota.identifiers import public_recording_id, recording_id_of
from service.dialects.http.signed_urls import UrlSigner

PATH = "/v1/uploads/{project_id}/{recording_id}/{file:[^/]+}"
_PURPOSE = "upload"


def accepts_until(recording: Recording, now: datetime, window: timedelta) -> datetime | None:
    """Until when a URL that is asked for now may be used; None if the recording accepts nothing more.

    (D) A complete recording that can be mended accepts replacements without end, but no URL is valid for longer than
    `window`: another can be asked for.
    """
    if recording.can_be_mended:
        return (now + window).replace(microsecond=0)
    is_open = recording.finalized is None and recording.failed is None and not recording.has_expired(now)
    return recording.opened.expires_at if is_open else None


class UploadUrls:
    """Makes and checks them. Unless `until` is given, each is valid for as long as its recording accepts uploads."""

    def __init__(self, signer: UrlSigner, *, base_url: str, clock: Clock) -> None:
        self._signer = signer
        self._base_url = base_url
        self._clock = clock

    def template(self, recording_id: UUID, opened: RecordingOpened, until: datetime | None = None) -> str:
        """One URL for all parts (S): it holds the literal `{part}` and its own signature."""
        return self._url(recording_id, opened, f"chunk_{{part}}.{opened.codec}", until)

    def of_file(self, recording_id: UUID, opened: RecordingOpened, until: datetime | None = None) -> str:
        """The URL of a whole file."""
        return self._url(recording_id, opened, "chunk_1.file", until)

    def _url(self, recording_id: UUID, opened: RecordingOpened, file: str, until: datetime | None) -> str:
        directory = f"{opened.tenant_id}/{public_recording_id(recording_id)}"
        query = self._signer.query(_PURPOSE, directory, until or opened.expires_at)
        return f"{self._base_url}/v1/uploads/{directory}/{file}?{query}"

    def check(self, request: web.Request) -> UUID:
        """The recording that the request's URL is for. Raises: SignatureRefused; RecordingNotFound."""
        directory = f"{request.match_info['project_id']}/{request.match_info['recording_id']}"
        self._signer.check_query(_PURPOSE, directory, request.query_string, now=self._clock())
        return recording_id_of(request.match_info["recording_id"])
