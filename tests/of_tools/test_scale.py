"""How far a follower is behind the writers of the log, as `make bench-scale` measures it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.event_log.postgres import PostgresLogRecorder
from tests.tools.bench.scale_log import Load, lag
from tests.tools.bench.scale_marks import Mark, lags_ms


def test_a_lag_is_from_a_commits_answer_until_its_last_event_was_seen():
    commits = [Mark(4, 1.0), Mark(8, 1.5)]
    seen = [Mark(3, 1.25), Mark(8, 2.0)]
    assert lags_ms(commits, seen) == [1000, 500]


def test_a_follower_that_is_sooner_than_the_writer_has_a_lag_below_zero():
    assert lags_ms([Mark(4, 1.5)], [Mark(4, 1.0)]) == [-500]


def test_what_was_seen_before_stays_seen_when_an_older_position_is_told_later():
    assert lags_ms([Mark(4, 1.0)], [Mark(6, 1.5), Mark(2, 2.0), Mark(6, 2.5)]) == [500]


def test_a_commit_that_was_never_seen_is_no_lag_but_an_error():
    with pytest.raises(ValueError, match="up to position 8 was never seen"):
        lags_ms([Mark(4, 1.0), Mark(8, 1.5)], [Mark(7, 2.0)])


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1),
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 9))),
)
def test_each_commit_has_the_lag_of_the_first_mark_that_is_as_far(commits, seen):
    marks = [*(Mark(*mark) for mark in seen), Mark(12, 20)]
    expected = [
        (min(mark.at for mark in marks if mark.position >= position) - at) * 1000 for position, at in sorted(commits)
    ]
    assert lags_ms([Mark(*commit) for commit in commits], marks) == expected


@pytest.mark.slow
@pytest.mark.parametrize("events_a_second", [None, 1_000])
def test_a_follower_in_another_process_gives_a_lag_for_every_commit(database, events_a_second):
    """And so again in a log that has events already."""
    PostgresLogRecorder(database).close()
    load = Load(writers=2, commits_each=3, events_a_commit=4)
    for _ in range(2):
        measured = lag(database, load if events_a_second is None else load.at(events_a_second))
        assert len(measured.told_ms) == len(measured.read_ms) == 6


@pytest.mark.slow
def test_a_writer_that_fails_ends_the_measurement_with_an_error(database):
    with pytest.raises(RuntimeError, match="scale_writer"):
        lag(f"{database}?sslmode=nonsense", Load(writers=1, commits_each=1, events_a_commit=1))
