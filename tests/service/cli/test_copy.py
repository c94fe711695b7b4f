"""`tapedeck copy` into another directory: what it copies, what it says, and what it leaves alone."""

import asyncio
import hashlib
import os
from contextlib import closing, contextmanager
from uuid import uuid4

import pytest
from click.testing import CliRunner

from adapters.blobs.opening import open_store
from adapters.database.port import PostgresPlace
from adapters.event_log.opening import open_log
from adapters.keys import KeyKind, KeyStore
from adapters.positions import PositionStore
from service.application.clock import utc_now
from service.cli import main
from service.runtime.data_dir import owned_data_dir
from tests.adapters.event_log.recorder_contract import append

BODIES = [b"", b"small", os.urandom(100_000), os.urandom(700_000)]


@pytest.fixture
def old(tmp_path):
    """The data directory of a service that is stopped."""
    old = tmp_path / "old"
    log = open_log(f"sqlite:///{old}/tapedeck.sqlite3")
    log.recorder.insert_batch([append(uuid4(), 0, 3), append(uuid4(), 0, 2)])
    put(old, *BODIES)
    with closing(PositionStore(old / "followers.sqlite3")) as positions:
        positions.use_for(log.recorder.identity, lambda: 5)
        positions.save("publisher", 5)
    log.close()
    (old / "signing.key").write_bytes(bytes(range(32)))
    (old / "views.sqlite3").write_bytes(b"made anew")
    return old


@pytest.fixture
def new(tmp_path):
    return tmp_path / "new"


@contextmanager
def blobs_of(data_dir, kind="segments"):
    with asyncio.Runner() as runner:

        async def opened():
            return open_store(f"{kind}://{data_dir}/blobs")

        store = runner.run(opened())
        store.run = runner.run
        try:
            yield store
        finally:
            runner.run(store.close())


def put(data_dir, *bodies):
    """Gives the keys."""

    async def pieces(body):
        yield body

    with blobs_of(data_dir) as store:
        return [store.run(store.put("rec/chunk-", pieces(body))).key for body in bodies]


def content(data_dir):
    with blobs_of(data_dir) as store:
        found = {}
        for key in store.keys():  # noqa: SIM118
            with store.open(key) as blob:
                found[key] = blob.read()
        return found


def copy(old, new, *options, **settings):
    """Gives the exit code and what is said, without progress."""
    given = {"TAPEDECK_DATA_DIR": str(new)} | {f"TAPEDECK_{name}": value for name, value in settings.items()}
    ran = CliRunner().invoke(main, ["copy", "--from", str(old), *options], env=given)
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exc_info
    return ran.exit_code, ran.stdout or ran.stderr.splitlines()[-1]


def refused(old, new, *options, **settings):
    code, said = copy(old, new, *options, **settings)
    assert code == 1
    return said.removeprefix("Error: ")


def test_passes_and_the_last_one_make_a_copy_that_is_whole(old, new):
    code, said = copy(old, new)
    assert (code, said) == (
        0,
        (
            "log: 5 events are copied.\n"
            "blobs: 4 copied now, 781.3 KiB; 0 erased that the source has erased.\n"
            f"This was a pass. For the last one, stop the service on {old} and add --last.\n"
        ),
    )
    assert not (new / "signing.key").exists()
    put(old, b"more")
    with blobs_of(old) as store:
        store.run(store.delete(f"rec/chunk-{hashlib.sha256(BODIES[2]).hexdigest()}"))
    code, said = copy(old, new, "--last", "--read-back")
    assert code == 0
    lines = said.splitlines()
    assert lines[1:3] == [
        "blobs: 1 copied now, 4 B; 1 erased that the source has erased.",
        "blobs: 4 read back, and each is what its digest says.",
    ]
    assert lines[3].startswith("log: the same 5 events in both places, SHA-256 ")
    assert lines[4:] == [
        "blobs: the same 4 in both places, 683.6 KiB.",
        "files: followers.sqlite3, signing.key.",
        (
            f"The copy is complete. Start the service with these settings, TAPEDECK_DATA_DIR={new}, and never again on "
            f"{old}."
        ),
    ]
    assert content(new) == content(old)
    assert (new / "signing.key").read_bytes() == bytes(range(32))
    assert (new / "signing.key").stat().st_mode & 0o777 == (new / "followers.sqlite3").stat().st_mode & 0o777 == 0o600
    with closing(PositionStore(new / "followers.sqlite3")) as positions:
        positions.use_for(open_identity(new), lambda: 5)
        assert positions.load("publisher") == 5
    assert copy(old, new, "--last")[0] == 0  # once more: nobody has used it


