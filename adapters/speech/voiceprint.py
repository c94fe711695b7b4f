"""What a voice sounds like within a second or two: where it is in the recording, and its embedding."""

import base64
from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

DIMENSIONS = 256
_PACKED_LETTERS = -(-2 * DIMENSIONS // 3) * 4


class Voiceprint(BaseModel):
    """`start` and `end` are seconds from the recording's start.

    `embedding`: 256 numbers as floats of 16 bits, the lower byte first, in base64. They are about the same whenever one
    person speaks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    start: float = Field(ge=0)
    end: float
    embedding: str = Field(pattern=rf"^[A-Za-z0-9+/=]{{{_PACKED_LETTERS}}}$")

    @classmethod
    def of(cls, start: float, end: float, embedding: npt.NDArray[np.floating]) -> Self:
        packed = base64.b64encode(embedding.astype("<f2").tobytes()).decode("ascii")
        return cls(start=round(start, 3), end=round(end, 3), embedding=packed)


def embeddings_of(prints: Sequence[Voiceprint]) -> npt.NDArray[np.float32]:
    """As (prints, 256)."""
    packed = b"".join(base64.b64decode(one.embedding) for one in prints)
    return np.frombuffer(packed, "<f2").astype(np.float32).reshape(len(prints), DIMENSIONS)
