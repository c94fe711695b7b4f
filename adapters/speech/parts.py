"""A recording's mixed sound in parts that are recognized one by one, in any order, at any time and by any worker.

Parts are cut by the samples alone, and only by those up to the end of the longest possible part: so the parts of a
recording that has not ended yet are, but for the last, those of the whole. What is heard in a part depends on nothing
outside it. So what was heard in all of them, one after another, is what is heard in the whole.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Self

import orjson
from pydantic import BaseModel, ConfigDict, Field

from adapters.audio.decoding import SAMPLE_RATE, Samples
from adapters.speech.cutting import Span, pieces
from adapters.speech.transcript import TranscriptWord, UnrecognizedSound
from adapters.speech.voiceprint import Voiceprint

LONGEST_PART_SECONDS = 60
"""A part is cut where it is quietest in its last 40 %."""


def parts_of(blocks: Iterable[Samples]) -> Iterator[Span]:
    """The sound, 16 kHz mono, in consecutive parts, each as soon as its end is known. No sound has no parts."""
    return pieces(blocks, longest_seconds=LONGEST_PART_SECONDS)


def digest_of(part: Span) -> str:
    """The SHA-256 of the part's samples as 16-bit little-endian integers, in hex."""
    return hashlib.sha256(part.samples.astype("<i2", copy=False).tobytes()).hexdigest()


class HeardPart(BaseModel):
    """What was heard in one part. `sha256`: of its samples.

    `heard_by` names the engine, its model and its language, and whether it listens for speakers: equal samples at the
    same place, heard by the same, give equal words and voiceprints. Times are seconds from the recording's start.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    start_sample: int = Field(ge=0)
    samples: int = Field(ge=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    heard_by: str
    words: tuple[TranscriptWord, ...]
    unrecognized: tuple[UnrecognizedSound, ...]
    voiceprints: tuple[Voiceprint, ...] = ()

    @classmethod
    def from_json(cls, stored: bytes) -> Self:
        """Raises ValueError when it is none."""
        return cls.model_validate(orjson.loads(stored))

    def to_json(self) -> bytes:
        return orjson.dumps(self.model_dump(mode="json"))

    @property
    def start_ms(self) -> int:
        return round(self.start_sample * 1000 / SAMPLE_RATE)

    @property
    def end_ms(self) -> int:
        return round((self.start_sample + self.samples) * 1000 / SAMPLE_RATE)


def words_in(parts: Iterable[HeardPart]) -> list[TranscriptWord]:
    """The words of all parts, which are in order. None overlaps the one before it: a part's last word may be made
    longer than its sound by a hundredth of a second, so that it has a length."""
    words: list[TranscriptWord] = []
    for word in (word for part in parts for word in part.words):
        if words and word.start < words[-1].end:
            start = words[-1].end
            end = round(max(word.end, start + _SHORTEST_WORD_SECONDS), 3)
            words.append(word.model_copy(update={"start": start, "end": end}))
        else:
            words.append(word)
    return words


_SHORTEST_WORD_SECONDS = 0.02
