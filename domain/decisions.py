"""How each command is decided: the events that it causes, or a named refusal.

No events means that the command changes nothing: idempotence follows from the state, never from a side table. The table
in `domain.life` says which of these decisions applies to which command in which phase.
"""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from domain.commands import (
    AppendChunk,
    Command,
    DeleteRecording,
    EditNote,
    EndStage,
    EraseContent,
    ExpireRecording,
    FinalizeRecording,
    OpenRecording,
    RecordChunkTranscribed,
    RecordFailure,
    RecordPartHeard,
    RequestTranscription,
    RetryRecording,
    StoreChunk,
)
from domain.errors import (
    AlreadyFinalized,
    ChunkBeyondTotal,
    ChunkMismatch,
    ChunkNotStored,
    ChunkNumberOutOfRange,
    ChunkSizeDiffers,
    ChunkWithoutBytes,
    EditedTooOften,
    NamedRequestDiffers,
    NoNote,
    NoteChanged,
    NotFailed,
    RecordingAlreadyOpened,
    RecordingClosed,
    RecordingExpired,
    RecordingNotFound,
    ReplacedTooOften,
    RestartedTooOften,
    StageNotDue,
    TotalChunksOutOfRange,
)
from domain.events import (
    ChunkStored,
    ChunkTranscribed,
    ContentErased,
    ErasedPart,
    Failed,
    FinalizePolicy,
    FinalizeRequested,
    NoteEdited,
    PartHeard,
    RecordingDeleted,
    RecordingEvent,
    RecordingOpened,
    RetryRequested,
    Stage,
    TranscriptionRequested,
)
from domain.languages import primary_language
from domain.recording import Phase, Recording, version_of_note

Events = list[RecordingEvent]

MOST_REPLACEMENTS = 1_000
"""So many times more than it has chunks may chunks of a recording be replaced: each of them once, and some often."""

MOST_RESTARTS = 1_000
"""How often work on a recording may be asked for again, by retries and for other languages together."""

MOST_EDITS = 1_000
"""How often the note of a recording may be edited."""


def open_first(_: None, command: OpenRecording) -> Events:
    """Open a recording."""
    return [RecordingOpened(**_facts(command))]


def _facts(command: Command) -> dict[str, Any]:
    """The command's fields by name, without those that only decide. (`dataclasses.asdict` copies every value and costs
    more than the decision.)"""
    names = _NAMES.get(type(command))
    if names is None:
        names = tuple(field.name for field in fields(command) if field.name not in _ONLY_DECIDE)
        _NAMES[type(command)] = names
    return {name: getattr(command, name) for name in names}


_ONLY_DECIDE = ("edition", "most_bytes", "seen", "unlike", "draft")
_NAMES: dict[type[Command], tuple[str, ...]] = {}
"""The names of each command's fields, which are looked up once."""


def open_again(recording: Recording, command: OpenRecording) -> Events:
    """Opening again with the same facts changes nothing, no matter how much later.

    Raises: RecordingAlreadyOpened when it was opened with other facts.
    """
    chosen_by_the_service = {"at", "expires_at", "max_chunks"}
    asked = _facts(command)
    if any(getattr(recording.opened, name) != asked[name] for name in asked.keys() - chosen_by_the_service):
        raise RecordingAlreadyOpened
    return []


def find_nothing(_: Recording | None, __: Command) -> Events:
    """There is no such recording, or no longer. Raises: RecordingNotFound."""
    raise RecordingNotFound


def store_chunk(recording: Recording, command: StoreChunk) -> Events:
    """Accept one chunk while chunks are accepted. The same bytes again change nothing, unless only now they have the
    size that was announced; other bytes replace them.

    Raises: ChunkNumberOutOfRange; ChunkBeyondTotal and ChunkWithoutBytes once a total is declared; RecordingExpired;
    ChunkSizeDiffers for bytes that are too few or too many in place of ones that were right; ReplacedTooOften;
    RecordingTooLarge.
    """
    if _is_stored(recording, command) and not _is_as_announced_now(recording, command):
        return []
    _check_not_beyond_total(recording, command)
    if recording.finalized is not None and command.blob_key is None:
        _check_may_be_without_bytes([command.number], recording.finalized.total_chunks)
    _check_not_expired(recording, command)
    _check_keeps_what_fits(recording, command)
    _check_may_be_replaced(recording, command)
    recording.check_room(command.number, command.size_bytes, command.most_bytes)
    return [_stored(command)]


