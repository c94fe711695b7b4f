"""The service's listeners: one for clients, and one for operators if the settings want that."""

import errno
import os
import socket
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from service.runtime.assembly import RunningService
from service.runtime.draining import Drain
from service.runtime.settings import LOOPBACK, Settings
from service.runtime.web import operations_application, runner


class CannotListen(OSError):
    """An address or a port that cannot be listened on; one sentence says why and what to do."""


async def listen(service: RunningService, settings: Settings, running: AsyncExitStack) -> None:
    """Open the listeners until `running` ends. Raises: CannotListen; OSError for files of TLS; AllowListUnusable."""
    tls = _tls(settings)
    listeners = []
    if settings.operations_port is not None:
        place = _Place(
            settings.operations_host or LOOPBACK,
            settings.operations_port,
            "TAPEDECK_OPERATIONS_HOST",
            "TAPEDECK_OPERATIONS_PORT",
        )
        # First, and so the last to close: until then it tells how far the others are.
        listeners.append((runner(service, operations_application(service)), place))
    listeners.append((runner(service), _Place(settings.host, settings.port, "TAPEDECK_HOST", "TAPEDECK_PORT")))
    for server, place in listeners:
        await server.setup()
        running.push_async_callback(server.cleanup)
        site = web.TCPSite(server, place.host, place.port, ssl_context=tls)
        try:
            await site.start()
        except OSError as error:
            raise CannotListen(place.sentence(error)) from error
        running.push_async_callback(_let_requests_end, site, service.drain, settings.stop_seconds)


async def _let_requests_end(site: web.TCPSite, drain: Drain, seconds: float) -> None:
    """New connections are refused at once."""
    await site.stop()
    await drain.requests_ended(seconds)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where to listen, and the settings that say so."""

    host: str
    port: int
    host_setting: str
    port_setting: str

    def sentence(self, error: OSError) -> str:
        if isinstance(error, socket.gaierror):
            return f"{self.host_setting}={self.host} is no address of this machine"
        match error.errno:
            case errno.EADDRINUSE:
                return (
                    f"port {self.port} of {self.host} is in use; stop the program that listens there, or set "
                    f"{self.port_setting} to another port"
                )
            case errno.EACCES:
                return f"this user may not listen on port {self.port}; set {self.port_setting} to one from 1024 on"
            case errno.EADDRNOTAVAIL:
                return f"{self.host_setting}={self.host} is no address of this machine"
        because = os.strerror(error.errno) if error.errno else str(error)
        return f"port {self.port} of {self.host} cannot be listened on: {because}"


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(Path(settings.tls_cert), Path(settings.tls_key))
    return context
