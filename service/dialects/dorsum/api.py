"""Dorsum's handlers and what belongs to them."""

from aiohttp import web

from service.dialects.dorsum.edited_notes import EditedNotes
from service.dialects.dorsum.errors import ERRORS
from service.dialects.dorsum.reference import REFERENCE
from service.dialects.dorsum.settings import DorsumSettings
from service.dialects.dorsum.stored_chunks import StoredChunks
from service.dialects.dorsum.transcribe import Transcribe
from service.dialects.http.api import Api
from service.dialects.http.parts import Parts


def _install(app: web.Application, parts: Parts) -> None:
    settings = parts.settings.section(DorsumSettings)
    Transcribe(
        parts.consultations,
        parts.callers,
        parts.limits,
        max_chunks=settings.dorsum_max_chunks,
        window=settings.upload_window,
        largest_body_bytes=settings.dorsum_body_bytes,
    ).add_routes(app.router)
    EditedNotes(parts.notes, parts.callers, parts.limits).add_routes(app.router)
    StoredChunks(parts.queries, parts.lifecycle, parts.callers).add_routes(app.router)


API = Api(paths=("/api/consultations/",), errors=ERRORS, reference=REFERENCE, install=_install)