def _check_may_be_replaced(recording: Recording, command: StoreChunk) -> None:
    """Without a limit, one recording could make the log grow for as long as it is open. Raises: ReplacedTooOften."""
    if recording.replacements < MOST_REPLACEMENTS + len(recording.chunks):
        return
    stored = recording.chunks.get(command.number)
    if stored is not None and stored.blob_key is not None:
        raise ReplacedTooOften(command.number, recording.replacements)


def _stored(command: StoreChunk) -> ChunkStored:
    return ChunkStored(**_facts(command), request_sha256=None, sample_scale=None)


def _is_stored(recording: Recording, command: StoreChunk) -> bool:
    """Whether storing it would change nothing: the same bytes, or metadata for a chunk that already exists.

    Raises: ChunkNumberOutOfRange.
    """
    if not 1 <= command.number <= recording.opened.max_chunks:
        raise ChunkNumberOutOfRange(command.number, recording.opened.max_chunks)
    stored = recording.chunks.get(command.number)
    if stored is None:
        return False
    # Metadata may have announced the digest of bytes still to come; bytes only repeat what came as bytes before.
    return command.blob_key is None or (stored.blob_key is not None and stored.sha256 == command.sha256)


def _check_keeps_what_fits(recording: Recording, command: StoreChunk) -> None:
    """The sender of bytes that have the announced size may have deleted its own copy. Raises: ChunkSizeDiffers."""
    stored, expected = recording.chunks.get(command.number), command.expected_bytes
    if recording.finalized is not None or stored is None or expected is None or expected == command.size_bytes:
        return
    if stored.expected_bytes == stored.size_bytes:
        raise ChunkSizeDiffers(command.number, expected_bytes=expected, arrived_bytes=command.size_bytes)


def _check_may_be_without_bytes(numbers: Iterable[int], total_chunks: int) -> None:
    """The first chunk may announce the others, and the last one end them. Raises: ChunkWithoutBytes."""
    if between := tuple(sorted(number for number in numbers if 1 < number < total_chunks)):
        raise ChunkWithoutBytes(between)


def _is_as_announced_now(recording: Recording, command: StoreChunk) -> bool:
    """Whether the stored bytes of the chunk were thought to be too few or too many, and now they are not."""
    stored = recording.chunks.get(command.number)
    has_expected_size = command.expected_bytes in (None, command.size_bytes) and command.blob_key is not None
    return stored is not None and has_expected_size and not stored.has_expected_size


def _check_not_beyond_total(recording: Recording, command: StoreChunk) -> None:
    finalized = recording.finalized
    if finalized is not None and command.number > finalized.total_chunks:
        raise ChunkBeyondTotal(command.number, finalized.total_chunks)


def keep_chunk(recording: Recording, command: StoreChunk) -> Events:
    """Accept the same bytes again, and other bytes only for a chunk that stitching could not use: however late, and
    without a change to the phase, which a retry brings.

    Raises: ChunkNumberOutOfRange; ChunkBeyondTotal; RecordingClosed; ReplacedTooOften; RecordingTooLarge.
    """
    if _is_stored(recording, command):
        return []
    _check_not_beyond_total(recording, command)
    if not recording.can_replace(command.number):
        raise RecordingClosed(command.number, is_stitched=recording.stitched is not None)
    _check_may_be_replaced(recording, command)
    recording.check_room(command.number, command.size_bytes, command.most_bytes)
    return [_stored(command)]


def keep_expired_chunk(recording: Recording, command: StoreChunk) -> Events:
    """Like `keep_chunk`, for an expired recording. Once its bytes are erased, the same ones are not accepted, either:
    whoever sends them may still have them, and must not take them to be stored.

    Raises: ChunkNumberOutOfRange; RecordingExpired.
    """
    if _is_stored(recording, command) and recording.keeps_chunks:
        return []
    raise _expired(recording)


def append_chunk(recording: Recording, command: AppendChunk) -> Events:
    """Accept the next chunk under the next number. The same request again changes nothing, unless it now says that the
    chunk is the last: then the total is declared.

    Raises: ChunkNumberOutOfRange; NamedRequestDiffers; RecordingExpired; RecordingTooLarge; ChunkMismatch when, with
    the policy *reject*, chunks before the last are missing.
    """
    stored = chunk_asked_for(recording, command)
    number = recording.chunks.highest + 1 if stored is None else stored.number
    is_declared = command.is_last and number >= recording.chunks.highest
    if stored is not None and not is_declared:
        return []
    if number > recording.opened.max_chunks:
        raise ChunkNumberOutOfRange(number, recording.opened.max_chunks)
    _check_not_expired(recording, command)
    events: Events = []
    if stored is None:
        recording.check_room(number, command.size_bytes, command.most_bytes)
        events.append(_appended(number, command))
    if is_declared:
        events.append(_declared_by_its_last(recording, number, command, received=len(recording.chunks) + len(events)))
    return events