def open_identity(data_dir):
    log = open_log(f"sqlite:///{data_dir}/tapedeck.sqlite3", must_exist=True)
    log.close()
    return log.recorder.identity


def test_the_last_pass_waits_for_nobody_who_runs(old, new):
    with owned_data_dir(old):
        assert copy(old, new)[0] == 0
        assert refused(old, new, "--last") == f"A tapedeck is running on {old}: stop it before the last pass."
    with owned_data_dir(new):
        assert refused(old, new).startswith(f"Another tapedeck is running on {new};")


def test_a_copy_that_a_service_has_used_is_left_alone(old, new):
    assert copy(old, new, "--last")[0] == 0
    (new / "views.sqlite3").touch()
    assert refused(old, new, "--last") == f"A service has run on the copy in {new}; it is left alone."
    open_log(f"sqlite:///{new}/tapedeck.sqlite3", must_exist=True).close()


def test_a_directory_or_a_store_with_something_in_it_is_left_alone(old, new, tmp_path):
    for inside in (old, old / "new"):
        assert refused(old, inside) == "TAPEDECK_DATA_DIR is the source itself, or in it; set it to a new directory."
    new.mkdir()
    (new / "keys.sqlite3").touch()
    assert refused(old, new) == (f"{new} is not new: it has keys.sqlite3; set TAPEDECK_DATA_DIR to a new directory.")
    (new / "keys.sqlite3").unlink()
    kept = put(tmp_path / "other", b"somebody else's")
    elsewhere = f"segments://{tmp_path}/other/blobs"
    assert refused(old, new, BLOB_URL=elsewhere) == "The destination has blobs already; it must be empty."
    assert list(content(tmp_path / "other")) == kept


def test_once_begun_another_directory_or_store_with_something_in_it_is_still_left_alone(old, new, tmp_path, database):
    """What has no place in the copy would be erased there, and keys in files replaced."""
    assert copy(old, new, DATABASE_URL=database)[0] == 0
    other = tmp_path / "other"
    kept = put(other, b"somebody else's")
    assert refused(old, other, DATABASE_URL=database) == "The destination has blobs already; it must be empty."
    said = refused(old, new, DATABASE_URL=database, BLOB_URL=f"segments://{other}/blobs")
    assert said == "The destination has blobs already; it must be empty."
    (other / "signing.key").write_bytes(bytes(32))
    assert refused(old, other, DATABASE_URL=database) == (
        f"{other} is not new: it has signing.key; set TAPEDECK_DATA_DIR to a new directory."
    )
    assert list(content(other)) == kept
    assert refused(old, new).startswith(f"{new} is not new: it has copied-from;")
    assert copy(old, new, "--last", DATABASE_URL=database)[0] == 0


def test_the_copy_of_a_copy_is_one_too(old, new, tmp_path):
    assert copy(old, new, "--last")[0] == 0
    assert copy(new, tmp_path / "newer", "--last")[0] == 0
    assert copy(new, tmp_path / "newer", "--last")[0] == 0
    assert content(tmp_path / "newer") == content(old)


