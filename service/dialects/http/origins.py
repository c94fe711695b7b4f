"""Which pages may call the service from a browser: the setting TAPEDECK_CORS_ORIGINS."""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address

EVERY, NONE, OPAQUE = "*", "none", "null"

SCHEMES = (
    "http",
    "https",
    "app",
    "capacitor",
    "chrome-extension",
    "ionic",
    "moz-extension",
    "safari-web-extension",
    "tauri",
    "vscode-webview",
)
"""Those that pages have, also the pages inside of applications and of browser extensions."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_MOST_PORTS = 65_535
_HOST_AND_PORT = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?", re.ASCII)
_LOOPBACK = re.compile(
    r"https?://(?:localhost|127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}|\[::1\])(?::[0-9]{1,5})?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Origins:
    """The origins that may call. `named`: each as a browser sends it. `loopback`: any of this machine's.

    The origin `null` of a page that has none (a local file, a sandbox) could be anybody's: it counts only if it is
    named, or if every origin may call.
    """

    named: frozenset[str] = frozenset()
    loopback: bool = False
    every: bool = False

    @classmethod
    def parse(cls, setting: str) -> "Origins":
        """From origins separated by commas, `*` or `none`. Raises: ValueError with one sentence about what is wrong."""
        given = [part.strip() for part in setting.split(",")]
        if given == [EVERY]:
            return cls(every=True)
        if given == [NONE]:
            return cls()
        return cls(named=frozenset(_normalized(origin) for origin in given))

    @property
    def are_some(self) -> bool:
        """Whether an answer differs by the origin that asks."""
        return bool(self.named) or self.loopback

    def allowed(self, origin: str | None) -> str | None:
        """The value of Access-Control-Allow-Origin for a page of `origin`; None if it may not call."""
        if self.every:
            return EVERY
        if origin is None:
            return None
        is_allowed = origin in self.named or (self.loopback and _LOOPBACK.fullmatch(origin) is not None)
        return origin if is_allowed else None


def _normalized(origin: str) -> str:
    """As browsers write it: in lower case, without the scheme's own port. Raises: ValueError."""
    if origin == OPAQUE:
        return origin
    if origin in (EVERY, NONE):
        raise ValueError(f"{origin} stands alone; leave it out, or leave out the rest")
    scheme, separator, authority = origin.lower().partition("://")
    if not separator:
        raise ValueError(f"{origin!r} is no origin; write scheme://host or scheme://host:port, *, or none")
    if scheme not in SCHEMES:
        raise ValueError(f"{origin!r} has a scheme that pages do not have; it must be one of {', '.join(SCHEMES)}")
    if EVERY in authority:
        raise ValueError(f"{origin!r} has a wildcard; name each origin in full, or allow all with * alone")
    parts = _HOST_AND_PORT.fullmatch(authority)
    if parts is None:
        raise ValueError(f"{origin!r} is no origin; write scheme://host or scheme://host:port and nothing after it")
    host, port = _host(parts[1], origin), _port(parts[2], origin)
    return f"{scheme}://{host}" if port in (None, _DEFAULT_PORTS.get(scheme)) else f"{scheme}://{host}:{port}"


def _host(host: str, origin: str) -> str:
    if not host.startswith("["):
        return host
    try:
        return f"[{IPv6Address(host[1:-1]).compressed}]"
    except ValueError:
        raise ValueError(f"{origin!r} has no valid address between its brackets") from None


def _port(digits: str | None, origin: str) -> int | None:
    if digits is None:
        return None
    if not 1 <= int(digits) <= _MOST_PORTS:
        raise ValueError(f"{origin!r} has a port that is not between 1 and {_MOST_PORTS}")
    return int(digits)
