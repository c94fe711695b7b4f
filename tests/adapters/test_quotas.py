"""Quotas of single projects: set, seen by every process at once, reset."""

import sqlite3
from contextlib import closing

import pytest

from adapters.quotas import Quota, QuotaStore
from adapters.sqlite_file import DatabaseTooNew


@pytest.fixture
def store(place):
    store = QuotaStore(place)
    yield store
    store.close()


def test_what_is_set_is_in_force_in_every_process_at_once_and_after_opening_again(place, store):
    other = QuotaStore(place)
    assert other.of("proj_1") == {}
    store.set_for("proj_1", Quota.BYTES, 5)
    store.set_for("proj_1", Quota.WEBHOOKS, None)
    store.set_for("proj_2", Quota.BYTES, 0)
    for each in (store, other):
        assert each.of("proj_1") == {Quota.BYTES: 5, Quota.WEBHOOKS: None}
        assert each.of_each(["proj_2", "proj_3", "proj_1"]) == [{Quota.BYTES: 0}, {}, each.of("proj_1")]
        assert each.all() == {"proj_1": {Quota.BYTES: 5, Quota.WEBHOOKS: None}, "proj_2": {Quota.BYTES: 0}}
    other.set_for("proj_1", Quota.BYTES, 7)
    other.close()
    again = QuotaStore(place)
    assert again.of("proj_1")[Quota.BYTES] == store.of("proj_1")[Quota.BYTES] == 7
    again.close()


def test_one_quota_or_all_of_a_project_are_reset_and_no_other_projects(store):
    for project_id in ("proj_1", "proj_2"):
        for quota in Quota:
            store.set_for(project_id, quota, 1)
    store.reset("proj_1", Quota.BYTES)
    assert store.of("proj_1").keys() == set(Quota) - {Quota.BYTES}
    store.reset("proj_1")
    assert store.of("proj_1") == {}
    assert store.of("proj_2").keys() == set(Quota)


def test_quotas_of_a_newer_version_are_left_aside_until_all_of_the_project_are_reset(place, store, tables_of):
    with tables_of(place) as newer:
        newer.execute("INSERT INTO quotas VALUES ('proj_1', 'dreams', 3)")
    store.set_for("proj_1", Quota.BYTES, 5)
    assert store.of("proj_1") == {Quota.BYTES: 5}
    assert store.all() == {"proj_1": {Quota.BYTES: 5}}
    store.reset("proj_1")
    with tables_of(place) as newer:
        assert newer.execute("SELECT * FROM quotas").fetchall() == []


def test_a_file_of_a_newer_version_is_refused(tmp_path):
    path = tmp_path / "quotas.sqlite3"
    QuotaStore(path).close()
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version=2")
    with pytest.raises(DatabaseTooNew):
        QuotaStore(path)