def test_the_copy_of_one_service_does_not_become_that_of_another(old, new, tmp_path):
    assert copy(old, new)[0] == 0
    other = tmp_path / "other"
    open_log(f"sqlite:///{other}/tapedeck.sqlite3").close()
    assert refused(other, new) == "The destination's log is the unfinished copy of another one."


def test_where_there_is_no_log_or_the_blobs_are_in_a_bucket_there_is_nothing_to_copy(old, new, tmp_path):
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "empty", new) == (
        f"{tmp_path}/empty has no event log in a file, tapedeck.sqlite3: there is nothing to copy."
    )
    (old / "bucket").mkdir()
    assert refused(old, new) == f"The blobs of {old} are in a bucket already; from there they cannot be copied."
    assert not new.exists()


def test_blobs_may_stay_where_they_are(old, new):
    before = content(old)
    code, said = copy(old, new, "--last", BLOB_URL=f"segments://{old}/blobs")
    assert (code, "blobs: they stay where they are.\n" in said) == (0, True)
    assert not (new / "blobs").exists()
    assert content(old) == before


def test_blobs_may_be_where_the_service_was_told_to_store_them(old, new, tmp_path):
    (old / "blobs").rename(tmp_path / "audio")
    assert copy(old, new, "--from-blobs", f"segments://{tmp_path}/audio", "--last")[0] == 0
    (tmp_path / "audio").rename(old / "blobs")
    assert content(new) == content(old)


def test_a_damaged_blob_is_named_and_keeps_the_copy_from_being_complete(old, new):
    (large,) = (old / "blobs" / "rec").glob(f"chunk-{hashlib.sha256(BODIES[3]).hexdigest()}")
    large.write_bytes(b"x" + BODIES[3][1:])
    key = large.relative_to(old / "blobs")
    code, said = copy(old, new)
    assert (code, f"{key} is damaged in the source, and was not copied.\n" in said) == (0, True)
    assert refused(old, new, "--last") == (
        f"1 blobs are damaged in the source, such as {key}: `tapedeck blobs check` on it names them all."
    )
    large.write_bytes(BODIES[3])
    assert copy(old, new, "--last")[0] == 0


def test_what_is_damaged_in_the_copy_is_found_by_reading_it_back(old, new):
    assert copy(old, new)[0] == 0
    (large,) = (new / "blobs" / "rec").glob(f"chunk-{hashlib.sha256(BODIES[3]).hexdigest()}")
    large.write_bytes(b"x" + BODIES[3][1:])
    assert refused(old, new, "--last", "--read-back").startswith(
        f"rec/{large.name} is damaged in the copy: its SHA-256"
    )
    large.write_bytes(b"x")
    assert refused(old, new, "--last") == (f"rec/{large.name} has 700000 bytes in the source and 1 bytes in the copy.")


def test_keys_in_the_copy_are_those_of_the_source(old, new):
    with closing(KeyStore(old / "keys.sqlite3", clock=utc_now)) as keys:
        token = keys.create(KeyKind.SECRET, project_id="proj_1").token
        assert copy(old, new, "--last")[0] == 0  # what is committed is copied, also if it is in the write-ahead log
    with closing(KeyStore(new / "keys.sqlite3", clock=utc_now)) as keys:
        assert keys.authenticate(token, now=utc_now()).project_id == "proj_1"


def test_a_database_that_is_away_is_one_sentence(old, new):
    said = refused(old, new, DATABASE_URL="postgresql://nobody:sesame@127.0.0.1:1/tapedeck")
    assert said.startswith(
        "The copy stopped, and goes on from here when it is run again: The database cannot be claimed"
    )
    assert "sesame" not in said


def test_a_database_with_tables_of_a_service_is_left_alone(old, new, database):
    with closing(KeyStore(PostgresPlace(database, "tapedeck_keys"), clock=utc_now)) as keys:
        keys.create(KeyKind.SECRET, project_id="proj_1")
    assert refused(old, new, DATABASE_URL=database).endswith(
        "has been used by a service already: it has the schema tapedeck_keys."
    )
