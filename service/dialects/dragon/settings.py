"""Dragon's own settings."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from service.dialects.http.settings import HttpSettings


class DragonSettings(HttpSettings):
    """Which tokens are accepted, whether audio needs a session, and limits on Dragon's recordings."""

    allow_list: Annotated[
        Path | None,
        Field(description="Dragon: TOML file of the issuers and applications that may call; re-read when it changes"),
    ] = None
    ambient_session_required: Annotated[
        bool, Field(description="Dragon: whether audio needs an ambient session, unless the request says skip")
    ] = True
    dragon_max_chunks: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000,
            description="Dragon: maximum number of chunks per recording; in slices of 64 KiB, the default holds a day "
            "of 16 kHz in 16 bits",
        ),
    ] = 50_000
    dragon_upload_hours: Annotated[
        float, Field(gt=0, le=8760, description="Dragon: how long a recording accepts chunks after its first, in hours")
    ] = 168

    @field_validator("allow_list")
    @classmethod
    def _absolute_allow_list(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser().absolute()

    @property
    def dragon_upload_window(self) -> timedelta:
        return timedelta(hours=self.dragon_upload_hours)
