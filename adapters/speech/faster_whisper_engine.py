"""Speech engine on faster-whisper: Whisper on this machine, offline; promises constant memory, the same words for the
same sound, and to report where it heard sound but accepted no words."""

from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from adapters.speech.cutting import Span
from adapters.speech.parts import HeardPart, parts_of, words_in
from adapters.speech.port import OpenAudio, code_of
from adapters.speech.sentences import sentences
from adapters.speech.transcript import Transcript, TranscriptSegment
from adapters.speech.turns import with_speakers
from adapters.speech.voice_encoder import WEIGHTS_SHA256, VoiceEncoder
from adapters.speech.voiceprint import Voiceprint
from adapters.speech.voices import voices_of
from adapters.speech.whisper_decoding import LANGUAGES_WITHOUT_SPACES
from adapters.speech.whisper_model import ENGINE, load_model, model_folder, model_identity, model_languages
from adapters.speech.whisper_parts import hear_part

if TYPE_CHECKING:
    from adapters.speech.window_model import WindowModel


class FasterWhisperEngine:
    """One model, on one thread unless there is a GPU: the other cores are for other workers."""

    name = ENGINE

    def __init__(self, model_path: str | None = None, *, tells_speakers: bool = True) -> None:
        """`model_path`: a folder with a Whisper model for CTranslate2; None for the installed English one.

        `tells_speakers`: whether speakers who share a channel are told apart. Raises: EngineUnavailable when the model
        is missing.
        """
        self._model_path = model_path
        self._tells_speakers = tells_speakers
        folder = model_folder(model_path)
        self.languages = ("en",) if model_path is None else model_languages(folder)

    def load(self) -> None:
        """Load the model now. Raises: EngineUnavailable."""
        _ = self._model, self._encoder

    def transcribe(self, open_audio: OpenAudio, *, language: str) -> Transcript:
        """A segment for each sentence or breath of one speaker, with its words, and its speaker where that is known.

        See `SpeechEngine` for what it raises.
        """
        heard_by = self.heard_by(language)
        voices = voices_of(open_audio)
        if len(voices.voices) == 1:
            parts = [self._hear(part, heard_by, language) for part in parts_of(voices.voices[0].blocks())]
            return self.transcript_of(parts, language=language)
        heard = [
            [self._hear(part, heard_by, language, share_channel=False) for part in parts_of(each.blocks())]
            for each in voices.voices
        ]
        return self._transcript(voices.named([self._segments(parts, language) for parts in heard]), heard, language)

    def heard_by(self, language: str) -> str:
        """What `HeardPart` calls who heard it. Raises: UnsupportedLanguage, EngineUnavailable."""
        listens = f" speakers {WEIGHTS_SHA256[:12]}" if self._tells_speakers else ""
        return f"{self.name} {self._identity} {self._code(language)}{listens}"

    def hear(self, part: Span, *, language: str) -> HeardPart:
        """What is said in one part of a recording whose voices share its sound. Raises: as `transcribe`."""
        return self._hear(part, self.heard_by(language), language)

    def transcript_of(self, parts: Sequence[HeardPart], *, language: str) -> Transcript:
        """The transcript of a recording whose parts, in order, are all these: the same as that of the whole.

        Raises: UnsupportedLanguage, EngineUnavailable.
        """
        prints = [one for part in parts for one in part.voiceprints]
        between_words = self._between_words(language)
        segments = with_speakers(self._segments(parts, language), prints, between_words=between_words)
        return self._transcript(segments, [parts], language)

    def named(self, transcript: Transcript, prints: Sequence[Voiceprint]) -> Transcript:
        """The same words in segments that name their speakers, unless this engine does not tell them apart.

        `prints`: in order of time. Raises: UnsupportedLanguage, EngineUnavailable.
        """
        if not self._tells_speakers:
            return transcript
        between_words = self._between_words(transcript.language)
        return Transcript.of_segments(
            with_speakers(transcript.segments, prints, between_words=between_words),
            language=transcript.language,
            engine=transcript.engine,
            provider=transcript.provider,
            duration_ms=transcript.duration_ms,
            unrecognized=transcript.unrecognized,
        )

    def _hear(self, part: Span, heard_by: str, language: str, *, share_channel: bool = True) -> HeardPart:
        encoder = self._encoder if share_channel else None
        return hear_part(self._model, part, code=self._code(language), heard_by=heard_by, encoder=encoder)

    def _segments(self, parts: Sequence[HeardPart], language: str) -> list[TranscriptSegment]:
        return sentences(words_in(parts), between_words=self._between_words(language))

    def _between_words(self, language: str) -> str:
        return "" if self._code(language) in LANGUAGES_WITHOUT_SPACES else " "

    def _transcript(
        self, segments: list[TranscriptSegment], voices: Sequence[Sequence[HeardPart]], language: str
    ) -> Transcript:
        return Transcript.of_segments(
            segments,
            language=language,
            engine=self.name,
            provider="whisper",
            duration_ms=max((parts[-1].end_ms for parts in voices if parts), default=0),
            unrecognized=chain.from_iterable(part.unrecognized for parts in voices for part in parts),
        )

    def _code(self, language: str) -> str:
        """The model's own code of a language. Raises: UnsupportedLanguage, EngineUnavailable."""
        return code_of(language, self.languages or self._model.supported_languages, self.name)

    @cached_property
    def _identity(self) -> str:
        return model_identity(model_folder(self._model_path))

    @cached_property
    def _encoder(self) -> VoiceEncoder | None:
        return VoiceEncoder.installed() if self._tells_speakers else None

    @cached_property
    def _model(self) -> "WindowModel":
        return load_model(self._model_path)
