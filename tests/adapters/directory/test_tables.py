"""The directory: the contract in both databases; of the file, what is on the disk, and what is not as expected."""

import random
import sqlite3
import stat
from contextlib import closing

import psycopg
import pytest

from adapters.database.port import PostgresPlace
from adapters.directory.port import PageAsked
from adapters.directory.tables import DirectoryTables
from adapters.sqlite_file import DatabaseFull, DatabaseTooNew, DatabaseUnavailable
from tests.adapters.directory.contract import *  # noqa: F403 - the contract suite
from tests.adapters.directory.contract import JANE, LATER, OURS, device, end_user


@pytest.fixture
def store(place):
    store = DirectoryTables(place)
    yield store
    store.close()


@pytest.fixture
def path(place):
    return place


ONLY_A_FILE = pytest.mark.parametrize("place", ["SQLite"], indirect=True)


def bytes_on_disk(path):
    return b"".join(file.read_bytes() for file in path.parent.iterdir())


def test_what_was_put_is_there_when_it_is_opened_again(place, store):
    store.put_end_user(JANE)
    store.put_device(device(1))
    with closing(DirectoryTables(place)) as again:
        assert again.end_user(OURS, "eu_1") == JANE
        assert again.device(OURS, "dev_1") == device(1)


@ONLY_A_FILE
def test_its_files_are_its_owners_alone(path, store):
    store.put_end_user(JANE)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {0o600}


def marked(chance):
    """A text that is found by its beginning, of any length."""
    mark = "".join(chance.choices("abcdefghij", k=24))
    return mark + "x" * chance.choice([0, 30, 300, 5_000])


@pytest.mark.parametrize("seed", range(6))
@ONLY_A_FILE
def test_no_byte_of_an_erased_end_user_is_left_in_any_file_after_any_history(path, store, seed):
    """Also of what they were called before it was changed. `secure_delete` alone leaves copies, as with seed 3."""
    chance = random.Random(seed)
    living, gone = {}, []
    for number in range(300):
        what = chance.random()
        if what < 0.5 or not living:
            texts = [marked(chance) for _ in range(4)]
            living[number] = texts
        elif what < 0.75:
            changed = chance.choice(list(living))
            gone.append(living[changed][2])
            living[changed][2] = marked(chance)
            number = changed  # noqa: PLW2901 - it is this one's turn
        else:
            erased = chance.choice(list(living))
            gone += living.pop(erased)
            assert store.erase_end_user(OURS, f"eu_{erased}", at=LATER)
            continue
        external_id, email, name, metadata = living[number]
        store.put_end_user(
            end_user(number, external_id=external_id, email=email, name=name, metadata=metadata.encode())
        )
    store.scrub()
    content = bytes_on_disk(path)
    assert [text[:24] for text in gone if text[:24].encode() in content] == []
    assert all(text[:24].encode() in content for texts in living.values() for text in texts)


@ONLY_A_FILE
def test_an_erasing_that_was_cut_off_is_made_up_for_when_the_file_is_opened(path, store):
    store.put_end_user(end_user(1, name="Jane Doe of Springfield"))
    assert store.erase_end_user(OURS, "eu_1", at=LATER)
    assert b"Jane Doe of Springfield" in bytes_on_disk(path)
    with closing(DirectoryTables(path)):
        assert b"Jane Doe of Springfield" not in bytes_on_disk(path)


@ONLY_A_FILE
def test_while_another_process_reads_the_file_erasing_says_so_and_is_made_up_for(path, store):
    store.put_end_user(end_user(1, name="Jane Doe of Springfield"))
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM end_users").fetchall()
        assert store.erase_end_user(OURS, "eu_1", at=LATER)
        store._database._writer.execute("PRAGMA busy_timeout=50")
        with pytest.raises(DatabaseUnavailable):
            store.scrub()
    store.scrub()
    assert b"Jane Doe of Springfield" not in bytes_on_disk(path)


@ONLY_A_FILE
def test_an_erasing_that_was_cut_off_keeps_no_file_closed_that_another_process_reads(path, store, monkeypatch):
    monkeypatch.setattr("adapters.sqlite_file.LOCK_TIMEOUT_SECONDS", 0.05)
    store.put_end_user(end_user(1, name="Jane Doe of Springfield"))
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM end_users").fetchall()
        assert store.erase_end_user(OURS, "eu_1", at=LATER)
        opened = DirectoryTables(path)
        assert opened.end_user(OURS, "eu_1") is None
    with closing(opened):
        opened.scrub()
        assert b"Jane Doe of Springfield" not in bytes_on_disk(path)


@ONLY_A_FILE
def test_a_file_of_a_later_version_is_refused_in_one_sentence(path):
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA user_version=2")
    with pytest.raises(DatabaseTooNew, match=r"store.sqlite3 has schema version 2; this program knows 1\.$"):
        DirectoryTables(path)


@ONLY_A_FILE
def test_a_full_disk_is_named_and_nothing_has_changed(store):
    store.put_end_user(JANE)
    (pages,) = store._database._writer.execute("PRAGMA page_count").fetchone()
    store._database._writer.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(DatabaseFull):
        store.put_end_user(end_user(2, name="x" * 20_000))
    assert store.end_users(OURS, PageAsked(limit=9)).rows == [JANE]
    store._database._writer.execute("PRAGMA max_page_count=1000000")
    store.put_end_user(end_user(2, name="x" * 20_000))


@ONLY_A_FILE
def test_what_cannot_be_read_is_named(store):
    store._database._writer.execute("DROP TABLE end_users")
    with pytest.raises(DatabaseUnavailable, match=r"^The file store.sqlite3 cannot be used: "):
        store.end_user(OURS, "eu_1")


@ONLY_A_FILE
def test_a_commit_is_synced_to_the_disk(store):
    assert store._database._writer.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_of_an_erased_end_user_nothing_is_left_in_the_servers_tables(database):
    """Also not in what its planner has noted of them."""
    place = PostgresPlace(database, "tapedeck_directory")
    with closing(DirectoryTables(place)) as store, psycopg.connect(database, autocommit=True) as administrator:
        for number in range(300):
            store.put_end_user(end_user(number, name="Jane Doe of Springfield"))
        store.put_end_user(end_user(300, name="Erika Mustermann"))
        administrator.execute("ANALYZE tapedeck_directory.end_users")
        asked = "SELECT pg_relation_filepath('tapedeck_directory.end_users'), most_common_vals::text FROM pg_stats"
        files, known = administrator.execute(f"{asked} WHERE attname='name'").fetchone()
        assert "Jane Doe" in known
        for number in range(300):
            assert store.erase_end_user(OURS, f"eu_{number}", at=LATER)
        store.scrub()
        found, known = administrator.execute(f"{asked} WHERE attname='name'").fetchone()
        assert found != files
        assert "Jane Doe" not in (known or "")
        assert [one.name for one in store.end_users(OURS, PageAsked(limit=9)).rows] == ["Erika Mustermann"]
