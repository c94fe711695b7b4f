"""Runs the service until it is told to stop: the HTTP server around an open deck."""

import asyncio
import logging
import signal
import ssl
import sys
from pathlib import Path

from aiohttp import web

from service.api.application import runner
from service.assembly import open_deck
from service.dev_credentials import FILE_NAME
from service.settings import Settings

SWITCH_SECONDS = 0.001
"""How long a busy event loop keeps the thread that commits waiting for the interpreter's lock; Python's own is 5 ms."""

logger = logging.getLogger("tapedeck")


async def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. Raises: DataDirInUse; OSError when the address or the directory cannot be used."""
    sys.setswitchinterval(SWITCH_SECONDS)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with open_deck(settings) as deck:
        server = runner(deck)
        await server.setup()
        try:
            await web.TCPSite(server, settings.host, settings.port, ssl_context=_tls(settings)).start()
            credentials = settings.data_dir / FILE_NAME
            logger.info("serving", extra={"url": settings.base_url, "data_dir": str(settings.data_dir)})
            if credentials.exists():
                logger.info("development credentials", extra={"file": str(credentials)})
            await stopped.wait()
            logger.info("stopping")
        finally:
            await server.cleanup()


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(Path(settings.tls_cert), Path(settings.tls_key))
    return context
