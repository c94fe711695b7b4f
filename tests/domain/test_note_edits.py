"""A person edits the note: which edits count, which are refused, and what becomes of what was there before."""

from dataclasses import replace

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain import errors
from domain.decisions import MOST_EDITS
from domain.events import ErasedPart, NoteEdited
from domain.recording import evolve, fold
from domain.snapshots import Snapshot, restore, take_snapshot
from domain.summary import evolve_summary
from tests.domain.histories import (
    chunk,
    content_erased,
    damaged,
    edit_note,
    erase,
    finalized,
    given,
    note_edited,
    note_written,
    opened,
    retry,
    stitched,
    store_chunk,
    transcribed,
    transcription_requested,
    when,
)

WRITTEN = (opened(note_wanted=True), chunk(1), finalized(1), stitched(), transcribed(), note_written())
WRITERS_OWN = f"0-{note_written().sha256}"


def test_an_edit_becomes_the_note_and_the_writers_own_stays():
    recording = given(*WRITTEN)
    assert (recording.note_now, recording.note_version) == (note_written(), WRITERS_OWN)
    assert when(recording, edit_note("b")) == [note_edited(1, "b")]
    edited = given(*WRITTEN, note_edited(1, "b"))
    assert (edited.note_now, edited.note_version) == (note_edited(1, "b"), "1-" + "b" * 64)
    assert edited.note == note_written()
    assert edited.blobs_in_use() == recording.blobs_in_use() | {"edited-note-b"}


def test_the_same_words_of_the_same_author_right_after_themselves_are_no_new_edit():
    edited = given(*WRITTEN, note_edited(1, "b"))
    assert when(edited, edit_note("b")) == []
    assert when(edited, replace(edit_note("b"), key_id="key2")) == []
    assert when(edited, edit_note("b", author="dr-2")) == [note_edited(2, "b", author="dr-2")]
    again = given(*WRITTEN, note_edited(1, "b"), note_edited(2, "c"))
    assert when(again, edit_note("b")) == [note_edited(3, "b")]


def test_an_edit_of_what_was_changed_since_is_refused_unless_it_is_the_change():
    edited = given(*WRITTEN, note_edited(1, "b"))
    with pytest.raises(errors.NoteChanged) as refused:
        when(edited, edit_note("c", seen=[WRITERS_OWN]))
    assert refused.value.version == edited.note_version
    assert when(edited, edit_note("b", seen=[WRITERS_OWN])) == []
    assert when(edited, edit_note("c", seen=[WRITERS_OWN, edited.note_version])) == [note_edited(2, "c")]


def test_an_edit_is_refused_where_a_version_is_that_must_not_be_there_also_if_it_is_the_same_again():
    edited = given(*WRITTEN, note_edited(1, "b"))
    for words, unlike in (("c", None), ("b", None), ("c", {edited.note_version}), ("b", {edited.note_version})):
        with pytest.raises(errors.NoteChanged):
            when(edited, replace(edit_note(words), unlike=unlike))
    assert when(edited, replace(edit_note("c"), unlike=frozenset({WRITERS_OWN}))) == [note_edited(2, "c")]


def test_an_edit_whose_sources_are_those_of_another_draft_is_refused_however_often_this_one_was_edited():
    edited = given(*WRITTEN, note_edited(1, "b"))
    with pytest.raises(errors.NoteChanged):
        when(edited, replace(edit_note("c"), draft="0-another"))
    assert when(edited, replace(edit_note("c"), draft=WRITERS_OWN)) == [note_edited(2, "c")]


@pytest.mark.parametrize("length", range(1, len(WRITTEN)))
def test_what_is_not_written_cannot_be_edited(length):
    with pytest.raises(errors.NoNote):
        when(given(*WRITTEN[:length]), edit_note())


def test_a_recording_that_wants_no_note_has_none_to_edit():
    with pytest.raises(errors.NoNote):
        when(given(opened(note_wanted=False), *WRITTEN[1:-1]), edit_note())


def test_a_note_that_is_made_anew_has_not_been_edited_and_the_edits_are_erased_with_the_old_one():
    before = given(*WRITTEN, note_edited(1, "b"), note_edited(2, "c"))
    to_german = evolve(before, transcription_requested("de", is_anew=True))
    with pytest.raises(errors.NoNote):
        when(to_german, edit_note("a"))
    anew = fold([transcribed("de"), note_written()], to_german)
    assert (anew.note_now, anew.note_version) == (note_written(), WRITERS_OWN)
    assert {"edited-note-b", "edited-note-c"} <= {each.blob_key for each in anew.superseded.values()}
    (event,) = when(anew, erase(ErasedPart.SUPERSEDED))
    assert event.size_bytes == transcribed().size_bytes + note_written().size_bytes + 2 * note_edited().size_bytes
    assert when(anew, edit_note("a")) == [note_edited(3, "a")]


def test_so_has_one_that_is_stitched_anew():
    whole = [opened(note_wanted=True), chunk(1), finalized(1), stitched(damaged(1)), *WRITTEN[4:], note_edited(1, "b")]
    mended = fold([*whole, *when(fold(whole), store_chunk(1, b"mended"))])
    anew = evolve(mended, *when(mended, retry()))
    assert (anew.note_now, len(anew.edits)) == (None, 0)
    assert "edited-note-b" in {each.blob_key for each in anew.superseded.values()}


def test_chunks_are_erased_and_edits_stay():
    edited = given(*WRITTEN, note_edited(1, "b"), content_erased(ErasedPart.CHUNKS, 3))
    assert "edited-note-b" in edited.blobs_in_use()
    assert edited.note_now == note_edited(1, "b")


def test_a_note_is_edited_a_thousand_times_and_then_no_more():
    recording = given(*WRITTEN)
    for number in range(MOST_EDITS):
        (event,) = when(recording, edit_note("ab"[number % 2]))
        recording = evolve(recording, event)
    with pytest.raises(errors.EditedTooOften) as refused:
        when(recording, edit_note("a"))
    assert refused.value.edits == MOST_EDITS
    assert when(recording, edit_note("b")) == []
    restored = restore(Snapshot.model_validate_json(take_snapshot(recording).model_dump_json()))
    assert restored == recording


def test_the_status_view_knows_the_last_edit_until_the_note_is_made_anew():
    summary = None
    for event in (*WRITTEN, note_edited(1, "b"), note_edited(2, "c")):
        summary = evolve_summary(summary, event)
    assert (summary.edited, summary.updated_at) == (note_edited(2, "c"), note_edited().at)
    assert evolve_summary(summary, transcription_requested("de", is_anew=True)).edited is None


@for_all(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["dr-1", "dr-2"]), st.integers(-3, 0))))
def test_of_several_editors_nobody_replaces_what_they_have_not_seen(edits):
    """Each has seen one of the last versions. The words that are there are the last that were accepted."""
    recording, versions, words = given(*WRITTEN), [WRITERS_OWN], None
    for content, author, ago in edits:
        seen = versions[max(ago - 1, -len(versions))]
        command = edit_note(content, author=author, seen=[seen])
        try:
            events = when(recording, command)
        except errors.NoteChanged:
            assert seen != versions[-1]
            continue
        assert seen == versions[-1] or (content, author) == words
        for event in events:
            assert isinstance(event, NoteEdited)
            recording, words = evolve(recording, event), (content, author)
            versions.append(recording.note_version)
        assert recording.note_now.sha256 == content * 64
    assert len(set(versions)) == len(versions)
    assert [edit.number for edit in recording.edits.in_order()] == list(range(1, len(versions)))
