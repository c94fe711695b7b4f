"""A segment cut, or damaged, at any byte: what is whole before that is there, and nothing else appears."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from adapters.blobs.segments.check import check_segments
from adapters.blobs.segments.file import segment_path
from adapters.blobs.segments.format import FILE_HEADER, HEADER_BYTES
from adapters.blobs.segments.index import SegmentIndex
from adapters.blobs.segments.recovery import recover_segments
from adapters.blobs.segments.store import SegmentBlobStore
from tests.adapters.blobs.contract import noise, streamed

SIZES = [3_000, 700, 40, 90, 25]


@pytest.fixture
async def written(tmp_path: Path) -> Path:
    """A directory with one segment, of which no index knows."""
    store = SegmentBlobStore(tmp_path / "blobs")
    for number, size in enumerate(SIZES):
        await store.put("rec/", streamed([noise(size, number)]))
    await store.close()
    directory = tmp_path / "blobs" / ".segments"
    for path in directory.glob("index*"):
        path.unlink()
    return directory


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is a disk for that: a thousand recoveries sync a thousand times."""
    in_memory = Path("/dev/shm")  # noqa: S108
    with TemporaryDirectory(dir=in_memory if in_memory.is_dir() else tmp_path) as folder:
        yield Path(folder) / "segments"


def recovered(directory: Path, contents: bytes, place: Path) -> set[int]:
    """The sizes of the blobs that are found when a segment has these contents."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    (segment,) = directory.glob("*.segment")
    (place / segment.name).write_bytes(contents)
    index = SegmentIndex(place / "index.sqlite3")
    recover_segments(place, index)
    found = set()
    for key in index.keys(""):
        at = index.find(key)
        assert at is not None
        body = (place / segment.name).read_bytes()[at.body_offset : at.end]
        assert body == noise(at.size_bytes, SIZES.index(at.size_bytes))
        found.add(at.size_bytes)
    assert recover_segments(place, index) == 0
    index.close()
    return found


def ends(contents: bytes) -> list[int]:
    """Where each record ends."""
    positions, end = [], len(contents)
    for number, size in reversed(list(enumerate(SIZES))):
        positions.append(end)
        end = contents.index(noise(size, number)) - len("rec/") - 64 - HEADER_BYTES
    return positions[::-1]


def test_cut_at_every_byte_of_the_last_three_records(written: Path, place: Path) -> None:
    (segment,) = written.glob("*.segment")
    contents = segment.read_bytes()
    its_ends = ends(contents)
    assert its_ends[-1] == len(contents)
    for cut in range(its_ends[-4], len(contents) + 1):
        whole = {size for size, end in zip(SIZES, its_ends, strict=True) if end <= cut}
        assert recovered(written, contents[:cut], place) == whole, cut


def test_cut_at_a_page_with_room_taken_behind_it(written: Path, place: Path) -> None:
    (segment,) = written.glob("*.segment")
    contents = segment.read_bytes()
    its_ends = ends(contents)
    for cut in range(its_ends[-4], len(contents) + 1, 7):
        whole = {size for size, end in zip(SIZES, its_ends, strict=True) if end <= cut}
        assert recovered(written, contents[:cut] + bytes(8192), place) >= whole, cut


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_lies_where_the_end_was_torn_nothing_is_taken_for_a_blob(
    written: Path, place: Path, data: st.DataObject
) -> None:
    (segment,) = written.glob("*.segment")
    contents = segment.read_bytes()
    its_ends = ends(contents)
    cut = data.draw(st.integers(16, len(contents) - 1))
    garbage = data.draw(st.binary(max_size=300) | st.just(contents[16:400]) | st.just(os.urandom(200)))
    whole = {size for size, end in zip(SIZES, its_ends, strict=True) if end <= cut}
    found = recovered(written, contents[:cut] + garbage, place)
    assert whole <= found
    assert found <= set(SIZES)


@example(position=5, bit=0)  # in what is only there to fill up
@given(position=st.integers(16), bit=st.integers(0, 7))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_is_never_read_as_what_was_stored(written: Path, place: Path, position: int, bit: int) -> None:
    (segment,) = written.glob("*.segment")
    contents = bytearray(segment.read_bytes())
    position = 16 + position % (len(contents) - 16)
    its_ends = ends(bytes(contents))
    contents[position] ^= 1 << bit
    before = {size for size, end in zip(SIZES, its_ends, strict=True) if end <= position}
    assert recovered(written, bytes(contents), place) == before


def test_a_segment_given_up_before_its_first_record_is_nothing_to_complain_of(tmp_path: Path) -> None:
    index = SegmentIndex(tmp_path / "index.sqlite3")
    segment_path(tmp_path, 7).write_bytes(FILE_HEADER)
    index.add(7, [], indexed_end=len(FILE_HEADER), sealed=True)
    segment_path(tmp_path, 8).write_bytes(b"")
    index.add(8, [], indexed_end=len(FILE_HEADER), sealed=True)
    index.close()
    assert list(check_segments(tmp_path)) == ["Segment 0000000000000008 cannot be read beyond byte 0 of 16."]
