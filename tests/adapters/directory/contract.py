"""What every `DirectoryStore` promises. A test module takes all of it and gives the fixture `store`."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapters.directory.entries import Device, EndUser, Heartbeat
from adapters.directory.port import ExternalIdTaken, PageAsked, SerialNumberTaken

NOW = datetime(2026, 11, 26, 8, 0, 0, 123_456, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
OURS, THEIRS = "proj_1", "proj_2"


def end_user(number, project_id=OURS, **facts):
    return EndUser(id=f"eu_{number}", project_id=project_id, created_at=NOW, updated_at=NOW, **facts)


def device(number, project_id=OURS, **facts):
    held = {"serial_number": f"SN {number}", "model": "bota_pin", "created_at": NOW, "updated_at": NOW} | facts
    return Device(id=f"dev_{number}", project_id=project_id, **held)


JANE = end_user(1, external_id="jane", email="jane@example.org", name="Jane", metadata=b'{"a":1}')


def test_an_end_user_is_found_by_either_id_as_they_were_put(store):
    store.put_end_user(JANE)
    assert store.end_user(OURS, "eu_1") == store.end_user_called(OURS, "jane") == JANE
    assert store.end_user(OURS, "eu_2") is store.end_user_called(OURS, "eu_1") is None


def test_putting_again_replaces_all_but_when_it_was_created(store):
    store.put_end_user(JANE)
    changed = replace(JANE, name=None, email="j@example.org", created_at=LATER, updated_at=LATER)
    store.put_end_user(changed)
    assert store.end_user(OURS, "eu_1") == replace(changed, created_at=NOW)
    assert store.end_users(OURS, PageAsked(limit=9)).rows == [replace(changed, created_at=NOW)]


def test_an_external_id_is_one_end_users_of_a_project(store):
    store.put_end_user(JANE)
    with pytest.raises(ExternalIdTaken):
        store.put_end_user(end_user(2, external_id="jane"))
    assert store.end_user(OURS, "eu_2") is None
    store.put_end_user(end_user(2, THEIRS, external_id="jane"))
    store.put_end_user(end_user(3))
    store.put_end_user(end_user(4))


def test_entries_of_another_project_do_not_exist_even_with_the_same_ids(store):
    store.put_end_user(JANE)
    store.put_device(device(1))
    assert store.end_user(THEIRS, "eu_1") is store.end_user_called(THEIRS, "jane") is None
    assert store.device(THEIRS, "dev_1") is store.device_numbered(THEIRS, "SN 1") is None
    assert store.end_users(THEIRS, PageAsked(limit=9)).rows == store.devices(THEIRS, PageAsked(limit=9)).rows == []
    store.put_end_user(end_user(1, THEIRS, name="John"))
    store.put_device(device(1, THEIRS, name="his"))
    assert not store.erase_end_user(THEIRS, "eu_2", at=LATER)
    assert store.erase_end_user(THEIRS, "eu_1", at=LATER)
    assert store.end_user(OURS, "eu_1") == JANE
    assert store.device(OURS, "dev_1").name is None


@pytest.mark.parametrize(
    ("put", "listed"),
    [
        (lambda store, number: store.put_end_user(end_user(number)), lambda store, asked: store.end_users(OURS, asked)),
        (lambda store, number: store.put_device(device(number)), lambda store, asked: store.devices(OURS, asked)),
    ],
)
def test_pages_are_newest_first_and_neither_repeat_nor_skip_while_the_list_grows(store, put, listed):
    for number in range(5):
        put(store, number)
    first = listed(store, PageAsked(limit=2))
    put(store, 5)
    second = listed(store, PageAsked(limit=2, after=first.next_after))
    last = listed(store, PageAsked(limit=2, after=second.next_after))
    numbers = [[int(row.id.partition("_")[2]) for row in page.rows] for page in (first, second, last)]
    assert numbers == [[4, 3], [2, 1], [0]]
    assert last.next_after is None
    assert [row.id[-1] for row in listed(store, PageAsked(limit=2, offset=3)).rows] == ["2", "1"]
    assert listed(store, PageAsked(limit=6)).next_after is None
    assert listed(store, PageAsked(limit=6, offset=6)).rows == []


HEARD = Heartbeat(
    battery_percent=0,
    storage_used_mb=2**40,
    storage_total_mb=1,
    signal_strength_dbm=-120,
    recording_state="idle",
    last_heartbeat_at=LATER,
)


def test_a_device_is_found_by_id_and_by_serial_number_with_all_it_is(store):
    full = device(1, name="n", firmware_version="1.2", metadata=b'{"b":[]}', end_user_id="eu_1", binding_generation=3)
    for one in (full, replace(full, heartbeat=HEARD), device(1)):
        store.put_device(one)
        assert store.device(OURS, "dev_1") == store.device_numbered(OURS, "SN 1") == one


def test_a_serial_number_is_one_devices_of_a_project(store):
    store.put_device(device(1))
    with pytest.raises(SerialNumberTaken):
        store.put_device(device(2, serial_number="SN 1"))
    store.put_device(device(2, THEIRS, serial_number="SN 1"))


def test_devices_are_listed_by_whom_they_are_bound_to(store):
    for number in range(6):
        store.put_device(device(number, end_user_id=("eu_1", "eu_2", None)[number % 3]))
    page = store.devices(OURS, PageAsked(limit=1), end_user_id="eu_1")
    assert [one.id for one in page.rows] == ["dev_3"]
    rest = store.devices(OURS, PageAsked(limit=1, after=page.next_after), end_user_id="eu_1")
    assert ([one.id for one in rest.rows], rest.next_after) == (["dev_0"], None)


def test_erasing_an_end_user_unbinds_their_devices_and_leaves_everybody_else(store):
    store.put_end_user(JANE)
    store.put_end_user(end_user(2))
    theirs, other = device(1, end_user_id="eu_1", binding_generation=2), device(2, end_user_id="eu_2")
    store.put_device(theirs)
    store.put_device(other)
    assert store.erase_end_user(OURS, "eu_1", at=LATER)
    store.scrub()
    assert store.end_user(OURS, "eu_1") is store.end_user_called(OURS, "jane") is None
    assert store.device(OURS, "dev_1") == replace(theirs, end_user_id=None, updated_at=LATER)
    assert store.device(OURS, "dev_2") == other
    assert store.end_users(OURS, PageAsked(limit=9)).rows == [end_user(2)]
    assert not store.erase_end_user(OURS, "eu_1", at=LATER)
    store.put_end_user(JANE)
