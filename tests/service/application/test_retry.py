"""The retry policy."""

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.application.retry import RetryPolicy


def seconds(policy: RetryPolicy) -> list[float]:
    return [delay.total_seconds() for delay in policy.delays(Random(7))]


def test_delays_grow_by_the_factor_up_to_the_longest():
    policy = RetryPolicy(timedelta(seconds=1), 2, timedelta(seconds=5), attempts=6, jitter=0)
    assert seconds(policy) == [1, 2, 4, 5, 5]


def test_one_attempt_means_no_further_try():
    assert seconds(RetryPolicy(attempts=1)) == []


@given(patience=st.floats(0, 1000), jitter=st.floats(0, 1), seed=st.integers())
def test_the_delays_together_never_exceed_the_patience(patience: float, jitter: float, seed: int):
    policy = RetryPolicy(timedelta(seconds=1), 2, timedelta(seconds=30), timedelta(seconds=patience), 10_000, jitter)
    delays = list(policy.delays(Random(seed)))
    assert sum(delays, timedelta()) <= timedelta(seconds=patience)


@given(jitter=st.floats(0, 1), seed=st.integers())
def test_jitter_only_ever_shortens_a_delay_and_by_no_more_than_its_share(jitter: float, seed: int):
    policy = RetryPolicy(timedelta(seconds=1), 2, timedelta(seconds=8), attempts=9, jitter=jitter)
    for delay, plain in zip(policy.delays(Random(seed)), [1, 2, 4, 8, 8, 8, 8, 8], strict=True):
        assert plain * (1 - jitter) - 1e-5 <= delay.total_seconds() <= plain + 1e-5


@pytest.mark.parametrize(
    "fields", [{"factor": 0.5}, {"jitter": 1.5}, {"attempts": 0}, {"first": timedelta(1), "longest": timedelta(0)}]
)
def test_a_policy_that_means_nothing_is_refused(fields: dict):
    with pytest.raises(ValueError, match=r"."):
        RetryPolicy(**fields)
