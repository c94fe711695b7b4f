import pytest
from hypothesis import given as for_all

from domain.events import ContentErased, FinalizePolicy, RecordingKind, Stage, SuspectChunk
from domain.recording import CorruptHistory, Phase, evolve
from domain.summary import Standing, evolve_summary
from tests.domain.histories import (
    EXPIRY,
    START,
    at,
    chunk,
    completed_by_itself,
    damaged,
    deleted,
    expired,
    failed,
    finalize,
    finalized,
    given,
    note_written,
    opened,
    placeholder,
    retry_requested,
    stitched,
    transcribed,
    when,
)
from tests.domain.history_kit import histories


def summary_of(*events):
    summary = None
    for event in events:
        summary = evolve_summary(summary, event)
        assert summary.updated_at == event.at
    return summary


FACTS = {
    "dialect": "dragon",
    "tenant_id": "customer",
    "external_id": "visit",
    "kind": RecordingKind.SAMPLES,
    "max_chunks": 7,
    "codec": "wav",
    "started_at": at(-5),
    "ended_at": at(-1),
    "device_id": "device",
    "end_user_id": "user",
    "details_key": "details-1",
    "note_wanted": True,
    "recorded_at": at(-4),
    "source": "device",
    "upload_method": "ble",
    "recording_uuid": "0b7a1bd2-9e35-4e0f-8f53-0f6f4d0a4f11",
    "recording_generation": 2,
}


def test_an_opened_recording_stands_as_it_was_announced():
    row = summary_of(opened(**FACTS, finalize_policy=FinalizePolicy.RECONCILE)).model_dump()
    not_yet = ("file", "total_chunks", "final_duration_ms", "finalized_at")
    not_yet += ("stitched", "transcribed", "note", "edited", "failed")
    assert row == FACTS | dict.fromkeys(not_yet) | {
        "has_bytes": False,
        "suspect_chunks": (),
        "language_wanted": None,
        "provider_wanted": None,
        "standing": Standing.OPEN,
        "created_at": START,
        "updated_at": START,
        "expires_at": EXPIRY,
    }


def test_a_finalized_recording_says_what_was_declared_and_when():
    summary = summary_of(opened(), chunk(1), finalized(1))
    assert (summary.total_chunks, summary.final_duration_ms, summary.finalized_at) == (1, 9_000, finalized(1).at)


def test_only_a_recording_that_is_one_file_knows_its_file_and_the_newest():
    file, other = chunk(1, b"file"), chunk(1, b"another", expected=7)
    whole = [opened(kind=RecordingKind.WHOLE_FILE), file]
    assert summary_of(*whole).file == file
    assert summary_of(*whole, other).file == other
    assert summary_of(*whole, other, completed_by_itself(b"another")).standing is Standing.FINALIZED
    assert summary_of(opened(), file).file is None


def test_whether_any_bytes_are_stored_is_known():
    assert not summary_of(opened(), placeholder(1)).has_bytes
    assert summary_of(opened(), placeholder(1), chunk(2), expired()).has_bytes


PDF = "a PDF document"


def test_a_chunk_is_suspected_until_other_bytes_replace_it():
    history = [opened(), chunk(2, b"%PDF", looks_like=PDF), chunk(1, b"PK", looks_like="a ZIP archive"), chunk(3)]
    assert summary_of(*history).suspect_chunks == (SuspectChunk(1, "a ZIP archive"), SuspectChunk(2, PDF))
    assert summary_of(*history, chunk(1)).suspect_chunks == (SuspectChunk(2, PDF),)
    assert summary_of(*history, chunk(1), chunk(2)).suspect_chunks == ()


def test_a_finalized_recording_suspects_what_was_suspected_when_it_was_finalized():
    suspects = (SuspectChunk(1, PDF),)
    assert summary_of(opened(), finalized(1, suspects=suspects)).suspect_chunks == suspects


def test_of_many_suspects_the_first_hundred_are_named():
    history = [opened(max_chunks=200), *(chunk(number, b"%PDF", looks_like=PDF) for number in range(150, 0, -1))]
    named = tuple(SuspectChunk(number, PDF) for number in range(1, 101))
    assert summary_of(*history).suspect_chunks == named
    (event,) = when(given(*history), finalize(150))
    assert event.suspect_chunks == named


