"""Bota's own settings."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from service.dialects.http.settings import HttpSettings


class BotaSettings(HttpSettings):
    """Limits of Bota's recordings, downloads and webhooks, and how many requests a caller may make."""

    max_chunks: Annotated[
        int, Field(ge=1, le=1_000_000, description="Bota: maximum number of chunks per recording")
    ] = 100
    download_hours: Annotated[float, Field(gt=0, le=24, description="how long a download URL works, in hours")] = 1
    download_redirect_seconds: Annotated[
        int | None,
        Field(
            ge=1,
            le=3600,
            description="if the blobs are in a bucket: redirect downloads of whole recordings to a URL of the bucket, "
            "which works for so many seconds; if unset, downloads go through the service",
        ),
    ] = None
    requests_per_minute: Annotated[
        int | None,
        Field(
            ge=1,
            le=2**31 - 1,
            description="Bota: requests per minute for each key, or for each address without a key; if unset, no limit",
        ),
    ] = None
    webhook_private_addresses: Annotated[
        bool | None,
        Field(description="whether webhooks may go to private addresses; if unset, only in development mode"),
    ] = None

    @property
    def allows_private_webhooks(self) -> bool:
        allowed = self.webhook_private_addresses
        return self.is_development if allowed is None else allowed

    @property
    def download_redirect(self) -> timedelta | None:
        seconds = self.download_redirect_seconds
        return None if seconds is None else timedelta(seconds=seconds)

    @property
    def download_window(self) -> timedelta:
        return timedelta(hours=self.download_hours)
