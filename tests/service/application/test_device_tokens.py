"""Tokens that replace each other: when the earlier ones end."""

from datetime import timedelta

import pytest

from adapters.keys import KeyKind, KeyStore
from service.application.device_tokens import ENDED_FOR, MOST_UNSEEN, SEEN_FOR, UNSEEN_FOR, DeviceTokens
from tests.service.running_service import TurnedClock

OURS = {"project_id": "proj_1", "device_id": "dev_1", "end_user_id": "eu_1"}
MOMENT = timedelta(microseconds=1)


@pytest.fixture
def clock():
    return TurnedClock()


@pytest.fixture
def keys(tmp_path, clock):
    keys = KeyStore(tmp_path / "keys.sqlite3", clock=clock)
    yield keys
    keys.close()


@pytest.fixture
def tokens(keys, clock):
    return DeviceTokens(keys, clock=clock)


def given(tokens, clock):
    clock.now += timedelta(seconds=1)
    return tokens.give(**OURS)


def valid(keys, clock, *of):
    return [keys.authenticate(token, now=clock.now) is not None for token in of]


def test_a_token_whose_answer_was_lost_locks_nobody_out(keys, tokens, clock):
    first, lost = given(tokens, clock), given(tokens, clock)
    clock.now += UNSEEN_FOR - MOMENT
    assert valid(keys, clock, first, lost) == [True, True]
    clock.now += MOMENT
    assert valid(keys, clock, first, lost) == [False, True]


def test_once_the_newer_one_is_used_the_earlier_ones_end_in_an_hour_and_later_ones_stay(keys, tokens, clock):
    first, second, third = (given(tokens, clock) for _ in range(3))
    tokens.seen(keys.authenticate(second, now=clock.now))
    clock.now += SEEN_FOR - MOMENT
    assert valid(keys, clock, first, second, third) == [True, True, True]
    tokens.seen(keys.authenticate(second, now=clock.now))  # which makes no end later
    clock.now += MOMENT
    assert valid(keys, clock, first, second, third) == [False, True, True]


def test_an_operators_token_is_replaced_by_none_and_revoked_with_all(keys, tokens, clock):
    its_own = keys.create(KeyKind.DEVICE, **OURS).token
    new = given(tokens, clock)
    tokens.seen(keys.authenticate(new, now=clock.now))
    clock.now += UNSEEN_FOR * 2
    assert valid(keys, clock, its_own, new) == [True, True]
    tokens.revoke("proj_2", device_id="dev_1")
    tokens.revoke("proj_1", device_id="dev_2")
    assert valid(keys, clock, its_own, new) == [True, True]
    tokens.revoke("proj_1", device_id="dev_1")
    assert valid(keys, clock, its_own, new) == [False, False]


def test_one_who_asks_for_ever_more_has_the_newest_of_them_and_its_own(keys, tokens, clock):
    first = given(tokens, clock)
    its_key = keys.authenticate(first, now=clock.now)
    more = []
    for _ in range(MOST_UNSEEN + 10):
        clock.now += timedelta(seconds=1)
        more.append(tokens.give(**OURS, asked_with=its_key))
    assert valid(keys, clock, first, *more) == [True] + [False] * 10 + [True] * MOST_UNSEEN
    assert len(keys.list_keys()) == 1 + MOST_UNSEEN


def test_expired_ones_do_not_pile_up(keys, tokens, clock):
    for _ in range(5):
        tokens.seen(keys.authenticate(given(tokens, clock), now=clock.now))
        clock.now += UNSEEN_FOR
    assert len(keys.list_keys()) <= 2
    assert len(tokens.in_force("proj_1", device_id="dev_1")) <= 2
    assert tokens.in_force("proj_1", end_user_id="eu_1") == tokens.in_force("proj_1", device_id="dev_1")


def test_ended_tokens_are_forgotten_some_time_later_and_those_in_force_and_other_keys_are_not(tokens, keys, clock):
    in_force = given(tokens, clock)
    revoked = keys.create(KeyKind.DEVICE, **OURS)
    keys.revoke(revoked.key.id)
    expired = keys.create(KeyKind.DEVICE, **OURS, expires_at=clock.now)
    operators = keys.create(KeyKind.SECRET, project_id="proj_1")
    keys.revoke(operators.key.id)
    clock.now += ENDED_FOR
    assert tokens.forget_ended() == 0
    clock.now += MOMENT
    assert tokens.forget_ended() == 2
    left = {key.id for key in keys.list_keys()}
    assert left.isdisjoint({revoked.key.id, expired.key.id})
    assert operators.key.id in left
    assert valid(keys, clock, in_force) == [True]
