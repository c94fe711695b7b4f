"""What a webhook says of a recording that was stitched without some of its chunks."""

from uuid import UUID

import orjson

from adapters.event_log.mapper import RecordedEvent
from domain.summary import evolve_summary
from service.dialects.bota.webhook_messages import messages_of
from tests.domain.histories import (
    START,
    at,
    chunk,
    damaged,
    finalized,
    note_edited,
    note_written,
    opened,
    stitched,
    transcribed,
    transcription_requested,
)


def data_of(*history):
    """The data of the one message about the last event."""
    (message,) = messages_about(*history)
    return orjson.loads(message.body)["data"]


def messages_about(*history):
    version = len(history)
    return messages_of(RecordedEvent(version, UUID(int=1), version, history[-1], None), summary_of(*history))


def summary_of(*history):
    summary = None
    for event in history:
        summary = evolve_summary(summary, event)
    return summary


def test_a_transcription_of_less_than_all_chunks_names_the_damaged_ones_and_no_other_says_anything_of_it():
    begun = [opened(), chunk(1), chunk(2), finalized(2)]
    told = {"number": 2, "reason": "damaged", "message": "Chunk 2 cannot be decoded."}
    assert data_of(*begun, stitched(damaged(2)))["damage"] == [told]
    assert data_of(*begun, stitched(damaged(2)), transcribed())["damage"] == [told]
    assert "damage" not in data_of(*begun, stitched(), transcribed())


def test_an_edited_note_is_told_of_whichever_api_its_recording_came_by():
    edit = note_edited(2, "c")
    history = [opened(dialect="dorsum", note_wanted=True), chunk(1), finalized(1), stitched(), transcribed()]
    assert messages_about(*history, note_written()) == ()
    (message,) = messages_about(*history, note_written(), edit)
    assert (message.type, message.project_id) == ("note.edited", "proj_1")
    assert orjson.loads(message.body)["data"] == {
        "recording_id": ITS_IDS["id"],
        "version": 2,
        "author": "dr-1",
        "edited_at": "2026-01-13T10:06:00.000Z",
        "sha256": edit.sha256,
    }


ITS_IDS = {
    "id": f"rec_{UUID(int=1).hex}",
    "project_id": "proj_1",
    "device_id": "dev_1",
    "end_user_id": "eu_1",
    "source": "device",
}


def test_a_recording_that_was_created_is_told_with_the_status_that_receivers_know():
    assert data_of(opened(started_at=at(-5))) == ITS_IDS | {
        "status": "created",
        "duration_ms": None,
        "duration_seconds": None,
        "file_size_bytes": None,
        "format": "opus",
        "started_at": "2026-01-13T09:55:00.000Z",
        "ended_at": None,
        "created_at": "2026-01-13T10:00:00.000Z",
        "uploaded_at": None,
    }


def test_a_recording_that_was_uploaded_is_told_with_its_length_and_then_its_transcription():
    uploaded, queued = messages_about(opened(started_at=START, ended_at=at(0.15)), chunk(1), finalized(1))
    assert orjson.loads(uploaded.body)["data"] == ITS_IDS | {
        "status": "uploaded",
        "duration_ms": 9_000,
        "duration_seconds": 9.0,
        "file_size_bytes": None,
        "format": "opus",
        "started_at": "2026-01-13T10:00:00.000Z",
        "ended_at": "2026-01-13T10:00:09.000Z",
        "created_at": "2026-01-13T10:00:00.000Z",
        "uploaded_at": "2026-01-13T10:02:00.000Z",
    }
    assert queued.type == "transcription.queued"


def test_a_transcription_in_another_language_is_queued_again_and_a_wish_that_starts_nothing_is_not_told():
    done = [opened(), chunk(1), finalized(1), stitched(), transcribed()]
    (queued,) = messages_about(*done, transcription_requested("es-419", "whisper", is_anew=True))
    told = orjson.loads(queued.body)
    assert (queued.type, told["type"]) == ("transcription.queued", "transcription.queued")
    assert told["data"]["project_id"] == "proj_1"
    assert (told["data"]["language"], told["data"]["provider"]) == ("es-419", "whisper")
    assert messages_about(*done, transcription_requested(None, "whisper")) == ()
