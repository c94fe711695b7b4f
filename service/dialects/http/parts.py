"""What a dialect's handlers are made from: the use cases, and what all of them need to speak HTTP.

A dialect gives each of its handlers what that handler needs, and no more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.application.ambient_sessions import SessionAnnouncements
from service.application.callers import Callers
from service.application.clock import Clock, NewId
from service.application.consultations import Consultations
from service.application.directory import Directory
from service.application.idempotency import Idempotency
from service.application.lifecycle import Lifecycle
from service.application.live_words import LiveWords
from service.application.note_edits import Notes
from service.application.note_orders import NoteOrdering, NoteOrderQueries
from service.application.operating import Operating
from service.application.progress import Changes, Pace
from service.application.project_keys import ProjectKeys
from service.application.queries import Queries
from service.application.searching import TranscriptSearch
from service.application.session_queries import SessionQueries
from service.application.transcription_requests import TranscriptionRequests
from service.application.uploads import Uploads
from service.application.webhooks import Webhooks
from service.dialects.http.event_streams import EventStreams
from service.dialects.http.limits import Limits
from service.dialects.http.settings import HttpSettings
from service.dialects.http.signed_urls import UrlSigner
from service.followers.event_feed import EventFeed


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Nothing in it is global, so several services can run in one process.

    `scopes`: those that a restricted key can have, of all dialects. `dev_credentials`: entries by the dialect's name;
    empty unless the service is for development.
    """

    uploads: Uploads
    queries: Queries
    changes: Changes
    pace: Pace
    live_words: LiveWords
    search: TranscriptSearch
    lifecycle: Lifecycle
    transcription_requests: TranscriptionRequests
    sessions: SessionAnnouncements
    session_queries: SessionQueries
    consultations: Consultations
    notes: Notes
    note_ordering: NoteOrdering
    note_orders: NoteOrderQueries
    webhooks: Webhooks
    operating: Operating
    directory: Directory
    idempotency: Idempotency
    callers: Callers
    keys: ProjectKeys
    scopes: Sequence[str]
    limits: Limits
    event_streams: EventStreams
    event_feed: EventFeed
    signer: UrlSigner
    settings: HttpSettings
    dev_credentials: Mapping[str, Mapping[str, str]]
    clock: Clock
    new_id: NewId


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadParts:
    """What each of several API processes has for the chunks that come to it."""

    uploads: Uploads
    callers: Callers
    limits: Limits
    signer: UrlSigner
    settings: HttpSettings
    clock: Clock
