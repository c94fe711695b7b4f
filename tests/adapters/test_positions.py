"""Positions on disk are never ahead of what was saved, and seldom far behind."""

import sqlite3

import pytest

from adapters import positions
from adapters.positions import PositionStore


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


def test_what_is_saved_is_known_at_once_and_after_closing(store, tmp_path):
    store.save("a", 1)
    store.save("a", 2)
    store.save("b", 7)
    assert [store.load(follower) for follower in "abc"] == [2, 7, 0]
    store.close()
    assert [PositionStore(tmp_path / "followers.sqlite3").load(follower) for follower in "abc"] == [2, 7, 0]


def test_a_failing_disk_loses_nobodys_position_and_is_written_as_soon_as_it_can_be(store, seconds, tmp_path):
    store.save("a", 1)
    store.save("b", 2)
    store._connection.execute("CREATE TRIGGER full BEFORE INSERT ON positions BEGIN SELECT raise(FAIL, 'full'); END")
    seconds.now += 1
    with pytest.raises(sqlite3.Error, match="full"):
        store.save("a", 3)
    assert [store.load(follower) for follower in "ab"] == [3, 2]
    assert on_disk(tmp_path) == {"a": 1}
    store._connection.execute("DROP TRIGGER full")
    store.save("a", 4)
    assert on_disk(tmp_path) == {"a": 4, "b": 2}
    store.close()
