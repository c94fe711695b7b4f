"""What was said: a transcript, its segments and their words, as engines return it and as it is stored."""

from collections.abc import Iterable
from itertools import chain
from typing import Any, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

from adapters.speech.voiceprint import Voiceprint

_STORED = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, str_strip_whitespace=True)


class TranscriptWord(BaseModel):
    """One word with the punctuation around it. `start` and `end` are seconds from the recording's start."""

    model_config = _STORED

    start: float = Field(ge=0)
    end: float
    text: str = Field(min_length=1)
    confidence: float | None = Field(default=None, ge=0, le=1)

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.end <= self.start:
            raise ValueError("a word must end after it starts")
        return self


class TranscriptSegment(BaseModel):
    """A sentence, or what was said in one breath. `start` and `end` are seconds from the recording's start.

    `words` is empty if the engine gives no times for words.
    """

    model_config = _STORED

    start: float = Field(ge=0)
    end: float
    text: str = Field(min_length=1)
    speaker: str | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)
    words: tuple[TranscriptWord, ...] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.end <= self.start:
            raise ValueError("a segment must end after it starts")
        if self.words and _without_spaces(word.text for word in self.words) != _without_spaces([self.text]):
            raise ValueError("the words must be those of the segment's text")
        return self


class UnrecognizedSound(BaseModel):
    """Sound in which no words were accepted, in seconds from the recording's start.

    `no_speech`: it does not sound like speech. `no_words`: it does, but no words were found in it. `unsure`: the
    engine's words are more likely invented than said. `repetitive`: the engine repeated itself over and over, as it
    does in noise.
    """

    model_config = _STORED

    start: float = Field(ge=0)
    end: float
    reason: Literal["no_speech", "no_words", "unsure", "repetitive"]

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.end <= self.start:
            raise ValueError("it must end after it starts")
        return self


class Transcript(BaseModel):
    """A completed transcription. Without speech its text is empty and it has no segments: that is not a failure.

    `engine` is the engine's name; `provider` is the vendor name that clients know it by, if there is one.
    `unrecognized` is what the engine left out, if it says so. Only what is heard of a session's chunk has
    `voiceprints`, in order of time: they are kept until the speakers of the whole session are told apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    text: str
    language: str
    engine: str
    provider: str | None
    duration_ms: int = Field(ge=0)
    segments: tuple[TranscriptSegment, ...]
    confidence: float | None = Field(default=None, ge=0, le=1)
    unrecognized: tuple[UnrecognizedSound, ...] = ()
    voiceprints: tuple[Voiceprint, ...] = ()

    @classmethod
    def of_segments(
        cls,
        segments: list[TranscriptSegment],
        *,
        language: str,
        engine: str,
        provider: str | None,
        duration_ms: int,
        unrecognized: Iterable[UnrecognizedSound] = (),
    ) -> Self:
        """From segments in any order. Its confidence is their mean, weighted by their number of words."""
        ordered = tuple(sorted(segments, key=lambda segment: (segment.start, segment.end)))
        return cls(
            text=_joined(ordered),
            language=language,
            engine=engine,
            provider=provider,
            duration_ms=duration_ms,
            segments=ordered,
            confidence=_confidence(ordered),
            unrecognized=tuple(sorted(unrecognized, key=lambda sound: (sound.start, sound.end))),
        )

    @classmethod
    def from_json(cls, stored: bytes) -> Self:
        """Made a piece at a time: in a thread, this lets others have their turn in between.

        Raises ValueError when it is not a transcript.
        """
        said, pieces = _pieces_of(stored)
        if pieces:
            first = (each for piece in pieces for each in orjson.loads(piece))
            said["segments"] = [TranscriptSegment.model_validate(each) for each in chain(first, said["segments"])]
        return cls.model_validate(said)

    def to_json(self) -> bytes:
        left_out = None if self.voiceprints else {"voiceprints"}
        return orjson.dumps(self.model_dump(mode="json", exclude=left_out))

    @property
    def word_count(self) -> int:
        return len(self.text.split())

    @model_validator(mode="after")
    def _agrees_with_its_segments(self) -> Self:
        if list(self.segments) != sorted(self.segments, key=lambda segment: segment.start):
            raise ValueError("segments must be ordered by their start")
        if self.text != _joined(self.segments):
            raise ValueError("the text must be the segments' texts, joined by one space")
        return self


def segment_of(
    *,
    start: float,
    end: float,
    text: str,
    confidence: float | None = None,
    speaker: str | None = None,
    words: tuple[TranscriptWord, ...] = (),
) -> TranscriptSegment | None:
    """A segment from what an engine reports, which may be empty, end before it starts or have a confidence of 1.0001.

    None when nothing was said.
    """
    text = " ".join(text.split())
    if not text:
        return None
    start = max(0.0, start)
    return TranscriptSegment(
        start=round(start, 3),
        end=round(max(end, start + _SHORTEST_SECONDS), 3),
        text=text,
        speaker=speaker,
        confidence=None if confidence is None else round(min(1.0, max(0.0, confidence)), 4),
        words=words,
    )


_SHORTEST_SECONDS = 0.01


def _joined(segments: tuple[TranscriptSegment, ...]) -> str:
    return " ".join(segment.text for segment in segments)


def _confidence(segments: tuple[TranscriptSegment, ...]) -> float | None:
    known = [(segment.confidence, len(segment.text.split())) for segment in segments if segment.confidence is not None]
    words = sum(count for _, count in known)
    return round(sum(confidence * count for confidence, count in known) / words, 4) if words else None


def _without_spaces(texts: Iterable[str]) -> str:
    return "".join("".join(texts).split())


_SEGMENTS = b'"segments":['
_BETWEEN_SEGMENTS = b']},{"start":'
"""As `to_json` writes them. Quotes within a text are escaped, so this is in none."""

_PIECE_BYTES = 256 * 1024


def _pieces_of(stored: bytes) -> tuple[Any, list[bytes]]:
    """Everything but the first segments, and these as JSON arrays of not much more than a piece's size."""
    pieces, begins = [], stored.find(_SEGMENTS) + len(_SEGMENTS)
    kept = begins
    while begins >= len(_SEGMENTS) and (cut := stored.find(_BETWEEN_SEGMENTS, kept + _PIECE_BYTES)) >= 0:
        pieces.append(b"[%b]" % stored[kept : cut + 2])
        kept = cut + 3
    return orjson.loads(stored[:begins] + stored[kept:] if pieces else stored), pieces
