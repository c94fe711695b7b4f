"""Which addresses a webhook may go to: public ones, unless private ones are allowed.

A name is resolved and checked in one step, and the connection goes to a checked address: a name that resolves
differently a moment later gains nothing.
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp.abc import AbstractResolver, ResolveResult

LOOKUP_THREADS = 64
"""A look-up blocks a thread. One per name at a time, in separate threads: a dead name server delays nobody else."""

Address = IPv4Address | IPv6Address

_NEVER = tuple(
    ip_network(text)
    for text in (
        "168.63.129.16/32",  # a cloud's metadata and name server (Azure), in a public range
        "192.0.0.0/24",  # protocol assignments, and a cloud's metadata (Oracle)
        "2001::/23",  # protocol assignments, and Teredo
        "64:ff9b:1::/48",  # local translation
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
    )
)
"""What some versions of Python do not know to be reserved, and what is in a public range but not public."""

_TRANSLATED = IPv6Network("64:ff9b::/96")


class AddressRefused(OSError):
    """Webhooks may not go to this address. An OSError, so that connecting fails with it."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} is, or resolves to, an address that webhooks are not sent to")


def is_public(address: Address) -> bool:
    """Whether it is on the public Internet: not private, loopback, link-local, metadata, multicast or reserved."""
    inner = _carried(address)
    if inner is not None:
        return is_public(inner)
    if address.is_multicast or address.is_reserved or any(address in network for network in _NEVER):
        return False
    return address.is_global


def _carried(address: Address) -> IPv4Address | None:
    """The IPv4 address that packets to this IPv6 address end up at, if there is one."""
    if isinstance(address, IPv4Address):
        return None
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    allow_private: bool

    def check(self, host: str, numeric: str) -> None:
        """`numeric`: an address as the system writes it, perhaps with a zone. Raises: AddressRefused."""
        if not self.allow_private and not is_public(ip_address(numeric.partition("%")[0])):
            raise AddressRefused(host)


class CheckedResolver(AbstractResolver):
    """Gives aiohttp checked addresses only."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="webhook-lookup")
        self._running: dict[tuple[str, int], asyncio.Future[list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Every address of a name. Raises: AddressRefused when any of them is not allowed; OSError."""
        key = (host, port)
        running = self._running.get(key)
        if running is None:
            running = asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port, family)
            self._running[key] = running
            running.add_done_callback(lambda _: self._running.pop(key, None))
        found = await asyncio.shield(running)
        for one in found:
            self._policy.check(host, one["host"])
        return found

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    try:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except UnicodeError:
        raise OSError(f"{host} is not a host name") from None
    return [
        ResolveResult(
            hostname=host,
            host=str(address[0]),
            port=port,
            family=its_family,
            proto=protocol,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for its_family, _, protocol, _, address in found
    ]
