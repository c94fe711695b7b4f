"""The certificates that the service shows, and the authorities by which its hosts trust one another."""

import ssl
from pathlib import Path

from service.runtime.settings import Settings


class TlsFilesUnusable(OSError):
    """A certificate, its key or the authorities; one sentence names the settings and says why."""


def tls_of(settings: Settings) -> ssl.SSLContext | None:
    """For clients and operators; None if they are served without TLS. Raises: TlsFilesUnusable."""
    return _shown(settings.tls_cert, settings.tls_key, "TAPEDECK_TLS")


def tls_for_hosts(settings: Settings) -> ssl.SSLContext | None:
    """For the service's other hosts; None if they use no TLS. Raises: TlsFilesUnusable."""
    if not settings.hosts_use_tls:
        return None
    return _shown(settings.peer_tls_cert, settings.peer_tls_key, "TAPEDECK_PEER_TLS") or tls_of(settings)


def trust_in_hosts(settings: Settings) -> ssl.SSLContext:
    """For connections to the service's other hosts. Raises: TlsFilesUnusable."""
    try:
        return ssl.create_default_context(cafile=settings.peer_tls_ca)
    except OSError as error:
        raise _unusable(f"TAPEDECK_PEER_TLS_CA={settings.peer_tls_ca}", error) from error


def _shown(cert: Path | None, key: Path | None, name: str) -> ssl.SSLContext | None:
    if cert is None or key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key, password=lambda: "")  # else it would ask at the terminal
    except (OSError, ValueError) as error:
        raise _unusable(f"{name}_CERT={cert} with {name}_KEY={key}", error) from error
    return context


def _unusable(named: str, error: Exception) -> TlsFilesUnusable:
    because = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return TlsFilesUnusable(f"{named} cannot be used: {because}")
