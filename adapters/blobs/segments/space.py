"""Reclaims space: erases what was deleted, removes segments without live blobs, moves the rest out of nearly dead ones.

Every step is noted in the index before it is done and struck out afterwards, so that a crash anywhere leaves work to be
repeated, never bytes that nobody knows of.
"""

import fcntl
import logging
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from adapters.blobs.segments.file import segment_path, segments_in
from adapters.blobs.segments.format import ERASED, HEADER_BYTES, LIVE, STATE_OFFSET, is_whole, records
from adapters.blobs.segments.hole_punching import punch
from adapters.blobs.segments.index import Erasure, SegmentIndex, SegmentStanding
from adapters.blobs.segments.tails import place_of
from adapters.blobs.segments.writer import Copied, SegmentWriter
from adapters.blobs.storage_errors import storage_errors
from adapters.durable_files import sync_directory

logger = logging.getLogger(__name__)

LITTLE_LEFT = 0.25
"""If no more than this share of a sealed segment is live, copying that out is worthwhile."""

MOST_SMALL_SEGMENTS = 16
"""More sealed segments than this under an eighth of the usual size, as restarts leave them, are merged."""

_BLOCK_BYTES = 512 * 1024
_BYTES_AT_ONCE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SpaceUsage:
    """Over all segments. `live_bytes` and `dead_bytes`: records with headers; `disk_bytes`: space taken on the disk."""

    segments: int
    live_blobs: int
    live_bytes: int
    dead_bytes: int
    disk_bytes: int


class SegmentSpace:
    """Blocking; called by one thread at a time. Raises: StorageFull, StorageUnavailable."""

    def __init__(self, directory: Path, index: SegmentIndex, writer: SegmentWriter, *, segment_bytes: int) -> None:
        self._directory = directory
        self._index = index
        self._writer = writer
        self._segment_bytes = segment_bytes
        self._damaged: set[int] = set()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """A block during which no other opening erases or compacts.

        Otherwise one could be copying what another erases. A process that is killed in the block has left it; for one
        that hangs in it the others wait.
        """
        with storage_errors():
            lock = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)

    def erase_noted(self) -> None:
        """Really remove the bytes of every noted erasure; durable on return."""
        with storage_errors():
            noted: dict[int, list[Erasure]] = defaultdict(list)
            for erasure in self._index.erasures():
                noted[erasure.segment].append(erasure)
            if not noted:
                return
            standings = {standing.id: standing for standing in self._index.segments()}
            for segment, erasures in noted.items():
                if _is_dead(standings.get(segment)):
                    self._remove(segment)
                else:
                    self._erase(segment, erasures)

    def _erase(self, segment: int, erasures: Sequence[Erasure]) -> None:
        """First mark each record as erased, durably, so that it is never read as damaged."""
        with suppress(FileNotFoundError):
            descriptor = os.open(segment_path(self._directory, segment), os.O_RDWR | os.O_CLOEXEC)
            try:
                for erasure in erasures:
                    os.pwrite(descriptor, bytes([ERASED]), erasure.offset + STATE_OFFSET)
                os.fdatasync(descriptor)
                for erasure in erasures:
                    punch(descriptor, erasure.offset + HEADER_BYTES, erasure.end)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._index.erased(erasures)

    def _remove(self, segment: int) -> None:
        with suppress(FileNotFoundError):
            segment_path(self._directory, segment).unlink()
        sync_directory(self._directory)
        self._index.forget_segment(segment)

    def compact(self) -> None:
        """Remove sealed segments without live blobs, and move the live blobs out of those that have few."""
        with storage_errors(), self.alone():
            self._remove_dead()
            candidates = self._worth_compacting()
            for segment in candidates:
                self._move_out(segment)
            if candidates:
                self._writer.sync()
                self._writer.index_durable()
                self.erase_noted()
            self._index.give_back()

    def _remove_dead(self) -> None:
        for standing in self._index.segments():
            if _is_dead(standing):
                self._remove(standing.id)

    def _worth_compacting(self) -> list[int]:
        sealed = [
            standing
            for standing in self._index.segments()
            if standing.is_sealed and standing.live_records and standing.id not in self._damaged
        ]
        small = [standing for standing in sealed if standing.indexed_end < self._segment_bytes // 8]
        wanted = {standing.id for standing in sealed if standing.live_bytes <= standing.indexed_end * LITTLE_LEFT}
        if len(small) > MOST_SMALL_SEGMENTS:
            wanted |= {standing.id for standing in small}
        return list(wanted)

    def _move_out(self, segment: int) -> None:
        """Copy a segment's live blobs to the open one. A blob that does not read as written stays where it is."""
        descriptor = os.open(segment_path(self._directory, segment), os.O_RDONLY | os.O_CLOEXEC)
        copied: list[Copied] = []
        try:
            for record in records(descriptor, 0):
                place = place_of(segment, record)
                if record.state != LIVE or self._index.find(record.key) != place:
                    continue
                if not is_whole(descriptor, record):
                    self._damaged.add(segment)
                    logger.error("a blob is damaged; its segment is left alone", extra={"key": record.key})
                    continue
                copied.append(Copied(record.key, _read(descriptor, place.body_offset, place.size_bytes), place))
                if sum(len(each.body) for each in copied) >= _BYTES_AT_ONCE:
                    self._writer.copy(copied)
                    copied = []
            self._writer.copy(copied)
        finally:
            os.close(descriptor)

    def usage(self) -> SpaceUsage:
        return space_usage(self._directory, self._index)


def space_usage(directory: Path, index: SegmentIndex) -> SpaceUsage:
    """What the segments hold. The few records beyond the index's end count as neither live nor dead."""
    with storage_errors():
        present = segments_in(directory)
        standings = [standing for standing in index.segments() if standing.id in set(present)]
        live_bytes = sum(standing.live_bytes for standing in standings)
        disk_bytes = 0
        for segment in present:
            with suppress(FileNotFoundError):
                disk_bytes += segment_path(directory, segment).stat().st_blocks * 512
        return SpaceUsage(
            segments=len(present),
            live_blobs=sum(standing.live_records for standing in standings),
            live_bytes=live_bytes,
            dead_bytes=sum(standing.indexed_end for standing in standings) - live_bytes,
            disk_bytes=disk_bytes,
        )


def _is_dead(standing: SegmentStanding | None) -> bool:
    return standing is not None and standing.is_sealed and standing.live_records == 0


def _read(descriptor: int, start: int, size_bytes: int) -> bytes:
    blocks = []
    while size_bytes:
        block = os.pread(descriptor, min(size_bytes, _BLOCK_BYTES), start)
        if not block:
            raise OSError("a segment became shorter")
        blocks.append(block)
        start += len(block)
        size_bytes -= len(block)
    return b"".join(blocks)
