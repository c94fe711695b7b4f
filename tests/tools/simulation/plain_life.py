"""The simplest possible model of a recording's life, written independently of `domain`'s decisions."""

from collections.abc import Callable, Sequence

from domain.events import (
    ChunkStored,
    ChunkTranscribed,
    ContentErased,
    ErasedPart,
    Failed,
    FinalizePolicy,
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
    Transcribed,
    TranscriptionRequested,
)

DEFAULT_LANGUAGE = "en"

STAGE_ENDED_BY: dict[type[RecordingEvent], Stage] = {
    Stitched: Stage.STITCH,
    Transcribed: Stage.TRANSCRIBE,
    NoteWritten: Stage.NOTE,
}


def check_life(history: Sequence[RecordingEvent], accuse: Callable[[str], None]) -> None:
    """Report every event that must not be where it is, and a life that has not come to an end."""
    opened = history[0]
    if not isinstance(opened, RecordingOpened):
        accuse("its first event is not its opening")
        return
    life = PlainLife(opened, accuse)
    for event in history[1:]:
        life.live_through(event)
    if not life.has_ended:
        accuse(f"it never came to its end: {[type(event).__name__ for event in history]}")


class PlainLife:
    """One recording, event after event. What must not happen is reported to `accuse`."""

    def __init__(self, opened: RecordingOpened, accuse: Callable[[str], None]) -> None:
        self._opened = opened
        self._accuse = accuse
        self._wanted = [Stage.STITCH, Stage.TRANSCRIBE, *([Stage.NOTE] if opened.note_wanted else [])]
        self._done: list[Stage] = []
        self._chunks: dict[int, ChunkStored] = {}
        self._heard: set[tuple[int, str]] = set()
        self._total: int | None = None
        self._failed: Failed | None = None
        self._damaged: set[int] = set()
        self._is_mended = False
        self._deleted = self._is_erased = False
        self._language = _language(opened.language or DEFAULT_LANGUAGE)
        self._edits = 0
        self._last_edit: NoteEdited | None = None

    @property
    def has_ended(self) -> bool:
        return self._deleted or self._failed is not None or self._done == self._wanted

    def live_through(self, event: RecordingEvent) -> None:
        self._never(self._deleted, f"{event} came after its deletion")
        match event:
            case ChunkStored():
                self._store_chunk(event)
            case ChunkTranscribed() | PartHeard():
                self._hear(event)
            case FinalizeRequested():
                self._finalize(event)
            case Stitched() | Transcribed() | NoteWritten() | NoteEdited():
                self._make(event)
            case Failed():
                self._fail(event)
            case RetryRequested() | TranscriptionRequested():
                self._begin_again(event)
            case ContentErased():
                self._erase(event)
            case RecordingDeleted():
                self._deleted = True
            case RecordingOpened():
                self._accuse("it was opened twice")

    def _begin_again(self, event: RetryRequested | TranscriptionRequested) -> None:
        if isinstance(event, RetryRequested):
            self._retry(event)
        else:
            self._want_words(event)

    def _retry(self, event: RetryRequested) -> None:
        if self._is_mended:
            self._never(event.stage is not Stage.STITCH, "it was not stitched anew after a chunk was replaced")
            self._is_mended = False
            self._damaged.clear()
            self._done.clear()
        else:
            failed_stage = self._failed.stage if self._failed else None
            self._never(failed_stage in (None, Stage.UPLOAD), "it was retried without a failure")
            self._never(failed_stage is not event.stage, f"{event.stage} was retried without a failure of it")
        self._failed = None

    def _want_words(self, event: TranscriptionRequested) -> None:
        expired = self._failed is not None and self._failed.stage is Stage.UPLOAD
        self._never(expired, "words were wanted of a recording that expired")
        is_other = event.language is not None and _language(event.language) != self._language
        should_be_anew = Stage.STITCH in self._done and is_other
        self._never(event.is_anew is not should_be_anew, f"{event} starts what it must not, or does not what it must")
        self._language = _language(event.language or self._language)
        if event.is_anew:
            self._done = [Stage.STITCH]
            self._failed = None

    def _erase(self, event: ContentErased) -> None:
        if event.part is ErasedPart.SUPERSEDED:
            return
        self._never(self._is_erased, "it was erased twice")
        self._is_erased = True
        has_expired = self._failed is not None and self._failed.stage is Stage.UPLOAD
        is_in_audio = Stage.STITCH in self._done and not self._damaged
        is_useless = is_in_audio if event.part is ErasedPart.CHUNKS else has_expired
        self._never(not is_useless, f"{event.part} was erased while it was of use")

    def _make(self, event: Stitched | Transcribed | NoteWritten | NoteEdited) -> None:
        if isinstance(event, NoteEdited):
            self._edit(event)
        else:
            self._end_stage(event)

    def _edit(self, event: NoteEdited) -> None:
        self._never(Stage.NOTE not in self._done, "a note was edited that is not written")
        self._edits += 1
        self._never(event.number != self._edits, f"edit {event.number} is the {self._edits}th")
        last = self._last_edit
        is_same = last is not None and (last.sha256, last.author) == (event.sha256, event.author)
        self._never(is_same, "the same edit was made twice in a row")
        self._last_edit = event

    def _never(self, wrong: bool, what: str) -> None:
        if wrong:
            self._accuse(what)

    def _is_complete(self) -> bool:
        return self._total is not None and set(self._chunks) == set(range(1, self._total + 1))

    def _is_all_of_a_file(self) -> bool:
        """Every byte that was announced has come."""
        file = self._chunks.get(1)
        is_there = file is not None and file.blob_key is not None and file.expected_bytes in (None, file.size_bytes)
        return self._opened.kind is RecordingKind.WHOLE_FILE and self._failed is None and is_there

    def _due_stage(self) -> Stage | None:
        is_due = self._is_complete() and len(self._done) < len(self._wanted)
        return self._wanted[len(self._done)] if is_due else None

    def _is_over(self, event: RecordingEvent) -> bool:
        return self._failed is not None or event.at >= self._opened.expires_at

    def _store_chunk(self, event: ChunkStored) -> None:
        name, before = f"chunk {event.number}", self._chunks.get(event.number)
        if self._is_complete():
            is_useless = event.number in self._damaged or (self._failed and self._failed.stage is Stage.STITCH)
            self._never(not is_useless, f"{name} was taken after it was complete, and nothing was wrong with it")
            self._is_mended = True
        else:
            self._never(self._is_over(event), f"{name} was taken after its time")
        highest = self._opened.max_chunks if self._total is None else self._total
        self._never(event.number > highest, f"{name} was taken beyond the total")
        if before is not None:
            same = (before.blob_key, before.sha256) == (event.blob_key, event.sha256)
            same = same and (before.has_expected_size or not event.has_expected_size)
            self._never(same, f"{name} was stored again with the same bytes")
            self._never(event.blob_key is None, f"{name} lost its bytes")
            was_right = before.expected_bytes == before.size_bytes and self._total is None
            self._never(was_right and not event.has_expected_size, f"{name} is no longer all that was announced")
        self._chunks[event.number] = event

    def _hear(self, event: ChunkTranscribed | PartHeard) -> None:
        self._never(Stage.TRANSCRIBE in self._done, "something was heard after the whole")
        if isinstance(event, PartHeard):
            self._never(event.last_chunk not in self._chunks, "a part rests on a chunk that is not there")
            return
        chunk = self._chunks.get(event.number)
        self._never(chunk is None or chunk.sha256 != event.chunk_sha256, "other bytes were heard than were stored")
        self._never((event.number, event.chunk_sha256) in self._heard, f"chunk {event.number} was heard twice")
        self._heard.add((event.number, event.chunk_sha256))

    def _finalize(self, event: FinalizeRequested) -> None:
        self._never(self._total is not None, "it was finalized twice")
        self._never(event.by_itself and not self._is_over(event), "it was finalized by itself before its time was over")
        self._never(self._is_over(event) and not self._is_all_of_a_file(), "it was finalized after its time")
        self._total = event.total_chunks
        self._never(max(self._chunks, default=0) > self._total, "it was finalized with chunks beyond its total")
        if self._opened.finalize_policy is FinalizePolicy.REJECT:
            self._never(not self._is_complete(), "it was finalized with chunks missing")
        self._never(event.chunks_received != len(self._chunks), "its finalize counts other chunks than there were")

    def _end_stage(self, event: Stitched | Transcribed | NoteWritten) -> None:
        stage = STAGE_ENDED_BY[type(event)]
        is_due = stage is self._due_stage() and self._failed is None
        self._never(not is_due, f"{stage} ended when it was not due")
        if isinstance(event, Stitched):
            self._never(event.chunk_count != self._total, "it was stitched of other chunks than were declared")
            self._damaged = {damage.chunk_number for damage in event.damage}
        if isinstance(event, Transcribed):
            self._never(_language(event.language) != self._language, "it was transcribed in a language of before")
        self._done.append(stage)
        self._last_edit = None

    def _fail(self, event: Failed) -> None:
        self._never(self._failed is not None, "it failed twice")
        if event.stage is Stage.UPLOAD:
            is_whole = self._is_complete() or (self._total is None and self._is_all_of_a_file())
            self._never(is_whole or not self._is_over(event), "it expired when it must not")
        else:
            self._never(event.stage is not self._due_stage(), f"{event.stage} failed when it was not due")
        self._failed = event


def _language(tag: str) -> str:
    return tag.split("-", maxsplit=1)[0]
