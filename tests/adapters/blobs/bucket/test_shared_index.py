"""An index in PostgreSQL, as processes on several machines share it: who is held up, killed or cut off harms nobody."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from adapters.blobs.bucket import removers
from adapters.blobs.bucket.address import with_folder, with_index
from adapters.blobs.bucket.index_in_postgres import CONNECTIONS
from adapters.blobs.bucket.store import BucketBlobStore
from adapters.blobs.opening import open_store
from adapters.blobs.port import BlobFailure, BlobNotFound, StorageUnavailable
from adapters.postgres import connections
from adapters.postgres.connections import Connection
from tests.adapters.blobs.bucket.test_store import kept_together, keys_of, shared_objects
from tests.adapters.blobs.contract import PREFIX, described, noise, streamed, whole
from tests.places import REPOSITORY
from tests.tools.postgres.server import PostgresServer
from tests.tools.s3.server import S3Server

BODIES = [noise(3_000, number) for number in range(6)]


class Machines:
    """Each opens the one bucket with the one index, and has a folder of its own."""

    def __init__(self, url: str, database: str, folders: Path) -> None:
        self.database = database
        self._url = url
        self._folders = folders
        self.opened: list[BucketBlobStore] = []

    def url(self, name: str) -> str:
        return with_index(with_folder(self._url, self._folders / name), self.database)

    def open(self, name: str) -> BucketBlobStore:
        store = open_store(self.url(name))
        assert isinstance(store, BucketBlobStore)
        self.opened.append(store)
        return store

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        with closing(psycopg.connect(self.database, autocommit=True)) as connection:
            cursor = connection.execute(statement)  # type: ignore[arg-type] - a constant
            return cursor.fetchall() if cursor.description is not None else []


@pytest.fixture
async def machines(bucket_url: str, database: str, tmp_path: Path) -> AsyncIterator[Machines]:
    machines = Machines(bucket_url, database, tmp_path)
    yield machines
    for store in machines.opened:
        await store.close()


@pytest.fixture
def objects(s3: S3Server, bucket_url: str) -> Path:
    return s3.files_of(bucket_url) / "tapes"


def after_put(store: BucketBlobStore, then: Callable[[], None]) -> None:
    """The next time that the store has put an object, and nobody knows where it belongs, something else happens."""
    put = store._bucket.put

    def put_once(name: str, content: bytes) -> None:
        put(name, content)
        store._bucket.put = put  # type: ignore[method-assign]
        then()

    store._bucket.put = put_once  # type: ignore[method-assign]


def cleared_by(store: BucketBlobStore) -> None:
    """All that removes what nobody needs: a start, an erasing."""
    store.recover()
    store._space.remove_dead()


# --- what is being written, and by whom


async def test_what_one_is_about_to_commit_no_start_adopts_and_no_erasing_elsewhere_deletes(
    machines: Machines, objects: Path
) -> None:
    one, other = machines.open("one"), machines.open("other")
    other.recover()
    after_put(one, lambda: cleared_by(other))
    assert await kept_together(one, BODIES) == [None] * len(BODIES)
    assert len(shared_objects(objects)) == 1
    for store in (one, other):
        assert [await whole(store, key) for key in await keys_of(other, BODIES)] == BODIES


async def test_what_a_process_was_writing_that_is_gone_is_deleted_by_the_next_erasing(
    machines: Machines, s3: S3Server, bucket_url: str
) -> None:
    other = machines.open("other")
    other.recover()
    program = (
        "import asyncio, os, signal, sys\n"
        "from adapters.blobs.bucket.index_in_postgres import IndexInPostgres\n"
        "from adapters.blobs.opening import open_store\n"
        "from tests.adapters.blobs.contract import noise, streamed\n"
        "IndexInPostgres.add = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(open_store(sys.argv[1]).put('rec_1/', streamed([noise(3_000, 0)])))"
    )
    killed = await asyncio.to_thread(ran, program, machines.url("killed"))
    assert killed == -signal.SIGKILL
    assert s3.contains(bucket_url, BODIES[0])
    await other.erase("rec_2/")
    assert not s3.contains(bucket_url, BODIES[0])
    assert list(other.differences()) == []
    assert list(other.keys()) == []


def ran(program: str, *arguments: str) -> int:
    return subprocess.run([sys.executable, "-c", program, *arguments], cwd=REPOSITORY, check=False).returncode


async def test_one_that_was_taken_for_gone_stores_what_it_has_once_more(machines: Machines, objects: Path) -> None:
    one, other = machines.open("one"), machines.open("other")
    other.recover()
    first = await keys_of(one, BODIES[:1])

    def cut_off() -> None:
        machines.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        other._space.remove_dead()

    after_put(one, cut_off)
    keys = [*first, *(await keys_of(one, BODIES[1:3]))]
    for store in (one, other):
        assert [await whole(store, key) for key in keys] == BODIES[:3]
    other._space.remove_dead()
    assert len(shared_objects(objects)) == 3
    assert list(other.differences()) == []


async def test_of_the_same_bodies_stored_at_once_one_copy_stays(machines: Machines, objects: Path) -> None:
    one, other = machines.open("one"), machines.open("other")
    other.recover()
    after_put(one, lambda: asyncio.run(kept_by(other, BODIES)))
    assert await kept_together(one, BODIES) == [None] * len(BODIES)
    assert len(shared_objects(objects)) == 2
    await other.erase("none/")
    assert len(shared_objects(objects)) == 1
    assert [await whole(one, described(PREFIX, body).key) for body in BODIES] == BODIES


async def kept_by(store: BucketBlobStore, bodies: Sequence[bytes]) -> list[BlobFailure | None]:
    return await kept_together(store, bodies)


# --- commits of which nobody knows


class Lost:
    """The next COMMIT gets no answer: the connection is lost before the server has it, or after."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, takes_effect: bool) -> None:
        execute = Connection.execute
        self.is_due = False

        def executed(connection: Connection, query: str, *arguments: object, **named: object) -> object:
            if not (self.is_due and query == "COMMIT"):
                return execute(connection, query, *arguments, **named)  # type: ignore[arg-type]
            self.is_due = False
            if takes_effect:
                execute(connection, query)
            connection.close()
            raise psycopg.OperationalError("the connection is lost")

        monkeypatch.setattr(Connection, "execute", executed)