def _declared_by_its_last(
    recording: Recording, total_chunks: int, command: AppendChunk, *, received: int
) -> FinalizeRequested:
    if received < total_chunks and recording.opened.finalize_policy is FinalizePolicy.REJECT:
        missing = tuple(number for number in range(1, total_chunks) if number not in recording.chunks)
        raise ChunkMismatch(missing=missing, extra=())
    return FinalizeRequested(
        at=command.at,
        total_chunks=total_chunks,
        chunks_received=received,
        final_duration_ms=None,
        checksum_md5=None,
        suspect_chunks=recording.suspect_chunks(),
        by_itself=False,
    )


def chunk_asked_for(recording: Recording, command: AppendChunk) -> ChunkStored | None:
    """The chunk that this same request brought before. Raises: NamedRequestDiffers."""
    chunks, request = recording.chunks, command.request_sha256
    stored = chunks.named(request) if command.is_named else chunks.get(chunks.highest)
    if stored is None or stored.request_sha256 != request:
        return None
    if stored.sha256 != command.sha256:
        raise NamedRequestDiffers(stored.number)
    return stored


def _appended(number: int, command: AppendChunk) -> ChunkStored:
    return ChunkStored(
        at=command.at,
        number=number,
        blob_key=command.blob_key,
        size_bytes=command.size_bytes,
        sha256=command.sha256,
        md5=command.md5,
        request_sha256=command.request_sha256,
        looks_like=None,
        sample_scale=command.sample_scale,
        expected_bytes=None,
    )


def append_nothing(recording: Recording, command: AppendChunk) -> Events:
    """Accept the same request again, refuse any further chunk.

    Raises: NamedRequestDiffers; AlreadyFinalized; RecordingExpired when it expired before the last chunk came.
    """
    is_erased = recording.erased is ErasedPart.EVERYTHING
    if chunk_asked_for(recording, command) is not None and not is_erased:
        return []
    if recording.finalized is None or is_erased:
        raise _expired(recording)
    raise AlreadyFinalized(recording.finalized.total_chunks)


def record_chunk_transcribed(recording: Recording, command: RecordChunkTranscribed) -> Events:
    """Note, once, that a chunk was transcribed on its own. Raises: ChunkNotStored."""
    chunk = recording.chunks.get(command.number)
    if chunk is None or chunk.blob_key is None or chunk.sha256 != command.chunk_sha256:
        raise ChunkNotStored(command.number)
    return [] if recording.words_of(chunk) is not None else [ChunkTranscribed(**_facts(command))]


def record_part_heard(recording: Recording, command: RecordPartHeard) -> Events:
    """Note, once, what a part of the sound says; not if other bytes have come since for any of the chunks.

    Raises: ChunkNotStored when the last chunk that it rests on is not there.
    """
    if recording.replacements != command.replacements:
        return []
    if command.last_chunk not in recording.chunks:
        raise ChunkNotStored(command.last_chunk)
    known = recording.heard.get(command.number)
    if known is not None and known.blob_key == command.blob_key:
        return []
    facts = _facts(command)
    del facts["replacements"]
    return [PartHeard(**facts)]


def finalize(recording: Recording, command: FinalizeRecording) -> Events:
    """Declare how many chunks there are.

    Raises: TotalChunksOutOfRange; RecordingExpired; ChunkMismatch when there are more chunks than declared and, with
    the policy *reject*, when some are missing; ChunkWithoutBytes.
    """
    if not 1 <= command.total_chunks <= recording.opened.max_chunks:
        raise TotalChunksOutOfRange(command.total_chunks, recording.opened.max_chunks)
    if not (recording.has_its_file and command.total_chunks == 1):
        _check_not_expired(recording, command)
    _check_chunks(recording, command.total_chunks)
    without_bytes = (chunk.number for chunk in recording.chunks.values() if chunk.blob_key is None)
    _check_may_be_without_bytes(without_bytes, command.total_chunks)
    return [
        FinalizeRequested(
            at=command.at,
            total_chunks=command.total_chunks,
            chunks_received=len(recording.chunks),
            final_duration_ms=command.final_duration_ms,
            checksum_md5=command.checksum_md5,
            suspect_chunks=recording.suspect_chunks(),
            by_itself=False,
        )
    ]


