"""What was heard of a recording part by part, and when that is void."""

from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.commands import Command
from domain.errors import ChunkNotStored
from domain.recording import Recording, fold
from tests.domain.histories import (
    at,
    chunk,
    finalized,
    given,
    opened,
    part_heard,
    record_part_heard,
    stitched,
    store_chunk,
    transcribed,
    when,
)


def then(recording: Recording, command: Command) -> Recording:
    """The recording after all that comes of the command."""
    return fold(when(recording, command), recording) or recording


def test_a_part_is_noted_once_and_how_much_was_heard_is_known():
    recording = given(opened(), chunk(1), chunk(2))
    assert when(recording, record_part_heard(1, 1)) == [part_heard(1, 1)]
    heard = given(opened(), chunk(1), chunk(2), part_heard(1, 1), part_heard(2, 2))
    assert when(heard, record_part_heard(1, 1)) == []
    assert heard.heard_ms == 100_000
    assert {"part-1-a", "part-2-a"} < heard.blobs_in_use()
    assert heard.kept_bytes == chunk(1).size_bytes + chunk(2).size_bytes + 140


def test_of_parts_that_come_in_any_order_only_those_without_a_gap_count():
    assert given(opened(), chunk(1), part_heard(2, 1)).heard_ms == 0
    assert given(opened(), chunk(1), part_heard(2, 1), part_heard(1, 1)).heard_ms == 100_000


def test_a_part_of_a_chunk_that_is_not_there_is_refused():
    with pytest.raises(ChunkNotStored):
        when(given(opened(), chunk(1)), record_part_heard(1, 2))


def test_a_replaced_chunk_makes_void_what_rested_on_it_and_nothing_else():
    recording = given(opened(), chunk(1), chunk(2), part_heard(1, 1), part_heard(2, 2), chunk(2, b"other"))
    assert list(recording.heard) == [1]
    assert {each.blob_key for each in recording.superseded.values()} > {"part-2-a"}
    assert "part-2-a" not in recording.blobs_in_use()


def test_what_was_heard_before_a_chunk_was_replaced_comes_too_late():
    recording = given(opened(), chunk(1), chunk(1, b"other"))
    assert when(recording, record_part_heard(1, 1)) == []
    assert when(recording, record_part_heard(1, 1, replacements=1)) == [part_heard(1, 1)]


def test_once_all_is_transcribed_the_parts_are_of_no_use():
    recording = given(opened(), chunk(1), part_heard(1, 1), finalized(1), stitched(), transcribed())
    assert not recording.heard
    assert "part-1-a" not in recording.blobs_in_use()
    assert [each.blob_key for each in recording.superseded_until(at(100))] == ["part-1-a"]
    assert when(recording, record_part_heard(1, 1)) == []


CHUNKS = st.tuples(st.just("chunk"), st.integers(1, 4), st.sampled_from([b"one", b"other", b"third"]))
PARTS = st.tuples(st.just("part"), st.integers(1, 4), st.sampled_from("abc"))


@for_all(st.lists(CHUNKS | PARTS, max_size=20))
def test_no_part_ever_rests_on_bytes_that_were_replaced_since(steps: list[tuple[str, int, Any]]):
    recording = given(opened(max_chunks=4))
    rests_on: dict[int, dict[int, str]] = {}
    for kind, number, what in steps:
        if kind == "chunk":
            recording = then(recording, store_chunk(number, what))
        elif number in recording.chunks:
            part = len(recording.heard) + 1
            rests_on[part] = digests(recording, number)
            recording = then(recording, record_part_heard(part, number, what, replacements=recording.replacements))
    for part, event in recording.heard.items():
        assert rests_on[part].items() <= digests(recording, event.last_chunk).items()


def digests(recording: Recording, last_chunk: int) -> dict[int, str]:
    return {number: chunk.sha256 for number, chunk in recording.chunks.items() if number <= last_chunk}
