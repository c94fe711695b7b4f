"""What processes have taken of quotas: each sees what the others have, and none decides while another does."""

import threading

import pytest

from adapters.quotas import Quota
from adapters.taken import Taken, TakenStore

BYTES, OPEN = ("proj_1", Quota.BYTES), ("proj_1", Quota.OPEN_RECORDINGS)


@pytest.fixture
def process(place):
    """Opens the store as the process of a name does."""
    opened = []

    def named(holder):
        opened.append(TakenStore(place, holder=holder))
        return opened[-1]

    yield named
    for store in opened:
        store.close()


def write(store, own):
    with store.deciding() as table:
        table.write(own)


def seen_by(store, *project_ids):
    with store.looking() as table:
        return table.by_others(project_ids)


def test_each_process_sees_what_the_others_have_and_what_it_has_itself_is_not_among_it(process):
    one, other, third = process("one"), process("other"), process("third")
    write(one, {BYTES: Taken(7, 3, known_at=5), OPEN: Taken(1)})
    write(other, {BYTES: Taken(2), ("proj_2", Quota.BYTES): Taken(9)})
    assert seen_by(one, "proj_1") == {BYTES: [Taken(2)]}
    assert seen_by(other, "proj_1") == {BYTES: [Taken(7, 3, 5)], OPEN: [Taken(1)]}
    assert sorted(each.in_hand for each in seen_by(third, "proj_1", "proj_2")[BYTES]) == [2, 7]
    assert seen_by(third) == {}
    write(one, {BYTES: Taken(0, 10, known_at=6)})
    write(one, {BYTES: Taken(0, 10, known_at=6)})
    assert seen_by(other, "proj_1")[BYTES] == [Taken(0, 10, 6)]


def test_what_a_view_shows_is_forgotten_and_what_is_in_hand_never_is(process):
    one, other = process("one"), process("other")
    write(one, {BYTES: Taken(0, 10, known_at=6), OPEN: Taken(1, 1, known_at=5)})
    for position, left in ((5, {BYTES, OPEN}), (6, {OPEN})):
        with other.deciding() as table:
            table.forget(position)
        assert seen_by(other, "proj_1").keys() == left
    assert [Taken(1, 1, 5).beyond(position) for position in (4, 5)] == [2, 1]


def test_what_a_killed_process_had_is_leaving_once_one_of_its_name_has_started(process):
    write(process("one"), {BYTES: Taken(7, 3, known_at=5), OPEN: Taken(1)})
    write(process("other"), {BYTES: Taken(2)})
    again, third = process("one"), process("third")
    assert len(seen_by(third, "proj_1")[BYTES]) == 2
    assert again.left_behind(head=9) == {BYTES: Taken(0, 10, 9), OPEN: Taken(0, 1, 9)}
    assert seen_by(third, "proj_1")[OPEN] == [Taken(0, 1, 9)]
    assert Taken(2) in seen_by(third, "proj_1")[BYTES]
    assert third.left_behind(head=9) == {}


def test_what_was_taken_for_another_log_is_forgotten(process):
    one, other = process("one"), process("other")
    for log, left in (("a log", set()), ("a log", {BYTES}), ("another log", set())):
        one.use_for(log)
        assert seen_by(other, "proj_1").keys() == left
        write(one, {BYTES: Taken(1)})


def test_rows_of_quotas_that_a_newer_version_knows_are_left_aside(process, place, tables_of):
    one, other = process("one"), process("other")
    with tables_of(place) as newer:
        newer.execute("INSERT INTO taken VALUES ('proj_1', 'dreams', 'one', 1, 0, 0)")
    assert seen_by(other, "proj_1") == {}
    assert one.left_behind(head=9) == {}


def test_no_two_processes_decide_at_once(process):
    """Each adds one to what it reads, many times: none is lost."""

    def add(store, own):
        for _ in range(25):
            with store.deciding() as table:
                counts = [taken.in_hand for taken in table.by_others(["proj_1"]).get(BYTES, [])]
                table.write({BYTES: Taken(max([own[0], *counts]) + 1)})
                own[0] = max([own[0], *counts]) + 1

    stores, own = (process("one"), process("other")), ([0], [0])
    threads = [threading.Thread(target=add, args=(store, its)) for store, its in zip(stores, own, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(own[0][0], own[1][0]) == 50
