"""Endpoints and deliveries as they are kept."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from cryptography.exceptions import InvalidTag

from adapters.sealing import Sealer
from adapters.webhooks.deliveries import Endpoint, Message, State
from adapters.webhooks.sender import Sent
from adapters.webhooks.signing import new_secret, sealer_of_secrets
from adapters.webhooks.store import WebhookStore

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECRET = new_secret()


@pytest.fixture
def store(tmp_path, place):
    store = WebhookStore(place, sealer_of_secrets(tmp_path / "webhooks.key"))
    store.add(endpoint(), SECRET)
    yield store
    store.close()


def endpoint(its_id="wh_1", **changes):
    facts = {"url": "http://r.example/", "events": ("a",), "created_at": NOW, "after_position": 5}
    return Endpoint(id=its_id, project_id="proj_1", **(facts | changes))


def message(number, recording_id=None, **changes):
    facts = {"project_id": "proj_1", "type": "a", "position": 5 + number, "created_at": NOW, "body": b"%d" % number}
    return Message(event_id=f"evt_{number}", recording_id=recording_id or uuid4(), **(facts | changes))


def due(store, now=NOW):
    return [one.event_id for one in store.due("wh_1", now=now, limit=10)]


def deliver(store, *, accepted=True, retry=None):
    (first, *_) = store.due("wh_1", now=NOW, limit=1)
    store.record(first.sequence, NOW, NOW, Sent(200 if accepted else 500), retry)


def states(store):
    return [one.state for one in reversed(store.page("wh_1", limit=10))]


def test_an_event_made_into_deliveries_again_after_a_crash_is_delivered_once(store):
    messages = [message(1), message(2)]
    assert store.enqueue(messages, position=7, now=NOW) == {"wh_1"}
    store.enqueue(messages, position=7, now=NOW)
    assert (due(store), store.position()) == (["evt_1", "evt_2"], 7)


@pytest.mark.parametrize("changes", [{"project_id": "proj_2"}, {"type": "b"}, {"position": 5}])
def test_what_was_not_subscribed_to_makes_no_delivery(store, changes):
    assert store.enqueue([message(1, **changes)], position=9, now=NOW) == set()
    assert due(store) == []


def test_a_recordings_next_event_waits_until_the_one_before_is_delivered_or_given_up(store):
    one, other = uuid4(), uuid4()
    store.enqueue([message(1, one), message(2, one), message(3, other), message(4, one)], position=9, now=NOW)
    assert due(store) == ["evt_1", "evt_3"]
    deliver(store)
    assert set(due(store)) == {"evt_2", "evt_3"}
    store.record(2, NOW, NOW, Sent(500), NOW + timedelta(minutes=1))
    assert due(store) == ["evt_3"]
    store.record(2, NOW, NOW, Sent(error="refused"), None)
    assert set(due(store)) == {"evt_3", "evt_4"}


def test_sent_again_it_begins_anew_but_does_not_overtake(store):
    one = uuid4()
    store.enqueue([message(1, one), message(2, one)], position=9, now=NOW)
    waiting, first = store.page("wh_1", limit=2)
    assert store.send_again("wh_1", waiting.id, now=NOW).state is State.WAITING
    deliver(store)
    deliver(store)
    assert store.send_again("wh_1", first.id, now=NOW).state is State.PENDING
    assert due(store) == ["evt_1"]
    assert store.send_again("wh_2", first.id, now=NOW) is None
    deliver(store)
    assert states(store) == [State.DELIVERED, State.DELIVERED]
    assert [len(one.attempts) for one in store.page("wh_1", limit=2)] == [1, 2]


def test_the_key_file_is_made_once_and_a_secret_opens_with_it_alone(store, tmp_path):
    assert store.secret_of("wh_1") == SECRET
    again = sealer_of_secrets(tmp_path / "webhooks.key")
    sealed = again.seal(SECRET, name="wh_1")
    assert sealer_of_secrets(tmp_path / "webhooks.key").unseal(sealed, name="wh_1") == SECRET
    for sealer, name in [(again, "wh_2"), (Sealer(bytes(32)), "wh_1")]:
        with pytest.raises(InvalidTag):
            sealer.unseal(sealed, name=name)
    assert (tmp_path / "webhooks.key").stat().st_mode & 0o777 == 0o600


def test_a_removed_endpoint_leaves_nothing_behind_and_a_late_result_is_nothing(store):
    store.enqueue([message(1)], position=9, now=NOW)
    (one,) = store.due("wh_1", now=NOW, limit=1)
    store.remove("wh_1")
    store.record(one.sequence, NOW, NOW, Sent(200), None)
    assert (store.endpoints(), store.page("wh_1", limit=1)) == ([], [])
    with pytest.raises(LookupError):
        store.secret_of("wh_1")


def test_what_is_over_and_old_is_forgotten_and_what_is_not_over_never(store):
    old = NOW - timedelta(days=31)
    store.enqueue([message(1, created_at=old), message(2, created_at=old), message(3)], position=9, now=NOW)
    deliver(store)
    assert store.prune(before=NOW - timedelta(days=30)) == 1
    assert [one.event_id for one in store.page("wh_1", limit=10)] == ["evt_3", "evt_2"]
    assert due(store) == ["evt_2", "evt_3"]
