"""An API process, started by the service as `python -m service.runtime.processes.child FD FD…`.

The first file is its end of the channel to the service, the others are the sockets that it listens on. It ends when the
service says so, and at once when the service is gone.
"""

import asyncio
import ctypes
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

from aiohttp import web
from pydantic import BaseModel

from adapters.blobs.opening import open_store
from adapters.blobs.port import BlobFailure
from adapters.event_log.log import EventLog
from adapters.event_log.opening import open_log
from adapters.event_log.port import LogUnavailable
from adapters.keys import KeyStore
from adapters.sqlite_file import DatabaseUnavailable
from service.application.callers import Callers
from service.application.clock import utc_now
from service.application.metrics import Metrics
from service.application.recording_snapshots import RecordingSnapshots
from service.application.recordings import Recordings
from service.application.uploads import Uploads
from service.dialects.http.limits import Limits
from service.dialects.http.parts import UploadParts
from service.dialects.http.signed_urls import UrlSigner
from service.dialects.registry import DIALECTS
from service.runtime.collector import settle_collector
from service.runtime.counts import counts_of
from service.runtime.draining import Drain
from service.runtime.logs import log_to_stderr
from service.runtime.memory import give_back_what_is_free, settle_allocator
from service.runtime.places import keys_place
from service.runtime.processes.channel import DRAIN, HEAD, LEADS, METRICS, READY, REPORT, STOP, Channel
from service.runtime.processes.forwarding import Forwarder, proof_of
from service.runtime.processes.leads import Leads
from service.runtime.processes.web import upload_application
from service.runtime.quotas import no_quotas, open_counted
from service.runtime.settings import Settings, load_settings
from service.runtime.settling import open_settling
from service.runtime.switching import SWITCH_SECONDS
from service.runtime.tls import tls_of, trust_in_hosts
from service.runtime.web import runner_within

BEAT_SECONDS = 0.5
HEAD_SECONDS = 0.02
"""How long a commit may wait to be told, with those that follow it."""

_SERVERS_AWAY = (DatabaseUnavailable, LogUnavailable, BlobFailure)

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG

logger = logging.getLogger(__name__)


class Hello(BaseModel):
    """What the service says first."""

    number: int
    parent_pid: int
    leads: str | None


def main() -> None:
    end, *sockets = (socket.socket(fileno=int(number)) for number in sys.argv[1:])
    for number in (signal.SIGINT, signal.SIGTERM):  # which a terminal, or systemd, sends to all: the service tells when
        signal.signal(number, signal.SIG_IGN)
    sys.setswitchinterval(SWITCH_SECONDS)
    settle_allocator()
    import uvloop  # noqa: PLC0415 - not on every system, as this process is not

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(end, sockets))


async def _run(end: socket.socket, sockets: Sequence[socket.socket]) -> None:
    channel = await Channel.over(end)
    messages = channel.messages()
    _, said = await anext(messages)
    hello = Hello.model_validate(said)
    _die_with(hello.parent_pid)
    settings = load_settings()
    log_to_stderr(settings.log_level, process=f"api-{hello.number}")
    metrics, drain = Metrics(), Drain()
    async with AsyncExitStack() as opened:
        opened.push_async_callback(channel.close)
        opened.push(_tell_error)  # before the channel is closed: then the service ends this process
        parts = _open_parts(opened, settings, channel, metrics)
        leads = Leads(hello.leads, may_change=settings.peer_url is not None)
        forwarder = Forwarder(
            leads,
            settings.handing_over_path,
            parts.limits,
            proof=proof_of(parts.signer),
            trust=trust_in_hosts(settings) if leads.may_change else None,
        )
        opened.push_async_callback(forwarder.close)
        app = upload_application(
            parts, forwarder, drain=drain, metrics=metrics, is_counted=open_counted(opened, settings)
        )
        sites = await _listen(opened, settings, app, parts.limits, sockets)
        for running in (_beat(channel, metrics), give_back_what_is_free(parts.limits.held)):
            opened.callback(asyncio.create_task(running).cancel)
        settle_collector()
        channel.tell(READY)
        async for what, said in messages:
            if what == DRAIN:
                drain.begin()
            elif what == LEADS:
                leads.tell(said)
            elif what == REPORT:
                channel.tell(METRICS, counts_of(metrics.registry))
            elif what == STOP:
                break
        else:
            os._exit(1)  # the service is gone: another may own the directory soon
        for site in sites:
            await site.stop()
        await drain.requests_ended(settings.stop_seconds)
        channel.tell(METRICS, counts_of(metrics.registry))


def _tell_error(_kind: object, error: BaseException | None, _traceback: object) -> None:
    if isinstance(error, _SERVERS_AWAY):
        logger.error("API process failed", extra={"because": str(error)})
    elif isinstance(error, Exception):
        logger.error("API process failed", exc_info=error)
    if isinstance(error, Exception):
        sys.exit(1)  # the log has it


def _die_with(parent_pid: int) -> None:
    """Also while this process is stopped, or does not get to look."""
    ctypes.CDLL(None, use_errno=True).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)


def _open_parts(opened: AsyncExitStack, settings: Settings, channel: Channel, metrics: Metrics) -> UploadParts:
    for dialect in DIALECTS:
        metrics.chunk_bytes.labels(dialect.name)  # as the service itself does
    blobs = open_store(settings.blob_store_url, small_bytes=settings.segment_body_bytes)
    opened.push_async_callback(blobs.close)
    found = open_log(settings.log_url)
    log = EventLog(
        found.recorder,
        on_commit=metrics.committed,
        on_commit_bytes=metrics.committed_bytes,
        on_commit_seconds=metrics.commit_seconds.observe,
        on_commit_failed=metrics.commit_failures.inc,
        on_head=_Heads(channel).moved,
        is_shared=True,
    )
    opened.push_async_callback(log.close)
    recordings = Recordings(log, snapshots=RecordingSnapshots(found.snapshots), is_shared=True)
    opened.push_async_callback(recordings.close)
    keys = KeyStore(keys_place(settings), clock=utc_now)
    opened.callback(keys.close)
    uploads = Uploads(
        recordings,
        blobs,
        quotas=no_quotas(log),
        clock=utc_now,
        metrics=metrics,
        settling=open_settling(opened, settings),
        most_bytes=settings.max_recording_bytes,
    )
    return UploadParts(
        uploads=uploads,
        callers=Callers(keys, clock=utc_now),
        limits=Limits.from_settings(settings),
        signer=UrlSigner.with_key_file(settings.data_dir / "signing.key"),
        settings=settings,
        clock=utc_now,
    )


class _Heads:
    """Tells the service of commits, soon, and of many at once."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._newest = 0
        self._is_due = False

    def moved(self, position: int) -> None:
        self._newest = max(self._newest, position)
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(HEAD_SECONDS, self._tell)

    def _tell(self) -> None:
        self._is_due = False
        self._channel.tell(HEAD, self._newest)


async def _listen(
    opened: AsyncExitStack, settings: Settings, app: web.Application, limits: Limits, sockets: Sequence[socket.socket]
) -> list[web.SockSite]:
    server = runner_within(limits, app)
    await server.setup()
    opened.push_async_callback(server.cleanup)
    sites = [web.SockSite(server, each, ssl_context=tls_of(settings)) for each in sockets]
    for site in sites:
        await site.start()
    return sites


async def _beat(channel: Channel, metrics: Metrics) -> None:
    """Tells from time to time that this process is not stuck."""
    while True:
        channel.tell(METRICS, counts_of(metrics.registry))
        await asyncio.sleep(BEAT_SECONDS)


if __name__ == "__main__":
    main()
