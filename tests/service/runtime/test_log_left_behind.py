"""A data directory whose event log is in a file is not taken over by a log in PostgreSQL."""

from uuid import uuid4

import pytest

from adapters.event_log.opening import open_log
from service.runtime.settings import BadSettings, load_settings
from tests.adapters.event_log.recorder_contract import append

URL = "postgresql://tapedeck:sesame@db.example/tapedeck"


@pytest.fixture
def log(tmp_path):
    log = open_log(f"sqlite:///{tmp_path}/tapedeck.sqlite3")
    yield log
    log.close()


def test_a_directory_with_a_log_in_a_file_is_refused_beside_postgresql(tmp_path, log):
    """Webhooks' positions in the old log would be taken for those in the new one."""
    log.recorder.insert_batch([append(uuid4(), 0)])
    with pytest.raises(BadSettings) as refused:
        load_settings(data_dir=tmp_path, database_url=URL)
    assert str(refused.value) == (
        f"{tmp_path}/tapedeck.sqlite3 is an event log with events, and not moved to postgresql://db.example/tapedeck "
        "by a start: set TAPEDECK_DATA_DIR to a new directory and run "
        f"`tapedeck copy --from {tmp_path}` to take all of it there, unset TAPEDECK_DATABASE_URL to go on with it, or, "
        "if all its recordings are in PostgreSQL already, move the file away."
    )
    assert load_settings(data_dir=tmp_path).log_url == f"sqlite:///{tmp_path}/tapedeck.sqlite3"


def test_a_log_without_events_is_in_nobody_s_way(tmp_path, log):
    assert load_settings(data_dir=tmp_path, database_url=URL).log_url == URL


def test_an_empty_file_is_in_nobody_s_way_and_one_that_cannot_be_read_is_named(tmp_path):
    file = tmp_path / "tapedeck.sqlite3"
    file.touch()
    assert load_settings(data_dir=tmp_path, database_url=URL).log_url == URL
    file.write_bytes(b"no database" * 100)
    with pytest.raises(BadSettings, match=r"tapedeck\.sqlite3 may be this service's event log, and cannot be read"):
        load_settings(data_dir=tmp_path, database_url=URL)
