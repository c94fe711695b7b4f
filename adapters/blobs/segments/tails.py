"""The ends of segments that other openings are writing to: records that are in the files but not yet in the index.

Read if a key is not found otherwise. Only headers are read: whoever asks for a key knows that it is durable.
"""

import os
import threading
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from adapters.blobs.segments.file import segment_path, segments_in
from adapters.blobs.segments.format import LIVE, Record, records
from adapters.blobs.segments.index import Place, SegmentIndex
from adapters.blobs.storage_errors import storage_errors


class _Tail:
    """What was read of a segment from where the index ended, `start`, to `end`."""

    def __init__(self) -> None:
        self.start = self.end = 0
        self.places: dict[str, Place] = {}


class SegmentTails:
    """Blocking; can be used from any thread. Raises: StorageUnavailable."""

    def __init__(self, directory: Path, index: SegmentIndex) -> None:
        self._directory = directory
        self._index = index
        self._tails: dict[int, _Tail] = {}
        self._forgotten: set[tuple[int, int]] = set()
        self._reading = threading.Lock()

    def find(self, key: str, *, besides: Collection[int]) -> Place | None:
        """Where the key is, in the tail of any segment except these."""
        with self._reading:
            self._read(besides)
            return next(self._places(key), None)

    def places(self, keys: Collection[str], *, besides: Collection[int]) -> list[Place]:
        """Every place where one of the keys is: several processes may have written the same one."""
        with self._reading:
            self._read(besides)
            return [place for key in keys for place in self._places(key)]

    def keys(self, beginning: str, *, besides: Collection[int]) -> list[str]:
        with self._reading:
            self._read(besides)
            known = {key for tail in self._tails.values() for key in tail.places if key.startswith(beginning)}
            return [key for key in known if any(self._places(key))]

    def _places(self, key: str) -> Iterator[Place]:
        for tail in self._tails.values():
            place = tail.places.get(key)
            if place is not None and (place.segment, place.offset) not in self._forgotten:
                yield place

    def _read(self, besides: Collection[int]) -> None:
        # Before how far the index has come: what is struck out of this meanwhile is no longer in a tail then.
        self._forgotten = self._index.forgotten()
        with storage_errors():
            present = set(segments_in(self._directory)).difference(besides)
            known = {standing.id: standing for standing in self._index.segments()} if present else {}
            unsealed = {segment for segment in present if segment not in known or not known[segment].is_sealed}
            for gone in self._tails.keys() - unsealed:
                del self._tails[gone]
            for segment in unsealed:
                self._read_on(segment, known[segment].indexed_end if segment in known else 0)

    def _read_on(self, segment: int, indexed_end: int) -> None:
        tail = self._tails.setdefault(segment, _Tail())
        if indexed_end > tail.start:
            tail.start, tail.end = indexed_end, max(indexed_end, tail.end)
            tail.places = {key: place for key, place in tail.places.items() if place.offset >= indexed_end}
        with suppress(FileNotFoundError):
            descriptor = os.open(segment_path(self._directory, segment), os.O_RDONLY | os.O_CLOEXEC)
            try:
                for record in records(descriptor, tail.end):
                    tail.end = record.end
                    if record.state == LIVE:
                        tail.places[record.key] = place_of(segment, record)
            finally:
                os.close(descriptor)


def place_of(segment: int, record: Record) -> Place:
    return Place(segment, record.offset, record.body_offset, record.body_bytes)
