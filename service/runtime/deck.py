"""The running service's parts, put together once and handed to whatever serves requests or follows the log."""

from collections.abc import Callable
from dataclasses import dataclass

from adapters.blobs.port import BlobStore
from adapters.event_log.log import EventLog
from adapters.keys import KeyStore
from adapters.one_thread import OneThread
from adapters.summaries import SummaryStore
from adapters.tokens.verification import TokenVerifier
from adapters.webhooks.sender import WebhookSender
from adapters.webhooks.store import WebhookStore
from service.application.ambient_sessions import AmbientSessions
from service.application.clock import Clock
from service.application.consultations import Consultations
from service.application.metrics import Metrics
from service.application.recordings import Recordings
from service.dialects.dragon.dev_issuer import DevIssuer
from service.dialects.http.limits import Limits
from service.dialects.http.signed_urls import UrlSigner
from service.followers.projector import Projector
from service.followers.webhook_delivery import WebhookDelivery
from service.runtime.settings import Settings

NewId = Callable[[], str]
"""Gives a new random name of 128 bits in hex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookParts:
    """What webhooks need. The store is for the one thread."""

    store: WebhookStore
    thread: OneThread
    sender: WebhookSender
    delivery: WebhookDelivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Deck:
    """Everything a request handler may need. Nothing in it is global, so several services can run in one process."""

    settings: Settings
    limits: Limits
    clock: Clock
    new_id: NewId
    log: EventLog
    recordings: Recordings
    sessions: AmbientSessions
    blobs: BlobStore
    keys: KeyStore
    tokens: TokenVerifier
    dev_issuer: DevIssuer | None
    summaries: SummaryStore
    projector: Projector
    signer: UrlSigner
    metrics: Metrics
    webhooks: WebhookParts
    consultations: Consultations
