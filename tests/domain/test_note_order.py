"""An order for a note: given what has happened, when something is asked, then this; each command in each state."""

from itertools import product

import pytest
from hypothesis import given as for_all

from domain.events import NoteOrderBegun, NoteOrdered, NoteOrderFailed, NoteOrderFulfilled, NoteTemplate
from domain.identity import recording_id
from domain.note_order import (
    BeginNote,
    CorruptOrder,
    FailOrder,
    FulfilOrder,
    NoteOrderDiffers,
    NoteOrderNotFound,
    NoteOrderSettled,
    OrderNote,
    decide_order,
    fold_order,
    named_order_id,
)
from tests.domain.histories import (
    BY_PROMPT,
    NOTE_FACTS,
    ORDER_FACTS,
    ORDER_FAILURE_FACTS,
    RECORDING_OF_ORDER,
    START,
    at,
    note_order_begun,
    note_order_failed,
    note_order_fulfilled,
    note_ordered,
)
from tests.domain.history_kit import order_histories


def given(*events):
    return fold_order(events)


def order_note(**changes):
    return OrderNote(**{"at": at(5)} | ORDER_FACTS | changes)


BEGIN = BeginNote(at=at(6))
FULFIL = FulfilOrder(**NOTE_FACTS | {"at": at(7)})
FAIL = FailOrder(**ORDER_FAILURE_FACTS | {"at": at(7)})


def test_a_first_order_is_recorded_with_all_that_was_asked():
    assert decide_order(None, order_note()) == [NoteOrdered(at=at(5), **ORDER_FACTS)]


def test_the_same_order_again_changes_nothing_however_far_it_has_come_and_whatever_became_of_the_transcript():
    for history in ([], [note_order_begun()], [note_order_fulfilled()], [note_order_failed()]):
        order = given(note_ordered(), *history)
        assert decide_order(order, order_note(transcript_key="transcript-2", transcript_sha256="e" * 64)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"recording_id": recording_id("bota", "proj_1", "another")},
        {"template": NoteTemplate.SALES},
        BY_PROMPT,
        {"provider": "claude"},
    ],
)
def test_another_order_of_the_same_name_is_refused(change):
    with pytest.raises(NoteOrderDiffers, match=r"^Another note was ordered with this Idempotency-Key"):
        decide_order(given(note_ordered()), order_note(**change))


def test_another_prompt_is_another_order():
    order = given(note_ordered(**BY_PROMPT))
    assert decide_order(order, order_note(**BY_PROMPT)) == []
    with pytest.raises(NoteOrderDiffers):
        decide_order(order, order_note(**BY_PROMPT | {"prompt_key": "prompt-2"}))


def test_an_order_is_begun_once():
    order = given(note_ordered())
    assert decide_order(order, BEGIN) == [NoteOrderBegun(at=at(6))]
    assert decide_order(given(note_ordered(), note_order_begun()), BEGIN) == []


def test_an_order_ends_in_a_note_or_fails_and_then_says_since_when():
    order = given(note_ordered(), note_order_begun())
    assert not order.is_settled
    (fulfilled,) = decide_order(order, FULFIL)
    (failed,) = decide_order(order, FAIL)
    assert (fulfilled, failed) == (
        NoteOrderFulfilled(**NOTE_FACTS | {"at": at(7)}),
        NoteOrderFailed(**ORDER_FAILURE_FACTS | {"at": at(7)}),
    )
    for settled in (fulfilled, failed):
        after = fold_order([settled], order)
        assert (after.is_settled, after.updated_at, after.begun_at) == (True, at(7), at(1))


def test_the_first_result_counts_and_the_same_one_again_changes_nothing():
    for first, same, other in ((note_order_fulfilled(), FULFIL, FAIL), (note_order_failed(), FAIL, FULFIL)):
        order = given(note_ordered(), note_order_begun(), first)
        assert decide_order(order, same) == []
        with pytest.raises(NoteOrderSettled, match=r"^The order is already fulfilled, or has failed\.$"):
            decide_order(order, other)
    with pytest.raises(NoteOrderSettled):
        decide_order(given(note_ordered(), note_order_fulfilled()), FulfilOrder(**NOTE_FACTS | {"blob_key": "other"}))


