"""Speech engine on faster-whisper: Whisper on this machine, offline; promises constant memory, the same words for the
same sound, and to report where it heard sound but accepted no words."""

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from adapters.audio.decoding import SAMPLE_RATE, Samples, pcm_blocks
from adapters.speech.cutting import pieces
from adapters.speech.joined_speech import JoinedSpeech, Speech, filled
from adapters.speech.port import OpenAudio, UnsupportedLanguage, primary_language
from adapters.speech.sentences import sentences
from adapters.speech.transcript import Transcript, TranscriptWord, UnrecognizedSound
from adapters.speech.voice_activity import Stretch, find_speech
from adapters.speech.whisper_decoding import LANGUAGES_WITHOUT_SPACES, decode
from adapters.speech.whisper_model import ENGINE, load_model, model_folder

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
        model_folder(model_path)

    @property
    def languages(self) -> tuple[str, ...]:
        return ("en",) if self._model_path is None else ()

    def load(self) -> None:
        """Load the model now. Raises: EngineUnavailable."""
        _ = self._model

    def transcribe(self, open_audio: OpenAudio, *, language: str) -> Transcript:
        """A segment for each sentence or breath, with its words. See `SpeechEngine` for what it raises."""
        model, code = self._model, primary_language(language)
        if code not in model.supported_languages:
            raise UnsupportedLanguage(language, self.name, tuple(model.supported_languages))
        counted = _Counted(pcm_blocks(open_audio))
        words: list[TranscriptWord] = []
        unrecognized: list[UnrecognizedSound] = []

        def heard(speech: JoinedSpeech) -> JoinedSpeech:
            decoded = decode(model, speech, language=code, after=words[-1].end if words else 0.0)
            words.extend(decoded.words)
            unrecognized.extend(decoded.unrecognized)
            return decoded.rest

        joined = JoinedSpeech()
        for stretch in _speech(counted, unrecognized):
            left: Speech | None = stretch
            while left is not None:
                joined, left = filled(joined, left, longest_samples=_WINDOW_SAMPLES)
                if left is not None:
                    joined = heard(joined)
        while joined.samples:
            joined = heard(joined)
        return Transcript.of_segments(
            sentences(words, between_words="" if code in LANGUAGES_WITHOUT_SPACES else " "),
            language=language,
            engine=self.name,
            provider="whisper",
            duration_ms=round(counted.samples * 1000 / SAMPLE_RATE),
            unrecognized=unrecognized,
        )

    @cached_property
    def _model(self) -> "WindowModel":
        return load_model(self._model_path)


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
