"""`tapedeck quotas`: shows what is used and what may be, sets quotas of one project, and resets them."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from click.testing import CliRunner

from adapters.directory.entries import EndUser
from adapters.directory.tables import DirectoryTables
from adapters.event_log.log import EventLog
from adapters.event_log.opening import open_log
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.quotas import Quota, QuotaStore
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


CUSTOMER = "2C1E6F0E-7d3a-4b5c-9e8f-0a1b2c3d4e5f"
ITS_PROJECT = "proj_2c1e6f0e7d3a4b5c9e8f0a1b2c3d4e5f"


@pytest.fixture
def tapedeck(tmp_path, monkeypatch):
    monkeypatch.setenv("TAPEDECK_DATA_DIR", str(tmp_path / "data"))

    def run(*words):
        ran = CliRunner().invoke(main, words)
        return ran.exit_code, ran.output

    return run


async def tell(log):
    await log.append(uuid4(), 0, [opened(), chunk(1, b"12345")], trace_id=None)
    await log.close()


async def fill(data_dir):
    data_dir.mkdir()
    await tell(EventLog(SQLiteLogRecorder(data_dir / "tapedeck.sqlite3")))
    now = datetime.now(UTC)
    directory = DirectoryTables(data_dir / "directory.sqlite3")
    directory.put_end_user(EndUser(id="eu_1", project_id="proj_1", created_at=now, updated_at=now))
    directory.close()


@pytest.mark.slow
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


def test_use_and_quotas_are_in_postgresql_if_the_log_is(tapedeck, tmp_path, monkeypatch, database):
    monkeypatch.setenv("TAPEDECK_DATABASE_URL", database)
    asyncio.run(tell(EventLog(open_log(database).recorder)))
    assert tapedeck("rebuild", "usage") == (0, "usage: rebuilt from 2 events.\n")
    assert tapedeck("quotas", "set", "proj_1", "bytes", "1000")[0] == 0
    shown = NEW.replace("5 (no limit)", "5 (of 1000, set for this project)").replace("1 (of 100000)", "0 (of 100000)")
    assert tapedeck("quotas", "show") == (0, shown)
    assert tapedeck("quotas", "reset", "proj_1")[0] == 0
    assert tapedeck("quotas", "show")[1] == NEW.replace("1 (of 100000)", "0 (of 100000)")
    assert [path.name for path in (tmp_path / "data").glob("*.sqlite3")] == []


def test_a_customer_of_dragons_names_its_project(tapedeck, tmp_path):
    asyncio.run(fill(tmp_path / "data"))
    assert tapedeck("quotas", "set", CUSTOMER, "recordings", "3")[1].startswith(f"{ITS_PROJECT}: recordings ")
    for named in (CUSTOMER, ITS_PROJECT):
        _, shown = tapedeck("quotas", "show", named)
        assert shown.startswith(f"{ITS_PROJECT}\n")
        assert "  recordings       0 (of 3, set for this project)\n" in shown
    assert tapedeck("quotas", "reset", CUSTOMER) == (0, f"{ITS_PROJECT}: the settings are in force.\n")
    assert "set for this project" not in tapedeck("quotas", "show", ITS_PROJECT)[1]


@pytest.mark.parametrize("command", [["show"], ["set", "bytes", "5"], ["reset"]], ids=lambda words: words[0])
@pytest.mark.parametrize("no_project", ["clinic", "proj_", "proj_a-b", f"proj_{CUSTOMER}", "proj_" + "1" * 60, ""])
def test_what_is_no_project_is_refused_with_one_sentence(tapedeck, tmp_path, command, no_project):
    asyncio.run(fill(tmp_path / "data"))
    code, said = tapedeck("quotas", command[0], no_project, *command[1:])
    assert code == 2
    assert said.endswith(
        f"{no_project!r} is neither a project, which is proj_ followed by at most 59 letters and digits, "
        "nor the UUID of a Dragon customer.\n"
    )
    assert tapedeck("quotas", "show")[1] == ""


@pytest.mark.parametrize("no_project", ["clinic", CUSTOMER])
def test_a_quota_that_an_earlier_version_set_for_no_project_can_be_reset(tapedeck, tmp_path, no_project):
    asyncio.run(fill(tmp_path / "data"))
    store = QuotaStore(tmp_path / "data" / "quotas.sqlite3")
    store.set_for(no_project, Quota.BYTES, 5)
    store.set_for(ITS_PROJECT, Quota.BYTES, 5)
    assert tapedeck("quotas", "reset", no_project)[0] == 0
    assert list(store.all()) == ([ITS_PROJECT] if no_project == "clinic" else [])
    store.close()


@pytest.mark.parametrize("most", ["-1", "1.5", "many", ""])
def test_what_is_no_number_of_things_is_refused_with_one_sentence(tapedeck, most):
    code, said = tapedeck("quotas", "set", "proj_1", "bytes", most)
    assert code == 2
    assert f"{most!r} is neither a whole number nor 'none'." in said


@pytest.mark.parametrize("most", ["1" + "0" * 18, "9223372036854775807", "9" * 5000])
def test_a_number_that_is_too_large_is_refused_with_the_largest(tapedeck, most):
    code, said = tapedeck("quotas", "set", "proj_1", "bytes", most)
    assert code == 2
    assert said.endswith("the largest number is 999999999999999999; 'none' is no limit.\n")


def test_the_largest_number_can_be_set(tapedeck, tmp_path):
    asyncio.run(fill(tmp_path / "data"))
    code, said = tapedeck("quotas", "set", "proj_1", "bytes", "9" * 18)
    assert (code, said) == (0, f"proj_1: bytes            0 (of {'9' * 18}, set for this project)\n")


def test_an_unknown_quota_is_refused_with_those_that_there_are(tapedeck):
    code, said = tapedeck("quotas", "set", "proj_1", "bogus", "5")
    assert code == 2
    assert "Invalid value for 'QUOTA': 'bogus' is not one of 'bytes', 'open_recordings'," in said


@pytest.mark.parametrize("command", ["set", "reset"])
def test_help_names_every_quota(tapedeck, command):
    _, shown = tapedeck("quotas", command, "--help")
    assert [quota for quota in Quota if quota not in shown.split("Quotas:")[-1]] == []


@pytest.mark.parametrize("words", [["show"], ["show", "proj_1"], ["set", "proj_1", "bytes", "5"], ["reset", "proj_1"]])
def test_where_no_service_has_ever_run_nothing_is_made_and_the_setting_is_named(tapedeck, tmp_path, words):
    code, said = tapedeck("quotas", *words)
    log = tmp_path / "data" / "tapedeck.sqlite3"
    assert (code, said) == (
        1,
        f"Error: There is no event log at {log}; set TAPEDECK_DATA_DIR and TAPEDECK_DATABASE_URL as for the service.\n",
    )
    assert not (tmp_path / "data").exists()


def test_a_file_that_cannot_be_used_is_named(tapedeck, tmp_path):
    asyncio.run(fill(tmp_path / "data"))
    (tmp_path / "data" / "quotas.sqlite3").write_bytes(b"not a database" * 100)
    code, said = tapedeck("quotas", "show")
    assert (code, said) == (1, "Error: The quotas cannot be used: file is not a database.\n")