def test_nothing_can_come_of_what_was_never_ordered():
    for command in (BEGIN, FULFIL, FAIL):
        with pytest.raises(NoteOrderNotFound, match=r"^There is no such order for a note\.$"):
            decide_order(None, command)


def test_it_was_changed_last_when_its_last_event_was():
    history = [note_ordered(), note_order_begun(), note_order_fulfilled()]
    assert [fold_order(history[:length]).updated_at for length in (1, 2, 3)] == [START, at(1), at(2)]


OUTCOMES = {
    (): {
        OrderNote: NoteOrdered,
        BeginNote: NoteOrderNotFound,
        FulfilOrder: NoteOrderNotFound,
        FailOrder: NoteOrderNotFound,
    },
    (NoteOrdered,): {
        OrderNote: None,
        BeginNote: NoteOrderBegun,
        FulfilOrder: NoteOrderFulfilled,
        FailOrder: NoteOrderFailed,
    },
    (NoteOrdered, NoteOrderBegun): {
        OrderNote: None,
        BeginNote: None,
        FulfilOrder: NoteOrderFulfilled,
        FailOrder: NoteOrderFailed,
    },
    (NoteOrdered, NoteOrderFulfilled): {
        OrderNote: None,
        BeginNote: None,
        FulfilOrder: None,
        FailOrder: NoteOrderSettled,
    },
    (NoteOrdered, NoteOrderFailed): {OrderNote: None, BeginNote: None, FulfilOrder: NoteOrderSettled, FailOrder: None},
    (NoteOrdered, NoteOrderBegun, NoteOrderFulfilled): {
        OrderNote: None,
        BeginNote: None,
        FulfilOrder: None,
        FailOrder: NoteOrderSettled,
    },
    (NoteOrdered, NoteOrderBegun, NoteOrderFailed): {
        OrderNote: None,
        BeginNote: None,
        FulfilOrder: NoteOrderSettled,
        FailOrder: None,
    },
}
"""Of every history that commands lead to, what each command does: an event, nothing (None), or a refusal."""


def test_every_command_in_every_state_does_what_the_table_says_and_no_other_state_is_ever_reached():
    reached, waiting = set(), [()]
    commands = (order_note(), BEGIN, FULFIL, FAIL)
    while waiting:
        history = waiting.pop()
        kinds = tuple(type(event) for event in history)
        if kinds in reached:
            continue
        reached.add(kinds)
        for command in commands:
            try:
                events = decide_order(fold_order(history), command)
                outcome = type(events[0]) if events else None
                assert len(events) <= 1
                waiting += [(*history, *events)] if events else []
            except (NoteOrderNotFound, NoteOrderDiffers, NoteOrderSettled) as refusal:
                outcome = type(refusal)
            assert outcome == OUTCOMES[kinds][type(command)], (kinds, command)
    assert reached == OUTCOMES.keys()


@for_all(order_histories())
def test_any_history_has_one_order_and_at_most_one_beginning_and_one_end(history):
    kinds = [type(event) for event in history]
    assert kinds[0] is NoteOrdered
    assert kinds.count(NoteOrdered) == 1
    assert kinds.count(NoteOrderBegun) <= 1
    assert kinds.count(NoteOrderFulfilled) + kinds.count(NoteOrderFailed) <= 1
    assert fold_order(history).ordered == history[0]


@pytest.mark.parametrize("first", [note_order_begun(), note_order_fulfilled(), note_order_failed()])
def test_a_history_that_does_not_begin_with_an_order_is_corrupt(first):
    with pytest.raises(CorruptOrder, match=rf"^{type(first).__name__} cannot be the first event of an order$"):
        fold_order([first])


def test_a_second_order_in_one_history_is_corrupt():
    with pytest.raises(CorruptOrder, match="NoteOrdered cannot be a later event of an order"):
        fold_order([note_ordered(), note_ordered()])


def test_each_name_of_each_tenant_is_another_order_and_none_has_the_id_of_a_recording():
    named = {named_order_id(*name) for name in product(("bota", "other"), ("proj_1", "proj_2"), ("a", "b"))}
    assert len(named) == 8
    assert recording_id("bota", "proj_1", "a") not in named
    assert RECORDING_OF_ORDER not in named
