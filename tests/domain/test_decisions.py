import pytest

from domain import errors
from domain.events import RecordingKind, Stage
from tests.domain.histories import (
    EXPIRY,
    at,
    chunk,
    failed,
    finalize,
    finalized,
    given,
    open_recording,
    opened,
    record_failure,
    record_stitched,
    record_transcribed,
    retry,
    retry_requested,
    stitched,
    store_chunk,
    transcribed,
    when,
)


def test_opening_a_recording_records_what_was_announced():
    assert when(None, open_recording(codec="wav")) == [opened(codec="wav")]


def test_opening_it_again_later_with_the_same_facts_changes_nothing():
    assert when(given(opened()), open_recording(at=at(30), expires_at=at(270))) == []


def test_opening_it_again_with_other_facts_is_refused():
    with pytest.raises(errors.RecordingAlreadyOpened):
        when(given(opened()), open_recording(device_id="dev_2"))
    with pytest.raises(errors.RecordingAlreadyOpened):
        when(given(opened()), open_recording(kind=RecordingKind.SAMPLES))


@pytest.mark.parametrize("command", [store_chunk(1), finalize(1), record_stitched(), retry()])
def test_what_was_never_opened_is_not_found(command):
    with pytest.raises(errors.RecordingNotFound):
        when(None, command)


def test_chunks_are_stored_in_any_order():
    assert when(given(opened(), chunk(7)), store_chunk(2)) == [chunk(2)]


def test_storing_the_same_bytes_again_changes_nothing():
    assert when(given(opened(), chunk(1)), store_chunk(1)) == []


def test_storing_the_same_bytes_again_after_everything_has_ended_changes_nothing():
    history = given(opened(), chunk(1), finalized(1), stitched(), transcribed())
    assert when(history, store_chunk(1)) == []


def test_other_bytes_for_a_chunk_replace_it_until_finalize():
    assert when(given(opened(), chunk(1)), store_chunk(1, b"better")) == [chunk(1, b"better")]


def test_other_bytes_for_a_chunk_are_refused_after_finalize():
    with pytest.raises(errors.RecordingClosed) as refusal:
        when(given(opened(), chunk(1), finalized(1)), store_chunk(1, b"too late"))
    assert refusal.value.number == 1


@pytest.mark.parametrize("number", [0, -1, 101, 2**31])
def test_chunk_numbers_out_of_range_are_refused(number):
    with pytest.raises(errors.ChunkNumberOutOfRange):
        when(given(opened(max_chunks=100)), store_chunk(number))


def test_no_chunk_is_taken_from_the_moment_of_expiry():
    minutes = (EXPIRY - at(0)).total_seconds() / 60
    assert when(given(opened()), store_chunk(1, minutes=minutes - 0.01)) != []
    with pytest.raises(errors.RecordingExpired):
        when(given(opened()), store_chunk(1, minutes=minutes))


def test_finalizing_with_all_chunks_there_is_recorded():
    assert when(given(opened(), chunk(2), chunk(1)), finalize(2)) == [finalized(2)]


def test_what_was_declared_is_recorded_in_full():
    [event] = when(given(opened(), chunk(1)), finalize(1, md5="e" * 32, duration_ms=7, minutes=3))
    assert (event.at, event.total_chunks, event.chunks_received) == (at(3), 1, 1)
    assert (event.final_duration_ms, event.checksum_md5) == (7, "e" * 32)


def test_finalizing_with_chunks_missing_is_refused_and_names_them():
    with pytest.raises(errors.ChunkMismatch) as refusal:
        when(given(opened(), chunk(1), chunk(3), chunk(12)), finalize(12))
    assert refusal.value.missing == (2, 4, 5, 6, 7, 8, 9, 10, 11)
    assert refusal.value.extra == ()


def test_the_first_and_the_last_chunk_may_be_the_missing_ones():
    with pytest.raises(errors.ChunkMismatch) as refusal:
        when(given(opened(), chunk(2)), finalize(3))
    assert refusal.value.missing == (1, 3)


def test_finalizing_with_more_chunks_than_declared_is_refused_and_names_them():
    with pytest.raises(errors.ChunkMismatch) as refusal:
        when(given(opened(), chunk(9), chunk(1), chunk(5)), finalize(2))
    assert refusal.value.missing == (2,)
    assert refusal.value.extra == (5, 9)


