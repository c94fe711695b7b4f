"""A language or a provider that is asked for, before, while and after a recording is transcribed."""

import pytest

from domain import errors
from domain.events import FinalizePolicy, Stage
from domain.recording import Phase
from domain.summary import Standing, evolve_summary
from tests.domain.histories import (
    chunk,
    deleted,
    expired,
    failed,
    finalized,
    given,
    note_written,
    opened,
    record_failure,
    record_note,
    record_transcribed,
    request_transcription,
    retry_requested,
    stitched,
    transcribed,
    transcription_requested,
    when,
)

UPLOADED = (opened(), chunk(1), finalized(1))
SPANISH = transcription_requested("es-419")
SPANISH_ANEW = transcription_requested("es-419", is_anew=True)


@pytest.mark.parametrize("history", [UPLOADED[:1], UPLOADED, (*UPLOADED, failed(Stage.STITCH))], ids=len)
def test_before_the_audio_is_transcribed_a_language_decides_that_of_the_coming_transcript(history):
    before = given(*history)
    assert when(before, request_transcription("es-419")) == [SPANISH]
    after = given(*history, SPANISH)
    assert (after.language_wanted, after.phase, after.edition) == ("es-419", before.phase, 0)


def test_a_recording_that_waits_for_chunks_can_be_told_its_language():
    history = [opened(finalize_policy=FinalizePolicy.RECONCILE), finalized(1, received=0)]
    assert when(given(*history), request_transcription("es-419")) == [SPANISH]
    assert given(*history, SPANISH, chunk(1)).language_wanted == "es-419"


@pytest.mark.parametrize(
    "history",
    [
        (*UPLOADED, stitched()),
        (*UPLOADED, stitched(), transcribed()),
        (opened(note_wanted=True), *UPLOADED[1:], stitched(), transcribed()),
        (opened(note_wanted=True), *UPLOADED[1:], stitched(), transcribed(), note_written()),
        (*UPLOADED, stitched(), failed(Stage.TRANSCRIBE)),
        (opened(note_wanted=True), *UPLOADED[1:], stitched(), transcribed(), failed(Stage.NOTE)),
    ],
    ids=["transcribing", "completed", "writing_note", "note_written", "failed", "note_failed"],
)
def test_another_language_than_that_of_the_transcript_has_the_audio_transcribed_anew(history):
    assert when(given(*history), request_transcription("es-419")) == [SPANISH_ANEW]
    anew = given(*history, SPANISH_ANEW)
    assert (anew.phase, anew.edition) == (Phase.TRANSCRIBING, 1)
    assert anew.stitched is not None
    assert (anew.transcribed, anew.note, anew.failed) == (None, None, None)


def test_work_in_the_language_that_was_wanted_before_is_refused_and_the_new_is_taken():
    anew = given(*UPLOADED, stitched(), SPANISH_ANEW)
    for late in (record_transcribed(edition=0), record_failure(Stage.TRANSCRIBE, edition=0)):
        with pytest.raises(errors.StageNotDue):
            when(anew, late)
    assert when(anew, record_transcribed("es-419", edition=1)) == [transcribed("es-419")]


def test_a_note_on_the_transcript_before_is_refused():
    history = (opened(note_wanted=True), *UPLOADED[1:], stitched(), transcribed(), SPANISH_ANEW)
    with pytest.raises(errors.StageNotDue):
        when(given(*history), record_note(edition=0))
    assert when(given(*history, transcribed("es-419")), record_note(edition=1)) == [note_written()]


@pytest.mark.parametrize("language", [None, "en", "EN", "en-US", "eng"])
def test_the_language_that_the_transcript_has_changes_nothing(language):
    assert when(given(*UPLOADED, stitched(), transcribed()), request_transcription(language)) == []


@pytest.mark.parametrize("language", ["en", "en-US"])
def test_a_tag_of_the_language_that_is_being_recognized_is_kept_and_interrupts_nothing(language):
    running = given(*UPLOADED, stitched())
    assert when(running, request_transcription(language)) == [transcription_requested(language)]
    told = given(*UPLOADED, stitched(), transcription_requested(language))
    assert (told.language_wanted, told.edition) == (language, 0)
    assert when(told, record_transcribed(edition=0)) == [transcribed()]


def test_the_language_that_a_recording_was_opened_with_is_the_one_that_is_wanted():
    recording = given(opened(language="fr"), *UPLOADED[1:], stitched())
    assert recording.language_wanted == "fr"
    assert when(recording, request_transcription("fr")) == []
    assert when(recording, request_transcription("en")) == [transcription_requested("en", is_anew=True)]


def test_a_provider_is_kept_with_the_language_and_starts_nothing():
    done = (*UPLOADED, stitched(), transcribed())
    asked = transcription_requested(None, "deepgram")
    assert when(given(*done), request_transcription(provider="deepgram")) == [asked]
    assert when(given(*done, asked), request_transcription("en", "deepgram")) == []
    assert when(given(*done, asked), request_transcription("es-419")) == [
        transcription_requested("es-419", "deepgram", is_anew=True)
    ]
    assert given(*done, asked).phase is Phase.COMPLETED


def test_a_language_is_kept_when_the_recording_is_stitched_anew_or_retried():
    history = (*UPLOADED, stitched(), SPANISH_ANEW, failed(Stage.TRANSCRIBE), retry_requested(Stage.TRANSCRIBE))
    assert given(*history).language_wanted == "es-419"
    assert given(*history, failed(Stage.TRANSCRIBE), retry_requested(Stage.STITCH)).language_wanted == "es-419"


def test_a_recording_that_expired_has_no_transcription_to_ask_for():
    with pytest.raises(errors.RecordingExpired):
        when(given(opened(), expired()), request_transcription("en"))
    with pytest.raises(errors.RecordingNotFound):
        when(given(opened(), deleted()), request_transcription("en"))


def test_the_summary_of_a_recording_that_is_transcribed_anew_is_one_without_a_transcript():
    row = None
    for event in (*UPLOADED, stitched(), transcribed(), transcription_requested("es-419", "whisper", is_anew=True)):
        row = evolve_summary(row, event)
    assert (row.standing, row.transcribed, row.note, row.failed) == (Standing.STITCHED, None, None, None)
    assert (row.language_wanted, row.provider_wanted) == ("es-419", "whisper")
    row = evolve_summary(row, transcribed("es-419"))
    assert (row.standing, row.transcribed.language) == (Standing.COMPLETED, "es-419")
