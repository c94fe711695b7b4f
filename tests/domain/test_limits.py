"""How much one recording can make the log grow: by a stated most, whatever is asked of it and how often."""

import pytest
from hypothesis import given as for_all

from domain import errors
from domain.decisions import MOST_REPLACEMENTS, MOST_RESTARTS
from domain.events import ChunkStored, ErasedPart, Stage
from domain.recording import Recording, evolve, fold
from domain.snapshots import Snapshot, restore, take_snapshot
from domain.usage import evolve_recording_usage
from tests.domain.histories import (
    append_chunk,
    appended,
    at,
    chunk,
    chunk_transcribed,
    content_erased,
    damaged,
    delete,
    deleted,
    erase,
    expired,
    failed,
    finalize,
    finalized,
    given,
    note_edited,
    note_written,
    opened,
    record_failure,
    request_transcription,
    retry,
    retry_requested,
    stitched,
    store_chunk,
    transcribed,
    transcription_requested,
    when,
)
from tests.domain.history_kit import histories

SUPERSEDED, CHUNKS, EVERYTHING = ErasedPart
TO_GERMAN = transcription_requested("de", is_anew=True)


def replaced(times: int) -> Recording:
    """A recording of two chunks, the first of which was replaced so often."""
    return fold([opened(), chunk(1), chunk(2), *(chunk(1, b"%d" % number) for number in range(times))])


# --- the log


def test_chunks_are_replaced_a_thousand_times_more_than_there_are_chunks_and_then_no_more():
    most = MOST_REPLACEMENTS + 2
    recording = replaced(most - 1)
    (last,) = when(recording, store_chunk(1, b"last"))
    recording = evolve(recording, last)
    with pytest.raises(errors.ReplacedTooOften) as refused:
        when(recording, store_chunk(1, b"one more"))
    assert refused.value.replacements == recording.replacements == most
    with pytest.raises(errors.ReplacedTooOften):
        when(recording, store_chunk(2, b"other"))


def test_what_is_stored_then_stays_and_the_recording_goes_on_to_its_end():
    recording = replaced(MOST_REPLACEMENTS + 2)
    assert when(recording, store_chunk(2)) == []
    assert when(recording, store_chunk(3)) == [chunk(3)]
    assert len(when(recording, finalize(2))) == 1
    assert when(recording, delete()) == [deleted()]


def test_every_chunk_of_a_recording_with_many_can_be_replaced_once():
    most = 3_000
    stored = [chunk(number, b"%d" % number) for number in range(1, most + 1)]
    recording = fold([opened(max_chunks=most), *stored])
    for number in range(1, most + 1):
        (event,) = when(recording, store_chunk(number, b"other"))
        recording = evolve(recording, event)
    assert recording.replacements == most


def test_damaged_chunks_are_replaced_as_seldom():
    recording = fold([opened(), chunk(1), finalized(1), failed(Stage.STITCH)])
    for number in range(MOST_REPLACEMENTS + 1):
        recording = evolve(recording, chunk(1, b"%d" % number))
    with pytest.raises(errors.ReplacedTooOften):
        when(recording, store_chunk(1, b"one more"))
    assert when(recording, retry()) == [retry_requested(Stage.STITCH)]


def test_retries_are_limited_and_with_them_repeated_failures():
    recording = fold([opened(), chunk(1), finalized(1)])
    for _ in range(MOST_RESTARTS):
        for command in (record_failure(Stage.STITCH), retry()):
            (event,) = when(recording, command)
            recording = evolve(recording, event)
    recording = evolve(recording, failed(Stage.STITCH))
    with pytest.raises(errors.RestartedTooOften) as refused:
        when(recording, retry())
    assert refused.value.restarts == MOST_RESTARTS
    assert when(recording, record_failure(Stage.STITCH)) == []


def test_changes_of_the_language_are_limited_with_the_retries():
    recording = fold([opened(), chunk(1), finalized(1), failed(Stage.STITCH), retry_requested(Stage.STITCH)])
    for number in range(MOST_RESTARTS - 1):
        (event,) = when(recording, request_transcription("de" if number % 2 else "fr"))
        recording = evolve(recording, event)
    with pytest.raises(errors.RestartedTooOften):
        when(recording, request_transcription("es"))
    assert when(recording, request_transcription(recording.language_wanted)) == []


# --- the bytes


