"""Bota's signed upload URLs: one for all parts of a streamed recording (S), one for a file (P)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

from aiohttp import web
from yarl import URL

from adapters.keys import Key
from domain.errors import RecordingExpired
from domain.events import RecordingOpened
from domain.recording import Recording
from service.application.callers import Callers
from service.application.clock import Clock
from service.dialects.bota import access
from service.dialects.bota.identifiers import public_recording_id, recording_id_of
from service.dialects.http.signed_urls import UrlSigner

PATH = "/v1/uploads/{project_id}/{recording_id}/{file:[^/]+}"
_PURPOSE = "upload"
_EXPECTED = "file_size_bytes"
_REMEMBERED_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a URL is for. `expected_bytes`: how large the file would be, if that was said when the URL was asked for.

    `made_with`: the id of the key that asked for it.
    """

    recording_id: UUID
    expected_bytes: int | None
    made_with: str | None


def check_not_expired(recording: Recording, now: datetime) -> None:
    """(D) A file that has arrived is completed also after its time. Raises: RecordingExpired."""
    is_complete = recording.finalized is not None or (recording.has_its_file and recording.failed is None)
    if recording.has_expired(now) and not is_complete:
        raise RecordingExpired(recording.opened.expires_at.isoformat())


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
    """Makes and checks them. Unless `until` is given, each is valid for as long as its recording accepts uploads; none
    is after the end of the key that it was made with."""

    def __init__(self, signer: UrlSigner, callers: Callers, *, base_url: str, clock: Clock) -> None:
        self._signer = signer
        self._callers = callers
        self._base_url = base_url
        self._clock = clock

    def template(self, key: Key, recording_id: UUID, opened: RecordingOpened, until: datetime | None = None) -> str:
        """One URL for all parts (S): it holds the literal `{part}` and its own signature."""
        return self._url(key, recording_id, opened, f"chunk_{{part}}.{opened.codec}", until=until)

    def of_file(
        self, key: Key, recording_id: UUID, opened: RecordingOpened, until: datetime, *, expected_bytes: int | None
    ) -> str:
        """The URL of a whole file, which carries how large it will be (D), if that is known."""
        return self._url(key, recording_id, opened, "chunk_1.file", until=until, expected_bytes=expected_bytes)

    def _url(
        self,
        key: Key,
        recording_id: UUID,
        opened: RecordingOpened,
        file: str,
        *,
        until: datetime | None,
        expected_bytes: int | None = None,
    ) -> str:
        directory = f"{opened.tenant_id}/{public_recording_id(recording_id)}"
        subject = _subject(directory, None if expected_bytes is None else str(expected_bytes))
        query = access.signed_query(self._signer, key, _PURPOSE, subject, until or opened.expires_at)
        expected = "" if expected_bytes is None else f"&{_EXPECTED}={expected_bytes}"
        return f"{self._base_url}/v1/uploads/{directory}/{file}?{query}{expected}"

    def check(self, request: web.Request) -> Allowed:
        """What the request's URL is for. Raises: SignatureRefused; RecordingNotFound."""
        directory = f"{request.match_info['project_id']}/{request.match_info['recording_id']}"
        expected, made_with = _told(request.rel_url.raw_query_string)
        purpose = access.purpose_by(_PURPOSE, made_with)
        self._signer.check_query(purpose, _subject(directory, expected), request.query_string, now=self._clock())
        recording_id = recording_id_of(request.match_info["recording_id"])
        return Allowed(recording_id, None if expected is None else int(expected), made_with)

    async def check_maker(self, allowed: Allowed, opened: RecordingOpened) -> None:
        """Raises: SignatureRefused if the key has ended that made the URL."""
        await access.check_maker(
            self._callers,
            allowed.made_with,
            tenant_id=opened.tenant_id,
            device_id=opened.device_id,
            end_user_id=opened.end_user_id,
        )


def _told(raw_query: str) -> tuple[str | None, str | None]:
    """The size that the query names, and the id of the key. Every chunk of a recording has the same query, so it is
    remembered, unless it is longer than those that are made here: anyone may send some."""
    return _remembered(raw_query) if len(raw_query) <= _REMEMBERED_CHARACTERS else _read(raw_query)


def _read(raw_query: str) -> tuple[str | None, str | None]:
    fields = URL.build(query_string=raw_query, encoded=True).query
    return fields.get(_EXPECTED), fields.get(access.MAKER)


_remembered = lru_cache(maxsize=1_024)(_read)


def _subject(directory: str, expected: str | None) -> str:
    return directory if expected is None else f"{directory} of {expected} bytes"