def _check_chunks(recording: Recording, total_chunks: int) -> None:
    chunks = recording.chunks
    is_strict = recording.opened.finalize_policy is FinalizePolicy.REJECT
    has_extra = chunks.highest > total_chunks
    has_missing = is_strict and (has_extra or len(chunks) < total_chunks)
    if has_extra or has_missing:
        # Numbers are listed only for a refusal.
        expected = range(1, total_chunks + 1) if has_missing else ()
        raise ChunkMismatch(
            missing=tuple(number for number in expected if number not in chunks),
            extra=tuple(sorted(number for number in chunks if number > total_chunks)),
        )


def finalize_again(recording: Recording, command: FinalizeRecording) -> Events:
    """The same declaration again changes nothing, whatever has happened since. Of a file that was completed by itself,
    nobody had said how long it is.

    Raises: AlreadyFinalized with other parameters; RecordingExpired when it expired before any declaration, or once
    what was declared is erased since its chunks never all came.
    """
    finalized = recording.finalized
    if finalized is None or recording.erased is ErasedPart.EVERYTHING:
        raise _expired(recording)
    is_same_length = finalized.by_itself or finalized.final_duration_ms == command.final_duration_ms
    is_same = (finalized.total_chunks, finalized.checksum_md5) == (command.total_chunks, command.checksum_md5)
    if not (is_same and is_same_length):
        raise AlreadyFinalized(finalized.total_chunks)
    return []


def _check_not_expired(recording: Recording, command: Command) -> None:
    if recording.has_expired(command.at):
        raise _expired(recording)


def _expired(recording: Recording) -> RecordingExpired:
    return RecordingExpired(recording.opened.expires_at.isoformat())


def end_stage(recording: Recording, command: EndStage) -> Events:
    """The due stage has ended: the chunks are one file now, or the audio is text, or the text is a note.

    Raises: StageNotDue for work on an earlier edition, whose chunks have been replaced since.
    """
    if command.edition != recording.edition:
        raise StageNotDue(command.stage)
    return [command.event(**_facts(command))]


def end_stage_again(recording: Recording, command: EndStage) -> Events:
    """A stage that has ended stays ended. Raises: StageNotDue when it has not."""
    return _unless_ended(recording, command.stage)


def _unless_ended(recording: Recording, stage: Stage) -> Events:
    if recording.end_of(stage) is None:
        raise StageNotDue(stage)
    return []


def edit_note(recording: Recording, command: EditNote) -> Events:
    """Replace the words of the note. The same words of the same author right after themselves change nothing, whatever
    their author had seen before, unless their author wanted no such version there.

    Raises: NoNote; NoteChanged; EditedTooOften.
    """
    if recording.note is None:
        raise NoNote
    if command.unlike is None or recording.note_version in command.unlike:
        raise NoteChanged(recording.note_version)
    last = recording.last_edit
    if last is not None and (last.sha256, last.author) == (command.sha256, command.author):
        return []
    if command.seen is not None and recording.note_version not in command.seen:
        raise NoteChanged(recording.note_version)
    if command.draft is not None and version_of_note(recording.note) != command.draft:
        raise NoteChanged(recording.note_version)
    if recording.edit_count >= MOST_EDITS:
        raise EditedTooOften(recording.edit_count)
    return [NoteEdited(number=recording.edit_count + 1, **_facts(command))]


def edit_no_note(_: Recording, __: EditNote) -> Events:
    """There is no note, or not yet. Raises: NoNote."""
    raise NoNote


def record_failure(recording: Recording, command: RecordFailure) -> Events:
    """Give up the due stage; what was stored stays. A stage that has ended is left as it is.

    Raises: StageNotDue, also for work on an earlier edition.
    """
    if command.stage is recording.due_stage:
        if command.edition != recording.edition:
            raise StageNotDue(command.stage)
        return [Failed(**_facts(command))]
    return _unless_ended(recording, command.stage)


def fail_again(recording: Recording, command: RecordFailure) -> Events:
    """A stage that has failed or ended is left as it is. Raises: StageNotDue for a later one."""
    if recording.failed is not None and command.stage is recording.failed.stage:
        return []
    return _unless_ended(recording, command.stage)


def retry(recording: Recording, command: RetryRecording) -> Events:
    """Resume the recording at the stage that failed; or stitch it anew, if chunks were replaced since.

    Raises: NotFailed, which names the damaged chunks that a replacement would help; RestartedTooOften.
    """
    if recording.is_mended:
        stage = Stage.STITCH
    elif recording.failed is not None:
        stage = recording.failed.stage
    else:
        raise NotFailed(damaged=_damaged(recording))
    _check_may_be_restarted(recording)
    return [RetryRequested(at=command.at, stage=stage)]


