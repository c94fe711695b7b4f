"""Hears one part of a recording with Whisper: finds its speech, joins that into windows, and has each decoded."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from adapters.audio.decoding import SAMPLE_RATE
from adapters.speech.cutting import Span
from adapters.speech.joined_speech import JoinedSpeech, Speech, filled
from adapters.speech.parts import HeardPart, digest_of
from adapters.speech.transcript import TranscriptWord, UnrecognizedSound
from adapters.speech.voice_activity import Stretch, find_speech
from adapters.speech.voice_encoder import VoiceEncoder
from adapters.speech.voiceprints import voiceprints
from adapters.speech.whisper_decoding import decode

if TYPE_CHECKING:
    from adapters.speech.window_model import WindowModel

_WINDOW_SAMPLES = 28 * SAMPLE_RATE
"""Whisper processes half a minute in one go."""


def hear_window(model: "WindowModel", window: Span, *, code: str) -> tuple[TranscriptWord, ...]:
    """The words of a window of a few seconds, as fast as can be. `code`: as for `hear_part`."""
    joined = JoinedSpeech(_speech(window, []))
    words: list[TranscriptWord] = []
    while joined.samples:
        after = words[-1].end if words else 0.0
        found = decode(model, joined, language=code, after=after)
        words.extend(found.words)
        joined = found.rest
    return tuple(words)


def hear_part(model: "WindowModel", part: Span, *, code: str, heard_by: str, encoder: VoiceEncoder | None) -> HeardPart:
    """`code`: the language's, such as "en". `heard_by`: as the result says it. `encoder`: None to hear no speakers."""
    words: list[TranscriptWord] = []
    unrecognized: list[UnrecognizedSound] = []

    def decoded(speech: JoinedSpeech) -> JoinedSpeech:
        found = decode(model, speech, language=code, after=words[-1].end if words else 0.0)
        words.extend(found.words)
        unrecognized.extend(found.unrecognized)
        return found.rest

    speech = list(_speech(part, unrecognized))
    joined = JoinedSpeech()
    for stretch in speech:
        left: Speech | None = stretch
        while left is not None:
            joined, left = filled(joined, left, longest_samples=_WINDOW_SAMPLES)
            if left is not None:
                joined = decoded(joined)
    while joined.samples:
        joined = decoded(joined)
    return HeardPart(
        start_sample=part.start_sample,
        samples=len(part.samples),
        sha256=digest_of(part),
        heard_by=heard_by,
        words=tuple(words),
        unrecognized=tuple(unrecognized),
        voiceprints=() if encoder is None else tuple(voiceprints(encoder, speech)),
    )


def _speech(part: Span, unrecognized: list[UnrecognizedSound]) -> Iterator[Speech]:
    """All speech of the part; other sound is added to `unrecognized`."""
    found = find_speech(part.samples)
    unrecognized += (_no_speech(part.start_sample, stretch) for stretch in found.other_sound)
    for stretch in found.speech:
        yield Speech(part.start_sample + stretch.start, found.sound[stretch.start : stretch.end])


def _no_speech(start_sample: int, stretch: Stretch) -> UnrecognizedSound:
    return UnrecognizedSound(
        start=round((start_sample + stretch.start) / SAMPLE_RATE, 3),
        end=round((start_sample + stretch.end) / SAMPLE_RATE, 3),
        reason="no_speech",
    )
