"""A transcript's own document (D), as `format=json` returns it: everything known, with the words and their times.

As in Bota's object, what is unknown about a segment or word is left out: exporters accept no null there.
"""

from typing import Annotated, Literal

from pydantic import Field, RootModel

from adapters.speech.transcript import Transcript
from service.dialects.bota.answers import Answer, Count, TranscriptionAnswer, WhereKnown

Confidence = Annotated[float, Field(ge=0, le=1)]


class WordDocument(Answer):
    """A word with the punctuation at its sides. Times in seconds from the start."""

    start: float
    end: float
    text: str
    confidence: Annotated[Confidence | None, WhereKnown] = None


class SegmentDocument(Answer):
    """A sentence, or what was said in one breath. Times in seconds from the start."""

    start: float
    end: float
    text: str
    confidence: Annotated[Confidence | None, WhereKnown] = None
    speaker: Annotated[str | None, WhereKnown] = None
    words: list[WordDocument] = Field(default_factory=list, exclude_if=lambda words: not words)


class UnrecognizedDocument(Answer):
    """Sound in which no words were accepted, in seconds from the start.

    `no_speech`: it does not sound like speech. `no_words`: it does, and no words were found in it. `unsure`: what the
    engine made of it is more likely invented than said. `repetitive`: the engine said the same over and over.
    """

    start: float
    end: float
    reason: Literal["no_speech", "no_words", "unsure", "repetitive"]


class TranscriptDocument(Answer):
    """`engine` names what transcribed; `provider` is the vendor's name, null where there is none."""

    text: str
    language: str
    engine: str
    provider: str | None
    duration_ms: Count
    confidence: Confidence | None
    segments: list[SegmentDocument]
    unrecognized: list[UnrecognizedDocument]


class TranscriptionOrDocument(RootModel[TranscriptionAnswer | TranscriptDocument]):
    """Bota's object of a transcription; with `format=json`, the transcript's own document."""


def transcript_document(transcript: Transcript) -> TranscriptDocument:
    """Made segment by segment: in a thread, this lets others have their turn in between."""
    around = transcript.model_dump(exclude={"segments", "voiceprints"})
    segments = [SegmentDocument.model_validate(segment.model_dump()) for segment in transcript.segments]
    return TranscriptDocument.model_validate(around | {"segments": segments})