def test_as_many_chunks_as_declared_but_not_the_declared_ones_is_refused():
    with pytest.raises(errors.ChunkMismatch):
        when(given(opened(), chunk(1), chunk(3)), finalize(2))


def test_after_the_missing_chunks_have_come_finalizing_succeeds():
    assert when(given(opened(), chunk(1), chunk(3), chunk(2)), finalize(3)) == [finalized(3)]


@pytest.mark.parametrize("total", [0, -1, 101, 2**31])
def test_totals_out_of_range_are_refused(total):
    with pytest.raises(errors.TotalChunksOutOfRange) as refusal:
        when(given(opened(max_chunks=100), chunk(1)), finalize(total))
    assert (refusal.value.total_chunks, refusal.value.max_chunks) == (total, 100)


@pytest.mark.parametrize("later", [[], [stitched()], [stitched(), transcribed()], [failed(Stage.STITCH)]], ids=len)
def test_finalizing_again_with_the_same_numbers_changes_nothing_whatever_happened_since(later):
    history = given(opened(), chunk(1), finalized(1), *later)
    assert when(history, finalize(1, minutes=10_000)) == []


@pytest.mark.parametrize("other", [finalize(2), finalize(1, duration_ms=1), finalize(1, md5="d" * 32)])
def test_finalizing_again_with_other_numbers_is_refused(other):
    with pytest.raises(errors.AlreadyFinalized):
        when(given(opened(), chunk(1), finalized(1)), other)


def test_finalizing_an_expired_recording_is_refused():
    with pytest.raises(errors.RecordingExpired):
        when(given(opened(), chunk(1)), finalize(1, minutes=10_000))


def test_stages_are_due_one_after_another():
    history = [opened(), chunk(1)]
    assert given(*history).due_stage is None
    for event, due in [(finalized(1), Stage.STITCH), (stitched(), Stage.TRANSCRIBE), (transcribed(), None)]:
        history.append(event)
        assert given(*history).due_stage is due


def test_a_stage_is_recorded_when_it_is_due_and_once():
    assert when(given(opened(), chunk(1), finalized(1)), record_stitched()) == [stitched()]
    assert when(given(opened(), chunk(1), finalized(1), stitched()), record_stitched()) == []
    assert when(given(opened(), chunk(1), finalized(1), stitched()), record_transcribed()) == [transcribed()]
    assert when(given(opened(), chunk(1), finalized(1), stitched(), transcribed()), record_transcribed()) == []


@pytest.mark.parametrize(
    ("history", "command"),
    [
        ([], record_stitched()),
        ([chunk(1), finalized(1)], record_transcribed()),
        ([chunk(1), finalized(1), failed(Stage.STITCH)], record_stitched()),
        ([], record_failure(Stage.STITCH)),
        ([chunk(1), finalized(1)], record_failure(Stage.TRANSCRIBE)),
    ],
)
def test_a_stage_that_is_not_due_cannot_end(history, command):
    with pytest.raises(errors.StageNotDue):
        when(given(opened(), *history), command)


def test_giving_up_the_due_stage_is_recorded_once():
    history = [opened(), chunk(1), finalized(1)]
    assert when(given(*history), record_failure(Stage.STITCH)) == [failed(Stage.STITCH)]
    assert when(given(*history, failed(Stage.STITCH)), record_failure(Stage.STITCH)) == []


def test_a_stage_that_ended_cannot_fail_any_more():
    assert when(given(opened(), chunk(1), finalized(1), stitched()), record_failure(Stage.STITCH)) == []


def test_a_failed_recording_is_taken_up_from_the_stage_that_failed():
    history = [opened(), chunk(1), finalized(1), stitched(), failed(Stage.TRANSCRIBE)]
    assert given(*history).due_stage is None
    assert when(given(*history), retry()) == [retry_requested(Stage.TRANSCRIBE)]
    assert given(*history, retry_requested(Stage.TRANSCRIBE)).due_stage is Stage.TRANSCRIBE


@pytest.mark.parametrize("history", [[], [chunk(1), finalized(1)], [chunk(1), finalized(1), stitched(), transcribed()]])
def test_what_has_not_failed_cannot_be_retried(history):
    with pytest.raises(errors.NotFailed):
        when(given(opened(), *history), retry())
