"""Puts staged bodies into the open segment: all that wait are appended with one write and share one fdatasync.

What is durable goes into the index in the background; until then its keys are found here, unless another process has
deleted them, which the index knows.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from adapters.blobs.port import BlobFailure, StorageUnavailable
from adapters.blobs.segments.file import WritableSegment
from adapters.blobs.segments.format import HEADER_BYTES, record_head
from adapters.blobs.segments.index import Move, Place, SegmentIndex
from adapters.blobs.segments.staging import StagedBody
from adapters.blobs.storage_errors import storage_errors

SEGMENT_BYTES = 256 * 1024 * 1024
STEP_BYTES = 16 * 1024 * 1024
RECORDS_TO_INDEX = 2_048
"""This many durable records are indexed at once; after a crash no more than this are read again."""


@dataclass(frozen=True, slots=True)
class Copied:
    """A blob that is being moved here from another segment."""

    key: str
    body: bytes
    before: Place


@dataclass(frozen=True, slots=True)
class _Entry:
    key: str
    place: Place
    segment: WritableSegment
    before: Place | None = None

    @property
    def is_lost(self) -> bool:
        return self.segment.failure is not None and self.place.end > self.segment.synced_end


@dataclass(slots=True)
class _Own:
    """A segment of this writer, with its records that are not in the index yet."""

    segment: WritableSegment
    entries: deque[_Entry] = field(default_factory=deque)


class SegmentWriter:
    """Blocking; can be used from any thread. Creates a segment when the first body comes.

    `on_unindexed` is called when it is time for `index_durable`.
    """

    def __init__(
        self,
        directory: Path,
        index: SegmentIndex,
        *,
        on_unindexed: Callable[[], None],
        segment_bytes: int = SEGMENT_BYTES,
        step_bytes: int = STEP_BYTES,
    ) -> None:
        self._directory = directory
        self._index = index
        self._on_unindexed = on_unindexed
        self._segment_bytes = segment_bytes
        self._step_bytes = min(step_bytes, segment_bytes)
        self._appending = threading.Lock()
        self._indexing = threading.Lock()
        self._tail: dict[str, _Entry] = {}
        self._own: list[_Own] = []
        self._unindexed = 0
        self._closed = False

    @property
    def segments(self) -> list[int]:
        """The segments that are being written here, and those that were and are not sealed yet."""
        return [own.segment.id for own in self._own]

    def find(self, key: str) -> Place | None:
        """Where a key lies that may be missing from the index, durable or not."""
        entry = self._known(key)
        return None if entry is None else entry.place

    def keys(self, beginning: str) -> list[str]:
        with self._indexing:
            beginning_so = [entry for key, entry in list(self._tail.items()) if key.startswith(beginning)]
            forgotten = self._index.forgotten() if beginning_so else set()
            return [
                entry.key
                for entry in beginning_so
                if not entry.is_lost and (entry.place.segment, entry.place.offset) not in forgotten
            ]

    def make_durable(self, bodies: Sequence[StagedBody]) -> list[BlobFailure | None]:
        """Append these bodies, except those already there, and sync once. Returns each body's failure, or None."""
        waits_for: list[_Entry | None] = []
        try:
            with self._appending, storage_errors():
                waits_for = self._append_new(bodies)
        except BlobFailure as failure:
            return [failure] * len(bodies)
        failures = {entry.segment.id: failure for entry, failure in self._sync(filter(None, waits_for))}
        return [failures.get(entry.segment.id) if entry is not None and entry.is_lost else None for entry in waits_for]

    def _append_new(self, bodies: Sequence[StagedBody]) -> list[_Entry | None]:
        """For each body the entry that holds it; None if it has long been in the index."""
        if self._closed:
            raise StorageUnavailable("it has been closed")
        known = {body.blob.key: entry for body in bodies if (entry := self._known(body.blob.key)) is not None}
        indexed = self._index.present([body.blob.key for body in bodies if body.blob.key not in known])
        new = {
            body.blob.key: (body.blob.key, body.pieces, body.size_bytes)
            for body in bodies
            if body.blob.key not in known and body.blob.key not in indexed
        }
        known |= {entry.key: entry for entry in self._append(list(new.values()))}
        return [known.get(body.blob.key) for body in bodies]

    def _known(self, key: str) -> _Entry | None:
        entry = self._tail.get(key)
        if entry is None or entry.is_lost or self._index.is_forgotten(entry.place):
            return None
        # One that was indexed since may have been forgotten and struck out before the index was asked.
        return entry if self._tail.get(key) is entry else None

    def copy(self, copied: Sequence[Copied]) -> None:
        """Append blobs copied from elsewhere; they are indexed here once durable. Raises: as `put`."""
        with self._appending, storage_errors():
            self._append([(each.key, [each.body], len(each.body)) for each in copied], [each.before for each in copied])

    def _append(
        self, bodies: Sequence[tuple[str, Sequence[bytes], int]], before: Sequence[Place] | None = None
    ) -> list[_Entry]:
        """One write for all of them."""
        if not bodies:
            return []
        own = self._open()
        buffers: list[bytes] = []
        ends: list[int] = []
        end = own.segment.end
        for key, pieces, size_bytes in bodies:
            head = record_head(key, pieces, size_bytes)
            buffers += [head, *pieces]
            end += len(head) + size_bytes
            ends.append(end)
        own.segment.append(buffers, end - own.segment.end)
        entries = [
            _Entry(key, _place(own.segment, key, size_bytes, end), own.segment, before[position] if before else None)
            for position, ((key, _, size_bytes), end) in enumerate(zip(bodies, ends, strict=True))
        ]
        if before is None:
            self._tail |= {entry.key: entry for entry in entries}
        own.entries.extend(entries)  # not before they are in the tail, which they leave when they are indexed
        self._unindexed += len(entries)
        if own.segment.end >= self._segment_bytes:
            own.segment.is_retired = True
        if own.segment.is_retired or self._unindexed >= RECORDS_TO_INDEX:
            self._unindexed = 0
            self._on_unindexed()
        return entries

    def _open(self) -> _Own:
        if not self._own or self._own[-1].segment.is_retired:
            self._own.append(_Own(WritableSegment(self._directory, step_bytes=self._step_bytes)))
        return self._own[-1]

    def _sync(self, entries: Iterable[_Entry]) -> list[tuple[_Entry, BlobFailure]]:
        failures = []
        for entry in {each.segment.id: each for each in entries}.values():
            try:
                with storage_errors():
                    entry.segment.sync()
            except BlobFailure as failure:
                failures.append((entry, failure))
                self._on_unindexed()
        return failures

    def sync(self) -> None:
        """Make everything appended durable. Raises: StorageFull, StorageUnavailable."""
        with storage_errors():
            for own in list(self._own):
                if own.segment.failure is None:
                    own.segment.sync()

    def index_durable(self, *, retire: bool = False) -> None:
        """Put what is durable into the index, and seal segments that are no longer appended to.

        `retire`: also seal the open segment; nothing may be appended at the same time.
        """
        with self._indexing:
            for own in list(self._own):
                if retire:
                    own.segment.is_retired = True
                self._index_segment(own)

    def _index_segment(self, own: _Own) -> None:
        segment = own.segment
        seals = segment.is_retired
        if seals and segment.failure is None:
            with suppress(OSError):  # the segment notes a failure, and what it costs is lost below
                segment.sync()
        reached = segment.synced_end
        durable: list[_Entry] = []
        while own.entries and own.entries[0].place.end <= reached:
            durable.append(own.entries.popleft())
        if not durable and not seals:
            return  # what is synced beyond the entries is about to get its own
        try:
            if seals:
                with storage_errors():
                    segment.cut()
            self._index.add(
                segment.id,
                [(each.key, each.place) for each in durable if each.before is None],
                moved=[Move(each.key, each.before, each.place) for each in durable if each.before is not None],
                indexed_end=reached if seals else durable[-1].place.end,
                sealed=seals,
            )
        except BaseException:
            own.entries.extendleft(reversed(durable))
            raise
        finished: list[_Entry] = [*durable, *own.entries] if seals else durable
        for entry in finished:
            if self._tail.get(entry.key) is entry:
                del self._tail[entry.key]
        self._index.strike_forgotten(segment.id)
        if seals:
            self._own.remove(own)
            segment.close()

    def close(self) -> None:
        """Seal the open segment if possible; recovery finds what is not in the index then."""
        with self._appending:
            self._closed = True
        with suppress(BlobFailure):
            self.index_durable(retire=True)
        for own in self._own:
            own.segment.close()


def _place(segment: WritableSegment, key: str, size_bytes: int, end: int) -> Place:
    body_offset = end - size_bytes
    return Place(segment.id, body_offset - HEADER_BYTES - len(key), body_offset, size_bytes)
