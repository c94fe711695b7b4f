"""The whole life of a recording in one table: phase by command -> which function decides it, and its possible outcomes.

`decide` looks only here, the diagram in domain/README.md is drawn from here, and a test checks every outcome that
histories reach against those declared.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain import decisions as do
from domain import errors
from domain.commands import (
    AppendChunk,
    Command,
    DeleteRecording,
    EditNote,
    EraseContent,
    ExpireRecording,
    FinalizeRecording,
    OpenRecording,
    RecordChunkTranscribed,
    RecordFailure,
    RecordNote,
    RecordPartHeard,
    RecordStitched,
    RecordTranscribed,
    RequestTranscription,
    RetryRecording,
    StoreChunk,
)
from domain.errors import RecordingError
from domain.events import (
    ChunkStored,
    ChunkTranscribed,
    ContentErased,
    Failed,
    FinalizeRequested,
    NoteEdited,
    NoteWritten,
    PartHeard,
    RecordingDeleted,
    RecordingEvent,
    RecordingOpened,
    RetryRequested,
    Stitched,
    Transcribed,
    TranscriptionRequested,
)
from domain.recording import Phase, Recording, phase_of


@dataclass(frozen=True, slots=True)
class To:
    """The event `event`, after which the recording is in one of `phases`."""

    event: type[RecordingEvent]
    phases: tuple[Phase, ...]


class Nothing:
    """The command changes nothing."""


Outcome = To | type[Nothing] | type[RecordingError]


@dataclass(frozen=True, slots=True)
class Rule:
    """The function that decides a command in a phase, and all its possible outcomes."""

    decision: Callable[[Any, Any], Sequence[RecordingEvent]]
    outcomes: tuple[Outcome, ...]


def decide(recording: Recording | None, command: Command) -> Sequence[RecordingEvent]:
    """The events that `command` causes; none when it changes nothing.

    Costs the same however much there is already; only declaring the total walks the chunks, once.

    Raises: a RecordingError, one of those that LIFE declares for the phase and the command.
    """
    return LIFE[phase_of(recording)][type(command)].decision(recording, command)


COMMANDS: tuple[type[Command], ...] = (
    OpenRecording,
    StoreChunk,
    AppendChunk,
    RecordChunkTranscribed,
    RecordPartHeard,
    FinalizeRecording,
    RecordStitched,
    RecordTranscribed,
    RecordNote,
    EditNote,
    RecordFailure,
    RetryRecording,
    RequestTranscription,
    ExpireRecording,
    EraseContent,
    DeleteRecording,
)

_NOT_FOUND = Rule(do.find_nothing, (errors.RecordingNotFound,))
_OPEN_AGAIN = Rule(do.open_again, (Nothing, errors.RecordingAlreadyOpened))
_KEEP_CHUNK = Rule(
    do.keep_chunk, (Nothing, errors.ChunkNumberOutOfRange, errors.ChunkBeyondTotal, errors.RecordingClosed)
)
_APPEND_NOTHING = Rule(do.append_nothing, (Nothing, errors.NamedRequestDiffers, errors.AlreadyFinalized))
_FINALIZE_AGAIN = Rule(do.finalize_again, (Nothing, errors.AlreadyFinalized))
_ENDED = Rule(do.end_stage_again, (Nothing,))
_NOT_DUE = Rule(do.end_stage_again, (errors.StageNotDue,))
_ENDED_OR_NOT_DUE = Rule(do.end_stage_again, (Nothing, errors.StageNotDue))
_NO_FAILURE = Rule(do.fail_again, (errors.StageNotDue,))
_FAIL_AGAIN = Rule(do.fail_again, (Nothing, errors.StageNotDue))
_NOT_FAILED = Rule(do.retry, (errors.NotFailed,))
_STAYS = Rule(do.leave_as_it_is, (Nothing,))
_DELETE = Rule(do.delete, (To(RecordingDeleted, (Phase.DELETED,)),))
_FAIL = Rule(do.record_failure, (To(Failed, (Phase.FAILED,)), Nothing, errors.StageNotDue))
_FAIL_FIRST_STAGE = Rule(do.record_failure, (To(Failed, (Phase.FAILED,)), errors.StageNotDue))
_EXPIRE = Rule(do.expire, (To(Failed, (Phase.EXPIRED,)), Nothing))


def _mend_in(phase: Phase) -> Mapping[type[Command], Rule]:
    """A chunk that stitching could not use may be replaced; then all is stitched anew, also while later stages run."""
    return {
        StoreChunk: Rule(
            do.keep_chunk,
            (To(ChunkStored, (phase,)), *_KEEP_CHUNK.outcomes, errors.ReplacedTooOften, errors.RecordingTooLarge),
        ),
        RetryRecording: Rule(
            do.retry, (To(RetryRequested, (Phase.STITCHING,)), errors.NotFailed, errors.RestartedTooOften)
        ),
    }


def _request_in(*phases: Phase) -> Mapping[type[Command], Rule]:
    """Which language is wanted can be said at any time; the recording is then in one of `phases`."""
    outcomes = (To(TranscriptionRequested, phases), Nothing, errors.RestartedTooOften)
    return {RequestTranscription: Rule(do.request_transcription, outcomes)}


def _erase_in(phase: Phase) -> Mapping[type[Command], Rule]:
    """Bytes whose retention is over go in any phase, and change nothing else."""
    return {EraseContent: Rule(do.erase_content, (To(ContentErased, (phase,)), Nothing))}


def _hear_in(phase: Phase) -> Mapping[type[Command], Rule]:
    """Single chunks, and parts of the sound, may be transcribed until the whole recording has been."""
    return {
        RecordChunkTranscribed: Rule(
            do.record_chunk_transcribed, (To(ChunkTranscribed, (phase,)), Nothing, errors.ChunkNotStored)
        ),
        RecordPartHeard: Rule(do.record_part_heard, (To(PartHeard, (phase,)), Nothing, errors.ChunkNotStored)),
    }


# Applies in every phase after opening, unless the phase says otherwise below.
_OPENED: Mapping[type[Command], Rule] = {
    OpenRecording: _OPEN_AGAIN,
    StoreChunk: _KEEP_CHUNK,
    AppendChunk: _APPEND_NOTHING,
    RecordChunkTranscribed: Rule(do.leave_as_it_is, (Nothing,)),
    RecordPartHeard: Rule(do.leave_as_it_is, (Nothing,)),
    FinalizeRecording: _FINALIZE_AGAIN,
    RecordStitched: _NOT_DUE,
    RecordTranscribed: _NOT_DUE,
    RecordNote: _NOT_DUE,
    EditNote: Rule(do.edit_no_note, (errors.NoNote,)),
    RecordFailure: _NO_FAILURE,
    RetryRecording: _NOT_FAILED,
    RequestTranscription: Rule(do.request_no_transcription, (errors.RecordingExpired,)),
    ExpireRecording: _STAYS,
    DeleteRecording: _DELETE,
}

LIFE: Mapping[Phase, Mapping[type[Command], Rule]] = {
    Phase.UNOPENED: {
        **dict.fromkeys(COMMANDS, _NOT_FOUND),
        OpenRecording: Rule(do.open_first, (To(RecordingOpened, (Phase.OPEN,)),)),
    },
    Phase.OPEN: {
        **_OPENED,
        **_erase_in(Phase.OPEN),
        StoreChunk: Rule(
            do.store_chunk,
            (
                To(ChunkStored, (Phase.OPEN,)),
                Nothing,
                errors.ChunkNumberOutOfRange,
                errors.RecordingExpired,
                errors.ChunkSizeDiffers,
                errors.ReplacedTooOften,
                errors.RecordingTooLarge,
            ),
        ),
        AppendChunk: Rule(
            do.append_chunk,
            (
                To(ChunkStored, (Phase.OPEN, Phase.STITCHING, Phase.AWAITING_CHUNKS)),
                To(FinalizeRequested, (Phase.STITCHING, Phase.AWAITING_CHUNKS)),
                Nothing,
                errors.ChunkNumberOutOfRange,
                errors.ChunkMismatch,
                errors.NamedRequestDiffers,
                errors.RecordingExpired,
                errors.RecordingTooLarge,
            ),
        ),
        **_request_in(Phase.OPEN),
        **_hear_in(Phase.OPEN),
        FinalizeRecording: Rule(
            do.finalize,
            (
                To(FinalizeRequested, (Phase.STITCHING, Phase.AWAITING_CHUNKS)),
                errors.TotalChunksOutOfRange,
                errors.ChunkMismatch,
                errors.ChunkWithoutBytes,
                errors.RecordingExpired,
            ),
        ),
        ExpireRecording: Rule(do.expire, (To(FinalizeRequested, (Phase.STITCHING,)), *_EXPIRE.outcomes)),
    },
    Phase.AWAITING_CHUNKS: {
        **_OPENED,
        **_erase_in(Phase.AWAITING_CHUNKS),
        StoreChunk: Rule(
            do.store_chunk,
            (
                To(ChunkStored, (Phase.AWAITING_CHUNKS, Phase.STITCHING)),
                Nothing,
                errors.ChunkNumberOutOfRange,
                errors.ChunkBeyondTotal,
                errors.ChunkWithoutBytes,
                errors.RecordingExpired,
                errors.ReplacedTooOften,
                errors.RecordingTooLarge,
            ),
        ),
        **_request_in(Phase.AWAITING_CHUNKS),
        **_hear_in(Phase.AWAITING_CHUNKS),
        ExpireRecording: _EXPIRE,
    },
    Phase.STITCHING: {
        **_OPENED,
        **_erase_in(Phase.STITCHING),
        **_request_in(Phase.STITCHING),
        **_hear_in(Phase.STITCHING),
        RecordStitched: Rule(do.end_stage, (To(Stitched, (Phase.TRANSCRIBING,)), errors.StageNotDue)),
        RecordFailure: _FAIL_FIRST_STAGE,
    },
    Phase.TRANSCRIBING: {
        **_OPENED,
        **_erase_in(Phase.TRANSCRIBING),
        **_mend_in(Phase.TRANSCRIBING),
        **_request_in(Phase.TRANSCRIBING),
        **_hear_in(Phase.TRANSCRIBING),
        RecordStitched: _ENDED,
        RecordTranscribed: Rule(
            do.end_stage, (To(Transcribed, (Phase.COMPLETED, Phase.WRITING_NOTE)), errors.StageNotDue)
        ),
        RecordFailure: _FAIL,
    },
    Phase.WRITING_NOTE: {
        **_OPENED,
        **_erase_in(Phase.WRITING_NOTE),
        **_mend_in(Phase.WRITING_NOTE),
        **_request_in(Phase.WRITING_NOTE, Phase.TRANSCRIBING),
        RecordStitched: _ENDED,
        RecordTranscribed: _ENDED,
        RecordNote: Rule(do.end_stage, (To(NoteWritten, (Phase.COMPLETED,)), errors.StageNotDue)),
        RecordFailure: _FAIL,
    },
    Phase.COMPLETED: {
        **_OPENED,
        **_erase_in(Phase.COMPLETED),
        **_mend_in(Phase.COMPLETED),
        **_request_in(Phase.COMPLETED, Phase.TRANSCRIBING),
        RecordStitched: _ENDED,
        RecordTranscribed: _ENDED,
        RecordNote: _ENDED_OR_NOT_DUE,
        EditNote: Rule(
            do.edit_note,
            (
                To(NoteEdited, (Phase.COMPLETED,)),
                Nothing,
                errors.NoNote,
                errors.NoteChanged,
                errors.EditedTooOften,
            ),
        ),
        RecordFailure: _FAIL_AGAIN,
    },
    Phase.FAILED: {
        **_OPENED,
        **_erase_in(Phase.FAILED),
        **_mend_in(Phase.FAILED),
        **_request_in(Phase.FAILED, Phase.TRANSCRIBING),
        RecordStitched: _ENDED_OR_NOT_DUE,
        RecordTranscribed: _ENDED_OR_NOT_DUE,
        RecordFailure: _FAIL_AGAIN,
        RetryRecording: Rule(
            do.retry,
            (
                To(RetryRequested, (Phase.STITCHING, Phase.TRANSCRIBING, Phase.WRITING_NOTE)),
                errors.RestartedTooOften,
            ),
        ),
    },
    Phase.EXPIRED: {
        **_OPENED,
        **_erase_in(Phase.EXPIRED),
        StoreChunk: Rule(do.keep_expired_chunk, (Nothing, errors.ChunkNumberOutOfRange, errors.RecordingExpired)),
        AppendChunk: Rule(
            do.append_nothing,
            (Nothing, errors.NamedRequestDiffers, errors.AlreadyFinalized, errors.RecordingExpired),
        ),
        FinalizeRecording: Rule(do.finalize_again, (Nothing, errors.AlreadyFinalized, errors.RecordingExpired)),
        RecordFailure: _FAIL_AGAIN,
        RetryRecording: Rule(do.retry_expired, (errors.RecordingExpired,)),
    },
    Phase.DELETED: dict.fromkeys(COMMANDS, _NOT_FOUND),
}
