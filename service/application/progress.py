"""How far a recording has come, for people who wait for it. What is not known is not guessed."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.events import RecordingKind
from domain.recording import Phase, Recording


class Changes(Protocol):
    """Tells of what happens to recordings."""

    def changes(self, recording_id: UUID) -> AsyncGenerator[None]:
        """Yields at once, and again each time after something happened to the recording."""
        ...


class Pace(Protocol):
    """How long recognition takes here, as it was measured."""

    def ready_at(self, stitched_at: datetime, audio_ms: int) -> datetime | None:
        """When so much audio will be recognized, which was left to be when it was stitched; None if that cannot be
        known."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`total_chunks`: as declared. `audio_ms`: how much audio there is to recognize, `recognized_ms`: how much of it
    has been. `ready_at`: when the transcript will be there, by what was measured lately. None: not known."""

    chunks_stored: int
    bytes_stored: int
    total_chunks: int | None
    audio_ms: int | None
    recognized_ms: int | None
    ready_at: datetime | None


def progress_of(recording: Recording, pace: Pace) -> Progress:
    """As the recording's facts have it."""
    finalized, stitched, transcribed = recording.finalized, recording.stitched, recording.transcribed
    audio = transcribed or stitched
    return Progress(
        chunks_stored=len(recording.chunks),
        bytes_stored=recording.chunks.size_bytes,
        total_chunks=finalized.total_chunks if finalized is not None else None,
        audio_ms=audio.duration_ms if audio is not None else None,
        recognized_ms=_recognized_ms(recording),
        ready_at=_ready_at(recording, pace),
    )


def _recognized_ms(recording: Recording) -> int | None:
    """Of bare samples each chunk is recognized by itself, for an answer of its own: that is no part of the whole."""
    if recording.transcribed is not None:
        return recording.transcribed.duration_ms
    return None if recording.opened.kind is RecordingKind.SAMPLES else recording.heard_ms


def _ready_at(recording: Recording, pace: Pace) -> datetime | None:
    """Only for a recording whose first turn it is: what was asked for anew begins at a time that no fact tells."""
    stitched = recording.stitched
    if stitched is None or recording.phase is not Phase.TRANSCRIBING or recording.restarts:
        return None
    before = [part for part in recording.heard_from_the_start() if part.at <= stitched.at]
    heard_ms = before[-1].start_ms + before[-1].duration_ms if before else 0
    return pace.ready_at(stitched.at, stitched.duration_ms - heard_ms)
