"""The port to speech engines: what turns a recording into a transcript, and how it reports that it cannot."""

from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO, ClassVar, Protocol, runtime_checkable

from adapters.speech.cutting import Span
from adapters.speech.parts import HeardPart
from adapters.speech.transcript import Transcript
from adapters.speech.voiceprint import Voiceprint
from domain.languages import primary_language

OpenAudio = Callable[[], BinaryIO]
"""Opens a seekable reader of a recording; the caller closes the reader."""


class SpeechEngine(Protocol):
    """Transcribes recordings, one at a time and synchronously: it runs in a worker process of its own."""

    @property
    def name(self) -> str:
        """What transcripts call the engine."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages it understands, known before it is loaded; empty if only it can tell."""

    def load(self) -> None:
        """Load what it needs, so that the first recording does not wait for it. Raises: EngineUnavailable."""

    def transcribe(self, open_audio: OpenAudio, *, language: str) -> Transcript:
        """The transcript of a recording; `language` is a tag like "en" or "en-US". No speech gives an empty one.

        Raises: UnsupportedLanguage, EngineRefused, AudioError (trying again cannot help); EngineUnavailable, OSError
        (it can).
        """


@runtime_checkable
class HearsParts(SpeechEngine, Protocol):
    """Also hears the parts of a recording one by one, in any order; what it hears in all of them is the transcript.

    All methods raise what `transcribe` raises, but for AudioError.
    """

    def heard_by(self, language: str) -> str:
        """Names it, its model and its language in a `HeardPart`."""

    def hear(self, part: Span, *, language: str) -> HeardPart:
        """What is said in one of the `parts_of` a recording's mixed sound."""

    def transcript_of(self, parts: Sequence[HeardPart], *, language: str) -> Transcript:
        """Of all parts of a recording, in order: the same as `transcribe` gives if its speakers share their sound."""

    def named(self, transcript: Transcript, prints: Sequence[Voiceprint]) -> Transcript:
        """The same words in segments that name their speakers, if it tells them apart. `prints`: in order of time."""


class SpeechError(Exception):
    """A transcription failed for a reason other than its audio. `str(error)` is one sentence for people.

    The fields are also the exception's `args`, so that it crosses from one process to another unchanged.
    """

    reason: ClassVar[str]
    is_retryable: ClassVar[bool]


class UnsupportedLanguage(SpeechError):
    reason = "unsupported_language"
    is_retryable = False

    def __init__(self, language: str, engine: str, supported: tuple[str, ...]) -> None:
        super().__init__(language, engine, supported)
        self.language = language
        self.engine = engine
        self.supported = supported

    def __str__(self) -> str:
        return f"The {self.engine} engine does not understand {self.language!r}, only {', '.join(self.supported)}."


class EngineUnavailable(SpeechError):
    """The engine cannot be reached, is overloaded, or is not installed: a later try may succeed."""

    reason = "engine_unavailable"
    is_retryable = True

    def __init__(self, engine: str, detail: str) -> None:
        super().__init__(engine, detail)
        self.engine = engine
        self.detail = detail

    def __str__(self) -> str:
        return f"The {self.engine} engine is not available: {self.detail}."


class EngineRefused(SpeechError):
    """The engine was reached and refused the request, as it would again."""

    reason = "engine_refused"
    is_retryable = False

    def __init__(self, engine: str, detail: str) -> None:
        super().__init__(engine, detail)
        self.engine = engine
        self.detail = detail

    def __str__(self) -> str:
        return f"The {self.engine} engine refused the recording: {self.detail}."


def require_language(language: str, engine: SpeechEngine) -> None:
    """Raises UnsupportedLanguage unless the engine understands the language, whatever its region and script."""
    if engine.languages:
        code_of(language, engine.languages, engine.name)


def code_of(language: str, codes: Iterable[str], engine: str) -> str:
    """The engine's own code for the language of a tag. Raises: UnsupportedLanguage."""
    by_language = {primary_language(code): code for code in codes}
    code = by_language.get(primary_language(language))
    if code is None:
        raise UnsupportedLanguage(language, engine, tuple(by_language.values()))
    return code
