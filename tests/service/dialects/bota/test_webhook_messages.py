"""What a webhook says of a recording that was stitched without some of its chunks."""

from uuid import UUID

import orjson

from adapters.event_log.mapper import RecordedEvent
from domain.summary import evolve_summary
from service.dialects.bota.webhook_messages import messages_of
from tests.domain.histories import chunk, damaged, finalized, opened, stitched, transcribed


def data_of(*history):
    """The data of the one message about the last event."""
    summary = None
    for event in history:
        summary = evolve_summary(summary, event)
    version = len(history)
    (message,) = messages_of(RecordedEvent(version, UUID(int=1), version, history[-1], None), summary)
    return orjson.loads(message.body)["data"]


def test_a_transcription_of_less_than_all_chunks_names_the_damaged_ones_and_no_other_says_anything_of_it():
    begun = [opened(), chunk(1), chunk(2), finalized(2)]
    told = {"number": 2, "reason": "damaged", "message": "Chunk 2 cannot be decoded."}
    assert data_of(*begun, stitched(damaged(2)))["damage"] == [told]
    assert data_of(*begun, stitched(damaged(2)), transcribed())["damage"] == [told]
    assert "damage" not in data_of(*begun, stitched(), transcribed())
