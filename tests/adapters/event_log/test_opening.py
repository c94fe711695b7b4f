"""How a log is named, made and found."""

import stat
from uuid import uuid4

import pytest

from adapters.event_log.opening import NoEventLog, open_log, require_log
from adapters.event_log.port import LogUnavailable
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


def test_a_log_is_made_in_a_database(database):
    log = open_log(database)
    assert log.recorder.insert_batch([append(uuid4(), 0, 2)]) == [2]
    log.close()
    again = open_log(database, must_exist=True)
    assert again.recorder.max_notification_id() == 2
    again.close()


def test_a_database_without_a_log_is_left_as_it_is_and_named_without_its_password(database):
    with pytest.raises(NoEventLog) as missing:
        open_log(database, must_exist=True)
    place = database.replace("tapedeck:open%20sesame@", "")
    assert str(missing.value) == f"There is no event log at {place}."
    with pytest.raises(NoEventLog):
        require_log(database)


def test_a_database_that_cannot_be_reached_is_refused_in_one_sentence_without_its_password(postgres):
    for url in (postgres.url("missing"), postgres.url().replace("open%20", "closed%20")):
        with pytest.raises(LogUnavailable, match=r"^The event log cannot be used: .*\.$") as refused:
            open_log(url)
        assert "sesame" not in str(refused.value)


def test_a_url_is_shown_without_its_password():
    with pytest.raises(ValueError, match="must be sqlite") as refused:
        open_log("postgresql://tapedeck:secret@host:port:5432?password=secret")
    assert "secret" not in str(refused.value)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """Of a log that can be opened more than once."""
    return request.getfixturevalue("database") if request.param == "postgresql" else f"sqlite:///{tmp_path}/log.sqlite3"


def test_the_newest_snapshot_of_a_stream_is_kept_beside_the_log(url):
    stream, other = uuid4(), uuid4()
    log = open_log(url)
    assert log.snapshots.newest(stream) is None
    log.snapshots.keep(stream, StoredSnapshot(7, "Kind", b"state at 7"))
    log.snapshots.keep(stream, StoredSnapshot(9, "Kind", b"state at 9"))
    log.snapshots.keep(other, StoredSnapshot(1, "Other", b""))
    log.close()
    again = open_log(url)
    again.snapshots.keep(stream, StoredSnapshot(9, "Kind", b"state at 9"))
    assert again.snapshots.newest(stream) == StoredSnapshot(9, "Kind", b"state at 9")
    assert again.snapshots.newest(other) == StoredSnapshot(1, "Other", b"")
    again.snapshots.forget(stream)
    again.snapshots.forget(uuid4())
    assert again.snapshots.newest(stream) is None
    assert again.snapshots.newest(other) is not None
    again.close()


@pytest.mark.parametrize("url", ["", "postgresql://host", "postgresql://host:x y/log", "sqlite:///", "/no/scheme"])
def test_a_url_that_names_no_log_is_refused_in_one_sentence(url):
    with pytest.raises(ValueError, match=r"^There is no event log for .*\.$"):
        open_log(url)
