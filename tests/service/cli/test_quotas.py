"""`tapedeck quotas`: shows what is used and what may be, sets quotas of one project, and resets them."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from click.testing import CliRunner

from adapters.directory.entries import EndUser
from adapters.directory.sqlite import SqliteDirectory
from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from service.cli import main
from tests.domain.histories import chunk, opened

NEW = """proj_1
  bytes            5 (no limit)
  open_recordings  1 (of 10000)
  recordings       1 (no limit)
  waiting_notes    0 (of 1000)
  sessions         0 (no limit)
  webhooks         0 (of 50)
  end_users        1 (of 100000)
  devices          0 (of 100000)
"""


@pytest.fixture
def tapedeck(tmp_path, monkeypatch):
    monkeypatch.setenv("TAPEDECK_DATA_DIR", str(tmp_path / "data"))

    def run(*words):
        ran = CliRunner().invoke(main, words)
        return ran.exit_code, ran.output

    return run


async def fill(data_dir):
    data_dir.mkdir()
    log = EventLog(SQLiteLogRecorder(data_dir / "tapedeck.sqlite3"))
    await log.append(uuid4(), 0, [opened(), chunk(1, b"12345")], trace_id=None)
    await log.close()
    now = datetime.now(UTC)
    directory = SqliteDirectory(data_dir / "directory.sqlite3")
    directory.put_end_user(EndUser(id="eu_1", project_id="proj_1", created_at=now, updated_at=now))
    directory.close()


def test_use_and_limits_are_shown_by_project_and_a_quota_of_its_own_is_set_and_reset(tapedeck, tmp_path):
    asyncio.run(fill(tmp_path / "data"))
    assert tapedeck("rebuild", "usage")[0] == 0
    assert tapedeck("quotas", "show") == (0, NEW)
    assert tapedeck("quotas", "set", "proj_1", "bytes", "1000") == (
        0,
        "proj_1: bytes            5 (of 1000, set for this project)\n",
    )
    tapedeck("quotas", "set", "proj_1", "open_recordings", "none")
    tapedeck("quotas", "set", "proj_2", "recordings", "0")
    _, shown = tapedeck("quotas", "show")
    assert "  open_recordings  1 (no limit, set for this project)\n" in shown
    assert shown.index("proj_1\n") < shown.index("proj_2\n")
    assert "  recordings       0 (of 0, set for this project)\n" in shown
    assert tapedeck("quotas", "reset", "proj_1", "bytes")[0] == 0
    assert tapedeck("quotas", "show", "proj_1")[1] == NEW.replace("1 (of 10000)", "1 (no limit, set for this project)")
    assert tapedeck("quotas", "reset", "proj_1") == (0, "proj_1: the settings are in force.\n")
    assert tapedeck("quotas", "show", "proj_1") == (0, NEW)


@pytest.mark.parametrize("most", ["-1", "1.5", "many", "9" * 19])
def test_what_is_no_number_of_things_is_refused_with_one_sentence(tapedeck, most):
    code, said = tapedeck("quotas", "set", "proj_1", "bytes", "--", most)
    assert code == 2
    assert f"{most!r} is neither a whole number nor 'none'." in said


def test_a_file_that_cannot_be_used_is_named(tapedeck, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "quotas.sqlite3").write_bytes(b"not a database" * 100)
    code, said = tapedeck("quotas", "show")
    assert (code, said) == (1, "Error: The quotas cannot be used: file is not a database.\n")