WITH_NOTE = [opened(note_wanted=True), chunk(1), finalized(1), stitched(), transcribed(), note_written()]


@pytest.mark.parametrize(
    ("history", "standing"),
    [
        (WITH_NOTE[:1], Standing.OPEN),
        (WITH_NOTE[:2], Standing.OPEN),
        (WITH_NOTE[:3], Standing.FINALIZED),
        (WITH_NOTE[:4], Standing.STITCHED),
        (WITH_NOTE[:5], Standing.TRANSCRIBED),
        (WITH_NOTE, Standing.COMPLETED),
        ([*WITH_NOTE, deleted()], Standing.DELETED),
        ([opened(), *WITH_NOTE[1:5]], Standing.COMPLETED),
    ],
)
def test_a_summary_follows_the_recording_through_its_life(history, standing):
    summary = summary_of(*history)
    assert summary.standing is standing
    assert summary.stitched == (stitched() if stitched() in history else None)
    assert summary.transcribed == (transcribed() if transcribed() in history else None)
    assert summary.note == (note_written() if note_written() in history else None)


@pytest.mark.parametrize(
    ("ended", "stage", "standing"),
    [
        (3, Stage.STITCH, Standing.FINALIZED),
        (4, Stage.TRANSCRIBE, Standing.STITCHED),
        (5, Stage.NOTE, Standing.TRANSCRIBED),
    ],
)
def test_a_failure_stands_until_the_retry_and_then_all_is_as_before(ended, stage, standing):
    broken = summary_of(*WITH_NOTE[:ended], failed(stage))
    assert (broken.standing, broken.failed) == (Standing.FAILED, failed(stage))
    again = evolve_summary(broken, retry_requested(stage))
    assert (again.standing, again.failed) == (standing, None)


def test_a_recording_that_is_stitched_anew_has_nothing_that_was_made_of_its_damaged_chunk():
    damaged_one = [*WITH_NOTE[:3], stitched(damaged(1)), *WITH_NOTE[4:], chunk(1, b"right")]
    mended = summary_of(*damaged_one)
    assert (mended.standing, mended.stitched) == (Standing.COMPLETED, stitched(damaged(1)))
    anew = evolve_summary(mended, retry_requested(Stage.STITCH))
    assert (anew.standing, anew.stitched, anew.transcribed, anew.note) == (Standing.FINALIZED, None, None, None)


def test_a_summary_cannot_begin_in_the_middle():
    with pytest.raises(CorruptHistory) as refusal:
        evolve_summary(None, chunk(1))
    assert str(refusal.value) == "ChunkStored cannot be the first event of a recording"


STANDINGS = {
    Phase.OPEN: Standing.OPEN,
    Phase.AWAITING_CHUNKS: Standing.FINALIZED,
    Phase.STITCHING: Standing.FINALIZED,
    Phase.TRANSCRIBING: Standing.STITCHED,
    Phase.WRITING_NOTE: Standing.TRANSCRIBED,
    Phase.COMPLETED: Standing.COMPLETED,
    Phase.FAILED: Standing.FAILED,
    Phase.EXPIRED: Standing.FAILED,
    Phase.DELETED: Standing.DELETED,
}


@for_all(histories())
def test_a_summary_says_of_any_history_what_the_recording_itself_says(history):
    summary, recording, updated_at = None, None, None
    for event in history:
        updated_at = updated_at if isinstance(event, ContentErased) else event.at
        summary, recording = evolve_summary(summary, event), evolve(recording, event)
        assert summary.standing is STANDINGS[recording.phase]
        for fact in ("stitched", "transcribed", "note", "failed"):
            assert getattr(summary, fact) == getattr(recording, fact)
        assert recording.deleted or summary.suspect_chunks == recording.suspect_chunks()
        assert summary.total_chunks == (recording.finalized.total_chunks if recording.finalized else None)
        assert (summary.created_at, summary.updated_at) == (recording.opened.at, updated_at)
