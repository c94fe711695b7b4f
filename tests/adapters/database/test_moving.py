"""What a version before this has kept in files, beside a log in PostgreSQL, is moved to the log."""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from adapters.database import moving
from adapters.database.port import PostgresPlace
from adapters.database.postgres import PostgresDatabase
from adapters.event_log.mapper import RecordedEvent
from adapters.keys import KeyKind, KeyStore
from adapters.quotas import Quota, QuotaStore
from adapters.search.index import SearchIndex
from adapters.usage import Usage, UsageAt, UsageStore
from adapters.webhooks.deliveries import Endpoint, Message
from adapters.webhooks.signing import sealer_of_secrets
from adapters.webhooks.store import WebhookStore
from tests.domain.histories import chunk, opened

NOW = datetime(2026, 11, 26, tzinfo=UTC)
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'advisory'
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "store.sqlite3"


@pytest.fixture
def new_place(database, file):
    return PostgresPlace(database, "tapedeck_moved", before=file)


def test_keys_are_moved_once_and_those_revoked_later_stay_revoked(file, new_place, caplog):
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
    (said,) = [each for each in caplog.records if each.levelname == "WARNING"]
    assert (said.message, said.because) == ("renamed without being moved", "PostgreSQL has rows already")
    assert said.file == str(file)


def test_of_two_that_start_together_one_moves_the_file_and_the_other_uses_what_it_moved(file, new_place, monkeypatch):
    def opened_for_a_while(path):
        connection = opened(path)
        connection.execute("SELECT 1 FROM keys").fetchall()
        time.sleep(0.3)
        return connection

    def renamed_after_a_while(path, target):
        time.sleep(0.15)  # the other one has opened the file by now, if it could
        return renamed(path, target)

    opened, renamed = moving._opened, Path.rename
    monkeypatch.setattr(moving, "_opened", opened_for_a_while)
    monkeypatch.setattr(Path, "rename", renamed_after_a_while)
    before = KeyStore(file, clock=lambda: NOW)
    new = before.create(KeyKind.SECRET, project_id="proj_1")
    before.close()
    first_steps = PostgresDatabase(new_place)
    with ThreadPoolExecutor(2) as threads:
        with first_steps.writing():  # both have found the file once they wait for this
            starts = [threads.submit(KeyStore, new_place, clock=lambda: NOW) for _ in range(2)]
            with psycopg.connect(new_place.url, autocommit=True) as asking:
                while asking.execute(WAITING).fetchone() != (2,):
                    time.sleep(0.01)
        stores = [start.result() for start in starts]
    for store in stores:
        assert store.authenticate(new.token, now=NOW) == new.key
        store.close()
    first_steps.close()
    assert [path.name for path in file.parent.glob("store.sqlite3*")] == ["store.sqlite3.moved"]
    with closing(sqlite3.connect(file.with_name("store.sqlite3.moved"))) as moved:
        assert moved.execute("SELECT count(*) FROM keys").fetchone() == (1,)


def test_moved_quotas_are_in_force(file, new_place):
    before = QuotaStore(file)
    before.set_for("proj_1", Quota.BYTES, 5)
    before.set_for("proj_2", Quota.DEVICES, None)
    before.close()
    moved = QuotaStore(new_place)
    assert moved.all() == {"proj_1": {Quota.BYTES: 5}, "proj_2": {Quota.DEVICES: None}}
    moved.set_for("proj_1", Quota.BYTES, 6)
    moved.close()
    assert not file.exists()


def told(*of_each_recording):
    """The events as a log gives them."""
    streams = [(uuid4(), events) for events in of_each_recording]
    each = [(its_id, version, event) for its_id, events in streams for version, event in enumerate(events, 1)]
    return [RecordedEvent(number, *one, None) for number, one in enumerate(each, 1)]


def test_what_projects_used_before_is_counted_from_the_first_request_on(file, new_place):
    events = told([opened(), chunk(1, b"12345")], [opened()], [opened(tenant_id="proj_2")])
    before = UsageStore(file)
    before.use_for("this log", lambda: 0)
    before.apply(events[:3], after=0)
    before.close()
    UsageStore(replace(new_place, before=None)).close()  # as when a start was cut off before it moved anything
    moved = UsageStore(new_place)
    moved.use_for("this log", lambda: 4)
    assert moved.of("proj_1") == UsageAt(Usage(kept_bytes=5, open_recordings=2, recordings=2), 3)
    moved.apply(events[3:], after=3)
    assert [moved.of(project_id).usage.recordings for project_id in ("proj_1", "proj_2")] == [2, 1]
    moved.close()
    file.with_name("store.sqlite3.moved").rename(file)  # as if the process had been killed before it was renamed
    again = UsageStore(new_place)
    assert again.of("proj_2") == UsageAt(Usage(open_recordings=1, recordings=1), 4)
    again.use_for("another log", lambda: 4)
    assert again.of("proj_1") == UsageAt(Usage(), 0)
    again.close()
    assert not file.exists()


@pytest.mark.parametrize("version", ["an older version", "one that was killed at its first start"])
def test_what_another_version_has_counted_is_not_taken_over(file, new_place, version, caplog):
    before = UsageStore(file)
    before.apply(told([opened()]), after=0)
    before.close()
    with closing(sqlite3.connect(file, isolation_level=None)) as older:
        older.execute("UPDATE reflects SET schema=0" if version == "an older version" else "DROP TABLE reflects")
    moved = UsageStore(new_place)
    assert moved.of("proj_1") == UsageAt(Usage(), 0)
    moved.close()
    assert not file.exists()
    assert [each.because for each in caplog.records] == ["it is made anew from the log"]


def test_the_search_index_begins_anew_and_of_its_file_nothing_is_left(file, new_place):
    SearchIndex(file).close()
    left = [file, file.with_name("store.sqlite3-wal")]  # as after a kill
    left[1].write_bytes(b"digests")
    for _ in range(2):
        index = SearchIndex(new_place)
        assert index.position() == 0
        index.close()
    assert not any(path.exists() for path in left)
    assert list(file.parent.glob("store.sqlite3*")) == []


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
