"""A recording's state: a fold over its events and nothing else.

The state's facts are the events themselves, so evolving only replaces the newest of each kind.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import reduce
from typing import Any

from domain.chunks import ChunkTable
from domain.errors import RecordingTooLarge
from domain.events import (
    INTEGRITY_FAILURE,
    MOST_DAMAGE,
    MOST_SUSPECTS,
    ChunkStored,
    ChunkTranscribed,
    ContentErased,
    Damage,
    ErasedPart,
    Failed,
    FinalizeRequested,
    NoteEdited,
    NoteWritten,
    PartHeard,
    RecordingDeleted,
    RecordingEvent,
    RecordingKind,
    RecordingOpened,
    RetryRequested,
    Stage,
    Stitched,
    SuspectChunk,
    Transcribed,
    TranscriptionRequested,
)


class Phase(StrEnum):
    """Where a recording is in its life. `domain.life` says what may happen in each phase."""

    UNOPENED = "unopened"
    OPEN = "open"
    AWAITING_CHUNKS = "awaiting_chunks"
    STITCHING = "stitching"
    TRANSCRIBING = "transcribing"
    WRITING_NOTE = "writing_note"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Superseded:
    """Bytes that others took the place of at `at`, and that are still kept. `number` tells them apart."""

    number: int
    size_bytes: int
    blob_key: str
    at: datetime


DUE_STAGE = {
    Phase.STITCHING: Stage.STITCH,
    Phase.TRANSCRIBING: Stage.TRANSCRIBE,
    Phase.WRITING_NOTE: Stage.NOTE,
}


@dataclass(frozen=True, slots=True)
class Recording:
    """What is known of one recording. The initial state, before `RecordingOpened`, is None.

    `is_mended`: a chunk was replaced after stitching had ended or failed. `edition`: how often all that follows was to
    be made anew, since such chunks were sent to be stitched or another language was asked for; work that was begun for
    an earlier edition is not taken for this one's. `checksum_md5`: what the chunks' bytes together are to have, in hex.
    `requested`: which transcription is wanted, if anyone has said so.

    `superseded`: the bytes that are kept and of no use any more. `erased`: which of the others are not kept any more.
    `replacements`: how often other bytes came for a chunk that had some. `restarts`: how often work on the recording
    was asked for again, by a retry or for another language.

    `heard`: the parts of its sound of which the words are known, by number, until all are in the transcript.

    `edits`: those of the note that there is now, by number. `edit_count`: of all notes that there were.
    """

    opened: RecordingOpened
    chunks: ChunkTable[ChunkStored]
    finalized: FinalizeRequested | None = None
    stitched: Stitched | None = None
    transcribed: Transcribed | None = None
    note: NoteWritten | None = None
    failed: Failed | None = None
    deleted: RecordingDeleted | None = None
    transcribed_chunks: ChunkTable[ChunkTranscribed] = field(default_factory=ChunkTable)
    is_mended: bool = False
    edition: int = 0
    checksum_md5: str | None = None
    requested: TranscriptionRequested | None = None
    superseded: ChunkTable[Superseded] = field(default_factory=ChunkTable)
    erased: ErasedPart | None = None
    replacements: int = 0
    restarts: int = 0
    edits: ChunkTable[NoteEdited] = field(default_factory=ChunkTable)
    edit_count: int = 0
    heard: ChunkTable[PartHeard] = field(default_factory=ChunkTable)

    @property
    def phase(self) -> Phase:
        if self.deleted is not None:
            return Phase.DELETED
        if self.failed is not None:
            return Phase.EXPIRED if self.failed.stage is Stage.UPLOAD else Phase.FAILED
        if self.finalized is None:
            return Phase.OPEN
        if self.stitched is None:
            return Phase.STITCHING if self._has_all_chunks(self.finalized.total_chunks) else Phase.AWAITING_CHUNKS
        if self.transcribed is None:
            return Phase.TRANSCRIBING
        return Phase.WRITING_NOTE if self.opened.note_wanted and self.note is None else Phase.COMPLETED

    def _has_all_chunks(self, total_chunks: int) -> bool:
        """Numbers are unique and start at 1: `total_chunks` of them, none higher, are all; no list is walked."""
        return len(self.chunks) == total_chunks and self.chunks.highest == total_chunks

    def end_of(self, stage: Stage) -> RecordingEvent | None:
        """The event that ended the stage, if it has ended."""
        return {Stage.STITCH: self.stitched, Stage.TRANSCRIBE: self.transcribed, Stage.NOTE: self.note}.get(stage)

    @property
    def last_edit(self) -> NoteEdited | None:
        return self.edits.get(self.edits.highest)

    @property
    def note_now(self) -> NoteEdited | NoteWritten | None:
        """Where the words of the note are: those of the last edit, or the writer's own."""
        return self.last_edit or self.note

    @property
    def note_version(self) -> str:
        """Names the note that there is now; empty if there is none. The same name always means the same words."""
        return version_of_note(self.note_now) if self.note_now is not None else ""

    @property
    def due_stage(self) -> Stage | None:
        """The stage that followers should do next. None while chunks come in, after the end, and when failed."""
        return DUE_STAGE.get(self.phase)

    @property
    def language_wanted(self) -> str | None:
        """The tag of the language to recognize; None where nobody has said which."""
        asked = self.requested.language if self.requested is not None else None
        return asked or self.opened.language

    @property
    def provider_wanted(self) -> str | None:
        return self.requested.provider if self.requested is not None else None

    def has_expired(self, at: datetime) -> bool:
        return at >= self.opened.expires_at

    @property
    def has_its_file(self) -> bool:
        """Whether it is one file, and all of that has arrived. Then it is complete also if nobody says so."""
        file = self.chunks.get(1)
        is_there = file is not None and file.blob_key is not None and file.has_expected_size
        return is_there and self.opened.kind is RecordingKind.WHOLE_FILE and self._has_all_chunks(1)

    def heard_from_the_start(self) -> Iterator[PartHeard]:
        """The parts of its sound that were heard, up to the first one that was not."""
        heard_ms = 0
        for part in self.heard.in_order():
            if part.start_ms > heard_ms + _ROUNDED_MS:
                return
            heard_ms = part.start_ms + part.duration_ms
            yield part

    @property
    def heard_ms(self) -> int:
        """How much of its sound, from the start, was heard part by part. Walks the parts."""
        return max((part.start_ms + part.duration_ms for part in self.heard_from_the_start()), default=0)

    @property
    def keeps_chunks(self) -> bool:
        """Whether the bytes of its chunks are to be kept. Once they are erased, none come back."""
        return self.erased is None

    @property
    def kept_bytes(self) -> int:
        """The bytes of all blobs that its events brought and that are not erased; equal ones count each time."""
        made = sum(event.size_bytes for event in (self.stitched, self.transcribed, self.note) if event is not None)
        chunks = self.chunks.size_bytes if self.keeps_chunks else 0
        made += self.edits.size_bytes + self.heard.size_bytes
        return chunks + self.transcribed_chunks.size_bytes + made + self.superseded.size_bytes

    def blobs_in_use(self) -> set[str]:
        """The keys of all blobs that its current facts refer to and that are not erased. Walks all chunks."""
        made = (self.stitched, self.transcribed, self.note)
        chunks = self.chunks.values() if self.keeps_chunks else ()
        several = (*chunks, *self.transcribed_chunks.values(), *self.heard.values(), *self.edits.values())
        keys = {event.blob_key for event in (*several, *made) if event is not None}
        details_key = None if self.erased is ErasedPart.EVERYTHING else self.opened.details_key
        return {key for key in (*keys, details_key) if key is not None}

    def superseded_until(self, moment: datetime) -> list[Superseded]:
        """Of the superseded bytes that are kept, those that were so at `moment`."""
        return [each for each in self.superseded.values() if each.at <= moment]

    def check_room(self, number: int, size_bytes: int, most_bytes: int | None) -> None:
        """Raises: RecordingTooLarge if it would have more than `most_bytes` with so many in chunk `number`. Fewer bytes
        than the chunk has are always accepted in place of those."""
        stored = self.chunks.get(number)
        added_bytes = size_bytes - (stored.size_bytes if stored is not None else 0)
        if most_bytes is not None and added_bytes > 0 and self.chunks.size_bytes + added_bytes > most_bytes:
            raise RecordingTooLarge(most_bytes)

    def chunks_to_stitch(self) -> list[ChunkStored]:
        """The chunks that have bytes, by number."""
        return [chunk for chunk in self.chunks.in_order() if chunk.blob_key is not None]

    def suspect_chunks(self) -> tuple[SuspectChunk, ...]:
        """The first of the chunks that cannot be audio by their first bytes, by number. Walks all chunks."""
        found = [(chunk.number, chunk.looks_like) for chunk in self.chunks.values() if chunk.looks_like is not None]
        return tuple(SuspectChunk(number, looks_like) for number, looks_like in sorted(found)[:MOST_SUSPECTS])

    @property
    def can_be_mended(self) -> bool:
        """Whether it accepts other bytes for any of its chunks, though it is complete."""
        if self.stitched is None:
            return self.failed is not None and self.failed.stage is Stage.STITCH
        return bool(self.stitched.damage)

    def can_replace(self, number: int) -> bool:
        """Whether other bytes are accepted for this chunk of a complete recording: stitching could not use it, or it
        failed as a whole, when which chunk was to blame is not always known, or more may be damaged than are named."""
        if self.stitched is None or len(self.stitched.damage) >= MOST_DAMAGE:
            return self.can_be_mended
        return self.damage_of(number) is not None

    def damage_of(self, number: int) -> Damage | None:
        """Why the stitched audio lacks sound of this chunk; None if it has all of it, as far as that is named."""
        damage = self.stitched.damage if self.stitched is not None else ()
        at = bisect_left(damage, number, key=lambda found: found.chunk_number)  # they are in this order
        return damage[at] if at < len(damage) and damage[at].chunk_number == number else None

    def words_of(self, chunk: ChunkStored) -> ChunkTranscribed | None:
        """The known words of these bytes alone."""
        words = self.transcribed_chunks.get(chunk.number)
        return words if words is not None and words.chunk_sha256 == chunk.sha256 else None


