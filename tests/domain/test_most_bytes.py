"""How many bytes the chunks of one recording may have together."""

from dataclasses import replace

import pytest

from domain import errors
from domain.commands import AppendChunk, StoreChunk
from domain.events import MOST_DAMAGE, Stage
from tests.domain.histories import (
    append_chunk,
    appended,
    chunk,
    damaged,
    failed,
    finalized,
    given,
    opened,
    stitched,
    store_chunk,
    when,
)

MOST = 10


def asked(number: int, body: bytes) -> StoreChunk:
    return replace(store_chunk(number, body), most_bytes=MOST)


def test_as_many_bytes_as_there_may_be_are_accepted_and_not_one_more():
    recording = given(opened(), chunk(1, b"123456"))
    assert when(recording, asked(2, b"7890")) == [chunk(2, b"7890")]
    with pytest.raises(errors.RecordingTooLarge) as refused:
        when(recording, asked(2, b"78901"))
    assert refused.value.most_bytes == MOST


def test_what_a_chunk_replaces_does_not_count():
    recording = given(opened(), chunk(1, b"123456"), chunk(2, b"7890"))
    assert when(recording, asked(2, b"abcd")) == [chunk(2, b"abcd")]
    assert when(recording, asked(1, b"123456")) == []
    with pytest.raises(errors.RecordingTooLarge):
        when(recording, asked(2, b"abcde"))


def test_a_recording_that_is_larger_than_it_may_be_by_now_accepts_what_makes_it_smaller():
    recording = given(opened(), chunk(1, b"123456"), chunk(2, b"78901234"))
    assert when(recording, asked(2, b"abcdefg")) == [chunk(2, b"abcdefg")]


def test_without_a_most_there_is_none():
    assert when(given(opened(), chunk(1, bytes(100))), store_chunk(2, bytes(100))) == [chunk(2, bytes(100))]


@pytest.mark.parametrize("end", [failed(Stage.STITCH), stitched(damaged(1))])
def test_a_replacement_for_a_damaged_chunk_may_not_make_it_too_large(end):
    recording = given(opened(), chunk(1, b"123456"), finalized(1), end)
    assert when(recording, asked(1, b"1234567890")) == [chunk(1, b"1234567890")]
    with pytest.raises(errors.RecordingTooLarge):
        when(recording, asked(1, b"12345678901"))


def test_where_more_chunks_may_be_damaged_than_are_named_every_one_can_be_replaced():
    for damage, outcome in ((MOST_DAMAGE, [chunk(3_000, b"mended")]), (MOST_DAMAGE - 1, None)):
        chunks = [chunk(number) for number in (*range(1, damage + 1), 3_000)]
        recording = given(
            opened(max_chunks=3_000), *chunks, finalized(3_000), stitched(*map(damaged, range(1, damage + 1)))
        )
        assert when(recording, store_chunk(damage, b"mended")) == [chunk(damage, b"mended")]
        if outcome:
            assert when(recording, store_chunk(3_000, b"mended")) == outcome
        else:
            with pytest.raises(errors.RecordingClosed):
                when(recording, store_chunk(3_000, b"mended"))


def test_a_chunk_that_gets_the_next_number_counts_too():
    def asking(body: bytes, request: str) -> AppendChunk:
        return replace(append_chunk(body, request=request), most_bytes=MOST)

    recording = given(opened(), appended(1, b"123456", request="a"))
    assert when(recording, asking(b"123456", "a")) == []
    assert when(recording, asking(b"7890", "b")) == [appended(2, b"7890", request="b")]
    with pytest.raises(errors.RecordingTooLarge):
        when(recording, asking(b"78901", "b"))
