"""Answers to named requests as they are kept."""

import sqlite3
import stat
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from adapters.kept_answers import KEPT_FOR, Answered, Begun, KeptAnswers, NamedRequest, NameReused
from adapters.private_files import DamagedKey
from adapters.sqlite_file import DatabaseTooNew, DatabaseUnavailable

NOW = datetime(2026, 11, 26, 8, tzinfo=UTC)
REQUEST, OTHER = NamedRequest(name=b"n", content=b"c"), NamedRequest(name=b"n", content=b"d")
ANSWER = Answered(201, '{"device_token":"dtok_a secret","name":"é"}'.encode(), about="proj_1/eu_1")


@pytest.fixture
def kept(tmp_path, place):
    with closing(KeptAnswers.with_key_in(tmp_path, place)) as kept:
        yield kept


ONLY_A_FILE = pytest.mark.parametrize("place", ["SQLite"], indirect=True)


def test_a_request_gets_its_first_answer_again_byte_for_byte_also_when_it_is_opened_again(tmp_path, place, kept):
    assert kept.begin(REQUEST, "id_1", now=NOW) == Begun("id_1")
    kept.keep(REQUEST, ANSWER)
    with closing(KeptAnswers.with_key_in(tmp_path, place)) as again:
        for one in (kept, again):
            assert one.begin(REQUEST, "id_2", now=NOW) == Answered(ANSWER.status, ANSWER.body)


def test_a_request_that_was_never_answered_is_begun_again_under_the_same_id(kept):
    for number in range(3):
        assert kept.begin(REQUEST, f"id_{number}", now=NOW) == Begun("id_0")


def test_a_name_is_one_requests_once_it_was_answered_and_until_then_the_last_ones(kept):
    kept.begin(REQUEST, "id_1", now=NOW)
    assert kept.begin(OTHER, "id_2", now=NOW) == Begun("id_2")
    kept.keep(OTHER, ANSWER)
    with pytest.raises(NameReused):
        kept.begin(REQUEST, "id_3", now=NOW)
    assert kept.begin(OTHER, "id_3", now=NOW) == Answered(ANSWER.status, ANSWER.body)


def test_after_a_day_the_name_is_free_and_the_answer_is_gone(kept):
    kept.begin(REQUEST, "id_1", now=NOW)
    kept.keep(REQUEST, ANSWER)
    last = NOW + KEPT_FOR - timedelta(microseconds=1)
    assert kept.begin(REQUEST, "id_2", now=last) == Answered(ANSWER.status, ANSWER.body)
    assert kept.begin(OTHER, "id_2", now=NOW + KEPT_FOR) == Begun("id_2")


def test_answers_about_what_is_deleted_are_dropped(kept):
    other = NamedRequest(name=b"o", content=b"c")
    for request, about in ((REQUEST, "proj_1/eu_1"), (other, "proj_1/eu_2")):
        kept.begin(request, "id_1", now=NOW)
        kept.keep(request, Answered(201, b"{}", about=about))
    kept.forget("proj_1/eu_1")
    assert kept.begin(REQUEST, "id_2", now=NOW) == Begun("id_2")
    assert kept.begin(other, "id_2", now=NOW) == Answered(201, b"{}")


@ONLY_A_FILE
def test_no_secret_is_on_the_disk_in_plain_text_and_the_files_are_their_owners_alone(tmp_path, kept):
    kept.begin(REQUEST, "id_1", now=NOW)
    kept.keep(REQUEST, ANSWER)
    files = list(tmp_path.iterdir())
    assert b"dtok_" not in b"".join(file.read_bytes() for file in files)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_with_another_key_file_the_request_is_done_again_under_its_id(tmp_path, place, kept):
    kept.begin(REQUEST, "id_1", now=NOW)
    kept.keep(REQUEST, ANSWER)
    (tmp_path / "answers.key").unlink()
    with closing(KeptAnswers.with_key_in(tmp_path, place)) as again:
        assert again.begin(REQUEST, "id_2", now=NOW) == Begun("id_1")


@ONLY_A_FILE
def test_what_cannot_be_used_is_told_in_one_sentence(tmp_path, place, kept):
    with closing(sqlite3.connect(place)) as file:
        file.execute("PRAGMA user_version=2")
    with pytest.raises(DatabaseTooNew, match=r"store.sqlite3 has schema version 2; this program knows 1\.$"):
        KeptAnswers.with_key_in(tmp_path, place)
    (tmp_path / "answers.key").write_bytes(b"short")
    with pytest.raises(DamagedKey, match="key for kept answers"):
        KeptAnswers.with_key_in(tmp_path, place)
    with closing(sqlite3.connect(place)) as file:
        file.execute("PRAGMA user_version=1")
        file.execute("DROP TABLE requests")
    with pytest.raises(DatabaseUnavailable, match=r"^The file store.sqlite3 cannot be used: "):
        kept.begin(REQUEST, "id_1", now=NOW)


def test_answers_of_more_than_a_day_ago_are_forgotten_also_if_nothing_more_is_asked(place, kept, tables_of):
    kept.begin(REQUEST, "id_1", now=NOW)
    kept.keep(REQUEST, ANSWER)
    kept.prune(now=NOW + KEPT_FOR - timedelta(microseconds=1))
    assert kept.begin(REQUEST, "id_2", now=NOW) == Answered(ANSWER.status, ANSWER.body)
    kept.prune(now=NOW + KEPT_FOR)
    with tables_of(place) as tables:
        assert tables.execute("SELECT count(*) FROM requests").fetchone() == (0,)


@ONLY_A_FILE
def test_the_file_shrinks_when_many_answers_are_forgotten(tmp_path, kept):
    def size():
        return sum(path.stat().st_size for path in tmp_path.glob("store.sqlite3*"))

    for number in range(200):
        request = NamedRequest(name=b"%d" % number, content=b"c")
        kept.begin(request, "id", now=NOW)
        kept.keep(request, Answered(201, b"x" * 5_000))
    full = size()
    kept.prune(now=NOW + KEPT_FOR)
    assert size() < full / 4
