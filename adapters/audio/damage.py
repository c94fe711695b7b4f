"""What could not be used of a recording's chunks, told beside what could."""

from dataclasses import dataclass
from typing import Literal

DamageReason = Literal["not_audio", "damaged", "unsupported_audio"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A chunk that is missing from the stitched audio, in whole or in part.

    `chunk_number`: what `stitch` was told that it is called, else counted from 1. `message`: one sentence for people,
    without content. `reason`: `not_audio`, its bytes are no part of a recording; `damaged`, some of its sound cannot be
    decoded; `unsupported_audio`, it has sound of a kind that this service does not read, such as a second track in an
    unknown codec.
    """

    chunk_number: int
    reason: DamageReason
    message: str