_ROUNDED_MS = 1
"""A part begins where the one before it ends, each to the nearest millisecond."""


def version_of_note(event: NoteEdited | NoteWritten) -> str:
    """The version that this event made: the writer's own note has the number 0."""
    return f"{event.number if isinstance(event, NoteEdited) else 0}-{event.sha256}"


def phase_of(recording: Recording | None) -> Phase:
    return Phase.UNOPENED if recording is None else recording.phase


def fold(events: Iterable[RecordingEvent], recording: Recording | None = None) -> Recording | None:
    """The state after `events`, from `recording` or from the beginning."""
    return reduce(evolve, events, recording)


def evolve(recording: Recording | None, event: RecordingEvent) -> Recording:
    """The state after one event. The cost does not depend on what is already there.

    Raises: CorruptHistory if the first event is not RecordingOpened, or a later one is.
    """
    event_type = type(event)
    if (recording is None) is not (event_type is RecordingOpened):
        raise CorruptHistory(f"{event_type.__name__} cannot come here in a recording's history")
    return _EVOLUTIONS[event_type](recording, event)


class CorruptHistory(Exception):
    """The stored history is one that no decisions can have produced."""


def _opened(_: None, event: RecordingOpened) -> Recording:
    return Recording(opened=event, chunks=ChunkTable())


