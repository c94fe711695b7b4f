"""A log's copy, in a file and in PostgreSQL, is that log in the end, and no log before."""

import sqlite3
from contextlib import closing
from itertools import islice
from uuid import uuid4

import pytest

from adapters.event_log import copying
from adapters.event_log.copying import CopyRefused, compare, complete, copy_events, is_begun
from adapters.event_log.log_file import LogFile
from adapters.event_log.opening import open_copy, open_log
from adapters.event_log.port import COPY_OF, LogUnavailable
from tests.adapters.event_log.recorder_contract import append, positions


@pytest.fixture
def original(tmp_path):
    """A log that a service is writing to."""
    log = open_log(f"sqlite:///{tmp_path}/log.sqlite3").recorder
    yield log
    log.close()


@pytest.fixture
def source(original, tmp_path):
    file = LogFile(tmp_path / "log.sqlite3")
    yield file
    file.close()


@pytest.fixture(params=["file", "postgresql"])
def url(request, tmp_path):
    return f"sqlite:///{tmp_path}/copy/log.sqlite3" if request.param == "file" else request.getfixturevalue("database")


@pytest.fixture
def copy(url):
    copy = open_copy(url)
    yield copy
    copy.close()


def write(log, count, state=b"\x00{}"):
    for _ in range(count):
        stream = uuid4()
        log.insert_batch([append(stream, 0, 2, state), append(uuid4(), 0, 1, state), append(stream, 2, 1, state)])


def copy_all(source, copy):
    copying.begin(source, copy)
    return list(copy_events(source, copy))


def everything(log):
    return log.select_notifications(0, 10_000, inclusive_of_start=False)


def test_a_copy_has_the_same_events_at_the_same_positions_and_in_the_end_the_same_identity(original, source, copy, url):
    write(original, 300)
    assert not is_begun(source, copy)
    assert copy_all(source, copy) == [1_000, 1_200]
    assert everything(copy) == everything(original)
    same = compare(source, copy)
    assert (same.count, len(same.sha256)) == (1_200, 64)
    complete(source, copy)
    again = open_log(url)
    assert again.recorder.identity == original.identity
    stream = everything(original)[-1].originator_id
    assert again.recorder.insert_batch([append(stream, 3), append(stream, 2)])[0] == 1_201
    again.close()


def test_it_goes_on_where_it_was_while_the_log_grows(original, source, copy):
    write(original, 300)
    copying.begin(source, copy)
    assert list(islice(copy_events(source, copy), 1)) == [1_000]
    write(original, 300)
    assert is_begun(source, copy)
    assert copy_all(source, copy) == [2_000, 2_400]
    assert everything(copy) == everything(original)


def test_nobody_takes_an_unfinished_copy_for_a_log(original, source, copy, url):
    write(original, 1)
    copy_all(source, copy)
    with pytest.raises(
        LogUnavailable, match="is a copy that is not complete: run `tapedeck copy --last` first"
    ) as said:
        open_log(url)
    assert "sesame" not in str(said.value)
    complete(source, copy)
    open_log(url).close()


def test_another_log_is_left_alone(original, source, copy):
    write(original, 1)
    write(copy, 1)
    before = everything(copy)
    with pytest.raises(CopyRefused, match="has another log"):
        is_begun(source, copy)
    assert everything(copy) == before


def test_the_unfinished_copy_of_another_log_is_left_alone(source, copy):
    copy.set_identity(f"{COPY_OF}{'0' * 32}")
    with pytest.raises(CopyRefused, match="unfinished copy of another"):
        is_begun(source, copy)


def test_a_copy_that_was_written_to_is_left_alone(original, source, copy):
    write(original, 1)
    copy_all(source, copy)
    complete(source, copy)
    write(copy, 1)
    with pytest.raises(CopyRefused, match="no longer the beginning of the source's"):
        is_begun(source, copy)
    write(original, 3)
    with pytest.raises(CopyRefused, match="no longer the beginning of the source's"):
        is_begun(source, copy)


def test_a_difference_of_one_byte_or_one_event_is_noticed(original, source, copy):
    write(original, 2)
    copy_all(source, copy)
    first = everything(original)[0]
    original.insert_batch([append(first.originator_id, 3)])
    with pytest.raises(CopyRefused, match="one of them ends before"):
        compare(source, copy)
    copy.insert_batch([append(first.originator_id, 3, state=b"{ }")])
    with pytest.raises(CopyRefused, match="differ at position 9"):
        compare(source, copy)


def test_a_gap_in_the_source_is_said_and_not_copied(original, source, copy, tmp_path):
    write(original, 2)
    with closing(sqlite3.connect(tmp_path / "log.sqlite3")) as damaged, damaged:
        damaged.execute("DELETE FROM stored_events WHERE rowid=3")
    with pytest.raises(CopyRefused, match="has a gap after position 0"):
        copy_all(source, copy)
    assert positions(copy) == []


def test_reading_changes_nothing_in_the_file(original, source, copy, tmp_path):
    write(original, 5)
    original.close()
    before = (tmp_path / "log.sqlite3").read_bytes()
    copy_all(source, copy)
    complete(source, copy)
    source.close()
    assert (tmp_path / "log.sqlite3").read_bytes() == before


def test_a_file_that_is_no_log_is_named(tmp_path):
    (tmp_path / "log.sqlite3").write_bytes(b"no database" * 100)
    with pytest.raises(LogUnavailable, match="cannot be read: file is not a database"):
        LogFile(tmp_path / "log.sqlite3")
