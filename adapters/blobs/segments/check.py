"""Reads every segment from end to end: is each record whole, and is it where the index says?"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from adapters.blobs.segments.file import segment_path, segments_in
from adapters.blobs.segments.format import FILE_HEADER, LIVE, is_whole, records
from adapters.blobs.segments.index import SegmentIndex, SegmentStanding
from adapters.blobs.segments.tails import place_of


def check_segments(directory: Path) -> Iterator[str]:
    """A sentence for everything that is wrong. Does not wait for what a running service appends meanwhile."""
    index = SegmentIndex(directory / "index.sqlite3")
    try:
        standings = {standing.id: standing for standing in index.segments()}
        present = set(segments_in(directory))
        for segment in sorted(present):
            yield from _check(directory, index, segment, standings.get(segment))
        for segment in sorted(standings.keys() - present):
            if standings[segment].live_records:
                yield f"Segment {segment:016x} is missing, with {standings[segment].live_records} blobs."
    finally:
        index.close()


def _check(directory: Path, index: SegmentIndex, segment: int, standing: SegmentStanding | None) -> Iterator[str]:
    indexed_end = standing.indexed_end if standing else 0
    with suppress(FileNotFoundError):
        descriptor = os.open(segment_path(directory, segment), os.O_RDONLY | os.O_CLOEXEC)
        try:
            # A segment given up before its first record was durable has only its header.
            end = len(FILE_HEADER) if os.pread(descriptor, len(FILE_HEADER), 0) == FILE_HEADER else 0
            for record in records(descriptor, 0):
                end = record.end
                if end > indexed_end:
                    break
                is_in_use = record.state == LIVE and index.find(record.key) == place_of(segment, record)
                if is_in_use and not is_whole(descriptor, record):
                    yield f"{record.key} is damaged: its checksum in segment {segment:016x} does not match."
            if end < indexed_end:
                yield f"Segment {segment:016x} cannot be read beyond byte {end} of {indexed_end}."
        finally:
            os.close(descriptor)