def _chunk_stored(recording: Recording, event: ChunkStored) -> Recording:
    chunks = with_stored(recording.chunks, event)
    if len(chunks) == len(recording.chunks):
        recording = _without_the_replaced(recording, event)
    # Written out, because nearly every event is one of these and `replace` takes twice as long.
    return Recording(
        recording.opened,
        chunks,
        recording.finalized,
        recording.stitched,
        recording.transcribed,
        recording.note,
        recording.failed,
        recording.deleted,
        recording.transcribed_chunks,
        recording.stitched is not None or recording.failed is not None,
        recording.edition,
        recording.checksum_md5,
        recording.requested,
        recording.superseded,
        recording.erased,
        recording.replacements,
        recording.restarts,
        recording.edits,
        recording.edit_count,
        recording.heard,
    )


def _without_the_replaced(recording: Recording, event: ChunkStored) -> Recording:
    before = recording.chunks[event.number]
    if before.blob_key is None and event.blob_key is None:
        return recording
    void = [part for part in recording.heard.values() if part.last_chunk >= event.number]
    heard = _without(recording.heard, void)
    if before.blob_key is None:
        return replace(recording, heard=heard, superseded=_superseding(recording.superseded, void, event.at))
    superseded = _superseding(recording.superseded, (before, *void), event.at)
    return replace(recording, superseded=superseded, replacements=recording.replacements + 1, heard=heard)


def _without(heard: ChunkTable[PartHeard], void: list[PartHeard]) -> ChunkTable[PartHeard]:
    """Void parts are the last ones: each rests on no fewer chunks than the part before it."""
    return ChunkTable.of(part for part in heard.values() if part not in void) if void else heard


_WithBlob = ChunkStored | ChunkTranscribed | PartHeard | Stitched | Transcribed | NoteWritten | NoteEdited


def _superseding(
    superseded: ChunkTable[Superseded], events: Iterable[_WithBlob | None], at: datetime
) -> ChunkTable[Superseded]:
    """The table with the blobs of those of these events that there are."""
    for event in events:
        if event is not None and event.blob_key is not None:
            number = superseded.highest + 1
            superseded = superseded.with_chunk(Superseded(number, event.size_bytes, event.blob_key, at))
    return superseded


def with_stored(chunks: ChunkTable[ChunkStored], event: ChunkStored) -> ChunkTable[ChunkStored]:
    """The table with this chunk added, which can also be found by the request that it came with."""
    request = event.request_sha256
    return chunks.with_chunk(event) if request is None else chunks.with_named_chunk(event, request)


