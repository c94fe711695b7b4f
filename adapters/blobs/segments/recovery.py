"""Finds, at the start, what a crash left: torn ends of segments, and erasures noted but not done."""

import os
from contextlib import suppress
from pathlib import Path

from adapters.blobs.segments.file import is_locked, segment_path, segments_in
from adapters.blobs.segments.format import FILE_HEADER, HEADER_BYTES, LIVE, Record, is_whole, records
from adapters.blobs.segments.index import Place, SegmentIndex
from adapters.blobs.segments.tails import place_of
from adapters.blobs.storage_errors import storage_errors
from adapters.durable_files import sync_directory

_RECORDS_AT_ONCE = 2_048


def recover_segments(directory: Path, index: SegmentIndex) -> int:
    """Read the end of every unsealed segment that nobody writes to: cut off what is torn, index the rest.

    Returns how many were torn. What is already in the index is not read. Raises: StorageFull, StorageUnavailable.
    """
    with storage_errors():
        standings = {standing.id: standing for standing in index.segments()}
        torn = 0
        for segment in segments_in(directory):
            standing = standings.get(segment)
            if standing is None or not standing.is_sealed:
                torn += _recover_one(directory, index, segment, standing.indexed_end if standing else 0)
        return torn


def _recover_one(directory: Path, index: SegmentIndex, segment: int, indexed_end: int) -> bool:
    path = segment_path(directory, segment)
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        if is_locked(descriptor):
            return False
        _read_from_disk_alone(descriptor)
        end = _index_whole_records(descriptor, index, segment, indexed_end)
        if end is None:
            path.unlink()
            sync_directory(directory)
            return False
        is_torn = any(os.pread(descriptor, HEADER_BYTES, end))
        os.ftruncate(descriptor, end)
        os.fsync(descriptor)
        index.add(segment, [], indexed_end=end, sealed=True)
        index.strike_forgotten(segment)
        return is_torn
    finally:
        os.close(descriptor)


def _read_from_disk_alone(descriptor: int) -> None:
    """Drop what is cached: after a failed sync it may differ from what is on the disk, and would be trusted."""
    with suppress(OSError):
        os.fdatasync(descriptor)
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _index_whole_records(descriptor: int, index: SegmentIndex, segment: int, indexed_end: int) -> int | None:
    """Index every record from `indexed_end` to the first torn one; returns the end, or None if there are none.

    Whatever was acknowledged lies before anything torn: a sync covers everything appended before it.
    """
    if os.pread(descriptor, len(FILE_HEADER), 0) != FILE_HEADER and not indexed_end:
        return None
    end = max(indexed_end, len(FILE_HEADER))
    found: list[tuple[str, Place]] = []
    for record in records(descriptor, end):
        if not is_whole(descriptor, record):
            break
        end = record.end
        found += _live(segment, record)
        if len(found) >= _RECORDS_AT_ONCE:
            index.add(segment, found, indexed_end=end)
            found = []
    if found:
        index.add(segment, found, indexed_end=end)
    return None if end == len(FILE_HEADER) else end


def _live(segment: int, record: Record) -> list[tuple[str, Place]]:
    return [(record.key, place_of(segment, record))] if record.state == LIVE else []
