"""The thread that takes small bodies into the open segment: digests, check, CRC, append; not durable before a sync.

Whoever needs the bytes to be durable says so to what it was given for its body; all that wait together share one
fdatasync. What is durable moves on into the index in the background; until then its keys are found here.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

from adapters.blobs.arrival import Digests, storage_errors
from adapters.blobs.segment_file import WritableSegment
from adapters.blobs.segment_format import HEADER_BYTES, record_head
from adapters.blobs.segment_index import Move, Place, SegmentIndex
from adapters.blobs.store import StorageUnavailable, StoredBlob

SEGMENT_BYTES = 256 * 1024 * 1024
STEP_BYTES = 16 * 1024 * 1024
RECORDS_TO_INDEX = 2_048
"""So many durable records are taken into the index at once; after a crash no more than these are read again."""


@dataclass(frozen=True, slots=True)
class StagedBlob:
    """A body that has been taken in. It is durable once `make_durable` has returned, and not a moment before."""

    blob: StoredBlob
    segment: WritableSegment | None
    end: int = 0
    is_new: bool = True

    @property
    def size_bytes(self) -> int:
        return self.blob.size_bytes

    def make_durable(self) -> None:
        """Blocking; cheap for all but the first of those that wait together. Raises: StorageFull, StorageUnavailable.

        After it has raised, the bytes are lost for good: they have to be put again.
        """
        if self.segment is not None and self.segment.synced_end < self.end:
            with storage_errors():
                self.segment.sync()


Answer = Callable[[StagedBlob | None, BaseException | None], None]


@dataclass(frozen=True, slots=True)
class Body:
    """A body to take in; `answer` is called in the writer's thread."""

    prefix: str
    pieces: Sequence[bytes]
    size_bytes: int
    check: Callable[[StoredBlob], None] | None
    answer: Answer


@dataclass(frozen=True, slots=True)
class _Copy:
    """A blob that moves here from another segment."""

    key: str
    body: bytes
    before: Place
    done: "Future[None]"


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
    """A segment of this writer, with the records that are not in the index yet."""

    segment: WritableSegment
    entries: deque[_Entry] = field(default_factory=deque)


class SegmentWriter:
    """Makes a segment when the first body comes. `on_unindexed` is told when it is time for `index_durable`."""

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
        self._queue: SimpleQueue[Body | _Copy | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._tail: dict[str, _Entry] = {}
        self._own: list[_Own] = []
        self._indexing = threading.Lock()
        self._unindexed = 0
        self._closed = False

    @property
    def segments(self) -> list[int]:
        """The segments that are written here, or have been and are not sealed yet."""
        return [own.segment.id for own in self._own]

    def submit(self, body: Body) -> None:
        self._put(body)

    def copy(self, key: str, body: bytes, before: Place) -> None:
        """Append a blob that lies elsewhere; the index says so once it is durable. Waits until it is appended."""
        done: Future[None] = Future()
        self._put(_Copy(key, body, before, done))
        done.result()

    def _put(self, job: Body | _Copy) -> None:
        if self._thread is None:
            self._start()
        if self._closed:
            raise StorageUnavailable("it has been closed")
        self._queue.put(job)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="segment-writer", daemon=True)
                self._thread.start()

    def find(self, key: str) -> Place | None:
        """Where a key lies that the index may not know yet; also one that is not durable yet."""
        entry = self._tail.get(key)
        return None if entry is None or entry.is_lost else entry.place

    def keys(self, beginning: str) -> list[str]:
        with self._indexing:
            return [key for key, entry in list(self._tail.items()) if key.startswith(beginning) and not entry.is_lost]

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            try:
                if isinstance(job, Body):
                    self._take_in(job)
                else:
                    self._take_over(job)
            finally:
                del job  # or its bytes would stay until the next one comes

    def _take_in(self, body: Body) -> None:
        try:
            staged = self._stage(body)
        except BaseException as error:  # noqa: BLE001 - whatever a check raises is its caller's
            body.answer(None, error)
        else:
            body.answer(staged, None)

    def _stage(self, body: Body) -> StagedBlob:
        digests = Digests()
        for piece in body.pieces:
            digests.update(piece)
        blob = digests.blob(body.prefix)
        if body.check is not None:
            body.check(blob)
        entry = self._tail.get(blob.key)
        if entry is not None and not entry.is_lost:
            return StagedBlob(blob, entry.segment, entry.place.end, is_new=False)
        if self._index.find(blob.key) is not None:
            return StagedBlob(blob, None, is_new=False)
        entry = self._append(blob.key, body.pieces, body.size_bytes)
        return StagedBlob(blob, entry.segment, entry.place.end)

    def _take_over(self, copy: _Copy) -> None:
        try:
            self._append(copy.key, [copy.body], len(copy.body), before=copy.before)
        except BaseException as error:  # noqa: BLE001 - the caller's, who waits in another thread
            copy.done.set_exception(error)
        else:
            copy.done.set_result(None)

    def _append(self, key: str, pieces: Sequence[bytes], size_bytes: int, *, before: Place | None = None) -> _Entry:
        head = record_head(key, pieces, size_bytes)
        with storage_errors():
            own = self._open()
            offset = own.segment.append([head, *pieces], len(head) + size_bytes)
        place = Place(own.segment.id, offset, offset + HEADER_BYTES + len(key), size_bytes)
        entry = _Entry(key, place, own.segment, before)
        if before is None:
            self._tail[key] = entry
        own.entries.append(entry)
        self._unindexed += 1
        if own.segment.end >= self._segment_bytes:
            own.segment.is_retired = True
        if own.segment.is_retired or self._unindexed >= RECORDS_TO_INDEX:
            self._unindexed = 0
            self._on_unindexed()
        return entry

    def _open(self) -> _Own:
        if not self._own or self._own[-1].segment.is_retired:
            self._own.append(_Own(WritableSegment(self._directory, step_bytes=self._step_bytes)))
        return self._own[-1]

    def sync(self) -> None:
        """Make everything that was appended durable. Raises: StorageFull, StorageUnavailable."""
        with storage_errors():
            for own in list(self._own):
                if own.segment.failure is None:
                    own.segment.sync()

    def index_durable(self, *, retire: bool = False) -> None:
        """Take what is durable into the index, and seal what is not appended to any more.

        `retire`: seal the open segment, too; nothing may be submitted at the same time.
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
            with suppress(OSError):  # a failure is noted in the segment, and what it costs is lost below
                segment.sync()
        reached = segment.synced_end
        durable = []
        while own.entries and own.entries[0].place.end <= reached:
            durable.append(own.entries.popleft())
        try:
            if seals:
                with storage_errors():
                    segment.cut()
            self._index.add(
                segment.id,
                [(entry.key, entry.place) for entry in durable if entry.before is None],
                moved=[Move(entry.key, entry.before, entry.place) for entry in durable if entry.before is not None],
                indexed_end=durable[-1].place.end if durable and not seals else reached,
                sealed=seals,
            )
        except BaseException:
            own.entries.extendleft(reversed(durable))
            raise
        for known in [*durable, *(own.entries if seals else ())]:
            if self._tail.get(known.key) is known:
                del self._tail[known.key]
        if seals:
            self._own.remove(own)
            segment.close()

    def close(self) -> None:
        """Take in what has been submitted, then seal the open segment where that is possible."""
        with self._starting:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join()
        with suppress(StorageUnavailable):  # what is not in the index is found again by recovery
            self.index_durable(retire=True)
        for own in self._own:
            own.segment.close()
