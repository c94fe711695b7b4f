import os
import sqlite3
import subprocess
import sys
from uuid import uuid4

import pytest

from adapters.event_log.port import LogFull
from adapters.event_log.sqlite import SQLiteLogRecorder
from tests.adapters.event_log.recorder_contract import RecorderContract, append, positions


class TestSQLiteLogRecorder(RecorderContract):
    def open(self, place):
        return SQLiteLogRecorder(place / "log.sqlite3")

    def test_positions_survive_vacuum_after_rows_are_gone(self, recorder, tmp_path):
        """An implicit rowid would be renumbered here, and every follower's position with it."""
        for _ in range(5):
            recorder.insert_batch([append(uuid4(), 0)])
        with sqlite3.connect(tmp_path / "log.sqlite3") as connection:
            connection.execute("DELETE FROM stored_events WHERE rowid IN (1, 3)")
        connection.execute("VACUUM")
        connection.close()
        assert positions(recorder) == [2, 4, 5]

    def test_a_commit_is_synced_in_full_to_a_write_ahead_log(self, recorder):
        with recorder.datastore.get_connection(commit=True) as connection:
            cursor = connection.cursor()
            cursor.execute("PRAGMA synchronous")
            assert cursor.fetchone()[0] == 2
            cursor.execute("PRAGMA journal_mode")
            assert cursor.fetchone()[0] == "wal"

    def test_a_commit_is_there_after_the_process_was_killed(self, tmp_path):
        script = (
            "import os, signal, sys\n"
            "from pathlib import Path\n"
            "from uuid import UUID\n"
            "from adapters.event_log.sqlite import SQLiteLogRecorder\n"
            "from tests.adapters.event_log.recorder_contract import append\n"
            "recorder = SQLiteLogRecorder(Path(sys.argv[1]))\n"
            "recorder.insert_batch([append(UUID(int=1), 0, 3)])\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        path = tmp_path / "log.sqlite3"
        ended = subprocess.run(
            [sys.executable, "-c", script, str(path)], check=False, env=os.environ | {"PYTHONPATH": "."}
        )
        assert ended.returncode == -9
        recorder = SQLiteLogRecorder(path)
        assert positions(recorder) == [1, 2, 3]
        recorder.close()

    def test_a_full_log_takes_nothing_of_the_batch_and_goes_on_when_there_is_room(self, recorder):
        """SQLite's own page limit gives the very error of a full disk."""
        recorder.insert_batch([append(uuid4(), 0)])

        def limit_pages(count: int) -> None:
            with recorder.datastore.get_connection(commit=True) as connection:
                connection.cursor().execute(f"PRAGMA max_page_count={count}")

        limit_pages(1)
        with pytest.raises(LogFull):
            recorder.insert_batch([append(uuid4(), 0), append(uuid4(), 0, state=b"x" * 100_000)])
        assert positions(recorder) == [1]
        limit_pages(2**30)
        assert recorder.insert_batch([append(uuid4(), 0, state=b"x" * 100_000)]) == [2]

    def test_a_commit_costs_the_same_after_a_long_history(self, recorder):
        """It was asked for each recording's last version in a way that read all of its history, every time."""
        stream_id = uuid4()
        recorder.insert_batch([append(stream_id, 0, 10)])
        after_a_short_one = steps_of_a_commit(recorder, append(stream_id, 10))
        recorder.insert_batch([append(stream_id, 11, 5_000)])
        assert steps_of_a_commit(recorder, append(stream_id, 5_011)) < 2 * after_a_short_one


def steps_of_a_commit(recorder, its_append):
    """How many instructions of its virtual machine SQLite needs, which no other load changes."""
    steps = 0

    def count():
        nonlocal steps
        steps += 1

    def watch(progress):
        with recorder.datastore.get_connection(commit=True) as connection:
            connection.cursor().sqlite_cursor.connection.set_progress_handler(progress, 1)

    watch(count)
    recorder.insert_batch([its_append])
    watch(None)
    return steps
