"""Chunks read as one stream, however small they are."""

import hashlib
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.audio.chunk_bytes import ChunkRun, MeasuredChunks
from tests.adapters.audio.samples import openers


@given(
    sizes=st.lists(st.one_of(st.integers(0, 3), st.integers(4_000, 4_200), st.integers(60_000, 70_000)), max_size=30),
    reads=st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 200_000)), max_size=10),
)
def test_any_stretch_is_what_the_chunks_hold(sizes: list[int], reads: list[tuple[int, int]]) -> None:
    chunks = [bytes([number]) * size for number, size in enumerate(sizes)]
    whole = b"".join(chunks)
    with ChunkRun.of(MeasuredChunks.of(openers(chunks))).open() as reader:
        assert reader.size_bytes == len(whole)
        for position, size in reads:
            reader.seek(position)
            assert reader.read(size) == whole[position : position + size]


@given(sizes=st.lists(st.integers(0, 3_000), max_size=30), data=st.data())
def test_a_copy_holds_what_the_chunks_hold(sizes: list[int], data: st.DataObject) -> None:
    chunks = [bytes([number]) * size for number, size in enumerate(sizes, 1)]
    whole = b"".join(chunks)
    left_out = data.draw(st.sets(st.integers(1, len(sizes) + 1)))
    with tempfile.TemporaryDirectory() as folder:
        measured = MeasuredChunks.copied(openers(chunks), Path(folder) / "copy")
        run = ChunkRun.of(measured)
        assert measured.md5 == hashlib.md5(whole, usedforsecurity=False).hexdigest()
        assert len(run.stretches) == bool(whole)
        kept = b"".join(chunk for number, chunk in enumerate(chunks, 1) if number not in left_out)
        with run.open() as reader, run.without(left_out).open() as rest:
            assert (reader.read(), rest.read()) == (whole, kept)


@pytest.mark.parametrize("sizes", [[3, 2], [9_000, 2]])
def test_a_chunk_that_became_shorter_is_an_error_of_the_storage(sizes: list[int]) -> None:
    contents = [bytes(size) for size in sizes]
    measured = MeasuredChunks.of([lambda: io.BytesIO(contents[0]), lambda: io.BytesIO(contents[1])])
    contents[1] = b"\0"
    with pytest.raises(OSError, match="A chunk is now shorter"), ChunkRun.of(measured).open() as reader:
        reader.read()