def test_what_a_recording_keeps_is_the_sizes_in_its_events_without_what_was_erased():
    history = [
        opened(note_wanted=True),
        chunk(1, b"one"),
        chunk(1, b"other"),
        chunk(1, b"one"),
        finalized(1),
        chunk_transcribed(1, b"one"),
        stitched(damaged(1)),
        transcribed(),
        chunk(1, b"mended"),
        retry_requested(Stage.STITCH),
        stitched(),
        transcribed(),
        note_written(),
        note_edited(),
        TO_GERMAN,
        transcribed("de"),
    ]
    recording = fold(history)
    assert recording.kept_bytes == sum(getattr(event, "size_bytes", 0) for event in history)
    (superseded,) = when(recording, erase(SUPERSEDED))
    assert superseded.size_bytes == len(b"one") + len(b"other") + len(b"one") + 1_000 + 100 + 100 + 100 + 70
    (chunks,) = when(recording, erase(CHUNKS))
    assert chunks.size_bytes == len(b"mended")
    kept = fold([superseded, chunks], recording).kept_bytes
    assert kept == recording.kept_bytes - superseded.size_bytes - chunks.size_bytes
    assert kept == stitched().size_bytes + transcribed().size_bytes + chunk_transcribed(1).size_bytes


@for_all(histories())
def test_so_the_usage_of_a_project_counts_what_the_recording_itself_knows_to_be_kept(history):
    usage, recording = None, None
    for event in history:
        usage, recording = evolve_recording_usage(usage, event), evolve(recording, event)
        assert (usage is None) == (recording.deleted is not None)
        assert usage is None or usage.kept_bytes == recording.kept_bytes >= 0


def test_an_expired_recording_keeps_nothing_once_all_of_it_is_erased():
    recording = given(opened(), chunk(1, b"one"), chunk(1, b"other"), chunk_transcribed(1, b"other"), expired())
    (event,) = when(recording, erase(EVERYTHING))
    assert event == content_erased(EVERYTHING, len(b"one") + len(b"other") + 50)
    assert evolve(recording, event).kept_bytes == 0
    assert when(evolve(recording, event), erase(EVERYTHING)) == []
    assert when(evolve(recording, event), erase(SUPERSEDED)) == []


def test_only_what_was_superseded_by_then_is_erased():
    later = chunk(1, b"third").model_copy(update={"at": at(9)})
    recording = given(opened(), chunk(1, b"one"), chunk(1, b"other"), later)
    (event,) = when(recording, erase(SUPERSEDED, until=8))
    assert event == content_erased(SUPERSEDED, len(b"one"), until=8)
    after = evolve(recording, event)
    assert [each.blob_key for each in after.superseded.values()] == [chunk(1, b"other").blob_key]
    assert when(after, erase(SUPERSEDED, until=8)) == []
    assert when(after, erase(SUPERSEDED, until=9)) == [content_erased(SUPERSEDED, len(b"other"), until=9)]


def test_metadata_that_bytes_take_the_place_of_is_no_replacement():
    recording = given(opened(), ChunkStored(**{**vars(chunk(1)), "blob_key": None, "size_bytes": 0}), chunk(1))
    assert (recording.replacements, len(recording.superseded)) == (0, 0)


def test_chunks_are_erased_only_of_a_recording_that_was_stitched_from_all_of_them():
    for history in ([], [finalized(1)], [finalized(1), stitched(damaged(1))], [finalized(1), failed(Stage.STITCH)]):
        assert when(given(opened(), chunk(1), *history), erase(CHUNKS)) == []
        assert when(given(opened(), chunk(1), *history), erase(EVERYTHING)) == []


def test_a_device_that_comes_back_after_its_expired_recording_was_erased_is_refused_for_what_it_had_sent_too():
    recording = given(opened(), chunk(1), appended(2, b"two"), expired())
    assert when(recording, store_chunk(1)) == []
    assert when(recording, append_chunk(b"two")) == []
    erased = evolve(recording, content_erased(EVERYTHING, recording.kept_bytes))
    for command in (store_chunk(1), append_chunk(b"two"), append_chunk(b"three", request="b"), finalize(2)):
        with pytest.raises(errors.RecordingExpired):
            when(erased, command)


def test_nor_is_its_declaration_accepted_again():
    recording = given(opened(), chunk(1), finalized(2), expired())
    assert when(recording, finalize(2)) == []
    erased = evolve(recording, content_erased(EVERYTHING, recording.kept_bytes))
    with pytest.raises(errors.RecordingExpired):
        when(erased, finalize(2))


def test_a_deleted_recording_costs_no_more_to_remember_for_the_chunks_that_it_had():
    recording = evolve(replaced(50), deleted())
    assert (len(recording.chunks), len(recording.superseded)) == (0, 0)
    assert len(take_snapshot(recording).model_dump_json()) < 2_000


def test_a_snapshot_knows_what_was_superseded_and_erased_and_counts_on():
    for history in ([chunk(1, b"other")], [finalized(1), stitched(), content_erased(CHUNKS, 7)], [expired()]):
        recording = given(opened(), chunk(1), chunk(1, b"two"), *history)
        restored = restore(Snapshot.model_validate_json(take_snapshot(recording).model_dump_json()))
        assert restored == recording
        assert when(restored, erase(SUPERSEDED)) == when(recording, erase(SUPERSEDED)) != []
