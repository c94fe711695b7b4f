"""The ends of segments that other openings are writing to: records that are in the files but not yet in the index.

Read if a key is not found otherwise. Only headers are read: whoever asks for a key knows that it is durable.
"""

import os
import threading
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from adapters.blobs.segments.file import segment_path, segments_in
from adapters.blobs.segments.format import LIVE, Record, records
from adapters.blobs.segments.index import Place, SegmentIndex
from adapters.blobs.storage_errors import storage_errors


class _Tail:
    def __init__(self) -> None:
        self.end = 0
        self.places: dict[str, Place] = {}


class SegmentTails:
    """Blocking; can be used from any thread. Raises: StorageUnavailable."""

    def __init__(self, directory: Path, index: SegmentIndex) -> None:
        self._directory = directory
        self._index = index
        self._tails: dict[int, _Tail] = {}
        self._reading = threading.Lock()

    def find(self, key: str, *, besides: Collection[int]) -> Place | None:
        """Where the key is, in the tail of any segment except these."""
        with self._reading:
            self._read(besides)
            return next((tail.places[key] for tail in self._tails.values() if key in tail.places), None)

    def keys(self, beginning: str, *, besides: Collection[int]) -> list[str]:
        with self._reading:
            self._read(besides)
            return [key for tail in self._tails.values() for key in tail.places if key.startswith(beginning)]

    def _read(self, besides: Collection[int]) -> None:
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
        if indexed_end > tail.end:
            tail.end, tail.places = indexed_end, {}
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
