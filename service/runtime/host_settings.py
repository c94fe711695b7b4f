"""The settings that make a service one of several hosts."""

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from service.dialects.http.settings import web_address
from service.runtime.quota_settings import QuotaSettings


class HostSettings(QuotaSettings):
    """Where the service's other hosts reach this one, and how they trust one another."""

    peer_url: Annotated[
        str | None,
        Field(
            description="for one of several hosts: http://HOST:PORT or https://HOST:PORT, where its other hosts reach "
            "this one, which listens on that port while it leads; if unset, the service has one host"
        ),
    ] = None
    peer_tls_cert: Annotated[
        Path | None,
        Field(description="PEM file of the certificate chain that other hosts see at PEER_URL; if unset, TLS_CERT"),
    ] = None
    peer_tls_key: Annotated[
        Path | None, Field(description="PEM file of that certificate's private key, without a passphrase")
    ] = None
    peer_tls_ca: Annotated[
        Path | None,
        Field(
            description="PEM file of the authorities that sign the certificates of other hosts; if unset, the system's"
        ),
    ] = None

    @field_validator("peer_url")
    @classmethod
    def _peer(cls, url: str | None) -> str | None:
        if url is not None and (urlsplit(url).path.strip("/") or urlsplit(web_address(url) or "").port is None):
            raise ValueError("must be http://HOST:PORT or https://HOST:PORT")
        return web_address(url, may_have_user=False)

    @model_validator(mode="after")
    def _hosts_can_trust(self) -> Self:
        if (self.peer_tls_cert is None) != (self.peer_tls_key is None):
            raise ValueError("TAPEDECK_PEER_TLS_CERT and TAPEDECK_PEER_TLS_KEY go together: set both or neither")
        if self.peer_tls_cert is not None and not self.hosts_use_tls:
            raise ValueError("TAPEDECK_PEER_TLS_CERT has no effect without a TAPEDECK_PEER_URL with https://")
        if self.hosts_use_tls and self.peer_tls_cert is None and self.tls_cert is None:
            raise ValueError(
                "TAPEDECK_PEER_URL with https:// needs TAPEDECK_PEER_TLS_CERT and TAPEDECK_PEER_TLS_KEY, or "
                "TAPEDECK_TLS_CERT and TAPEDECK_TLS_KEY"
            )
        return self

    @property
    def hosts_use_tls(self) -> bool:
        """Whether other hosts reach this one by HTTPS."""
        return urlsplit(self.peer_url or "").scheme == "https"
