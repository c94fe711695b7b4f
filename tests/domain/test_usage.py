"""What a recording and an ordered note take up, event by event."""

from functools import reduce

import pytest

from domain.events import RECORDING_EVENT_TYPES, ErasedPart, Stage
from domain.recording import fold
from domain.usage import _CHANGES, OrderUsage, RecordingUsage, evolve_order_usage, evolve_recording_usage
from tests.domain.histories import (
    RECORDING_OF_ORDER,
    chunk,
    content_erased,
    deleted,
    expired,
    failed,
    finalized,
    note_edited,
    note_order_begun,
    note_order_failed,
    note_order_fulfilled,
    note_ordered,
    note_written,
    opened,
    placeholder,
    retry_requested,
    stitched,
    transcribed,
)

HISTORY = [opened(), chunk(1, b"12345"), chunk(2, b"123"), finalized(2), stitched(), transcribed(), note_written()]
SIZES = [0, 5, 3, 0, stitched().size_bytes, transcribed().size_bytes, note_written().size_bytes]


def usage_after(*events):
    return reduce(evolve_recording_usage, events, None)


def test_everything_that_is_stored_counts_until_the_recording_is_deleted():
    for length in range(1, len(HISTORY) + 1):
        assert usage_after(*HISTORY[:length]).kept_bytes == sum(SIZES[:length])
    assert usage_after(*HISTORY, deleted()) is None


REPLACED = [opened(), chunk(1, b"12345"), chunk(2, b"123"), chunk(1, b"1234567"), finalized(2), stitched()]
REPLACED += [transcribed(), note_written(), note_edited(1), note_edited(2, "c")]
EXPIRED = [opened(), chunk(1, b"12345"), chunk(1, b"123"), expired("1 chunk")]


@pytest.mark.parametrize(
    "events",
    [
        [*REPLACED, content_erased(ErasedPart.SUPERSEDED, 5, until=400), content_erased(ErasedPart.CHUNKS, 10)],
        [*EXPIRED, content_erased(ErasedPart.EVERYTHING, 8)],
    ],
)
def test_it_is_at_every_moment_what_the_recording_itself_says_that_it_keeps(events):
    for length in range(1, len(events) + 1):
        assert usage_after(*events[:length]).kept_bytes == fold(events[:length]).kept_bytes


def test_every_event_that_says_how_many_bytes_there_are_counts():
    sized = {event for event in RECORDING_EVENT_TYPES.values() if "size_bytes" in event.model_fields}
    assert sized
    assert sized <= _CHANGES.keys()


def test_a_replaced_chunk_counts_beside_the_one_that_replaced_it():
    assert usage_after(opened(), chunk(1, b"12345"), chunk(1, b"123"), placeholder(2)).kept_bytes == 8


@pytest.mark.parametrize(
    ("events", "is_open"),
    [
        ([chunk(1)], True),
        ([chunk(1), finalized(1)], False),
        ([chunk(1), finalized(2, received=1)], True),
        ([chunk(1), finalized(2, received=1), chunk(2)], True),
        ([chunk(1), finalized(2, received=1), chunk(2), stitched()], False),
        ([expired()], False),
        ([finalized(1), failed(Stage.STITCH)], False),
        ([finalized(1), failed(Stage.STITCH), retry_requested(Stage.STITCH)], False),
    ],
)
def test_a_recording_is_open_until_its_upload_is_complete_or_over(events, is_open):
    assert usage_after(opened(), *events).is_open is is_open


def test_an_ordered_note_waits_until_it_is_written_or_given_up():
    begun = OrderUsage("proj_1", RECORDING_OF_ORDER)
    history = [note_ordered(), note_order_begun()]
    assert reduce(evolve_order_usage, history, None) == begun
    written = note_order_fulfilled()
    assert evolve_order_usage(begun, written) == OrderUsage("proj_1", RECORDING_OF_ORDER, written.size_bytes, False)
    assert evolve_order_usage(begun, note_order_failed()) == OrderUsage("proj_1", RECORDING_OF_ORDER, 0, False)


def test_what_comes_of_something_unknown_counts_nothing():
    assert usage_after(chunk(1)) is None
    assert evolve_order_usage(None, note_order_fulfilled()) is None
    assert usage_after(opened()) == RecordingUsage("proj_1")
