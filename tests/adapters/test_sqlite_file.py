import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from adapters import sqlite_file
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.sqlite_file import LOG_BYTES, connect, give_back


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


def filled(connection: sqlite3.Connection, rows: int = 2_000) -> None:
    connection.execute("CREATE TABLE kept (x BLOB)")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO kept VALUES (?)", [(bytes(4_000),)] * rows)
    connection.execute("COMMIT")


def size(path: Path) -> int:
    return sum(each.stat().st_size for each in path.parent.glob(f"{path.name}*"))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file as it was made before files could give space back."""
    path = tmp_path / "file.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE old (x)")
    return path


@pytest.mark.parametrize("made_before", [False, True])
def test_a_file_gives_back_what_it_no_longer_uses(tmp_path, request, made_before):
    path = request.getfixturevalue("old") if made_before else tmp_path / "file.sqlite3"
    with closing(connect(path, durable=False)) as writer, closing(connect(path, durable=False)) as reader:
        filled(writer)
        full = size(path)
        writer.execute("DELETE FROM kept WHERE rowid > 100")
        give_back(writer)
        assert size(path) < full / 4
        assert reader.execute("SELECT count(*) FROM kept").fetchone() == (100,)
        assert reader.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_file_that_is_in_use_is_left_as_it_is(tmp_path):
    path = tmp_path / "file.sqlite3"
    with closing(connect(path, durable=False)) as writer:
        filled(writer)
        give_back(writer)
        assert writer.execute("SELECT count(*) FROM kept").fetchone() == (2_000,)
        assert writer.execute("PRAGMA freelist_count").fetchone() == (0,)


def test_a_long_write_ahead_log_is_cut_back(tmp_path):
    path = tmp_path / "file.sqlite3"
    log = path.with_name("file.sqlite3-wal")
    with closing(connect(path, durable=False)) as writer:
        filled(writer, rows=5_000)
        assert log.stat().st_size > LOG_BYTES
        writer.execute("INSERT INTO kept VALUES (1)")
        assert log.stat().st_size <= LOG_BYTES
