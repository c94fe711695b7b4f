"""Puts the service together from its settings and takes it apart again, in the order that loses nothing."""

import asyncio
import fcntl
import logging
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from secrets import token_hex

from adapters.blobs.opening import open_store
from adapters.blobs.port import BlobStore
from adapters.event_log.log import EventLog
from adapters.event_log.opening import open_log
from adapters.keys import KeyStore
from adapters.notes.extractive import ExtractiveNoteWriter
from adapters.notes.note import NoteWriter
from adapters.notes.openai_writer import OpenAINoteWriter
from adapters.one_thread import OneThread
from adapters.positions import PositionStore
from adapters.private_files import make_private_directory
from adapters.speech.opening import EngineSpec, build_engine, preload
from adapters.speech.port import require_language
from adapters.summaries import SummaryStore
from adapters.tokens.signing import SigningKey
from adapters.webhooks.addresses import AddressPolicy
from adapters.webhooks.sender import WebhookSender
from adapters.webhooks.signing import Sealer
from adapters.webhooks.store import WebhookStore
from adapters.worker_processes import WorkerProcesses
from domain.events import Stage
from service.application.ambient_sessions import AmbientSessions
from service.application.clock import Clock, utc_now
from service.application.consultations import Consultations, SessionLimits
from service.application.live_recognition import LiveRecognition
from service.application.metrics import Metrics
from service.application.note_writing import NoteWork
from service.application.processing import StageWork
from service.application.recording_snapshots import RecordingSnapshots
from service.application.recordings import Recordings
from service.application.retry import RetryPolicy
from service.dialects.bota.objects import recording_status
from service.dialects.bota.webhook_messages import messages_of
from service.dialects.dragon.dev_issuer import DevIssuer, signing_key_path
from service.dialects.dragon.trust import open_trust
from service.dialects.http.limits import Limits
from service.dialects.http.signed_urls import UrlSigner
from service.followers.eraser import DELETED_RECORDINGS, STITCHED_CHUNKS, Eraser
from service.followers.expirer import Expirer
from service.followers.projector import Projector
from service.followers.publisher import open_publisher
from service.followers.stage_follower import StageFollower, Work
from service.followers.supervision import keep_running
from service.followers.waker import Waker
from service.followers.webhook_delivery import WebhookDelivery
from service.followers.webhook_follower import WebhookFollower
from service.runtime.deck import Deck, NewId, WebhookParts
from service.runtime.dev_credentials import development_client, settle_dev_credentials
from service.runtime.settings import Settings

logger = logging.getLogger(__name__)


class DataDirInUse(Exception):
    def __init__(self, data_dir: Path) -> None:
        super().__init__(
            f"Another tapedeck is running on {data_dir}; stop it, or give this one another TAPEDECK_DATA_DIR."
        )


@asynccontextmanager
async def open_deck(settings: Settings, *, clock: Clock = utc_now) -> AsyncIterator[Deck]:
    """The service's parts with every follower running, until the block ends.

    Raises: what `service.runtime.server` calls START_FAILURES.
    """
    async with AsyncExitStack() as parts:
        parts.enter_context(_owned_data_dir(settings.data_dir))
        metrics, random = Metrics(), Random()  # noqa: S311 - for jitter

        blobs = open_store(settings.blob_store_url, small_bytes=settings.segment_body_bytes)
        parts.push_async_callback(blobs.close)
        blobs.recover()
        opened_log = open_log(settings.log_url)
        log = EventLog(opened_log.recorder, on_commit=metrics.committed, on_commit_bytes=metrics.committed_bytes)
        parts.push_async_callback(log.close)
        keys = KeyStore(settings.keys_path, clock=clock)
        parts.callback(keys.close)
        summaries = SummaryStore(settings.views_path, status_of=recording_status)
        parts.callback(summaries.close)
        positions = PositionStore(settings.positions_path)
        parts.callback(positions.close)
        for made_from_the_log in (summaries, positions):
            made_from_the_log.use_for(log.identity, log.head)

        dev_issuer = _dev_issuer(settings, keys, clock=clock, new_id=_new_id)
        tokens = await parts.enter_async_context(open_trust(settings, dev_issuer, clock=clock))
        recordings = Recordings(log, snapshots=RecordingSnapshots(opened_log.snapshots))
        parts.push_async_callback(recordings.close)
        projector = Projector(log, summaries)
        webhooks = _open_webhooks(parts, settings, clock=clock, metrics=metrics)
        engine = _usable_engine(settings)
        recognition = _open_recognition(parts, settings, engine)
        waker = Waker(log, recordings)
        consultations = Consultations(
            recordings, blobs, recognition, waker, limits=_session_limits(settings), clock=clock, metrics=metrics
        )
        parts.push_async_callback(consultations.close)
        deck = Deck(
            settings=settings,
            limits=Limits.from_settings(settings),
            clock=clock,
            new_id=_new_id,
            log=log,
            recordings=recordings,
            sessions=AmbientSessions(log),
            blobs=blobs,
            keys=keys,
            tokens=tokens,
            dev_issuer=dev_issuer,
            summaries=summaries,
            projector=projector,
            signer=UrlSigner.with_key_file(settings.data_dir / "signing.key"),
            metrics=metrics,
            webhooks=webhooks,
            consultations=consultations,
        )

        workers = WorkerProcesses(settings.worker_count, initializer=preload, initargs=(engine,))
        parts.push_async_callback(workers.close)
        work = StageWork(
            workers,
            live_workers=recognition.workers,
            blob_store_url=settings.blob_store_url,
            scratch_dir=_empty_scratch_dir(settings.data_dir),
            engine=engine,
            language=settings.language,
            clock=deck.clock,
        )
        eraser = Eraser(
            "erase", DELETED_RECORDINGS, timedelta(), log=log, blobs=blobs, positions=positions, clock=deck.clock
        )
        chunk_eraser = Eraser(
            "erase-chunks",
            STITCHED_CHUNKS,
            settings.chunk_retention,
            log=log,
            blobs=blobs,
            positions=positions,
            clock=deck.clock,
        )
        expirer = Expirer(log=log, recordings=recordings, positions=positions, clock=deck.clock)
        told = WebhookFollower(
            webhooks.store, webhooks.thread, webhooks.delivery, messages_of, log=log, clock=deck.clock
        )
        always = (projector, eraser, chunk_eraser, expirer, told, webhooks.delivery, waker)
        notes = _note_work(settings, blobs, clock=clock, random=random)
        followers = [(follower.name, follower.run) for follower in always]
        stages: list[tuple[Stage, Work]] = [
            (Stage.STITCH, work.stitch),
            (Stage.TRANSCRIBE, work.transcribe),
            (Stage.NOTE, notes.write_note),
        ]
        for stage, its_work in stages:
            follower = StageFollower(
                stage,
                its_work,
                on_gone=eraser.erase,
                log=log,
                recordings=recordings,
                positions=positions,
                policy=RetryPolicy(
                    first=timedelta(seconds=1),
                    factor=3,
                    longest=timedelta(minutes=5),
                    attempts=settings.stage_attempts,
                ),
                clock=deck.clock,
                random=random,
                metrics=metrics,
            )
            followers.append((follower.name, follower.run))
        if settings.kafka is not None:
            publisher = open_publisher(settings, log, positions=positions, random=random, metrics=metrics)
            followers.append((publisher.name, publisher.run))
        tasks = [asyncio.create_task(keep_running(name, run, random), name=name) for name, run in followers]
        parts.push_async_callback(_cancel, tasks)
        yield deck


