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
        "192.88.99.0/24",  # relays of 6to4, withdrawn
        "2001::/23",  # protocol assignments, and Teredo
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
"""What some versions of Python do not know to be reserved, and what is in a public range but not public."""

_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All that IPv6 has given out for use on the Internet. Outside of it are the loopback, link-local, unique local and
site-local addresses, multicast, local translation and whatever is not assigned yet."""

_TRANSLATED = IPv6Network("64:ff9b::/96")

_ISATAP = (0x00005EFE, 0x02005EFE)
"""The third quarter of an address that says of its last quarter: an IPv4 address to tunnel to (RFC 5214)."""


class AddressRefused(OSError):
    """Webhooks may not go to this address. An OSError, so that connecting fails with it."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} is, or resolves to, an address that webhooks are not sent to")


def is_public(address: Address) -> bool:
    """Whether it is on the public Internet: not private, loopback, link-local, metadata, multicast or reserved."""
    inner = _carried(address)
    if inner is not None and not is_public(inner):
        return False
    if _is_translated(address):
        return True
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    if address.is_multicast or address.is_reserved or any(address in network for network in _NEVER):
        return False
    return address.is_global


def _carried(address: Address) -> IPv4Address | None:
    """The IPv4 address that packets to this IPv6 address end up at, if there is one. Teredo's is in `_NEVER`."""
    if isinstance(address, IPv4Address):
        return None
    number = int(address)
    if address in _TRANSLATED or (number >> 32) & 0xFFFFFFFF in _ISATAP:
        return IPv4Address(number & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _is_translated(address: Address) -> bool:
    """Whether it is only another way to write an IPv4 address."""
    return isinstance(address, IPv6Address) and (address in _TRANSLATED or address.ipv4_mapped is not None)


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
