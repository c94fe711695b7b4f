"""The transcript of a session that was recognized chunk by chunk: the chunks' words, repaired where chunks meet.

Who speaks is decided over the whole session, by the voiceprints that are kept with each chunk's words: who is S1 in one
chunk might be S2 in the next. A voice is the same on both sides of a cut, so no voiceprints are taken again.

Cuts between chunks split words. So around every cut the sound is recognized again, from the pause before the cut to the
pause after it, and what the single chunks gave there is dropped. Everything else stays as it was recognized.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from adapters.audio.decoding import SAMPLE_RATE
from adapters.audio.pcm import pcm_file
from adapters.speech.parts import parts_of
from adapters.speech.port import HearsParts, SpeechEngine
from adapters.speech.transcript import Transcript, TranscriptSegment, TranscriptWord, UnrecognizedSound
from adapters.speech.voiceprint import Voiceprint

NEAR_SECONDS = 1.0
"""Speech this near to a cut may continue across it."""

_RUN_UP_SECONDS = 0.3
"""How much silence to add before and after: an engine that looks for speech needs to hear it begin and end."""

_Timed = TypeVar("_Timed", TranscriptSegment, TranscriptWord, UnrecognizedSound, Voiceprint)

Between = Callable[[int, int], bytes]
"""Returns the samples from a first to before another, counted from the session's start."""


@dataclass(frozen=True, slots=True)
class TranscribedChunk:
    """A chunk's number of samples, and what was recognized in it alone; None when it has not been transcribed yet."""

    samples: int
    transcript: Transcript | None


@dataclass(frozen=True, slots=True)
class _Window:
    """A stretch that is recognized again, in seconds."""

    start: float
    end: float


def transcribe_samples(engine: SpeechEngine, samples: bytes, *, language: str) -> Transcript:
    """The transcript of bare samples. No samples give a transcript without words. Raises: what the engine raises.

    It names no speakers, but has the voiceprints by which `transcribe_session` does.
    """
    if not samples:
        return Transcript.of_segments([], language=language, engine=engine.name, provider=None, duration_ms=0)
    if isinstance(engine, HearsParts):
        return _heard_by_parts(engine, samples, language)
    transcript = engine.transcribe(lambda: pcm_file(samples), language=language)
    unnamed = tuple(segment.model_copy(update={"speaker": None}) for segment in transcript.segments)
    return transcript.model_copy(update={"segments": unnamed})


def _heard_by_parts(engine: HearsParts, samples: bytes, language: str) -> Transcript:
    parts = [engine.hear(part, language=language) for part in parts_of([np.frombuffer(samples, "<i2")])]
    unnamed = engine.transcript_of([part.model_copy(update={"voiceprints": ()}) for part in parts], language=language)
    prints = tuple(one for part in parts for one in part.voiceprints)
    return unnamed.model_copy(update={"voiceprints": prints})


def transcribe_session(
    engine: SpeechEngine, between: Between, chunks: Sequence[TranscribedChunk], *, language: str
) -> Transcript:
    """The whole transcript. Raises: what the engine raises; OSError."""
    ends: list[int] = []
    segments: list[TranscriptSegment] = []
    unrecognized: list[UnrecognizedSound] = []
    prints: list[Voiceprint] = []
    provider = None
    for chunk in chunks:
        start = ends[-1] if ends else 0
        ends.append(start + chunk.samples)
        transcript = chunk.transcript
        if transcript is None:
            transcript = transcribe_samples(engine, between(start, ends[-1]), language=language)
        provider = provider or transcript.provider
        segments += _later(transcript.segments, start / SAMPLE_RATE)
        unrecognized += _later(transcript.unrecognized, start / SAMPLE_RATE)
        prints += _later(transcript.voiceprints, start / SAMPLE_RATE)
    total = ends[-1] if ends else 0
    cuts = [end / SAMPLE_RATE for end in ends[:-1] if 0 < end < total]
    for window in _merged(_window(cut, segments, total / SAMPLE_RATE) for cut in cuts):
        start, end = round(window.start * SAMPLE_RATE), round(window.end * SAMPLE_RATE)
        again = transcribe_samples(engine, between(start, min(end, total)), language=language)
        segments = _outside(window, segments) + list(_later(again.segments, window.start))
        unrecognized = _parts_outside(window, unrecognized) + list(_later(again.unrecognized, window.start))
    whole = Transcript.of_segments(
        segments,
        language=language,
        engine=engine.name,
        provider=provider,
        duration_ms=round(total * 1000 / SAMPLE_RATE),
        unrecognized=unrecognized,
    )
    return engine.named(whole, prints) if isinstance(engine, HearsParts) else whole


def _window(cut: float, segments: Sequence[TranscriptSegment], duration: float) -> _Window:
    """What must be recognized again around a cut: all speech that may continue across it, from silence to silence."""
    near = [one for one in segments if one.start < cut + NEAR_SECONDS and one.end > cut - NEAR_SECONDS]
    start = min([cut - NEAR_SECONDS, *(one.start for one in near)])
    end = max([cut + NEAR_SECONDS, *(one.end for one in near)])
    before = max((one.end for one in segments if one.end <= start), default=0.0)
    after = min((one.start for one in segments if one.start >= end), default=duration)
    return _Window(max(before, start - _RUN_UP_SECONDS, 0.0), min(after, end + _RUN_UP_SECONDS, duration))


def _merged(windows: Iterator[_Window]) -> list[_Window]:
    """Overlapping windows become one: there, speech goes from cut to cut without a pause."""
    merged: list[_Window] = []
    for window in windows:
        if merged and window.start < merged[-1].end:
            merged[-1] = _Window(min(merged[-1].start, window.start), max(merged[-1].end, window.end))
        else:
            merged.append(window)
    return merged


def _outside(window: _Window, timed: Sequence[_Timed]) -> list[_Timed]:
    """Those whose middle is not in the window."""
    return [one for one in timed if not window.start <= (one.start + one.end) / 2 <= window.end]


def _parts_outside(window: _Window, sounds: Sequence[UnrecognizedSound]) -> list[UnrecognizedSound]:
    """The parts of each that are not in the window."""
    places = [(one, one.start, min(one.end, window.start)) for one in sounds]
    places += [(one, max(one.start, window.end), one.end) for one in sounds]
    return [
        one.model_copy(update={"start": round(start, 3), "end": round(end, 3)})
        for one, start, end in places
        if start < end
    ]


def _later(timed: Sequence[_Timed], seconds: float) -> Iterator[_Timed]:
    """The same, counted from a start that is this many seconds earlier."""
    for one in timed:
        update: dict[str, object] = {"start": round(one.start + seconds, 3), "end": round(one.end + seconds, 3)}
        if isinstance(one, TranscriptSegment):
            update["words"] = tuple(_later(one.words, seconds))
        yield one.model_copy(update=update)
