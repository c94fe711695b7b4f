"""A recording's state as a value that can be kept, so that a long history need not be folded from its beginning.

A snapshot holds the facts in force and nothing that was replaced. It can always be made again: one that today's code
does not know the shape of is not upcast, as an event is, but left aside.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from domain.chunks import ChunkTable
from domain.events import (
    RECORDING_EVENT_TYPES,
    ChunkStored,
    Failed,
    FinalizeRequested,
    NoteWritten,
    RecordingDeleted,
    RecordingOpened,
    Stitched,
    Transcribed,
)
from domain.recording import Recording


def _event_versions() -> dict[str, int]:
    return {name: event_type.VERSION for name, event_type in RECORDING_EVENT_TYPES.items()}


def _of_today(versions: dict[str, int]) -> dict[str, int]:
    if versions != _event_versions():
        raise ValueError("the snapshot holds events in versions other than today's")
    return versions


class Snapshot(BaseModel):
    """The state after some event of a history. Its JSON is what is stored.

    Reading another `format`, or events of other versions, raises pydantic.ValidationError, as does a corrupt one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    event_versions: Annotated[dict[str, int], AfterValidator(_of_today)] = Field(default_factory=_event_versions)
    opened: RecordingOpened
    chunks: tuple[ChunkStored, ...]
    """In the order of their first arrival."""
    finalized: FinalizeRequested | None
    stitched: Stitched | None
    transcribed: Transcribed | None
    note: NoteWritten | None
    failed: Failed | None
    deleted: RecordingDeleted | None


def take_snapshot(recording: Recording) -> Snapshot:
    """What is known of the recording now."""
    return Snapshot(
        opened=recording.opened,
        chunks=tuple(recording.chunks.values()),
        finalized=recording.finalized,
        stitched=recording.stitched,
        transcribed=recording.transcribed,
        note=recording.note,
        failed=recording.failed,
        deleted=recording.deleted,
    )


def restore(snapshot: Snapshot) -> Recording:
    """The state that the snapshot was taken of; later events fold into it as into any other."""
    return Recording(
        opened=snapshot.opened,
        chunks=ChunkTable.of(snapshot.chunks),
        finalized=snapshot.finalized,
        stitched=snapshot.stitched,
        transcribed=snapshot.transcribed,
        note=snapshot.note,
        failed=snapshot.failed,
        deleted=snapshot.deleted,
    )
