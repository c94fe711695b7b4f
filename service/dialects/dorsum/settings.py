"""Dorsum's own settings."""

from typing import Annotated

from pydantic import Field

from service.dialects.http.settings import MEBIBYTE, MOST_BYTES, HttpSettings


class DorsumSettings(HttpSettings):
    """Limits of Dorsum's sessions, and how long a chunk may wait for its words."""

    dorsum_max_chunks: Annotated[
        int, Field(ge=1, le=100_000, description="Dorsum: maximum number of 30-second chunks per session")
    ] = 480
    dorsum_body_bytes: Annotated[
        int,
        Field(
            ge=1024,
            le=MOST_BYTES,
            description="Dorsum: largest body; half a minute of floats is about 10 MB of JSON",
        ),
    ] = 16 * MEBIBYTE
    dorsum_waiting: Annotated[
        int,
        Field(
            ge=0,
            le=10_000,
            description="Dorsum: chunks of a project that may wait to be recognized; any more get a 503",
        ),
    ] = 16
    dorsum_seconds: Annotated[
        float,
        Field(gt=0, le=600, description="Dorsum: seconds after which a waiting chunk gets a 503, to be sent again"),
    ] = 55

    def _held_bodies(self) -> dict[str, int]:
        return super()._held_bodies() | {"DORSUM_BODY_BYTES": self.dorsum_body_bytes}