def _check_may_be_restarted(recording: Recording) -> None:
    """Raises: RestartedTooOften."""
    if recording.restarts >= MOST_RESTARTS:
        raise RestartedTooOften(recording.restarts)


def _damaged(recording: Recording) -> tuple[int, ...]:
    damage = recording.stitched.damage if recording.stitched is not None else ()
    return tuple(found.chunk_number for found in damage)


def retry_expired(recording: Recording, _: RetryRecording) -> Events:
    """An expired recording can no longer be completed. Raises: RecordingExpired."""
    raise _expired(recording)


def request_transcription(recording: Recording, command: RequestTranscription) -> Events:
    """Say which language is wanted and from whom. What was recognized in another language is recognized anew; the same
    language, whatever its region or script, and no language change nothing that was made.

    Raises: RestartedTooOften.
    """
    wanted, transcribed = recording.language_wanted, recording.transcribed
    used = transcribed.language if transcribed is not None else wanted or command.language_otherwise
    asked = command.language or used
    is_other = primary_language(asked) != primary_language(used)
    language = command.language if command.language and (is_other or transcribed is None) else wanted
    provider = command.provider or recording.provider_wanted
    is_anew = is_other and recording.stitched is not None
    if not is_anew and (language, provider) == (wanted, recording.provider_wanted):
        return []
    _check_may_be_restarted(recording)
    return [TranscriptionRequested(at=command.at, language=language, provider=provider, is_anew=is_anew)]


def request_no_transcription(recording: Recording, _: RequestTranscription) -> Events:
    """An expired recording has no audio to transcribe. Raises: RecordingExpired."""
    raise _expired(recording)


def expire(recording: Recording, command: ExpireRecording) -> Events:
    """Close a recording that was not completed before it expired; do nothing before that.

    A file that has arrived as announced was acknowledged, and its sender may have deleted its own copy: only the word
    that it is complete is missing. So it is complete.
    """
    if not recording.has_expired(command.at):
        return []
    if recording.finalized is None and recording.has_its_file:
        return [_completed_by_itself(recording, command)]
    message = f"The recording was not completed before its time was over: {_what_arrived(recording)}."
    return [Failed(at=command.at, stage=Stage.UPLOAD, reason="expired", message=message, attempts=1)]


def _completed_by_itself(recording: Recording, command: ExpireRecording) -> FinalizeRequested:
    return FinalizeRequested(
        at=command.at,
        total_chunks=1,
        chunks_received=1,
        final_duration_ms=None,
        checksum_md5=recording.chunks[1].md5,
        suspect_chunks=recording.suspect_chunks(),
        by_itself=True,
    )


def _what_arrived(recording: Recording) -> str:
    received, file = len(recording.chunks), recording.chunks.get(1)
    if received == 0:
        return "nothing of it arrived"
    if recording.finalized is not None:
        return f"{received} of its {recording.finalized.total_chunks} chunks arrived"
    if file is not None and not file.has_expected_size:
        return f"{file.size_bytes} bytes of its file arrived, and {file.expected_bytes} were announced"
    return f"it was never finalized, and what arrived of it is {received} chunk{'s' if received > 1 else ''}"


def erase_content(recording: Recording, command: EraseContent) -> Events:
    """Note, once, which bytes are no longer kept: superseded ones, chunks that are in the stitched audio, or all of a
    recording that expired. How long any of them are kept is for the caller to know.
    """
    match command.part:
        case ErasedPart.SUPERSEDED:
            return _erase_superseded(recording, command)
        case ErasedPart.CHUNKS:
            is_due = recording.stitched is not None and not recording.stitched.damage
            size_bytes = recording.chunks.size_bytes
        case ErasedPart.EVERYTHING:
            is_due = recording.phase is Phase.EXPIRED
            size_bytes = recording.kept_bytes
    if not is_due or not recording.keeps_chunks:
        return []
    return [ContentErased(at=command.at, part=command.part, size_bytes=size_bytes, superseded_until=None)]


def _erase_superseded(recording: Recording, command: EraseContent) -> Events:
    until = command.superseded_until or command.at
    superseded = recording.superseded_until(until)
    if not superseded:
        return []
    size_bytes = sum(each.size_bytes for each in superseded)
    return [ContentErased(at=command.at, part=command.part, size_bytes=size_bytes, superseded_until=until)]


def leave_as_it_is(_: Recording, __: Command) -> Events:
    return []


def delete(_: Recording, command: DeleteRecording) -> Events:
    """Delete the recording."""
    return [RecordingDeleted(at=command.at)]
