"""The note of a session by itself, its correction by a person, and its versions (D)."""

import orjson
from aiohttp import web
from pydantic import ValidationError

from adapters.keys import Key
from domain.identity import recording_id
from domain.recording import Recording
from service.application.bounded_json import JsonTooDeep, check_bounds
from service.application.callers import Callers
from service.application.note_edits import Notes, ShownNote
from service.dialects.dorsum import access
from service.dialects.dorsum.answers import SessionNoteAnswer, SessionNoteVersionsAnswer
from service.dialects.dorsum.names import DIALECT
from service.dialects.dorsum.requests import InvalidRequest, session_named
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
from service.dialects.http.wrong_values import shown


class EditedNotes:
    """The handlers."""

    def __init__(self, notes: Notes, callers: Callers, limits: Limits) -> None:
        self._notes = notes
        self._callers = callers
        self._limits = limits

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/api/consultations/{session_id}/note", self.note)
        router.add_put("/api/consultations/{session_id}/note", self.edit)
        router.add_get("/api/consultations/{session_id}/note/versions", self.versions)
        router.add_get("/api/consultations/{session_id}/note/versions/{number}", self.version)

    async def note(self, request: web.Request) -> web.Response:
        """GET /api/consultations/{session_id}/note: as it is now."""
        name, recording = await self._session(request)
        return _note_answer(request, name, await self._notes.now(recording))

    async def edit(self, request: web.Request) -> web.Response:
        """PUT /api/consultations/{session_id}/note: the note as it is to be. The answer is that of a GET after it."""
        key, name = await self._caller(request)
        its_id = recording_id(DIALECT, key.project_id, name)
        await self._notes.recording(its_id)  # before the body is asked for
        asked = _edit_in(await self._limits.json_body(request))
        edited = await self._notes.edit(its_id, edit_asked_for(request, asked, key_id=key.root_id))
        return _note_answer(request, name, edited)

    async def versions(self, request: web.Request) -> web.Response:
        """GET /api/consultations/{session_id}/note/versions: oldest first."""
        name, recording = await self._session(request)
        versions = [version_answer(version) for version in self._notes.versions(recording)]
        return json_answer(SessionNoteVersionsAnswer(session_id=name, versions=versions))

    async def version(self, request: web.Request) -> web.Response:
        """GET /api/consultations/{session_id}/note/versions/{number}."""
        name, recording = await self._session(request)
        number = version_asked_for(request)
        if number is None:
            asked = request.match_info["number"]
            raise InvalidRequest(f"number: This must be a version's number, not {asked[:40]!r}.")
        return _note_answer(request, name, await self._notes.version(recording, number))

    async def _session(self, request: web.Request) -> tuple[str, Recording]:
        """Raises: BadKeys; InvalidRequest; RecordingNotFound."""
        key, name = await self._caller(request)
        return name, await self._notes.recording(recording_id(DIALECT, key.project_id, name))

    async def _caller(self, request: web.Request) -> tuple[Key, str]:
        """The API key, and what the session is called. Raises: BadKeys; InvalidRequest."""
        key = await access.permitted(request, self._callers)
        return key, session_named(request.match_info["session_id"])


def _note_answer(request: web.Request, name: str, note: ShownNote) -> web.Response:
    return note_answer(request, note, SessionNoteAnswer(session_id=name, **note_fields(note)))


def _edit_in(body: bytes) -> EditNoteRequest:
    """Raises: InvalidRequest, which names the field; JsonTooLarge."""
    try:
        check_bounds(body)
        given = orjson.loads(body)
    except JsonTooDeep as error:
        raise InvalidRequest(str(error)) from None
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"The body is not JSON: {error}.") from None
    try:
        return EditNoteRequest.model_validate(given)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "The body"
        if first["type"] == "missing":
            raise InvalidRequest(f"{field}: This field is required.") from None
        raise InvalidRequest(
            f"{field}: {first['msg'].removeprefix('Value error, ')}, not {shown(first['input'])}."
        ) from None
