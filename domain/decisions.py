"""What may happen to a recording: a command and the state give events, or a named refusal.

No events means that the command changes nothing: idempotence is a consequence of the state, never a side table.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from domain.commands import (
    Command,
    FinalizeRecording,
    OpenRecording,
    RecordFailure,
    RecordStitched,
    RecordTranscribed,
    RetryRecording,
    StoreChunk,
)
from domain.errors import (
    AlreadyFinalized,
    ChunkMismatch,
    ChunkNumberOutOfRange,
    NotFailed,
    RecordingAlreadyOpened,
    RecordingClosed,
    RecordingExpired,
    RecordingNotFound,
    StageNotDue,
    TotalChunksOutOfRange,
)
from domain.events import (
    ChunkStored,
    Failed,
    FinalizeRequested,
    RecordingEvent,
    RecordingOpened,
    RetryRequested,
    Stage,
    Stitched,
    Transcribed,
)
from domain.recording import Recording


def decide(recording: Recording | None, command: Command) -> Sequence[RecordingEvent]:
    """The events that `command` causes; none when it changes nothing. Costs the same whatever is already there.

    Raises: a RecordingError, named by each decision below.
    """
    if type(command) is OpenRecording:
        return open_recording(recording, command)
    if recording is None:
        raise RecordingNotFound
    return _DECISIONS[type(command)](recording, command)


def open_recording(recording: Recording | None, command: OpenRecording) -> list[RecordingEvent]:
    """Announce a recording. The same announcement again changes nothing, however much later it comes.

    Raises: RecordingAlreadyOpened when it was announced with other facts.
    """
    if recording is None:
        return [RecordingOpened(**asdict(command))]
    chosen_by_the_service = {"at", "expires_at", "max_chunks"}
    asked = asdict(command)
    if any(getattr(recording.opened, name) != asked[name] for name in asked.keys() - chosen_by_the_service):
        raise RecordingAlreadyOpened
    return []


def store_chunk(recording: Recording, command: StoreChunk) -> list[RecordingEvent]:
    """Accept one chunk. The same bytes again change nothing; until finalize, later bytes replace earlier ones.

    Raises: ChunkNumberOutOfRange; RecordingClosed once finalized; RecordingExpired.
    """
    if not 1 <= command.number <= recording.opened.max_chunks:
        raise ChunkNumberOutOfRange(command.number, recording.opened.max_chunks)
    stored = recording.chunks.get(command.number)
    if stored is not None and stored.sha256 == command.sha256:
        return []
    if recording.finalized is not None:
        raise RecordingClosed(command.number)
    _check_not_expired(recording, command)
    return [
        ChunkStored(
            at=command.at,
            number=command.number,
            blob_key=command.blob_key,
            size_bytes=command.size_bytes,
            sha256=command.sha256,
            md5=command.md5,
        )
    ]


def finalize(recording: Recording, command: FinalizeRecording) -> list[RecordingEvent]:
    """Declare the recording complete. The same declaration again changes nothing.

    Raises: AlreadyFinalized with other parameters; TotalChunksOutOfRange; RecordingExpired;
    ChunkMismatch when chunks are missing or more than declared.
    """
    if recording.finalized is not None:
        if _same_finalize(recording.finalized, command):
            return []
        raise AlreadyFinalized(recording.finalized.total_chunks)
    if not 1 <= command.total_chunks <= recording.opened.max_chunks:
        raise TotalChunksOutOfRange(command.total_chunks, recording.opened.max_chunks)
    _check_not_expired(recording, command)
    _check_complete(recording, command.total_chunks)
    return [
        FinalizeRequested(
            at=command.at,
            total_chunks=command.total_chunks,
            chunks_received=len(recording.chunks),
            final_duration_ms=command.final_duration_ms,
            checksum_md5=command.checksum_md5,
        )
    ]


def _same_finalize(finalized: FinalizeRequested, command: FinalizeRecording) -> bool:
    return (finalized.total_chunks, finalized.final_duration_ms, finalized.checksum_md5) == (
        command.total_chunks,
        command.final_duration_ms,
        command.checksum_md5,
    )


def _check_not_expired(recording: Recording, command: Command) -> None:
    if recording.has_expired(command.at):
        raise RecordingExpired(recording.opened.expires_at.isoformat())


def _check_complete(recording: Recording, total_chunks: int) -> None:
    """Numbers are unique and from 1: `total_chunks` of them with none above it are all, and no list is walked."""
    if len(recording.chunks) == total_chunks and recording.chunks.highest == total_chunks:
        return
    raise ChunkMismatch(
        missing=tuple(number for number in range(1, total_chunks + 1) if number not in recording.chunks),
        extra=tuple(sorted(number for number in recording.chunks if number > total_chunks)),
    )


def record_stitched(recording: Recording, command: RecordStitched) -> list[RecordingEvent]:
    """Note that the chunks are one file now. Raises: StageNotDue."""
    if recording.stitched is not None:
        return []
    _check_due(recording, Stage.STITCH)
    return [Stitched(**asdict(command))]


def record_transcribed(recording: Recording, command: RecordTranscribed) -> list[RecordingEvent]:
    """Note that the audio is text now. Raises: StageNotDue."""
    if recording.transcribed is not None:
        return []
    _check_due(recording, Stage.TRANSCRIBE)
    return [Transcribed(**asdict(command))]


def record_failure(recording: Recording, command: RecordFailure) -> list[RecordingEvent]:
    """Give the due stage up; what was stored stays. A stage that has ended, or failed, already is left as it is.

    Raises: StageNotDue before the stage's turn.
    """
    if recording.failed is not None or _has_ended(recording, command.stage):
        return []
    _check_due(recording, command.stage)
    return [Failed(**asdict(command))]


def _has_ended(recording: Recording, stage: Stage) -> bool:
    end = {Stage.STITCH: recording.stitched, Stage.TRANSCRIBE: recording.transcribed}
    return end[stage] is not None


def _check_due(recording: Recording, stage: Stage) -> None:
    if recording.due_stage is not stage:
        raise StageNotDue(stage)


def retry(recording: Recording, command: RetryRecording) -> list[RecordingEvent]:
    """Take a failed recording up again from the stage that failed. Raises: NotFailed."""
    if recording.failed is None:
        raise NotFailed
    return [RetryRequested(at=command.at, stage=recording.failed.stage)]


_DECISIONS: dict[type[Command], Callable[[Recording, Any], Sequence[RecordingEvent]]] = {
    StoreChunk: store_chunk,
    FinalizeRecording: finalize,
    RecordStitched: record_stitched,
    RecordTranscribed: record_transcribed,
    RecordFailure: record_failure,
    RetryRecording: retry,
}