@pytest.mark.parametrize("takes_effect", [True, False])
async def test_a_commit_whose_answer_is_lost_is_looked_up_before_anything_is_said(
    machines: Machines, objects: Path, monkeypatch: pytest.MonkeyPatch, takes_effect: bool
) -> None:
    one, other = machines.open("one"), machines.open("other")
    other.recover()
    await keys_of(one, [b"the first"])
    other._removing.submit(int).result()  # it removes nothing any more, and commits nothing
    lost = Lost(monkeypatch, takes_effect=takes_effect)
    after_put(one, lambda: setattr(lost, "is_due", True))
    failures = await kept_together(one, BODIES)
    assert [failure is None for failure in failures] == [takes_effect] * len(BODIES)
    for failure in failures:
        assert failure is None or str(failure) == (
            "The blob storage cannot be used: the database with its index cannot be used."
        )
    await other.erase("none/")
    assert len(shared_objects(objects)) == (2 if takes_effect else 1)
    assert await kept_together(one, BODIES) == [None] * len(BODIES)
    assert [await whole(other, described(PREFIX, body).key) for body in BODIES] == BODIES
    assert len(shared_objects(objects)) == 2


# --- moving what is left of objects


async def test_an_erasing_that_hangs_is_taken_over_and_nothing_of_what_it_moved_stays(
    machines: Machines, s3: S3Server, bucket_url: str, objects: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removers, "PATIENCE_SECONDS", 0.05)
    one, other = machines.open("one"), machines.open("other")
    one.recover()
    await kept_together(one, BODIES)
    keys = await keys_of(one, BODIES)

    def others_erasing() -> None:
        other._index.drop(keys[1:2])
        other._space.remove_dead()
        assert not any(s3.contains(bucket_url, body) for body in BODIES[:2])

    after_put(one, others_erasing)
    await one.delete(keys[0])
    assert not any(s3.contains(bucket_url, body) for body in BODIES[:2])
    assert len(shared_objects(objects)) == 1
    for store in (one, other):
        assert [await whole(store, key) for key in keys[2:]] == BODIES[2:]
        with pytest.raises(BlobNotFound):
            await store.size(keys[1])
    assert list(one.differences()) == []


@pytest.mark.slow
def test_who_waits_longer_than_a_server_may_take_to_answer_goes_on_all_the_same(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 5.0)
    monkeypatch.setattr(removers, "PATIENCE_SECONDS", 6.0)
    begun = []
    with removers.one_remover(database), removers.one_remover(database):
        begun.append("the other")
    assert begun == ["the other"]


