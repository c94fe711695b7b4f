"""What the stages' work is built from. Each stage uses what it needs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import ClassVar, Protocol, TypeVar
from uuid import UUID

from adapters.blobs.port import BlobStore
from adapters.notes.note import NoteWriter
from adapters.speech.opening import EngineSpec
from adapters.worker_processes import WorkerProcesses, WorkerTimedOut
from domain.commands import EndStage
from domain.events import RecordingKind
from domain.recording import Recording
from service.application.arriving import Arriving
from service.application.clock import Clock
from service.application.project_turns import Turn, Urgency
from service.application.recordings import Recordings
from service.application.retry import RetryPolicy
from service.application.turns import Turns

R = TypeVar("R")
Order = TypeVar("Order")


@dataclass(frozen=True, slots=True)
class Effort:
    """What a stage's work on one recording takes, by what is known before it.

    `turns`: where it waits for its turn. `urgency`: LONG if it is known to take long, LIVE if a caller waits for it.
    `limit`: after so much time it is stopped, and the stage fails.
    """

    turns: Turns
    urgency: Urgency
    limit: timedelta


@dataclass(frozen=True, slots=True)
class Permit:
    """To work on one recording for so long, without pauses. `turn`: can pause the work if it knows it."""

    within: timedelta
    turn: Turn


class TookTooLong(Exception):
    """The work was stopped at its limit. It would take as long again."""

    reason: ClassVar[str] = "took_too_long"

    def __init__(self, limit: timedelta) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        hours, minutes = divmod(self.limit.total_seconds() / 60, 60)
        told = f"{hours + minutes / 60:g} h" if hours else f"{minutes:g} min"
        return f"The work took longer than {told} and was stopped."


class Work(Protocol):
    """A stage's work. What it writes is idempotent by name."""

    def effort(self, recording: Recording) -> Effort:
        """What the work on this recording takes."""
        ...

    async def do(self, recording_id: UUID, recording: Recording, permit: Permit) -> EndStage:
        """Do it, and return the command that records it.

        Raises: TookTooLong after `permit.within`; AudioError, or a SpeechError or WorkerError that is not retryable,
        when trying again cannot help; StorageFull, StorageUnavailable and their like, which are waited out; anything
        else is tried again a few times.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StageParts:
    """`turns` and `note_turns` say who is next at the workers and at the note writer.

    `scratch_dir`: where workers build files, on the disk where these stay. `note_policy`: how often the note writer
    is tried. `longest_recording`: what lasts longer is refused when it is stitched. The limits are those of a stage's
    work on one recording. `arriving`: what is known of recordings from when they arrived.
    """

    recordings: Recordings
    blobs: BlobStore
    blob_store_url: str
    scratch_dir: Path
    workers: WorkerProcesses
    engine: EngineSpec
    language: str
    note_writer: NoteWriter
    note_policy: RetryPolicy
    turns: Turns
    note_turns: Turns
    longest_recording: timedelta
    stitch_limit: timedelta
    transcribe_limit: timedelta
    note_limit: timedelta
    clock: Clock
    random: Random
    arriving: Arriving = field(default_factory=Arriving)

    def effort(self, recording: Recording, limit: timedelta, *, is_long: bool) -> Effort:
        """Of work in a worker process. For a recording of samples, a caller waits: it does not queue behind others."""
        if recording.opened.kind is RecordingKind.SAMPLES:
            return Effort(self.turns, Urgency.LIVE, limit)
        return Effort(self.turns, Urgency.LONG if is_long else Urgency.SHORT, limit)

    async def in_worker(
        self, function: Callable[[Order], R], order: Order, permit: Permit, *, can_be_paused: bool = True
    ) -> R:
        """The function's result, from a worker process. Raises: TookTooLong; what the function raises; WorkerError."""
        on_start = permit.turn.is_used_by if can_be_paused else None
        try:
            return await self.workers.run(function, order, timeout=permit.within, on_start=on_start)
        except WorkerTimedOut:
            raise TookTooLong(permit.within) from None
