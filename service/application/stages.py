"""The processing stages, in order: followers, retries and metrics are built from them.

A new stage is one more entry, a module with its work, and its command and event in the domain.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from domain.commands import EndStage, RecordNote, RecordStitched, RecordTranscribed
from domain.events import (
    ChunkStored,
    FinalizeRequested,
    RecordingEvent,
    RetryRequested,
    Stage,
    Stitched,
    Transcribed,
    TranscriptionRequested,
)
from domain.recording import Recording
from service.application.note_writing import NoteWriting
from service.application.stage_parts import StageParts, Work
from service.application.stitching import Stitching
from service.application.transcribing import Transcribing


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingStage:
    """One stage. Its command gives its name and event; `Stage.doing` words its work for people.

    `woken_by`: the events after which it may be due. `seldom_woken_by`: events after which it hardly ever is, so that
    the recording is checked before a job is started. `open_work`: makes its work, once per process.
    """

    command: type[EndStage]
    woken_by: frozenset[type[RecordingEvent]]
    seldom_woken_by: frozenset[type[RecordingEvent]] = frozenset()
    open_work: Callable[[StageParts], Work]

    @property
    def name(self) -> Stage:
        return self.command.stage

    def is_due(self, recording: Recording) -> bool:
        return recording.due_stage is self.name


_STAGES = (
    ProcessingStage(
        command=RecordStitched,
        woken_by=frozenset({FinalizeRequested, RetryRequested}),
        seldom_woken_by=frozenset({ChunkStored}),  # the last of the declared chunks
        open_work=Stitching,
    ),
    ProcessingStage(
        command=RecordTranscribed,
        woken_by=frozenset({Stitched, RetryRequested, TranscriptionRequested}),
        open_work=Transcribing,
    ),
    ProcessingStage(
        command=RecordNote,
        woken_by=frozenset({Transcribed, RetryRequested}),
        open_work=NoteWriting,
    ),
)

STAGES: Mapping[Stage, ProcessingStage] = {stage.name: stage for stage in _STAGES}
