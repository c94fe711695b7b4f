"""Speech engine on faster-whisper: Whisper on this machine, offline; promises constant memory, the same words for the
same sound, and to report where it heard sound but accepted no words."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from adapters.audio.decoding import SAMPLE_RATE, Samples
from adapters.speech.cutting import pieces
from adapters.speech.joined_speech import JoinedSpeech, Speech, filled
from adapters.speech.port import OpenAudio, code_of
from adapters.speech.sentences import sentences
from adapters.speech.transcript import Transcript, TranscriptSegment, TranscriptWord, UnrecognizedSound
from adapters.speech.voice_activity import Stretch, find_speech
from adapters.speech.voices import Voice, voices_of
from adapters.speech.whisper_decoding import LANGUAGES_WITHOUT_SPACES, decode
from adapters.speech.whisper_model import ENGINE, load_model, model_folder, model_languages

if TYPE_CHECKING:
    from adapters.speech.window_model import WindowModel

_LONGEST_PIECE_SECONDS = 60
_WINDOW_SAMPLES = 28 * SAMPLE_RATE
"""Whisper processes half a minute in one go, and takes just as long for less."""


class FasterWhisperEngine:
    """One model, on one thread unless there is a GPU: the other cores are for other workers."""

    name = ENGINE

    def __init__(self, model_path: str | None = None) -> None:
        """`model_path`: a folder with a Whisper model for CTranslate2; None for the installed English one.

        Raises: EngineUnavailable when it is missing.
        """
        self._model_path = model_path
        folder = model_folder(model_path)
        self.languages = ("en",) if model_path is None else model_languages(folder)

    def load(self) -> None:
        """Load the model now. Raises: EngineUnavailable."""
        _ = self._model

    def transcribe(self, open_audio: OpenAudio, *, language: str) -> Transcript:
        """A segment for each sentence or breath, with its words, and its speaker where each has a channel of their own.

        See `SpeechEngine` for what it raises.
        """
        model = self._model
        code = code_of(language, model.supported_languages, self.name)
        voices = voices_of(open_audio)
        heard = [_heard(model, voice, code) for voice in voices.voices]
        return Transcript.of_segments(
            voices.named([one.segments for one in heard]),
            language=language,
            engine=self.name,
            provider="whisper",
            duration_ms=round(max(one.samples for one in heard) * 1000 / SAMPLE_RATE),
            unrecognized=chain.from_iterable(one.unrecognized for one in heard),
        )

    @cached_property
    def _model(self) -> "WindowModel":
        return load_model(self._model_path)


@dataclass(frozen=True, slots=True)
class _Heard:
    """What was recognized of one voice, what was not, and how long it is."""

    segments: list[TranscriptSegment]
    unrecognized: list[UnrecognizedSound]
    samples: int


def _heard(model: "WindowModel", voice: Voice, code: str) -> _Heard:
    counted = _Counted(voice.blocks())
    words: list[TranscriptWord] = []
    unrecognized: list[UnrecognizedSound] = []

    def decoded(speech: JoinedSpeech) -> JoinedSpeech:
        found = decode(model, speech, language=code, after=words[-1].end if words else 0.0)
        words.extend(found.words)
        unrecognized.extend(found.unrecognized)
        return found.rest

    joined = JoinedSpeech()
    for stretch in _speech(counted, unrecognized):
        left: Speech | None = stretch
        while left is not None:
            joined, left = filled(joined, left, longest_samples=_WINDOW_SAMPLES)
            if left is not None:
                joined = decoded(joined)
    while joined.samples:
        joined = decoded(joined)
    between_words = "" if code in LANGUAGES_WITHOUT_SPACES else " "
    return _Heard(sentences(words, between_words=between_words), unrecognized, counted.samples)


def _speech(blocks: Iterator[Samples], unrecognized: list[UnrecognizedSound]) -> Iterator[Speech]:
    """All speech of a recording; other sound is added to `unrecognized`."""
    for piece in pieces(blocks, longest_seconds=_LONGEST_PIECE_SECONDS):
        found = find_speech(piece.samples)
        unrecognized += (_no_speech(piece.start_sample, stretch) for stretch in found.other_sound)
        for stretch in found.speech:
            yield Speech(piece.start_sample + stretch.start, found.sound[stretch.start : stretch.end])


def _no_speech(start_sample: int, stretch: Stretch) -> UnrecognizedSound:
    return UnrecognizedSound(
        start=round((start_sample + stretch.start) / SAMPLE_RATE, 3),
        end=round((start_sample + stretch.end) / SAMPLE_RATE, 3),
        reason="no_speech",
    )


class _Counted:
    """Passes blocks of sound on, and counts their samples."""

    def __init__(self, blocks: Iterator[Samples]) -> None:
        self._blocks = blocks
        self.samples = 0

    def __iter__(self) -> Iterator[Samples]:
        return self

    def __next__(self) -> Samples:
        block = next(self._blocks)
        self.samples += len(block)
        return block
