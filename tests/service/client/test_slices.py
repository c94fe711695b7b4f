"""Cutting a file, and finding out how it was cut."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.client import CannotResume, ClientFailure
from service.client.answers import Chunk
from service.client.slices import CutFile, cut, cut_like, enlarged, missing_from

on_one_file = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)


def stored(file: CutFile, numbers: set[int]) -> list[Chunk]:
    return [
        Chunk(number=piece.number, size_bytes=piece.size_bytes, md5=piece.md5)
        for piece in file.slices
        if piece.number in numbers
    ]


@on_one_file
@given(content=st.binary(min_size=1, max_size=2000), chunk_bytes=st.integers(1, 600), most=st.integers(1, 40))
def test_slices_cover_the_file_exactly_and_are_never_too_many(
    tmp_path: Path, content: bytes, chunk_bytes: int, most: int
):
    path = tmp_path / "file"
    path.write_bytes(content)
    file = cut(path, chunk_bytes, most)
    assert b"".join(file.read(piece) for piece in file.slices) == content
    assert [piece.number for piece in file.slices] == list(range(1, len(file.slices) + 1))
    assert len(file.slices) <= most


@on_one_file
@given(content=st.binary(min_size=1, max_size=2000), chunk_bytes=st.integers(1, 600), data=st.data())
def test_what_has_arrived_tells_how_the_file_was_cut(
    tmp_path: Path, content: bytes, chunk_bytes: int, data: st.DataObject
):
    path = tmp_path / "file"
    path.write_bytes(content)
    file = cut(path, chunk_bytes, 100)
    numbers = data.draw(st.sets(st.sampled_from([piece.number for piece in file.slices]), min_size=1))
    again = cut_like(path, stored(file, numbers), 256, 100)
    missing = missing_from(again, stored(file, numbers))
    assert missing is not None
    assert len(missing) == len(again.slices) - len(numbers)


def test_chunks_of_another_file_cannot_be_resumed(tmp_path: Path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"a" * 1000)
    other.write_bytes(b"b" * 1000)
    with pytest.raises(CannotResume, match="another file"):
        cut_like(other, stored(cut(one, 100, 100), {1, 2}), 100, 100)


def test_an_empty_file_is_refused(tmp_path: Path):
    (tmp_path / "empty").touch()
    with pytest.raises(ClientFailure, match="is empty"):
        cut(tmp_path / "empty", 100, 100)


def test_a_long_recording_gets_larger_chunks_rather_than_too_many():
    assert enlarged(3 * 2**30, 256 * 1024, 100) == -(-3 * 2**30 // 100)
    assert enlarged(1000, 256 * 1024, 100) == 256 * 1024
