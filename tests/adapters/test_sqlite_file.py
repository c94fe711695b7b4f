import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from adapters import sqlite_file
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.sqlite_file import connect


def opened_as_log(path: Path) -> None:
    SQLiteLogRecorder(path).close()


def opened_as_any(path: Path) -> None:
    connect(path, durable=True).close()


@pytest.fixture
def another(tmp_path: Path):
    """Who has opened a new file a moment earlier and is writing to it before it has a write-ahead log."""
    with closing(sqlite3.connect(tmp_path / "new.sqlite3", isolation_level=None, check_same_thread=False)) as another:
        another.execute("BEGIN IMMEDIATE")
        another.execute("CREATE TABLE theirs (x)")
        yield another


@pytest.mark.parametrize("opened", [opened_as_any, opened_as_log])
def test_who_opens_a_new_file_waits_for_another_who_is_writing_to_it(tmp_path, another, opened):
    ending = threading.Timer(0.2, another.execute, ["COMMIT"])
    ending.start()
    try:
        opened(tmp_path / "new.sqlite3")
    finally:
        ending.join()
    assert another.execute("SELECT name FROM sqlite_master WHERE name='theirs'").fetchone()
    assert another.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_but_not_for_ever(tmp_path, another, monkeypatch):
    monkeypatch.setattr(sqlite_file, "LOCK_TIMEOUT_SECONDS", 0.1)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        opened_as_any(tmp_path / "new.sqlite3")


def test_a_file_that_is_no_database_is_told_and_left_alone(tmp_path):
    path = tmp_path / "letter"
    path.write_bytes(b"Dear reader, " * 1000)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        opened_as_any(path)
    assert path.read_bytes() == b"Dear reader, " * 1000
