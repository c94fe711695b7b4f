"""Chunks read as one stream, however small they are."""

import io
from functools import partial
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.audio.chunk_bytes import ChunkRun, MeasuredChunks
from adapters.audio.whole_files import whole_files
from tests.adapters.audio import samples
from tests.adapters.audio.samples import encoded, openers, tone


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


def test_thousands_of_tiny_chunks_are_opened_a_few_times_each() -> None:
    content = encoded(samples.WAV, tone(2_000, rate=16_000), rate=16_000)
    opened = 0

    def opening(byte: int) -> BinaryIO:
        nonlocal opened
        opened += 1
        return io.BytesIO(bytes([byte]))

    found = whole_files(MeasuredChunks.of([partial(opening, byte) for byte in content]))
    assert [file.run.size_bytes for file in found.files] == [len(content)]
    assert opened < 10 * len(content)


@pytest.mark.parametrize("sizes", [[3, 2], [9_000, 2]])
def test_a_chunk_that_became_shorter_is_an_error_of_the_storage(sizes: list[int]) -> None:
    contents = [bytes(size) for size in sizes]
    measured = MeasuredChunks.of([lambda: io.BytesIO(contents[0]), lambda: io.BytesIO(contents[1])])
    contents[1] = b"\0"
    with pytest.raises(OSError, match="A chunk is now shorter"), ChunkRun.of(measured).open() as reader:
        reader.read()
