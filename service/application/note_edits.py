"""The note of a recording, its versions, and its correction by a person who was there.

The words of an edit come first, its event second, and one commit makes both durable; a refused edit leaves no words
behind. The versions of before stay, the writer's own one, too, until the note is made anew or the recording is deleted.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from adapters.blobs.discarding import discard
from adapters.blobs.port import BlobNotFound, BlobStore, Staged
from adapters.notes.note import Note, Section, Sentence
from domain.commands import EditNote
from domain.errors import NoNote, NoteChanged, RecordingError, RecordingNotFound
from domain.events import NoteEdited, NoteWritten
from domain.life import decide
from domain.recording import Recording, version_of_note
from service.application.blob_names import blob_prefix
from service.application.clock import Clock
from service.application.keyed_locks import Locks
from service.application.quotas import Quotas
from service.application.recordings import Recordings
from service.application.stored_content import content_of
from service.application.trace import trace_id

KIND = "edited-note"
"""Of the blobs with the words of edits."""

MOST_DRAFTS = 3
"""How many an edit looks its sources up in, if the note is made anew meanwhile."""


class NoSuchVersion(Exception):
    """The note that there is now has no version of this number."""

    def __init__(self) -> None:
        super().__init__("The note has no such version; the list of its versions has those that there are.")


@dataclass(frozen=True, slots=True)
class NoteVersion:
    """`number`: 0 is the writer's own. `name`: never means other words. `author`: None for the writer's own."""

    number: int
    name: str
    at: datetime
    author: str | None
    size_bytes: int
    blob_key: str


@dataclass(frozen=True, slots=True)
class ShownNote:
    """A version and its words."""

    version: NoteVersion
    note: Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What a person wants the note to be. `seen`: the names of versions, one of which must be there; None for any.
    `unlike`: the names of those that must not be there; None for any."""

    sections: Mapping[Section, Sequence[Sentence]]
    author: str
    key_id: str
    seen: frozenset[str] | None = None
    unlike: frozenset[str] | None = frozenset()


class Notes:
    """`settling`: a lock for each blob, which whoever removes blobs takes, too.

    All methods may raise RecordingNotFound, LogFull, LogUnavailable, Contended, StorageUnavailable.
    """

    def __init__(
        self, recordings: Recordings, blobs: BlobStore, *, quotas: Quotas, settling: Locks, clock: Clock
    ) -> None:
        self._recordings = recordings
        self._blobs = blobs
        self._quotas = quotas
        self._settling = settling
        self._clock = clock

    async def recording(self, recording_id: UUID) -> Recording:
        """The recording as it is now, for whoever has to know whose it is."""
        return await self._recordings.newest(recording_id)

    def versions(self, recording: Recording) -> Sequence[NoteVersion]:
        """Those of the note that there is now, oldest first. Raises: NoNote."""
        if recording.note is None:
            raise NoNote
        return [_version(recording.note), *map(_version, recording.edits.in_order())]

    async def now(self, recording: Recording) -> ShownNote:
        """The note as it is. Raises: NoNote."""
        return await self._shown(self.versions(recording)[-1])

    async def version(self, recording: Recording, number: int) -> ShownNote:
        """Raises: NoNote; NoSuchVersion."""
        found = next((version for version in self.versions(recording) if version.number == number), None)
        if found is None:
            raise NoSuchVersion
        return await self._shown(found)

    async def _shown(self, version: NoteVersion) -> ShownNote:
        try:
            stored = await content_of(self._blobs, version.blob_key)
        except BlobNotFound:  # deleted meanwhile, or made anew and erased
            raise RecordingNotFound from None
        return ShownNote(version, Note.from_json(stored))

    async def edit(self, recording_id: UUID, edit: Edit) -> ShownNote:
        """Make this the note. The same again right after itself changes nothing, whatever the project's quotas.

        A sentence keeps its source in the transcript only if the writer's own note has the same one of the same words:
        nobody else vouches that they were said.

        Raises: NoNote, NoteChanged, EditedTooOften; QuotaReached; StorageFull.
        """
        drafts: list[str] = []
        while True:
            recording = await self._recordings.newest(recording_id)
            if recording.note is None:
                raise NoNote
            drafts.append(version_of_note(recording.note))
            try:
                return await self._edit(recording_id, recording, recording.note, edit)
            except NoteChanged:
                now = (await self._recordings.newest(recording_id)).note
                if now is None or version_of_note(now) == drafts[-1] or len(drafts) == MOST_DRAFTS:
                    raise

    async def _edit(self, recording_id: UUID, recording: Recording, draft: NoteWritten, edit: Edit) -> ShownNote:
        """Raises: also NoteChanged when there is another draft by now."""
        written = (await self._shown(_version(draft))).note
        note = written.model_copy(update={"sections": _vouched(edit.sections, written), "unsupported": ()})
        body = note.to_json()
        sha256 = hashlib.sha256(body).hexdigest()
        prefix = blob_prefix(recording_id, KIND)
        command = EditNote(
            at=self._clock(),
            blob_key=prefix + sha256,
            size_bytes=len(body),
            sha256=sha256,
            author=edit.author,
            key_id=edit.key_id,
            seen=edit.seen,
            unlike=edit.unlike,
            draft=version_of_note(draft),
        )
        with self._quotas.room(recording.opened.tenant_id) as room:
            if decide(recording, command):
                await room.take(len(body))
            edited = await self._store(recording_id, command, prefix, body)
        if edited.last_edit is None:
            raise AssertionError("an accepted edit is in its recording")
        return ShownNote(_version(edited.last_edit), note)

    async def _store(self, recording_id: UUID, command: EditNote, prefix: str, body: bytes) -> Recording:
        async with self._settling.of(command.blob_key), self._blobs.stage(prefix, _in_one_piece(body)) as staged:
            try:
                outcome = await self._recordings.execute(recording_id, command, trace_id=trace_id.get(), after=staged)
            except RecordingError:
                await self._discard(recording_id, staged)
                raise
            return outcome.state

    async def _discard(self, recording_id: UUID, staged: Staged) -> None:
        """Remove the words of a refused edit, unless another edit holds the same ones."""
        try:
            recording = await self._recordings.newest(recording_id)
        except RecordingNotFound:
            await discard(self._blobs, staged)
            return
        superseded = {each.blob_key for each in recording.superseded.values()}
        if staged.blob.key not in recording.blobs_in_use() | superseded:
            await discard(self._blobs, staged)


def _version(event: NoteWritten | NoteEdited) -> NoteVersion:
    number, author = (event.number, event.author) if isinstance(event, NoteEdited) else (0, None)
    return NoteVersion(
        number=number,
        name=version_of_note(event),
        at=event.at,
        author=author,
        size_bytes=event.size_bytes,
        blob_key=event.blob_key,
    )


def _vouched(sections: Mapping[Section, Sequence[Sentence]], written: Note) -> dict[Section, tuple[Sentence, ...]]:
    """All sections in their order, with those sources that the writer's own note has."""
    own = {_said(sentence) for its in written.sections.values() for sentence in its}
    unsaid = {"source": None, "further_sources": ()}
    return {
        section: tuple(
            sentence if _said(sentence) in own else sentence.model_copy(update=unsaid)
            for sentence in sections.get(section, ())
        )
        for section in Section
    }


def _said(sentence: Sentence) -> tuple[object, ...]:
    """The words, and all that tells where they come from."""
    return sentence.text, sentence.source, sentence.further_sources


async def _in_one_piece(content: bytes) -> AsyncIterator[bytes]:
    yield content
