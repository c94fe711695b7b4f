"""Positions on disk are never ahead of what was saved, and seldom far behind."""

import sqlite3

import pytest

from adapters import positions
from adapters.database.port import PostgresPlace
from adapters.positions import PositionStore
from adapters.sqlite_file import DatabaseUnavailable


class Seconds:
    """A clock that the test sets."""

    now = 1_000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def seconds(monkeypatch):
    seconds = Seconds()
    monkeypatch.setattr(positions, "time", seconds)
    return seconds


@pytest.fixture
def store(tmp_path, seconds):
    return PositionStore(tmp_path / "followers.sqlite3")


def on_disk(tmp_path):
    """What a process would find that starts after a crash now."""
    found = sqlite3.connect(tmp_path / "followers.sqlite3")
    try:
        return dict(found.execute("SELECT follower, position FROM positions"))
    finally:
        found.close()


def test_all_followers_positions_are_written_together_once_a_second(store, seconds, tmp_path):
    seen = []
    for step in range(30):
        for follower in ("a", "b", "c"):
            store.save(follower, step)
        seen.append(on_disk(tmp_path))
        seconds.now += 0.1
    assert seen[0] == {"a": 0}
    assert seen[10] == {"a": 10, "b": 9, "c": 9}
    assert seen[20] == {"a": 20, "b": 19, "c": 19}
    assert len({tuple(each.items()) for each in seen}) == 3
    store.close()
    assert on_disk(tmp_path) == dict.fromkeys("abc", 29)


def test_what_is_saved_is_known_at_once_and_after_closing(place):
    store = PositionStore(place)
    store.save("a", 1)
    store.save("a", 2)
    store.save("b", 7)
    assert [store.load(follower) for follower in "abc"] == [2, 7, 0]
    store.close()
    again = PositionStore(place)
    assert [again.load(follower) for follower in "abc"] == [2, 7, 0]
    again.close()


@pytest.mark.slow
def test_a_server_that_does_not_answer_holds_up_nobody_and_gets_all_positions_later(own_postgres, seconds, caplog):
    place = PostgresPlace(f"{own_postgres.new_database()}?connect_timeout=2", "tapedeck_positions")
    store = PositionStore(place)
    own_postgres.kill()
    for position in range(1, 4):
        seconds.now += 1
        store.save("a", position)
        store._writing.exception()
    store.save("b", 9)
    assert [store.load(follower) for follower in "ab"] == [3, 9]
    assert len([record for record in caplog.records if record.name == "adapters.positions"]) == 1
    own_postgres.start()
    store.close()
    again = PositionStore(place)
    assert [again.load(follower) for follower in "ab"] == [3, 9]
    again.close()


@pytest.mark.slow
def test_a_server_that_is_away_when_the_store_is_closed_keeps_nobody_from_ending(own_postgres, caplog):
    place = PostgresPlace(f"{own_postgres.new_database()}?connect_timeout=2", "tapedeck_positions")
    store = PositionStore(place)
    store.save("a", 1)
    store._writing.result()
    store.save("a", 2)
    own_postgres.kill()
    store.close()
    assert [record.levelname for record in caplog.records if record.name == "adapters.positions"] == ["WARNING"]
    own_postgres.start()
    again = PositionStore(place)
    assert again.load("a") == 1
    again.close()


def test_a_failing_disk_loses_nobodys_position_and_is_written_as_soon_as_it_can_be(store, seconds, tmp_path, tables_of):
    store.save("a", 1)
    store.save("b", 2)
    with tables_of(tmp_path / "followers.sqlite3") as tables:
        tables.execute("CREATE TRIGGER full BEFORE INSERT ON positions BEGIN SELECT raise(FAIL, 'full'); END")
    seconds.now += 1
    with pytest.raises(DatabaseUnavailable, match="full"):
        store.save("a", 3)
    assert [store.load(follower) for follower in "ab"] == [3, 2]
    assert on_disk(tmp_path) == {"a": 1}
    with tables_of(tmp_path / "followers.sqlite3") as tables:
        tables.execute("DROP TRIGGER full")
    store.save("a", 4)
    assert on_disk(tmp_path) == {"a": 4, "b": 2}
    store.close()


def test_positions_in_a_file_are_moved_into_postgresql_and_stay_those_of_their_log(tmp_path, database):
    file = tmp_path / "followers.sqlite3"
    before = PositionStore(file)
    before.use_for("log", lambda: 9)
    before.save("publisher", 9)
    before.close()
    place = PostgresPlace(database, "tapedeck_followers", before=file)
    for identity, expected in (("log", 9), ("another log", 0)):
        store = PositionStore(place)
        store.use_for(identity, lambda: 9)
        assert store.load("publisher") == expected
        store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["followers.sqlite3.moved"]