def _new_id() -> str:
    return token_hex(16)


def _dev_issuer(settings: Settings, keys: KeyStore, *, clock: Clock, new_id: NewId) -> DevIssuer | None:
    """The development issuer, where there are development credentials; which are made first if it is time."""
    credentials = settle_dev_credentials(settings, keys, new_id=new_id)
    if credentials is None:
        return None
    key = SigningKey.load_or_create(signing_key_path(settings.data_dir))
    return DevIssuer(settings.base_url, development_client(credentials), key, clock=clock, new_id=new_id)


def _open_webhooks(parts: AsyncExitStack, settings: Settings, *, clock: Clock, metrics: Metrics) -> WebhookParts:
    sealer = Sealer.with_key_file(settings.data_dir / "webhooks.key")
    store = WebhookStore(settings.data_dir / "webhooks.sqlite3", sealer)
    parts.callback(store.close)
    thread = OneThread("webhooks")
    parts.callback(thread.close)
    sender = WebhookSender(AddressPolicy(allow_private=settings.allows_private_webhooks))
    parts.push_async_callback(sender.close)
    delivery = WebhookDelivery(store, thread, sender, clock=clock, metrics=metrics)
    return WebhookParts(store=store, thread=thread, sender=sender, delivery=delivery)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def _owned_data_dir(data_dir: Path) -> Iterator[None]:
    """The directory is this process's until the block ends, also when it is killed: the lock dies with it."""
    make_private_directory(data_dir)
    lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataDirInUse(data_dir) from None
        yield
    finally:
        os.close(lock)


def _empty_scratch_dir(data_dir: Path) -> Path:
    """Where workers build files, on the disk they end up on. What a crash left there is worth nothing."""
    scratch = data_dir / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700)
    return scratch


def _open_recognition(parts: AsyncExitStack, settings: Settings, engine: EngineSpec) -> LiveRecognition:
    recognition = LiveRecognition(
        worker_count=settings.worker_count,
        most_waiting=settings.dorsum_waiting,
        blob_store_url=settings.blob_store_url,
        engine=engine,
    )
    parts.push_async_callback(recognition.close)
    return recognition


def _session_limits(settings: Settings) -> SessionLimits:
    return SessionLimits(
        max_chunks=settings.dorsum_max_chunks,
        upload_window=settings.upload_window,
        answer_within=timedelta(seconds=settings.dorsum_seconds),
    )


def _note_work(settings: Settings, blobs: BlobStore, *, clock: Clock, random: Random) -> NoteWork:
    policy = RetryPolicy(first=timedelta(milliseconds=500), attempts=settings.note_writer_attempts)
    return NoteWork(_note_writer(settings), blobs, policy=policy, clock=clock, random=random)


def _note_writer(settings: Settings) -> NoteWriter:
    if settings.note_writer == "extractive":
        return ExtractiveNoteWriter()
    if settings.note_writer_url is None or settings.note_writer_model is None:
        raise ValueError("the settings' own check has seen to both")
    api_key = settings.note_writer_api_key
    return OpenAINoteWriter(
        base_url=settings.note_writer_url,
        model=settings.note_writer_model,
        api_key=api_key.get_secret_value() if api_key else None,
        timeout_seconds=settings.note_writer_seconds,
    )


def _usable_engine(settings: Settings) -> EngineSpec:
    """Raises: UnsupportedLanguage, EngineUnavailable."""
    engine = _engine_spec(settings)
    require_language(settings.language, build_engine(engine))
    return engine


def _engine_spec(settings: Settings) -> EngineSpec:
    api_key = settings.transcriber_api_key
    return EngineSpec(
        kind=settings.transcriber,
        model=settings.transcriber_model,
        base_url=settings.transcriber_url,
        api_key=api_key.get_secret_value() if api_key else None,
    )
