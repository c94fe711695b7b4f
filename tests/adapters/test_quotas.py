"""Quotas of single projects: set, seen by every process at once, reset."""

import pytest

from adapters.quotas import Quota, QuotaStore
from adapters.sqlite_file import DatabaseTooNew


@pytest.fixture
def path(tmp_path):
    return tmp_path / "quotas.sqlite3"


@pytest.fixture
def store(path):
    store = QuotaStore(path)
    yield store
    store.close()


def test_what_is_set_is_in_force_in_every_process_at_once_and_after_opening_again(path, store):
    other = QuotaStore(path)
    assert other.of("proj_1") == {}
    store.set_for("proj_1", Quota.BYTES, 5)
    store.set_for("proj_1", Quota.WEBHOOKS, None)
    store.set_for("proj_2", Quota.BYTES, 0)
    for each in (store, other):
        assert each.of("proj_1") == {Quota.BYTES: 5, Quota.WEBHOOKS: None}
        assert each.all() == {"proj_1": {Quota.BYTES: 5, Quota.WEBHOOKS: None}, "proj_2": {Quota.BYTES: 0}}
    other.set_for("proj_1", Quota.BYTES, 7)
    other.close()
    again = QuotaStore(path)
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


def test_quotas_of_a_newer_version_are_left_aside_and_a_file_of_one_is_refused(path, store):
    store._database.execute("INSERT INTO quotas VALUES ('proj_1', 'dreams', 3)")
    store.set_for("proj_1", Quota.BYTES, 5)
    assert store.of("proj_1") == {Quota.BYTES: 5}
    store._database.execute("PRAGMA user_version=2")
    with pytest.raises(DatabaseTooNew):
        QuotaStore(path)
