"""Runs the service until it is stopped: the HTTP server around the opened service."""

import asyncio
import logging
import resource
import signal
import sqlite3
import ssl
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path

from aiohttp import web

from adapters.blobs.port import BlobFailure
from adapters.event_log.port import LogUnavailable
from adapters.keys import KeyFileTooNew
from adapters.private_files import DamagedKey
from adapters.speech.port import SpeechError
from adapters.sqlite_file import DatabaseTooNew, DatabaseUnavailable
from adapters.tokens.allow_list_file import AllowListUnusable
from service.runtime.assembly import RunningService, open_service
from service.runtime.collector import settle_collector
from service.runtime.data_dir import DataDirInUse
from service.runtime.dev_credentials import FILE_NAME, BadDevCredentials
from service.runtime.memory import give_back_after_peaks, settle_allocator
from service.runtime.settings import Settings
from service.runtime.web import runner

SWITCH_SECONDS = 0.001
"""How long a busy event loop makes the commit thread wait for the interpreter's lock; Python's default is 5 ms."""

logger = logging.getLogger("tapedeck")

START_FAILURES = (
    OSError,
    ValueError,
    sqlite3.Error,
    BlobFailure,
    LogUnavailable,
    KeyFileTooNew,
    DatabaseTooNew,
    DatabaseUnavailable,
    DamagedKey,
    BadDevCredentials,
    AllowListUnusable,
    DataDirInUse,
    SpeechError,
)
"""What can be wrong with a directory, file or setting when the service's parts are opened."""


class StartRefused(Exception):
    """The service cannot start; one sentence says why."""


async def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. Raises: StartRefused."""
    sys.setswitchinterval(SWITCH_SECONDS)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    _allow_many_connections()
    settle_allocator()
    async with AsyncExitStack() as running:
        with _named_start_failures():
            service = await running.enter_async_context(open_service(settings))
            await _listen(service, settings, running)
        logger.info("serving", extra={"url": settings.base_url, "data_dir": str(settings.data_dir)})
        credentials = settings.data_dir / FILE_NAME
        if credentials.exists():
            logger.info("development credentials", extra={"file": str(credentials)})
        settle_collector()
        trimming = asyncio.create_task(give_back_after_peaks(service.parts.limits.held))
        running.callback(trimming.cancel)
        await stopped.wait()
        logger.info("stopping")


@contextmanager
def _named_start_failures() -> Iterator[None]:
    try:
        yield
    except START_FAILURES as error:
        raise StartRefused(f"The service cannot start: {str(error).rstrip('.')}.") from error


async def _listen(service: RunningService, settings: Settings, running: AsyncExitStack) -> None:
    server = runner(service)
    await server.setup()
    running.push_async_callback(server.cleanup)
    await web.TCPSite(server, settings.host, settings.port, ssl_context=_tls(settings)).start()


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(Path(settings.tls_cert), Path(settings.tls_key))
    return context


def _allow_many_connections() -> None:
    """Each connection is an open file, and shells allow 1024 unless asked for more."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # worth a try, no more
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
