"""Which blobs are erased by what the log says of their recordings, whatever is stored. Blocking."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from adapters.blobs.port import BlobStore
from adapters.event_log.reader import EventReader
from domain.events import ContentErased, ErasedPart, RecordingDeleted, RecordingEvent
from domain.recording import Phase, Recording, evolve
from service.application.blob_names import blob_prefix, edition_of, recording_of, recording_prefix

_RECORDINGS_IN_MEMORY = 1_000


@dataclass(frozen=True, slots=True)
class _Keys:
    """Of one recording. `needed`: of the blobs that it refers to, also of superseded ones that are still kept.
    `superseded`: of those that others took the place of, and that were erased; some may be needed again. `edition`:
    what stages made of an earlier one is of no use."""

    needed: frozenset[str]
    superseded: frozenset[str]
    edition: int = 0


@dataclass(frozen=True, slots=True)
class Erasure:
    """What the log says of a blob. `why`: the end of a sentence. `for_good`: with all that its recording had.
    `may_be_back`: whether a client may have sent the same bytes again, which a log from an older backup would not say.
    """

    recording_id: UUID
    why: str
    for_good: bool
    may_be_back: bool = False


class ErasedBlobs:
    """What the log says when it is asked. Raises: the log's own errors; StorageFull, StorageUnavailable.

    A blob counts as erased only if its recording's own history says so: not one that no event refers to while its
    recording is there, nor one whose recording is not in the log.
    """

    def __init__(self, reader: EventReader, store: BlobStore) -> None:
        self._reader = reader
        self._store = store
        self._deleted: set[UUID] = set()
        self._erased: dict[ErasedPart, set[UUID]] = {part: set() for part in ErasedPart}
        self._keys_of = lru_cache(_RECORDINGS_IN_MEMORY)(self._read_keys)
        self._lacks_some = lru_cache(_RECORDINGS_IN_MEMORY)(self._looked_for)

    def read_log(self) -> None:
        """To be called before anything is asked."""
        for recorded in self._reader.all():
            if type(recorded.event) is RecordingDeleted:
                self._deleted.add(recorded.stream_id)
            elif type(recorded.event) is ContentErased:
                self._erased[recorded.event.part].add(recorded.stream_id)

    def find(self, key: str) -> Erasure | None:
        """None for a blob that is not erased."""
        recording_id = recording_of(key)
        if recording_id is None:
            return None
        if recording_id in self._deleted:
            return Erasure(recording_id, "its recording was deleted", for_good=True)
        if self._has_lost(ErasedPart.EVERYTHING, recording_id) and key not in self._keys_of(recording_id).needed:
            return Erasure(recording_id, "its recording expired", for_good=True)
        if self._has_lost(ErasedPart.CHUNKS, recording_id) and key.startswith(blob_prefix(recording_id, "chunk")):
            return Erasure(recording_id, "it is in the stitched audio", for_good=False)
        if self._has_lost(ErasedPart.SUPERSEDED, recording_id):
            keys, made_of = self._keys_of(recording_id), edition_of(key)
            came_late = made_of is not None and made_of < keys.edition
            if (key in keys.superseded or came_late) and key not in keys.needed:
                return Erasure(recording_id, "another took its place", for_good=False, may_be_back=made_of is None)
        return None

    def held_back_because(self, erasure: Erasure) -> str:
        """Why the blob is not to be erased though it was: the beginning of a sentence, or empty if it is to be."""
        if erasure.for_good:
            return ""
        if erasure.may_be_back:
            return "A client may have sent it again since"
        if self._lacks_some(erasure.recording_id):
            return "It may be all that is left of its recording, which lacks other bytes"
        return ""

    def is_needed(self, key: str, recording_id: UUID) -> bool:
        """Whether the recording refers to the blob, which one of its own events brought; by what the log says now."""
        if recording_id in self._deleted or key not in self._keys_of(recording_id).needed:
            return False
        return key in self._read_keys(recording_id).needed

    def _has_lost(self, part: ErasedPart, recording_id: UUID) -> bool:
        return recording_id in self._erased[part]

    def _looked_for(self, recording_id: UUID) -> bool:
        return not self._keys_of(recording_id).needed <= set(self._store.keys(recording_prefix(recording_id)))

    def _read_keys(self, recording_id: UUID) -> _Keys:
        history = (recorded.event for recorded in self._reader.history(recording_id))
        return _keys_by(recording_id, (event for event in history if isinstance(event, RecordingEvent)))


def _keys_by(recording_id: UUID, history: Iterable[RecordingEvent]) -> _Keys:
    recording: Recording | None = None
    erased: set[str] = set()
    for event in history:
        if recording is not None and isinstance(event, ContentErased) and event.superseded_until is not None:
            erased |= {each.blob_key for each in recording.superseded_until(event.superseded_until)}
        recording = evolve(recording, event)
    if recording is None or recording.phase is Phase.DELETED:
        return _Keys(frozenset(), frozenset())
    kept = {each.blob_key for each in recording.superseded.values()}
    if not recording.keeps_chunks:
        kept = {key for key in kept if not key.startswith(blob_prefix(recording_id, "chunk"))}
    return _Keys(frozenset(recording.blobs_in_use() | kept), frozenset(erased), recording.edition)
