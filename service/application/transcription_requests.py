"""A transcript that is asked for in a language: checked against what the engine has, then recorded."""

from uuid import UUID

from adapters.speech.opening import EngineSpec, build_engine
from adapters.speech.port import require_language
from domain.commands import RequestTranscription
from domain.languages import primary_language
from domain.recording import Recording
from service.application.clock import Clock
from service.application.recordings import Recordings
from service.application.trace import trace_id


class TranscriptionRequests:
    """`language`: what is recognized where nobody has said which language is spoken."""

    def __init__(self, recordings: Recordings, *, engine: EngineSpec, language: str, clock: Clock) -> None:
        self._recordings = recordings
        self._engine = build_engine(engine)
        self._language = language
        self._clock = clock

    async def request(self, recording_id: UUID, *, language: str | None, provider: str | None) -> None:
        """Have the recording transcribed in `language`, a BCP 47 tag. What it has in that language already stays.

        Raises: UnsupportedLanguage, which lists the engine's languages; RecordingExpired; RecordingNotFound; LogFull,
        LogUnavailable; Contended.
        """
        if language is not None and not _has_it(await self._recordings.find(recording_id), language):
            require_language(language, self._engine)
        command = RequestTranscription(
            at=self._clock(), language=language, provider=provider, language_otherwise=self._language
        )
        await self._recordings.execute(recording_id, command, trace_id=trace_id.get())


def _has_it(recording: Recording, language: str) -> bool:
    """Whether it was transcribed in that language, by whichever engine there was."""
    transcribed = recording.transcribed
    return transcribed is not None and primary_language(transcribed.language) == primary_language(language)
