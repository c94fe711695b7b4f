"""The settings that every dialect needs: the service's address, and limits on what clients send."""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Self, TypeVar
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.dialects.http.origins import Origins

MEBIBYTE = 1024 * 1024
GIBIBYTE = 1024 * MEBIBYTE
MOST_BYTES = 1 << 50
"""A pebibyte: more than one machine has, and no sum of a few of them leaves 64 bits."""

S = TypeVar("S", bound="HttpSettings")


@dataclass(frozen=True, slots=True)
class DevelopmentMode:
    """Development credentials and the development issuer exist, pages of this machine may call, and webhooks may go to
    private addresses; the latter two unless settings of their own say otherwise.

    `is_exposed`: it is on although others than this machine may reach the service.
    """

    is_on: bool
    because: str
    is_exposed: bool = False


class HttpSettings(BaseSettings):
    """A dialect's own settings are in a subclass; the service's settings inherit from all of these."""

    model_config = SettingsConfigDict(env_prefix="TAPEDECK_", frozen=True, allow_inf_nan=False)

    data_dir: Annotated[Path, Field(description="where everything is kept")] = Path(".data")
    host: Annotated[str, Field(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535, description="port to listen on")] = 8080
    public_url: Annotated[
        str | None, Field(description="the service's address as clients see it; signed URLs begin with it")
    ] = None
    development: Annotated[
        bool | None,
        Field(
            description="whether development credentials and what goes with them exist; if unset, only if HOST is "
            "loopback, and PUBLIC_URL too or unset"
        ),
    ] = None
    cors_origins: Annotated[
        str | None,
        Field(
            description="origins whose pages may call from a browser, separated by commas; * for all, none; if unset, "
            "those of this machine, and only in development mode"
        ),
    ] = None
    tls_cert: Annotated[
        Path | None, Field(description="PEM file of the certificate chain; with TLS_KEY, serves HTTPS")
    ] = None
    tls_key: Annotated[Path | None, Field(description="PEM file of the certificate's private key")] = None
    upload_hours: Annotated[
        float, Field(gt=0, le=8760, description="how long a recording accepts uploads, in hours")
    ] = 4
    max_chunk_bytes: Annotated[int, Field(ge=1, le=MOST_BYTES, description="largest body of a chunk")] = 512 * MEBIBYTE
    max_recording_bytes: Annotated[
        int,
        Field(
            ge=1,
            le=MOST_BYTES,
            description="most bytes of a recording's chunks together; the default holds a day of 48 kHz stereo in "
            "16 bits",
        ),
    ] = 16 * GIBIBYTE
    max_json_bytes: Annotated[int, Field(ge=1024, le=MOST_BYTES, description="largest JSON body")] = 256 * 1024
    held_bytes: Annotated[
        int,
        Field(
            le=MOST_BYTES,
            description="bytes of bodies and answers that are held in memory at once, fairly shared among callers; who "
            "comes when there is no room is asked to try again",
        ),
    ] = 256 * MEBIBYTE
    event_listeners: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000,
            description="listeners to streams of events at once; those of one project are at most half of them",
        ),
    ] = 1_000
    max_header_bytes: Annotated[int, Field(ge=1024, le=MEBIBYTE, description="longest request line or header")] = (
        16 * 1024
    )
    chunk_seconds: Annotated[
        float, Field(gt=0, le=86_400, description="seconds within which a chunk's body must arrive")
    ] = 600
    json_seconds: Annotated[
        float, Field(gt=0, le=86_400, description="seconds within which a JSON body must arrive")
    ] = 30

    @field_validator("data_dir")
    @classmethod
    def _absolute_data_dir(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @field_validator("public_url")
    @classmethod
    def _public_address(cls, url: str | None) -> str | None:
        return web_address(url, may_have_user=False)

    @field_validator("cors_origins")
    @classmethod
    def _known_origins(cls, origins: str | None) -> str | None:
        if origins is not None:
            Origins.parse(origins)
        return origins

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("TAPEDECK_TLS_CERT and TAPEDECK_TLS_KEY go together: set both or neither")
        if self.host in ("0.0.0.0", "::") and self.public_url is None:  # noqa: S104 - no client can be sent there
            raise ValueError(f"TAPEDECK_HOST={self.host} needs TAPEDECK_PUBLIC_URL, the address that clients use")
        return self

    @model_validator(mode="after")
    def _bodies_can_be_held(self) -> Self:
        """A caller gets at most half of what may be held, so each body has to fit into that."""
        twice = [(2 * size_bytes, f", twice TAPEDECK_{name}") for name, size_bytes in self._held_bodies().items()]
        least_bytes, because = max([(MEBIBYTE, ""), *twice])
        if self.held_bytes < least_bytes:
            raise ValueError(
                f"TAPEDECK_HELD_BYTES={self.held_bytes} is too small: it must be at least {least_bytes}{because}"
            )
        return self

    def _held_bodies(self) -> dict[str, int]:
        """The settings that say how large a body may be which is held as a whole, and their values. A dialect adds
        its own.
        """
        return {"MAX_JSON_BYTES": self.max_json_bytes}

    def section(self, dialect: type[S]) -> S:
        """These settings as a dialect's own. Raises: TypeError if the service does not have that dialect."""
        if not isinstance(self, dialect):
            raise TypeError(f"{dialect.__name__} are not part of the service's settings")
        return self

    @property
    def base_url(self) -> str:
        """`public_url`, or else the address made from host and port."""
        if self.public_url is not None:
            return self.public_url
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls_cert else 'http'}://{host}:{self.port}"

    @property
    def development_mode(self) -> DevelopmentMode:
        """As said, or else on where nothing says that others than this machine can reach the service."""
        by_address = self._mode_by_address()
        if self.development is None:
            return by_address
        because = f"TAPEDECK_DEVELOPMENT is {str(self.development).lower()}"
        return DevelopmentMode(self.development, because, is_exposed=self.development and not by_address.is_on)

    def _mode_by_address(self) -> DevelopmentMode:
        if not is_loopback(self.host):
            return DevelopmentMode(False, f"TAPEDECK_HOST is {self.host}, which is not loopback")
        if self.public_url is not None and not is_loopback(urlsplit(self.public_url).hostname or ""):
            return DevelopmentMode(False, f"TAPEDECK_PUBLIC_URL is {self.public_url}, which is not loopback")
        return DevelopmentMode(True, "TAPEDECK_HOST and TAPEDECK_PUBLIC_URL are loopback or unset")

    @property
    def is_development(self) -> bool:
        return self.development_mode.is_on

    @property
    def origins(self) -> Origins:
        """Those that may call."""
        return Origins(loopback=self.is_development) if self.cors_origins is None else Origins.parse(self.cors_origins)

    @property
    def upload_window(self) -> timedelta:
        return timedelta(hours=self.upload_hours)


def web_address(url: str | None, *, may_have_user: bool = True) -> str | None:
    """`url` without a trailing slash. Raises: ValueError unless paths can follow it, after http:// or https://."""
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http:// or https:// address")
    has_user = "@" in parts.netloc and not may_have_user
    if has_user or "?" in url or "#" in url:
        raise ValueError(f"must have no {'' if may_have_user else 'user, '}query or fragment")
    if not _is_port(parts):
        raise ValueError("must have a port from 1 to 65535, or none")
    return url.rstrip("/")


def _is_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether it is this machine's own address, or the name that always stands for that."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
