"""The note of a recording by itself, its correction by a person, and its versions (D).

Bota's own recordings have none; those that came by Dorsum's API have, and a key of their project reads them here.
"""

from uuid import UUID

from aiohttp import web

from adapters.keys import Key
from domain.recording import Recording
from service.application.callers import Callers
from service.application.note_edits import NoSuchVersion, Notes, ShownNote
from service.dialects.bota import access
from service.dialects.bota.access import Permission
from service.dialects.bota.answers import NoteAnswer, NoteVersionsAnswer
from service.dialects.bota.identifiers import public_recording_id, recording_id_of
from service.dialects.bota.requests import parse
from service.dialects.http.json_answers import json_answer
from service.dialects.http.limits import Limits
from service.dialects.http.notes import (
    EditNoteRequest,
    edit_asked_for,
    note_answer,
    note_fields,
    version_answer,
    version_asked_for,
)


class RecordingNotes:
    """The handlers. A note is written of the words, so that the scopes are those of summaries."""

    def __init__(self, notes: Notes, callers: Callers, limits: Limits) -> None:
        self._notes = notes
        self._callers = callers
        self._limits = limits

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v1/recordings/{recording_id}/note", self.note)
        router.add_put("/v1/recordings/{recording_id}/note", self.edit)
        router.add_get("/v1/recordings/{recording_id}/note/versions", self.versions)
        router.add_get("/v1/recordings/{recording_id}/note/versions/{number}", self.version)

    async def note(self, request: web.Request) -> web.Response:
        """As it is now."""
        _, recording_id, recording = await self._recording(request, access.READ_SUMMARIES)
        return _note_answer(request, recording_id, await self._notes.now(recording))

    async def edit(self, request: web.Request) -> web.Response:
        """The note as it is to be. The answer is that of a GET after it."""
        key, recording_id, _ = await self._recording(request, access.WRITE_SUMMARIES)
        asked = parse(EditNoteRequest, await self._limits.json_body(request))
        edited = await self._notes.edit(recording_id, edit_asked_for(request, asked, key_id=key.root_id))
        return _note_answer(request, recording_id, edited)

    async def versions(self, request: web.Request) -> web.Response:
        """Which there are, when they were stored and by whom, oldest first."""
        _, recording_id, recording = await self._recording(request, access.READ_SUMMARIES)
        versions = [version_answer(version) for version in self._notes.versions(recording)]
        return json_answer(NoteVersionsAnswer(recording_id=public_recording_id(recording_id), data=versions))

    async def version(self, request: web.Request) -> web.Response:
        """A version and its words."""
        _, recording_id, recording = await self._recording(request, access.READ_SUMMARIES)
        number = version_asked_for(request)
        if number is None:
            raise NoSuchVersion
        return _note_answer(request, recording_id, await self._notes.version(recording, number))

    async def _recording(self, request: web.Request, permission: Permission) -> tuple[Key, UUID, Recording]:
        """Raises: Unauthorized, Forbidden; RecordingNotFound."""
        key = await access.permitted(request, self._callers, permission)
        recording_id = recording_id_of(request.match_info["recording_id"])
        recording = await self._notes.recording(recording_id)
        opened = recording.opened
        access.check_owner(key, recording_id, tenant_id=opened.tenant_id, device_id=opened.device_id)
        return key, recording_id, recording


def _note_answer(request: web.Request, recording_id: UUID, note: ShownNote) -> web.Response:
    body = NoteAnswer(recording_id=public_recording_id(recording_id), **note_fields(note))
    return note_answer(request, note, body)
