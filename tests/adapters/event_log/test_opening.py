"""How a log is named, made and found."""

import stat
from uuid import uuid4

import pytest

from adapters.event_log.opening import NoEventLog, open_log, require_log
from adapters.event_log.snapshots import StoredSnapshot
from tests.adapters.event_log.recorder_contract import append


def test_a_log_is_made_where_its_url_says_in_a_directory_of_its_owner(tmp_path):
    url = f"sqlite:///{tmp_path}/new/place/log.sqlite3"
    log = open_log(url)
    assert log.recorder.insert_batch([append(uuid4(), 0, 2)]) == [2]
    log.close()
    assert stat.S_IMODE((tmp_path / "new" / "place").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new" / "place" / "log.sqlite3").stat().st_mode) == 0o600
    again = open_log(url, must_exist=True)
    assert again.recorder.max_notification_id() == 2
    again.close()


def test_a_log_that_must_exist_is_not_made(tmp_path):
    url = f"sqlite:///{tmp_path}/place/log.sqlite3"
    with pytest.raises(NoEventLog) as missing:
        open_log(url, must_exist=True)
    assert str(missing.value) == f"There is no event log at {tmp_path}/place/log.sqlite3."
    with pytest.raises(NoEventLog):
        require_log(url)
    assert list(tmp_path.iterdir()) == []


def test_the_newest_snapshot_of_a_stream_is_kept_beside_the_log(tmp_path):
    url, stream, other = f"sqlite:///{tmp_path}/log.sqlite3", uuid4(), uuid4()
    log = open_log(url)
    assert log.snapshots.newest(stream) is None
    log.snapshots.keep(stream, StoredSnapshot(7, "Kind", b"state at 7"))
    log.snapshots.keep(stream, StoredSnapshot(9, "Kind", b"state at 9"))
    log.snapshots.keep(other, StoredSnapshot(1, "Other", b""))
    log.close()
    again = open_log(url)
    assert again.snapshots.newest(stream) == StoredSnapshot(9, "Kind", b"state at 9")
    assert again.snapshots.newest(other) == StoredSnapshot(1, "Other", b"")
    again.close()


@pytest.mark.parametrize("url", ["", "postgresql://host/log", "sqlite:///", "/no/scheme"])
def test_a_url_that_names_no_log_is_refused_in_one_sentence(url):
    with pytest.raises(ValueError, match=r"^There is no event log for .*\.$"):
        open_log(url)
