"""What a query about an ambient session answers, folded from its events and its recordings'."""

from functools import reduce

from domain.ambient_session import fold_session
from domain.events import ErasedPart
from domain.session_summary import evolve_session_summary
from tests.domain.histories import (
    START,
    at,
    chunk,
    content_erased,
    deleted,
    finalized,
    opened,
    session_ended,
    session_opened,
    session_updated,
)


def summary_of(*events):
    return reduce(evolve_session_summary, events, None)


def test_a_session_is_as_its_own_events_left_it_and_counts_its_recordings():
    summary = summary_of(session_opened(), opened(), session_updated(), opened(), session_ended())
    assert summary.session == fold_session([session_opened(), session_updated(), session_ended()])
    assert (summary.recording_count, summary.ended_at) == (2, session_ended().at)


def test_a_session_that_is_opened_again_has_not_ended_and_keeps_its_first_time():
    summary = summary_of(session_opened(), session_ended(), session_opened(at=at(9)))
    assert (summary.ended_at, summary.session.first_opened_at, summary.active_at) == (None, START, at(9))


def test_a_deleted_recording_counts_no_more_and_a_session_that_nobody_announced_is_nothing_without_recordings():
    assert summary_of(session_opened(), opened(), opened(), deleted()).recording_count == 1
    unannounced = summary_of(opened())
    assert (unannounced.session, unannounced.recording_count) == (None, 1)
    assert summary_of(opened(), deleted()) is None
    assert summary_of(opened(), deleted(), session_opened()).recording_count == 0


def test_it_was_active_last_when_something_came_to_another_state_and_never_earlier_than_before():
    begun = [session_opened(), opened()]
    quiet = summary_of(*begun, chunk(1).model_copy(update={"at": at(8)}), content_erased(ErasedPart.CHUNKS, 1))
    assert quiet == summary_of(*begun)
    assert summary_of(*begun, finalized(1)).active_at == finalized(1).at
    assert summary_of(session_opened(at=at(30)), opened(), finalized(1)).active_at == at(30)
