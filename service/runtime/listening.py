"""The service's listeners: one for clients, and one for operators if the settings want that."""

import errno
import os
import socket
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from service.runtime.assembly import RunningService
from service.runtime.draining import Drain
from service.runtime.settings import LOOPBACK, Settings
from service.runtime.tls import tls_for_hosts, tls_of
from service.runtime.web import application, operations_application, runner

HANDED_OVER_AT_ONCE = 4_096
"""Requests that wait to be taken from API processes; the system may have a lower limit."""


class CannotListen(OSError):
    """An address or a port that cannot be listened on; one sentence says why and what to do."""


async def listen(service: RunningService, settings: Settings, running: AsyncExitStack) -> None:
    """Open the listeners until `running` ends. Raises: CannotListen; TlsFilesUnusable; AllowListUnusable."""
    await listen_for_operators(service, settings, running)
    place, tls = _place_for_clients(settings), tls_of(settings)
    await _listen(runner(service), service.drain, place, settings, running, tls=tls)


async def listen_for_operators(service: RunningService, settings: Settings, running: AsyncExitStack) -> None:
    """Open their listener, if the settings want one. It is the first to open, and so the last to close: until then it
    tells how far the others are. Raises: as `listen`."""
    if settings.operations_port is not None:
        await listen_at_operations_port(
            runner(service, operations_application(service)), service.drain, settings, running
        )


async def listen_at_operations_port(
    server: web.AppRunner, drain: Drain, settings: Settings, running: AsyncExitStack
) -> None:
    """Raises: CannotListen; TlsFilesUnusable; ValueError if the settings name no such port."""
    if settings.operations_port is None:
        raise ValueError("no port for operators is configured")
    place = _Place(
        settings.operations_host or LOOPBACK,
        settings.operations_port,
        "TAPEDECK_OPERATIONS_HOST",
        "TAPEDECK_OPERATIONS_PORT",
    )
    await _listen(server, drain, place, settings, running, tls=tls_of(settings))


def _place_for_clients(settings: Settings) -> "_Place":
    return _Place(settings.host, settings.port, "TAPEDECK_HOST", "TAPEDECK_PORT")


async def _listen(
    server: web.AppRunner,
    drain: Drain,
    place: "_Place",
    settings: Settings,
    running: AsyncExitStack,
    *,
    tls: ssl.SSLContext | None,
) -> None:
    await server.setup()
    running.push_async_callback(server.cleanup)
    site = web.TCPSite(server, place.host, place.port, ssl_context=tls)
    try:
        await site.start()
    except OSError as error:
        raise CannotListen(place.sentence(error)) from error
    running.push_async_callback(let_requests_end, site, drain, settings.stop_seconds)


async def listen_for_processes(
    service: RunningService, taking_over: Middleware, settings: Settings, running: AsyncExitStack
) -> None:
    """Take what API processes hand over at a socket in the data directory. Raises: OSError; AllowListUnusable."""
    app = application(service)
    app.middlewares.insert(0, taking_over)
    server = runner(service, app)
    await server.setup()
    running.push_async_callback(server.cleanup)
    site = web.UnixSite(server, settings.handing_over_path, backlog=HANDED_OVER_AT_ONCE)
    await site.start()
    running.callback(settings.handing_over_path.unlink, missing_ok=True)
    running.push_async_callback(let_requests_end, site, service.drain, settings.stop_seconds)


async def listen_for_hosts(
    service: RunningService, of_hosts: Middleware, settings: Settings, running: AsyncExitStack
) -> None:
    """Take what API processes of other hosts hand over, at the port of PEER_URL. Raises: CannotListen;
    TlsFilesUnusable; ValueError if the service has one host; AllowListUnusable."""
    peer = urlsplit(settings.peer_url or "")
    if peer.port is None:
        raise ValueError("the service has one host")
    app = application(service)
    app.middlewares.insert(0, of_hosts)
    place = _Place(settings.host, peer.port, "TAPEDECK_HOST", "TAPEDECK_PEER_URL")
    await _listen(runner(service, app), service.drain, place, settings, running, tls=tls_for_hosts(settings))


def sockets_on_one_port(settings: Settings, count: int) -> list[list[socket.socket]]:
    """Where clients connect: for each of `count` processes a socket per address of the host. The system spreads the
    connections over them, and keeps those of a process that is just being replaced. Raises: CannotListen."""
    place = _place_for_clients(settings)
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        places = [(family, address) for family, _, _, _, address in found]
        for family, address in places:  # a port is shared with nobody else
            _bound(family, address, is_shared=False).close()
        return [[_bound(family, address, is_shared=True) for family, address in places] for _ in range(count)]
    except OSError as error:
        raise CannotListen(place.sentence(error)) from error


def _bound(family: int, address: Any, *, is_shared: bool) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
    except BaseException:
        bound.close()
        raise
    return bound


async def let_requests_end(site: web.BaseSite, drain: Drain, seconds: float) -> None:
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
