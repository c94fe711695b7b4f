"""What the stages' work is built from. Each stage uses what it needs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from uuid import UUID

from adapters.blobs.port import BlobStore
from adapters.notes.note import NoteWriter
from adapters.speech.opening import EngineSpec
from adapters.worker_processes import WorkerProcesses
from domain.commands import EndStage
from domain.events import RecordingKind
from domain.recording import Recording
from service.application.clock import Clock
from service.application.retry import RetryPolicy

Work = Callable[[UUID, Recording], Awaitable[EndStage]]
"""Does a stage's work and returns the command that records it. What it writes is idempotent by name.

Raises: AudioError, or a SpeechError or WorkerError that is not retryable, when trying again cannot help; StorageFull,
StorageUnavailable and their like, which are waited out; anything else is tried again a few times.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageParts:
    """`live_workers` serve recordings whose caller waits for the result: these do not queue behind long recordings.

    `scratch_dir`: where workers build files, on the disk where these stay. `note_policy`: how often the note writer
    is tried.
    """

    blobs: BlobStore
    blob_store_url: str
    scratch_dir: Path
    workers: WorkerProcesses
    live_workers: WorkerProcesses
    engine: EngineSpec
    language: str
    note_writer: NoteWriter
    note_policy: RetryPolicy
    clock: Clock
    random: Random

    def workers_for(self, recording: Recording) -> WorkerProcesses:
        return self.live_workers if recording.opened.kind is RecordingKind.SAMPLES else self.workers