def _chunk_transcribed(recording: Recording, event: ChunkTranscribed) -> Recording:
    before = recording.transcribed_chunks.get(event.number)
    return replace(
        recording,
        transcribed_chunks=recording.transcribed_chunks.with_chunk(event),
        superseded=_superseding(recording.superseded, (before,), event.at),
    )


def _part_heard(recording: Recording, event: PartHeard) -> Recording:
    before = recording.heard.get(event.number)
    return replace(
        recording,
        heard=recording.heard.with_chunk(event),
        superseded=_superseding(recording.superseded, (before,), event.at),
    )


def _finalize_requested(recording: Recording, event: FinalizeRequested) -> Recording:
    return replace(recording, finalized=event, checksum_md5=event.checksum_md5)


def _stitched(recording: Recording, event: Stitched) -> Recording:
    return replace(recording, stitched=event)


def _transcribed(recording: Recording, event: Transcribed) -> Recording:
    superseded = _superseding(recording.superseded, recording.heard.in_order(), event.at)
    return replace(recording, transcribed=event, heard=ChunkTable(), superseded=superseded)


def _note_written(recording: Recording, event: NoteWritten) -> Recording:
    return replace(recording, note=event)


def _note_edited(recording: Recording, event: NoteEdited) -> Recording:
    return replace(recording, edits=recording.edits.with_chunk(event), edit_count=event.number)


def _failed(recording: Recording, event: Failed) -> Recording:
    return replace(recording, failed=event)


def _retry_requested(recording: Recording, event: RetryRequested) -> Recording:
    recording = replace(recording, restarts=recording.restarts + 1)
    if event.stage is not Stage.STITCH:
        return replace(recording, failed=None)
    made = (recording.stitched, recording.transcribed, recording.note, *recording.edits.in_order())
    superseded = _superseding(recording.superseded, made, event.at)
    nothing: dict[str, Any] = {"stitched": None, "transcribed": None, "note": None, "edits": ChunkTable()}
    anew = replace(recording, failed=None, superseded=superseded, **nothing)
    if not recording.is_mended:
        return anew
    checksum_md5 = recording.checksum_md5 if _awaits_its_checksum(recording) else None
    return replace(anew, is_mended=False, edition=recording.edition + 1, checksum_md5=checksum_md5)


def _awaits_its_checksum(recording: Recording) -> bool:
    """Whether replacements are to have the declared MD5: only if the replaced chunks did not have it. What replaces
    chunks that had it cannot have it, too. A whole file's was taken by the service itself from the file that came."""
    is_file = recording.opened.kind is RecordingKind.WHOLE_FILE
    return not is_file and recording.failed is not None and recording.failed.reason == INTEGRITY_FAILURE


def _transcription_requested(recording: Recording, event: TranscriptionRequested) -> Recording:
    recording = replace(recording, requested=event, restarts=recording.restarts + 1)
    if not event.is_anew:
        return recording
    made = (recording.transcribed, recording.note, *recording.edits.in_order())
    superseded = _superseding(recording.superseded, made, event.at)
    nothing: dict[str, Any] = {"transcribed": None, "note": None, "edits": ChunkTable()}
    return replace(recording, edition=recording.edition + 1, failed=None, superseded=superseded, **nothing)


def _content_erased(recording: Recording, event: ContentErased) -> Recording:
    if event.superseded_until is not None:
        left = [each for each in recording.superseded.values() if each.at > event.superseded_until]
        return replace(recording, superseded=ChunkTable.of(left))
    if event.part is ErasedPart.CHUNKS:
        return replace(recording, erased=event.part)
    nothing: ChunkTable[Superseded] = ChunkTable()
    none_heard: dict[str, Any] = {"transcribed_chunks": ChunkTable(), "heard": ChunkTable()}
    return replace(recording, erased=event.part, superseded=nothing, **none_heard)


def _deleted(recording: Recording, event: RecordingDeleted) -> Recording:
    """Its chunks are gone: one that had many costs no more to remember than another."""
    nothing: dict[str, Any] = dict.fromkeys(
        ("chunks", "transcribed_chunks", "heard", "superseded", "edits"), ChunkTable()
    )
    return replace(recording, deleted=event, **nothing)


_EVOLUTIONS: dict[type[RecordingEvent], Callable[[Any, Any], Recording]] = {
    RecordingOpened: _opened,
    ChunkStored: _chunk_stored,
    ChunkTranscribed: _chunk_transcribed,
    PartHeard: _part_heard,
    FinalizeRequested: _finalize_requested,
    Stitched: _stitched,
    Transcribed: _transcribed,
    NoteWritten: _note_written,
    NoteEdited: _note_edited,
    Failed: _failed,
    RetryRequested: _retry_requested,
    TranscriptionRequested: _transcription_requested,
    ContentErased: _content_erased,
    RecordingDeleted: _deleted,
}
