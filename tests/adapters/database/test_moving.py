"""What a version before this has kept in files, beside a log in PostgreSQL, is moved to the log."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from adapters.database.port import PostgresPlace
from adapters.keys import KeyKind, KeyStore
from adapters.webhooks.deliveries import Endpoint, Message
from adapters.webhooks.signing import sealer_of_secrets
from adapters.webhooks.store import WebhookStore

NOW = datetime(2026, 11, 26, tzinfo=UTC)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "store.sqlite3"


@pytest.fixture
def new_place(database, file):
    return PostgresPlace(database, "tapedeck_moved", before=file)


def test_keys_are_moved_once_and_those_revoked_later_stay_revoked(file, new_place):
    before = KeyStore(file, clock=lambda: NOW)
    new = before.create(KeyKind.SECRET, project_id="proj_1", name="NUL \x00 and \ue000")
    before.close()
    moved = KeyStore(new_place, clock=lambda: NOW)
    assert moved.authenticate(new.token, now=NOW) == new.key
    assert (file.exists(), file.with_name("store.sqlite3.moved").exists()) == (False, True)
    moved.revoke(new.key.id)
    moved.close()
    file.with_name("store.sqlite3.moved").rename(file)  # as if the process had been killed before it was renamed
    again = KeyStore(new_place, clock=lambda: NOW)
    assert again.authenticate(new.token, now=NOW) is None
    assert not file.exists()
    again.close()


def test_moved_deliveries_go_on_and_new_ones_come_after_them(tmp_path, file, new_place):
    def message(number):
        return Message(f"evt_{number}", "a", "proj_1", uuid4(), number, NOW, b"{}")

    sealer = sealer_of_secrets(tmp_path / "webhooks.key")
    before = WebhookStore(file, sealer)
    before.add(Endpoint("wh_1", "proj_1", "http://r.example/", ("a",), NOW, 0), "a secret")
    before.enqueue([message(1), message(2)], position=2, now=NOW)
    before.close()
    moved = WebhookStore(new_place, sealer)
    assert (moved.position(), moved.secret_of("wh_1")) == (2, "a secret")
    moved.enqueue([message(3)], position=3, now=NOW)
    assert [one.event_id for one in moved.due("wh_1", now=NOW, limit=9)] == ["evt_1", "evt_2", "evt_3"]
    moved.close()
