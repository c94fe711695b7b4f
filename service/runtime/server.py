"""Runs the service until it is stopped: the HTTP server around the opened service."""

import asyncio
import logging
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress

from service.console.pages import PREFIX
from service.console.signing_in import new_link, remove_link
from service.runtime.assembly import RunningService, open_service
from service.runtime.collector import settle_collector
from service.runtime.dev_credentials import FILE_NAME
from service.runtime.draining import Drain, StopSignals
from service.runtime.failures import START_FAILURES
from service.runtime.listening import listen
from service.runtime.memory import settle_allocator
from service.runtime.processes.parent import listen_with_processes
from service.runtime.settings import Settings
from service.runtime.switching import SWITCH_SECONDS

logger = logging.getLogger("tapedeck")


class StartRefused(Exception):
    """The service cannot start, or cannot go on; one sentence says why."""


async def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. Raises: StartRefused."""
    sys.setswitchinterval(SWITCH_SECONDS)
    signals = StopSignals()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, signals.came)
    _allow_many_connections()
    settle_allocator()
    if settings.peer_url is not None:
        await _serve_as_host(settings, signals)
        return
    async with AsyncExitStack() as running:
        with named_start_failures():
            service = await running.enter_async_context(open_service(settings))
            remove_link(settings.data_dir)
            if settings.api_processes > 1:
                await listen_with_processes(service, settings, running)
            else:
                await listen(service, settings, running)
        _say_how_it_runs(settings)
        _show_console(settings, service)
        settle_collector()
        await signals.first()
        await _drained(service.drain, settings, signals)


async def _serve_as_host(settings: Settings, signals: StopSignals) -> None:
    """One of several. Raises: StartRefused."""
    from service.runtime.hosts.host import open_host  # noqa: PLC0415 - the embedded profile does without it

    drain = Drain()
    async with AsyncExitStack() as running:
        with named_start_failures():
            host = await running.enter_async_context(open_host(settings, drain))
            remove_link(settings.data_dir)
        _say_how_it_runs(settings)
        settle_collector()
        await signals.first()
        await _drained(drain, settings, signals)
    if host.gave_up_because:
        raise StartRefused(f"The service has stopped: {host.gave_up_because}")


async def _drained(drain: Drain, settings: Settings, signals: StopSignals) -> None:
    drain.begin()
    logger.info("stopping", extra={"drain_seconds": settings.drain_seconds, "stop_seconds": settings.stop_seconds})
    await signals.second_within(settings.drain_seconds)


@contextmanager
def named_start_failures(what: str = "service") -> Iterator[None]:
    """A block that opens the parts of `what`. Raises: StartRefused."""
    try:
        yield
    except START_FAILURES as error:
        raise StartRefused(f"The {what} cannot start: {str(error).rstrip('.')}.") from error


def _say_how_it_runs(settings: Settings) -> None:
    logger.info("serving", extra={"url": settings.base_url, "data_dir": str(settings.data_dir)})
    mode, credentials = settings.development_mode, settings.data_dir / FILE_NAME
    logger.log(
        logging.WARNING if mode.is_exposed else logging.INFO,
        "development mode is on" if mode.is_on else "development mode is off",
        extra={"because": mode.because} | ({"credentials": str(credentials)} if credentials.exists() else {}),
    )
    if os.geteuid() == 0:
        logger.warning("running as root", extra={"advice": "run it as a user of its own, who owns only DATA_DIR"})


def _show_console(settings: Settings, service: RunningService) -> None:
    """At a terminal, whoever started the service gets a link that signs in once. No log has it."""
    if not settings.console:
        return
    logger.info("console", extra={"url": f"{settings.base_url}{PREFIX}"})
    if sys.stderr.isatty() and service.parts.dev_credentials and not settings.development_mode.is_exposed:
        link = new_link(settings.data_dir, settings.base_url, "/record")
        print(f"\nOpen the console: {link}\n", file=sys.stderr)


def _allow_many_connections() -> None:
    """Each connection is an open file, and shells allow 1024 unless asked for more."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # worth a try, no more
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
