"""Bota's handlers and what belongs to them."""

from aiohttp import web

from service.dialects.bota.chunk_puts import ChunkPuts
from service.dialects.bota.directory.config import Config
from service.dialects.bota.directory.devices import DeviceEndpoints
from service.dialects.bota.directory.end_users import EndUserEndpoints
from service.dialects.bota.downloads import Downloads
from service.dialects.bota.encrypted import Encrypted
from service.dialects.bota.errors import ERRORS
from service.dialects.bota.events import Events
from service.dialects.bota.health import Health
from service.dialects.bota.idempotency import Once
from service.dialects.bota.keys.handlers import KeyEndpoints
from service.dialects.bota.live.feeds import Feeds
from service.dialects.bota.live.handlers import Live
from service.dialects.bota.notes import RecordingNotes
from service.dialects.bota.operating.handlers import OperationsEndpoint
from service.dialects.bota.rate_limits import rate_limits, tell_rate
from service.dialects.bota.reading import Reading
from service.dialects.bota.reference import REFERENCE
from service.dialects.bota.search.handlers import Search
from service.dialects.bota.sessions.handlers import AmbientSessionEndpoints
from service.dialects.bota.settings import BotaSettings
from service.dialects.bota.stored_chunks import StoredChunks
from service.dialects.bota.streaming import Streaming
from service.dialects.bota.transcriptions import Transcriptions
from service.dialects.bota.upload_tokens import UploadTokens
from service.dialects.bota.upload_urls import UploadUrls
from service.dialects.bota.view import View
from service.dialects.bota.webhooks import WebhookEndpoints
from service.dialects.bota.whole_file import WholeFile
from service.dialects.bota.written_summaries.handlers import Summaries
from service.dialects.http.api import Api
from service.dialects.http.parts import Parts, UploadParts


def _install(app: web.Application, parts: Parts) -> None:
    settings, clock = parts.settings.section(BotaSettings), parts.clock
    uploads, queries, limits, tokens = (
        parts.uploads,
        parts.queries,
        parts.limits,
        UploadTokens(parts.signer, parts.callers),
    )
    callers = parts.callers.and_also(tokens.key)
    directory, once = parts.directory, Once(parts.idempotency, callers, limits)
    urls = UploadUrls(parts.signer, callers, base_url=settings.base_url, clock=clock)
    app.middlewares.append(rate_limits(callers, per_minute=settings.requests_per_minute, clock=clock))
    app.on_response_prepare.append(tell_rate)
    handlers = (
        Streaming(
            uploads,
            queries,
            callers,
            urls,
            limits,
            max_chunks=settings.max_chunks,
            window=settings.upload_window,
            clock=clock,
            new_id=parts.new_id,
        ),
        ChunkPuts(uploads, urls, limits),
        WholeFile(uploads, queries, callers, urls, limits, tokens=tokens, window=settings.upload_window, clock=clock),
        StoredChunks(queries, callers),
        Reading(queries, parts.lifecycle, callers, parts.pace),
        Events(parts.event_feed, parts.event_streams, View(queries), callers),
        Live(Feeds(parts.changes, queries, parts.pace, parts.live_words), parts.event_streams, View(queries), callers),
        Downloads(
            queries,
            callers,
            limits,
            parts.signer,
            base_url=settings.base_url,
            window=settings.download_window,
            redirect=settings.download_redirect,
            clock=clock,
        ),
        Search(parts.search, callers, limits),
        Transcriptions(queries, parts.transcription_requests, callers, limits),
        Summaries(parts.note_ordering, parts.note_orders, queries, callers, limits, new_id=parts.new_id),
        RecordingNotes(parts.notes, callers, limits),
        WebhookEndpoints(parts.webhooks, callers, limits, once, new_id=parts.new_id),
        EndUserEndpoints(directory.end_users, callers, limits, once, new_id=parts.new_id),
        DeviceEndpoints(directory.devices, callers, limits, once, new_id=parts.new_id),
        Config(directory, queries, callers, max_chunks=settings.max_chunks, window=settings.upload_window),
        Encrypted(queries, directory.devices, callers),
        AmbientSessionEndpoints(parts.session_queries, queries, callers),
        OperationsEndpoint(parts.operating, callers),
        KeyEndpoints(parts.keys, callers, limits, scopes=parts.scopes),
        Health(queries),
    )
    for handler in handlers:
        handler.add_routes(app.router)


def _install_uploads(app: web.Application, parts: UploadParts) -> None:
    settings, clock = parts.settings.section(BotaSettings), parts.clock
    urls = UploadUrls(parts.signer, parts.callers, base_url=settings.base_url, clock=clock)
    app.middlewares.append(rate_limits(parts.callers, per_minute=None, clock=clock))
    app.on_response_prepare.append(tell_rate)
    ChunkPuts(parts.uploads, urls, parts.limits).add_routes(app.router)


API = Api(
    paths=("/v1/", "/health"),
    errors=ERRORS,
    reference=REFERENCE,
    install=_install,
    install_uploads=_install_uploads,
)
