"""Chunks without numbers: they count up in order of arrival, and the same request again is the same chunk."""

import pytest

from domain import errors
from domain.events import FinalizePolicy, FinalizeRequested
from domain.recording import Phase, fold
from domain.snapshots import Snapshot, restore, take_snapshot
from tests.domain.histories import (
    append_chunk,
    appended,
    at,
    chunk,
    chunk_transcribed,
    expired,
    finalized,
    given,
    opened,
    record_chunk_transcribed,
    stitched,
    store_chunk,
    transcribed,
    when,
)

ONE, TWO = b"one", b"two"
RECONCILE = FinalizePolicy.RECONCILE


def declared(total, received=None):
    facts = {"final_duration_ms": None, "checksum_md5": None}
    return FinalizeRequested(
        at=at(1), total_chunks=total, chunks_received=received or total, suspect_chunks=(), by_itself=False, **facts
    )


def test_chunks_get_the_next_number():
    first = when(given(opened()), append_chunk(ONE))
    assert first == [appended(1, ONE)]
    assert when(given(opened(), *first), append_chunk(TWO, request="b")) == [appended(2, TWO, request="b")]


def test_the_same_request_right_after_changes_nothing():
    assert when(given(opened(), appended(1, ONE)), append_chunk(ONE)) == []


def test_the_same_request_later_is_another_chunk_unless_it_has_a_name():
    recording = given(opened(), appended(1, ONE), appended(2, TWO, request="b"))
    assert when(recording, append_chunk(ONE)) == [appended(3, ONE)]
    assert when(recording, append_chunk(ONE, is_named=True)) == []


def test_another_request_with_the_same_bytes_is_another_chunk():
    assert when(given(opened(), appended(1, ONE)), append_chunk(ONE, request="b")) == [appended(2, ONE, request="b")]


def test_a_name_does_not_stand_for_two_chunks():
    recording = given(opened(), appended(1, ONE), appended(2, TWO, request="b"))
    with pytest.raises(errors.NamedRequestDiffers, match=r"^Chunk 1 came with this Idempotency-Key"):
        when(recording, append_chunk(TWO, is_named=True))


def test_the_last_chunk_declares_how_many_there_are_in_the_same_moment():
    events = when(given(opened(), appended(1, ONE)), append_chunk(TWO, request="b", is_last=True))
    assert events == [appended(2, TWO, request="b"), declared(2)]
    assert fold(events, given(opened(), appended(1, ONE))).phase is Phase.STITCHING


def test_a_chunk_that_comes_again_may_turn_out_to_be_the_last():
    assert when(given(opened(), appended(1, ONE)), append_chunk(ONE, is_last=True)) == [declared(1)]


def test_an_earlier_chunk_that_comes_again_is_not_the_last():
    recording = given(opened(), appended(1, ONE), appended(2, TWO, request="b"))
    assert when(recording, append_chunk(ONE, is_named=True, is_last=True)) == []


@pytest.mark.parametrize("later", [[], [stitched()], [stitched(), transcribed()]])
def test_after_the_last_chunk_only_what_was_there_comes_again(later):
    recording = given(opened(), appended(1, ONE), declared(1), *later)
    assert when(recording, append_chunk(ONE, is_last=True)) == []
    assert when(recording, append_chunk(ONE)) == []
    with pytest.raises(errors.AlreadyFinalized) as refusal:
        when(recording, append_chunk(TWO, request="b"))
    assert str(refusal.value) == str(errors.AlreadyFinalized(1))


def test_chunks_that_are_missing_before_the_last_are_waited_for_or_refused_by_policy():
    facts = {"request": "b", "is_last": True}
    waiting = given(opened(finalize_policy=RECONCILE), chunk(2))
    events = when(waiting, append_chunk(TWO, **facts))
    assert events == [appended(3, TWO, request="b"), declared(3, received=2)]
    assert fold(events, waiting).phase is Phase.AWAITING_CHUNKS
    with pytest.raises(errors.ChunkMismatch) as refusal:
        when(given(opened(), chunk(2)), append_chunk(TWO, **facts))
    assert (refusal.value.missing, refusal.value.extra) == ((1,), ())


def test_no_chunk_is_appended_beyond_the_most_or_after_the_time():
    assert when(given(opened(max_chunks=1)), append_chunk(ONE)) == [appended(1, ONE)]
    with pytest.raises(errors.ChunkNumberOutOfRange, match="Chunk number 2 is not between 1 and 1"):
        when(given(opened(max_chunks=1), appended(1, ONE)), append_chunk(TWO, request="b"))
    with pytest.raises(errors.RecordingExpired):
        when(given(opened()), append_chunk(ONE, minutes=240))
    with pytest.raises(errors.RecordingExpired):
        when(given(opened(), appended(1, ONE), expired()), append_chunk(TWO, request="b", minutes=240))


def test_a_chunk_that_other_bytes_replaced_is_not_found_by_its_request_any_more():
    recording = given(opened(), appended(1, ONE), *when(given(opened(), appended(1, ONE)), store_chunk(1, TWO)))
    assert when(recording, append_chunk(ONE, is_named=True)) == [appended(2, ONE)]


def test_requests_are_known_to_a_second_future_and_to_a_snapshot():
    past = given(opened(), appended(1, ONE), appended(2, TWO, request="b"))
    futures = [fold([appended(3, ONE, request=request)], past) for request in "cd"]
    kept = restore(Snapshot.model_validate_json(take_snapshot(past).model_dump_json()))
    for recording in (past, *futures, kept):
        assert when(recording, append_chunk(ONE, is_named=True)) == []
    assert when(futures[1], append_chunk(ONE, request="d", is_named=True)) == []
    assert when(futures[0], append_chunk(ONE, request="d", is_named=True)) == [appended(4, ONE, request="d")]
    assert when(past, append_chunk(ONE, request="c", is_named=True)) == [appended(3, ONE, request="c")]


def test_the_words_of_a_chunk_are_recorded_once():
    recording = given(opened(), appended(1, ONE))
    assert when(recording, record_chunk_transcribed(1, ONE)) == [chunk_transcribed(1, ONE)]
    heard = fold([chunk_transcribed(1, ONE), appended(2, TWO, request="b")], recording)
    assert when(heard, record_chunk_transcribed(1, ONE)) == []
    assert heard.words_of(heard.chunks[1]) == chunk_transcribed(1, ONE)
    assert (
        restore(Snapshot.model_validate_json(take_snapshot(heard).model_dump_json())).transcribed_chunks
        == heard.transcribed_chunks
    )


def test_words_of_other_bytes_are_refused_and_forgotten():
    with pytest.raises(errors.ChunkNotStored, match="Chunk 1 is not stored"):
        when(given(opened(), appended(1, ONE)), record_chunk_transcribed(1, TWO))
    with pytest.raises(errors.ChunkNotStored):
        when(given(opened()), record_chunk_transcribed(1, ONE))
    replaced = given(opened(), chunk(1, ONE), chunk_transcribed(1, ONE), chunk(1, TWO))
    assert replaced.words_of(replaced.chunks[1]) is None
    assert when(replaced, record_chunk_transcribed(1, TWO)) == [chunk_transcribed(1, TWO)]


def test_words_of_a_chunk_come_too_late_once_the_whole_is_transcribed():
    whole = [opened(), appended(1, ONE), finalized(1), stitched()]
    assert when(given(*whole), record_chunk_transcribed(1, ONE)) == [chunk_transcribed(1, ONE)]
    assert when(given(*whole, transcribed()), record_chunk_transcribed(1, ONE)) == []
