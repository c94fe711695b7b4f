"""A recording's state: a fold over its events and nothing else.

The state keeps the events themselves as its facts, so evolving is naming the newest of each kind.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from typing import Any

from domain.chunks import ChunkTable
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


@dataclass(frozen=True, slots=True)
class Recording:
    """What is known of one recording. The initial state, before `RecordingOpened`, is None."""

    opened: RecordingOpened
    chunks: ChunkTable
    finalized: FinalizeRequested | None = None
    stitched: Stitched | None = None
    transcribed: Transcribed | None = None
    failed: Failed | None = None

    @property
    def due_stage(self) -> Stage | None:
        """The stage whose turn it is: None while chunks come in, after the end, and when failed."""
        if self.finalized is None or self.failed is not None:
            return None
        if self.stitched is None:
            return Stage.STITCH
        if self.transcribed is None:
            return Stage.TRANSCRIBE
        return None

    def has_expired(self, at: datetime) -> bool:
        return at >= self.opened.expires_at


def fold(events: Iterable[RecordingEvent], recording: Recording | None = None) -> Recording | None:
    """The state after `events`, from `recording` or from the beginning."""
    return reduce(evolve, events, recording)


def evolve(recording: Recording | None, event: RecordingEvent) -> Recording:
    """The state after one event. Costs the same whatever is already there.

    Raises: CorruptHistory where the first event is not RecordingOpened, or a later one is.
    """
    if (recording is None) is not (type(event) is RecordingOpened):
        raise CorruptHistory(f"{type(event).__name__} cannot stand here in a recording's history")
    return _EVOLUTIONS[type(event)](recording, event)


class CorruptHistory(Exception):
    """The stored history is one that no decisions can have made."""


def _opened(_: None, event: RecordingOpened) -> Recording:
    return Recording(opened=event, chunks=ChunkTable())


def _chunk_stored(recording: Recording, event: ChunkStored) -> Recording:
    return replace(recording, chunks=recording.chunks.with_chunk(event))


def _finalize_requested(recording: Recording, event: FinalizeRequested) -> Recording:
    return replace(recording, finalized=event)


def _stitched(recording: Recording, event: Stitched) -> Recording:
    return replace(recording, stitched=event)


def _transcribed(recording: Recording, event: Transcribed) -> Recording:
    return replace(recording, transcribed=event)


def _failed(recording: Recording, event: Failed) -> Recording:
    return replace(recording, failed=event)


def _retry_requested(recording: Recording, _: RetryRequested) -> Recording:
    return replace(recording, failed=None)


_EVOLUTIONS: dict[type[RecordingEvent], Callable[[Any, Any], Recording]] = {
    RecordingOpened: _opened,
    ChunkStored: _chunk_stored,
    FinalizeRequested: _finalize_requested,
    Stitched: _stitched,
    Transcribed: _transcribed,
    Failed: _failed,
    RetryRequested: _retry_requested,
}
