"""Builds the service from its settings and shuts it down again, in the order that loses nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from random import Random
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from adapters.ambient_sessions import AmbientSessionStore
from adapters.blobs.opening import open_store
from adapters.blobs.port import BlobStore
from adapters.claims.port import Claims
from adapters.directory.port import DirectoryStore
from adapters.directory.tables import DirectoryTables
from adapters.event_log.log import EventLog
from adapters.event_log.opening import open_log
from adapters.kept_answers import KeptAnswers
from adapters.keys import KeyStore
from adapters.note_orders import NoteOrderStore, concerns_orders
from adapters.one_thread import OneThread
from adapters.positions import PositionStore
from adapters.search.index import SearchIndex
from adapters.summaries import SummaryStore
from adapters.webhooks.addresses import AddressPolicy
from adapters.webhooks.sender import WebhookSender
from adapters.webhooks.signing import sealer_of_secrets
from adapters.webhooks.store import WebhookStore
from domain.session_summary import concerns_sessions
from service.application.ambient_sessions import AmbientSessions, SessionAnnouncements
from service.application.callers import Callers
from service.application.clock import Clock, utc_now
from service.application.consultations import Consultations
from service.application.device_tokens import DeviceTokens
from service.application.directory import Directory
from service.application.idempotency import Idempotency
from service.application.lifecycle import Lifecycle
from service.application.live_words import LiveWords
from service.application.metrics import Metrics
from service.application.note_edits import Notes
from service.application.note_orders import NoteOrdering, NoteOrderQueries, NoteOrders
from service.application.operating import Noted, Operating, Watched
from service.application.order_writing import OrderWriting
from service.application.project_keys import ProjectKeys
from service.application.project_metrics import ProjectMetrics
from service.application.queries import Queries
from service.application.recording_snapshots import RecordingSnapshots
from service.application.recordings import Recordings
from service.application.search_changes import SearchChanges
from service.application.searching import TranscriptSearch
from service.application.session_queries import SessionQueries
from service.application.stage_parts import StageParts
from service.application.stages import STAGES
from service.application.transcription_requests import TranscriptionRequests
from service.application.uploads import Uploads
from service.application.webhooks import Webhooks
from service.dialects.bota.rendering import recording_status
from service.dialects.bota.settings import BotaSettings
from service.dialects.bota.webhook_messages import messages_of, messages_of_order
from service.dialects.dorsum.settings import DorsumSettings
from service.dialects.http.event_streams import EventStreams
from service.dialects.http.limits import Limits
from service.dialects.http.parts import Parts
from service.dialects.http.signed_urls import UrlSigner
from service.dialects.registry import DIALECTS, client_ids_of, session_of
from service.followers.deletion import Deletion
from service.followers.event_feed import EventFeed
from service.followers.expirer import Expirer
from service.followers.head_start import HeadStart
from service.followers.note_order_follower import NoteOrderFollower
from service.followers.pace import PaceFollower
from service.followers.projector import Projector
from service.followers.pruner import Pruner
from service.followers.search_follower import SearchFollower
from service.followers.selective_projector import SelectiveProjector
from service.followers.supervision import Supervision
from service.followers.waker import Waker
from service.followers.webhook_delivery import WebhookDelivery
from service.followers.webhook_follower import WebhookFollower
from service.runtime.claiming import open_claims
from service.runtime.counts import OtherProcesses
from service.runtime.data_dir import owned_data_dir
from service.runtime.dev_credentials import settle_dev_credentials
from service.runtime.disk_metrics import DiskMetrics
from service.runtime.draining import Drain
from service.runtime.engines import order_writer
from service.runtime.housekeeping import erasers
from service.runtime.memory import give_back_what_is_free
from service.runtime.ownership import claim_database
from service.runtime.places import (
    ambient_sessions_place,
    answers_place,
    directory_place,
    keys_place,
    note_orders_place,
    positions_place,
    search_place,
    views_place,
    webhooks_place,
)
from service.runtime.presence import join_service
from service.runtime.quotas import open_quotas
from service.runtime.settings import Settings
from service.runtime.settling import open_settling
from service.runtime.shared_secrets import settle_own_secrets
from service.runtime.stage_work import (
    listening_process,
    live_recognition,
    open_workers,
    stage_followers,
    stage_parts_of,
    stage_policy,
)
from service.runtime.tasks import end_tasks

if TYPE_CHECKING:
    from service.followers.publisher import Publisher


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """All stores, open."""

    blobs: BlobStore
    log: EventLog
    recordings: Recordings
    sessions: AmbientSessions
    note_orders: NoteOrders
    keys: KeyStore
    summaries: SummaryStore
    note_order_view: NoteOrderStore
    session_view: AmbientSessionStore
    positions: PositionStore
    search_index: SearchIndex
    webhooks: WebhookStore
    webhooks_thread: OneThread
    directory: DirectoryStore
    kept_answers: KeptAnswers
    device_tokens: DeviceTokens
    directory_thread: OneThread


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningService:
    """The service with every follower running. `parts` is for the dialects, the rest for its operators."""

    parts: Parts
    stores: Stores
    projector: Projector
    note_order_view: SelectiveProjector
    session_view: SelectiveProjector
    search_follower: SearchFollower
    usage_view: Projector
    project_metrics: ProjectMetrics
    delivery: WebhookDelivery
    publisher: "Publisher | None"
    metrics: Metrics
    drain: Drain
    other_processes: OtherProcesses = field(default_factory=OtherProcesses)


@asynccontextmanager
async def open_service(settings: Settings, *, clock: Clock = utc_now) -> AsyncIterator[RunningService]:
    """The service's parts with every follower running, until the block ends.

    Raises: what `service.runtime.server` calls START_FAILURES.
    """
    async with AsyncExitStack() as opened:
        opened.enter_context(owned_data_dir(settings.data_dir))
        await join_service(opened, settings)
        followers: list[asyncio.Task[None]] = []
        claim_database(opened, settings, followers)
        service = await opened.enter_async_context(open_claimed(settings, followers, clock=clock))
        await settle_own_secrets(settings)
        yield service


@asynccontextmanager
async def open_claimed(
    settings: Settings, tasks: list["asyncio.Task[None]"], *, clock: Clock = utc_now, has_recovered: bool = False
) -> AsyncIterator[RunningService]:
    """As `open_service`, for a process that has the data directory and the database to itself.

    `tasks`: where the followers' are added. `has_recovered`: whether the blobs have been since this process started.
    """
    async with AsyncExitStack() as opened:
        metrics, random = Metrics(), Random()  # noqa: S311 - for jitter
        metrics.leads.set(1)
        metrics.registry.register(DiskMetrics(settings))
        for dialect in DIALECTS:
            metrics.chunk_bytes.labels(dialect.name)  # so that each series begins at 0
        stores = await _open_stores(opened, settings, clock=clock, metrics=metrics, has_recovered=has_recovered)
        dev_credentials = settle_dev_credentials(settings, stores.keys, new_id=_new_id)
        projector = Projector("summaries", stores.log, stores.summaries)
        note_order_view = SelectiveProjector("note_orders", stores.log, stores.note_order_view, concerns_orders)
        session_view = SelectiveProjector("ambient_sessions", stores.log, stores.session_view, concerns_sessions)
        search_follower = SearchFollower(
            stores.log, stores.search_index, SearchChanges(stores.blobs, stores.log.first_events)
        )
        waker = Waker(stores.log, stores.recordings)
        pace = PaceFollower(stores.log, clock=clock)
        sender = WebhookSender(AddressPolicy(allow_private=settings.section(BotaSettings).allows_private_webhooks))
        opened.push_async_callback(sender.close)
        delivery = WebhookDelivery(stores.webhooks, stores.webhooks_thread, sender, clock=clock, metrics=metrics)

        opened_quotas = open_quotas(opened, settings, stores.log, metrics=metrics)
        quotas, watched = opened_quotas.quotas, Watched()

        workers = open_workers(opened, settings)
        recognition = live_recognition(settings, workers)
        settling = open_settling(opened, settings)
        uploads = Uploads(
            stores.recordings,
            stores.blobs,
            quotas=quotas,
            clock=clock,
            metrics=metrics,
            settling=settling,
            most_bytes=settings.max_recording_bytes,
        )
        consultations = Consultations(
            stores.recordings,
            uploads,
            stores.blobs,
            recognition,
            waker,
            answer_within=timedelta(seconds=settings.section(DorsumSettings).dorsum_seconds),
            clock=clock,
        )
        opened.push_async_callback(consultations.close)
        queries = Queries(
            stores.recordings, log=stores.log, summaries=stores.summaries, projection=projector, blobs=stores.blobs
        )
        event_feed = EventFeed(stores.log, client_ids_of, queries.deleted)
        parts = Parts(
            uploads=uploads,
            queries=queries,
            changes=waker,
            pace=pace,
            live_words=LiveWords(waker.wake),
            search=TranscriptSearch(stores.search_index, search_follower, queries, log=stores.log, blobs=stores.blobs),
            lifecycle=Lifecycle(stores.recordings, clock=clock),
            transcription_requests=TranscriptionRequests(
                stores.recordings, engine=workers.engine, language=settings.language, clock=clock
            ),
            sessions=SessionAnnouncements(stores.sessions, stores.blobs, quotas=quotas, clock=clock),
            session_queries=SessionQueries(stores.session_view, session_view, log=stores.log),
            consultations=consultations,
            notes=Notes(stores.recordings, stores.blobs, quotas=quotas, settling=settling, clock=clock),
            note_ordering=NoteOrdering(stores.note_orders, stores.recordings, stores.blobs, quotas=quotas, clock=clock),
            note_orders=NoteOrderQueries(stores.note_order_view, note_order_view, log=stores.log, blobs=stores.blobs),
            webhooks=Webhooks(
                stores.webhooks, stores.webhooks_thread, sender, delivery, quotas=quotas, log=stores.log, clock=clock
            ),
            operating=Operating(
                watched,
                log=stores.log,
                summaries=stores.summaries,
                usage=opened_quotas.usage,
                quotas=quotas,
                clock=clock,
            ),
            directory=Directory(
                stores.directory, stores.device_tokens, stores.directory_thread, quotas=quotas, clock=clock
            ),
            idempotency=Idempotency(stores.kept_answers, stores.directory_thread, clock=clock, new_id=_new_id),
            callers=Callers(stores.keys, clock=clock),
            keys=ProjectKeys(stores.keys, clock=clock),
            scopes=[scope for dialect in DIALECTS for scope in dialect.scopes],
            limits=Limits.from_settings(settings),
            event_streams=EventStreams(settings.event_listeners, random=random),
            event_feed=event_feed,
            signer=UrlSigner.with_key_file(settings.data_dir / "signing.key"),
            settings=settings,
            dev_credentials=dev_credentials,
            clock=clock,
            new_id=_new_id,
        )

        stage_parts = stage_parts_of(
            settings, workers, recordings=stores.recordings, blobs=stores.blobs, clock=clock, random=random
        )
        webhook_follower = WebhookFollower(
            stores.webhooks,
            stores.webhooks_thread,
            delivery,
            messages_of,
            messages_of_order,
            log=stores.log,
            clock=clock,
        )
        views = (projector, note_order_view, session_view, search_follower, opened_quotas.view)
        followers = [(each.name, each.run) for each in (*views, waker, pace, event_feed, webhook_follower, delivery)]
        followers += _followers(
            settings,
            stores,
            stage_parts,
            watched,
            parts.live_words,
            claims=open_claims(opened, settings),
            metrics=metrics,
        )
        noted = (Noted(name, stores.positions) for name in (*STAGES, NoteOrderFollower.name, Deletion.name))
        publisher = _publisher(settings, stores, random=random, metrics=metrics)
        if publisher is not None:
            followers.append((publisher.name, publisher.run))
        watched.followers += (*views, webhook_follower, *noted)
        watched.publisher = publisher
        followers += erasers(
            settings,
            log=stores.log,
            recordings=stores.recordings,
            blobs=stores.blobs,
            settling=settling,
            positions=stores.positions,
            clock=clock,
        )
        pruner = Pruner(
            stores.device_tokens,
            stores.kept_answers,
            stores.directory_thread,
            files=(stores.summaries, stores.note_order_view, stores.session_view, stores.search_index),
            clock=clock,
        )
        followers.append((pruner.name, pruner.run))
        supervision = Supervision(stores.log, random)
        tasks += [asyncio.create_task(supervision.keep_running(name, run), name=name) for name, run in followers]
        opened.push_async_callback(end_tasks, tasks)
        opened.callback(asyncio.create_task(give_back_what_is_free(parts.limits.held)).cancel)
        drain = Drain()
        drain.when_begun(parts.event_streams.end)
        yield RunningService(
            parts=parts,
            stores=stores,
            projector=projector,
            note_order_view=note_order_view,
            session_view=session_view,
            search_follower=search_follower,
            usage_view=opened_quotas.view,
            project_metrics=opened_quotas.shown,
            delivery=delivery,
            publisher=publisher,
            metrics=metrics,
            drain=drain,
        )


def _new_id() -> str:
    return token_hex(16)


async def _open_stores(
    opened: AsyncExitStack, settings: Settings, *, clock: Clock, metrics: Metrics, has_recovered: bool
) -> Stores:
    is_shared = settings.serves_by_processes
    blobs = open_store(settings.blob_store_url, small_bytes=settings.segment_body_bytes)
    opened.push_async_callback(blobs.close)
    if not has_recovered:
        await asyncio.to_thread(blobs.recover)  # which compares an index with its bucket: the database is kept claimed
    found = open_log(settings.log_url)
    log = EventLog(
        found.recorder,
        on_commit=metrics.committed,
        on_commit_bytes=metrics.committed_bytes,
        on_commit_seconds=metrics.commit_seconds.observe,
        on_commit_failed=metrics.commit_failures.inc,
        is_shared=is_shared,
    )
    opened.push_async_callback(log.close)
    keys = KeyStore(keys_place(settings), clock=clock)
    opened.callback(keys.close)
    summaries = SummaryStore(views_place(settings), status_of=recording_status, begins_anew=True)
    opened.callback(summaries.close)
    positions = PositionStore(positions_place(settings))
    opened.callback(positions.close)
    note_order_view = NoteOrderStore(note_orders_place(settings), begins_anew=True)
    opened.callback(note_order_view.close)
    session_view = AmbientSessionStore(ambient_sessions_place(settings), session_of=session_of, begins_anew=True)
    opened.callback(session_view.close)
    search_index = SearchIndex(search_place(settings), begins_anew=True)
    opened.callback(search_index.close)
    for made_from_the_log in (summaries, positions, note_order_view, session_view, search_index):
        made_from_the_log.use_for(log.identity, log.newest_now)
    recordings = Recordings(
        log,
        snapshots=RecordingSnapshots(found.snapshots),
        is_shared=is_shared or settings.has_shared_stores,
    )
    opened.push_async_callback(recordings.close)
    sessions = AmbientSessions(log, is_shared=is_shared)
    opened.push_async_callback(sessions.close)
    note_orders = NoteOrders(log, is_shared=is_shared)
    opened.push_async_callback(note_orders.close)
    webhooks = WebhookStore(webhooks_place(settings), sealer_of_secrets(settings.data_dir / "webhooks.key"))
    opened.callback(webhooks.close)
    webhooks_thread = OneThread("webhooks")
    opened.callback(webhooks_thread.close)
    directory = DirectoryTables(directory_place(settings))
    opened.callback(directory.close)
    kept_answers = KeptAnswers.with_key_in(settings.data_dir, answers_place(settings))
    opened.callback(kept_answers.close)
    device_tokens = DeviceTokens(
        KeyStore(keys_place(settings), clock=clock), clock=clock, urls_valid_for=settings.upload_window
    )
    opened.callback(device_tokens.close)
    directory_thread = OneThread("directory")
    opened.callback(directory_thread.close)
    return Stores(
        blobs=blobs,
        log=log,
        recordings=recordings,
        sessions=sessions,
        note_orders=note_orders,
        keys=keys,
        summaries=summaries,
        note_order_view=note_order_view,
        session_view=session_view,
        positions=positions,
        search_index=search_index,
        webhooks=webhooks,
        webhooks_thread=webhooks_thread,
        directory=directory,
        kept_answers=kept_answers,
        device_tokens=device_tokens,
        directory_thread=directory_thread,
    )


Run = Callable[[], Coroutine[Any, Any, None]]


def _followers(
    settings: Settings,
    stores: Stores,
    stage_parts: StageParts,
    watched: Watched,
    live_words: LiveWords,
    *,
    claims: Claims,
    metrics: Metrics,
) -> Iterator[tuple[str, Run]]:
    """Names and run methods of the followers that act on recordings."""
    log, blobs, positions, clock = stores.log, stores.blobs, stores.positions, stage_parts.clock
    head_start = _head_start(settings, stores, stage_parts, live_words)
    deletion = Deletion(
        claims=claims,
        let_go=head_start.let_go,
        log=log,
        recordings=stores.recordings,
        blobs=blobs,
        positions=positions,
        clock=clock,
        random=stage_parts.random,
        metrics=metrics,
    )
    expirer = Expirer(log=log, recordings=stores.recordings, positions=positions, clock=clock)
    yield deletion.name, deletion.run
    yield expirer.name, expirer.run
    if head_start.listens:
        yield head_start.name, head_start.run
    for follower in stage_followers(
        settings,
        stage_parts,
        claims=claims,
        on_gone=deletion.erase,
        log=log,
        positions=positions,
        metrics=metrics,
    ):
        watched.stages.append(follower)
        yield follower.name, follower.run
    order_follower = NoteOrderFollower(
        OrderWriting(
            blobs,
            order_writer(settings),
            turns=stage_parts.note_turns,
            limit=stage_parts.note_limit,
            policy=stage_parts.note_policy,
            clock=clock,
            random=stage_parts.random,
        ).work,
        on_gone=deletion.erase,
        log=log,
        orders=stores.note_orders,
        recordings=stores.recordings,
        positions=positions,
        policy=stage_policy(settings),
        clock=clock,
        random=stage_parts.random,
        metrics=metrics,
    )
    yield order_follower.name, order_follower.run


def _head_start(settings: Settings, stores: Stores, stage_parts: StageParts, live_words: LiveWords) -> HeadStart:
    return HeadStart(
        settings.listened_count if stage_parts.engine.hears_parts else 0,
        partial(listening_process, settings),
        stage_parts,
        log=stores.log,
        recordings=stores.recordings,
        live=live_words,
    )


def _publisher(settings: Settings, stores: Stores, *, random: Random, metrics: Metrics) -> "Publisher | None":
    if settings.kafka is None:
        return None
    from service.runtime.publishing import open_publisher  # noqa: PLC0415 - Kafka's client is slow to import

    return open_publisher(settings, stores.log, positions=stores.positions, random=random, metrics=metrics)