async def test_who_comes_too_late_moves_nothing_that_another_has_moved(
    machines: Machines, s3: S3Server, bucket_url: str, objects: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who moves slowly is overtaken before it has announced what it moves."""
    monkeypatch.setattr(removers, "PATIENCE_SECONDS", 0.05)
    one, other = machines.open("one"), machines.open("other")
    one.recover()
    await kept_together(one, BODIES)
    keys = await keys_of(one, BODIES)
    announce = one._index.name_for_moved

    def overtaken(sources: Sequence[str]) -> str | None:
        other._index.drop(keys[1:2])
        other._space.remove_dead()
        return announce(sources)

    monkeypatch.setattr(one._index, "name_for_moved", overtaken)
    await one.delete(keys[0])
    assert not any(s3.contains(bucket_url, body) for body in BODIES[:2])
    assert len(shared_objects(objects)) == 1
    machines.open("third").recover()
    with pytest.raises(BlobNotFound):
        await other.size(keys[1])
    assert [await whole(other, key) for key in keys[2:]] == BODIES[2:]


async def test_a_database_from_before_a_move_was_complete_finds_what_was_moved(
    machines: Machines, tmp_path: Path
) -> None:
    one = machines.open("one")
    one.recover()
    await kept_together(one, BODIES)
    keys = await keys_of(one, BODIES)
    tables = ("blobs", "objects", "announced", "doomed", "about")

    def back_up() -> None:
        machines.execute("CREATE SCHEMA backup")
        for table in tables:
            machines.execute(f"CREATE TABLE backup.{table} AS TABLE tapedeck_bucket.{table}")

    after_put(one, back_up)
    await one.delete(keys[0])
    await one.close()
    for table in tables:
        machines.execute(f"TRUNCATE tapedeck_bucket.{table}")
        machines.execute(f"INSERT INTO tapedeck_bucket.{table} TABLE backup.{table}")
    restored = machines.open("restored")
    await asyncio.gather(restored.erase("none/"), return_exceptions=True)  # a worker, before the service starts
    restored.recover()
    assert sorted(restored.keys()) == sorted(keys[1:])
    assert [await whole(restored, key) for key in keys[1:]] == BODIES[1:]
    assert list(restored.differences()) == []


async def test_a_reader_follows_a_blob_that_another_machine_moves_again_and_again(machines: Machines) -> None:
    one, reader = machines.open("one"), machines.open("reader")
    one.recover()
    bodies = [noise(200_000, number) for number in range(4)]
    await kept_together(one, bodies)
    keys = await keys_of(one, bodies)
    with reader.open(keys[3]) as blob:
        read = b""
        for key in keys[:3]:
            await one.delete(key)
            read += await asyncio.to_thread(blob.raw.read, 50_000)  # type: ignore[attr-defined]
        assert read + await asyncio.to_thread(blob.read) == bodies[3]


# --- many objects, few connections


async def test_bucket_and_index_are_compared_page_by_page(
    machines: Machines, objects: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.blobs.bucket.recovery.PAGE", 3)
    monkeypatch.setattr("adapters.blobs.bucket.index_in_postgres.AT_ONCE", 2)
    one = machines.open("one")
    one.recover()
    bodies = [noise(1_000, number) for number in range(40)]
    keys = await keys_of(one, bodies)
    kept = dict(zip(keys, bodies, strict=True))
    unknown, missing = keys[5:15], keys[20:31]
    for key in unknown:
        one._index.forget([place_of(one, key)])
    for key in missing:
        (objects / place_of(one, key)).unlink()
        del kept[key]
    said = [each.sentence for each in one.differences()]
    assert sum("is missing in the bucket, with 1 blobs" in each for each in said) == len(missing)
    assert sum("not in the index" in each for each in said) == len(unknown)
    assert len(list(one.mend(take_over=False))) == len(missing) + len(unknown)
    assert sorted(one.keys()) == sorted(kept)
    assert [await whole(one, key) for key in kept] == list(kept.values())
    assert list(one.differences()) == []


def place_of(store: BucketBlobStore, key: str) -> str:
    place = store._index.find(key)
    assert place is not None
    return place.object


async def test_one_process_has_few_connections(machines: Machines) -> None:
    one = machines.open("one")
    one.recover()
    await asyncio.gather(*(one.put(PREFIX, streamed([noise(2_000, number)])) for number in range(60)))
    await asyncio.gather(*(one.size(described(PREFIX, noise(2_000, number)).key) for number in range(60)))
    one._removing.submit(int).result()  # what a start removes has been removed, over a connection of its own
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    ((count,),) = machines.execute(query)
    assert isinstance(count, int)
    assert count <= CONNECTIONS + 1  # one that says that the process lives


# --- two processes

WRITER = """
import asyncio, sys
from adapters.blobs.opening import open_store
from tests.adapters.blobs.contract import noise, streamed, whole

async def main():
    store, first = open_store(sys.argv[1]), int(sys.argv[2])
    async def one(number):
        body = noise(4_000, number)
        blob = await store.put("rec_1/", streamed([body]))
        if number % 3 == 0:
            await store.delete(blob.key)
        else:
            assert await whole(store, blob.key) == body
            print(blob.key, number, flush=True)
    for start in range(first, first + 120, 20):
        await asyncio.gather(*map(one, range(start, start + 20)))
    if sys.argv[3] == "is killed":
        await asyncio.Event().wait()
    await store.close()

asyncio.run(main())
"""


@pytest.mark.slow
async def test_two_processes_store_and_erase_at_once_and_a_third_that_is_killed_leaves_what_it_acknowledged(
    machines: Machines, s3: S3Server, bucket_url: str
) -> None:
    machines.open("service").recover()
    writers = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", WRITER, machines.url(f"m{first}"), str(first), fate),
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
        )
        for first, fate in ((0, "ends"), (1_000, "ends"), (2_000, "is killed"))
    ]
    assert writers[2].stdout is not None
    said = b""
    while said.count(b"\n") < 20:
        said += await writers[2].stdout.readline()
    writers[2].kill()
    outputs = [(await writer.communicate())[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, -signal.SIGKILL]
    acknowledged = dict(line.split() for line in (b"".join(outputs) + said).splitlines() if line.count(b" ") == 1)
    last = machines.open("last")
    last.recover()
    assert {key.encode() for key in last.keys()} >= acknowledged.keys()  # noqa: SIM118
    for key, number in acknowledged.items():
        assert await whole(last, key.decode()) == noise(4_000, int(number))
    await last.erase("none/")
    for number in (*range(0, 120, 3), *(each for each in range(1_000, 1_120) if each % 3 == 0)):
        assert not s3.contains(bucket_url, noise(4_000, number))
    assert list(last.differences()) == []


# --- out of a file


async def test_an_index_in_a_file_is_moved_at_the_first_start_and_nothing_is_lost_wherever_that_is_killed(
    machines: Machines, bucket_url: str, tmp_path: Path, s3: S3Server
) -> None:
    before = open_store(with_folder(bucket_url, tmp_path / "one"))
    before.recover()
    await kept_together(before, BODIES)
    keys = await keys_of(before, BODIES)
    await before.delete(keys[0])
    await before.close()
    file = tmp_path / "one" / "index.sqlite3"
    for_a_look = machines.open("one")
    with pytest.raises(StorageUnavailable, match="its index is still in a file, which the service moves"):
        list(for_a_look.differences())
    assert file.exists()
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from adapters.blobs.opening import open_store\n"
        "Path.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "open_store(sys.argv[1]).recover()"
    )
    assert await asyncio.to_thread(ran, program, machines.url("one")) == -signal.SIGKILL
    assert file.exists()
    moved = machines.open("one")
    moved.recover()
    assert (file.exists(), file.with_name("index.sqlite3.moved").exists()) == (False, True)
    assert [await whole(moved, key) for key in keys[1:]] == BODIES[1:]
    assert sorted(moved.keys()) == sorted(keys[1:])
    elsewhere = machines.open("elsewhere")
    assert await keys_of(elsewhere, [b"new"]) == [described(PREFIX, b"new").key]
    await moved.erase(PREFIX)
    assert not any(s3.contains(bucket_url, body) for body in BODIES)
    assert list(elsewhere.keys()) == []


async def test_a_database_that_is_away_is_said_to_be_so_without_its_address(
    bucket_url: str, own_postgres: PostgresServer, tmp_path: Path
) -> None:
    machines = Machines(bucket_url, own_postgres.new_database(), tmp_path)
    one = machines.open("one")
    one.recover()
    (key,) = await keys_of(one, BODIES[:1])
    own_postgres.kill()
    with pytest.raises(StorageUnavailable, match=r"^The blob storage cannot be used: the database with its index"):
        await one.put(PREFIX, streamed([BODIES[1]]))
    with pytest.raises(StorageUnavailable):
        await whole(one, key)
    own_postgres.start()
    assert await whole(one, key) == BODIES[0]
    assert await kept_together(one, BODIES) == [None] * len(BODIES)
    await one.close()
