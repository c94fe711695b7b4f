"""Speech engine on faster-whisper, an optional extra, with a model that is on this machine; promises no download."""

import math
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from adapters.audio.decoding import pcm_blocks
from adapters.speech.cutting import Span, pieces
from adapters.speech.engine import EngineUnavailable, OpenAudio
from adapters.speech.transcript import Transcript, TranscriptSegment, segment_of

# Whisper takes its sound as one array, so it is given in pieces: 5 minutes are 19 MB as it wants them.
_LONGEST_PIECE_SECONDS = 300
_FULL_SCALE = np.float32(32768)


class FasterWhisperEngine:
    """Whisper through CTranslate2, on one thread: other cores belong to other workers."""

    name = "faster-whisper"
    languages: tuple[str, ...] = ()

    def __init__(self, model_path: str) -> None:
        self._model_path = Path(model_path)

    def transcribe(self, open_audio: OpenAudio, *, language: str) -> Transcript:
        """Whisper's own segments. See `SpeechEngine` for what it raises."""
        segments: list[TranscriptSegment] = []
        duration_seconds = 0.0
        for piece in pieces(pcm_blocks(open_audio), longest_seconds=_LONGEST_PIECE_SECONDS):
            segments += self._segments(piece, language)
            duration_seconds = piece.end_seconds
        return Transcript.of_segments(
            segments,
            language=language,
            engine=self.name,
            provider="whisper",
            duration_ms=round(duration_seconds * 1000),
        )

    def _segments(self, piece: Span, language: str) -> list[TranscriptSegment]:
        sound = piece.samples.astype(np.float32) / _FULL_SCALE
        found, _ = self._model.transcribe(sound, language=language.partition("-")[0].lower(), vad_filter=True)
        segments = (
            segment_of(
                start=piece.start_seconds + segment.start,
                end=piece.start_seconds + segment.end,
                text=segment.text,
                confidence=math.exp(segment.avg_logprob),
            )
            for segment in found
        )
        return [segment for segment in segments if segment is not None]

    @cached_property
    def _model(self) -> Any:
        try:
            from faster_whisper import WhisperModel  # noqa: PLC0415 - an optional extra
        except ImportError as error:
            raise EngineUnavailable(self.name, "it is not installed; install tapedeck[whisper]") from error
        if not self._model_path.is_dir():
            raise EngineUnavailable(self.name, f"there is no model folder at {self._model_path}")
        try:
            return WhisperModel(
                str(self._model_path), device="auto", compute_type="auto", cpu_threads=1, local_files_only=True
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise EngineUnavailable(self.name, f"the model at {self._model_path} can not be loaded") from error
