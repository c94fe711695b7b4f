"""The search index follows the log, through whatever happens to it."""

import asyncio
import threading
from contextlib import closing
from uuid import uuid4

import pytest
from click.testing import CliRunner

from adapters.blobs.port import StorageUnavailable
from adapters.search.digests import Owner
from adapters.search.index import SearchIndex
from domain.events import RecordingDeleted
from service.application import search_changes
from service.cli import main
from service.followers import search_follower
from service.runtime.places import search_place
from tests.domain.histories import at, opened
from tests.service.dialects.bota.spoken import Spoken
from tests.service.running_service import TurnedClock, running_service

MINE = Owner("proj_1", "eu_1")


@pytest.fixture
def data_dir(tmp_path):
    return tmp_path / "data"


def service(data_dir, **settings):
    return running_service(data_dir, TurnedClock(), **settings)


@pytest.fixture(params=["SQLite", pytest.param("PostgreSQL", marks=pytest.mark.slow)])
def either(request):
    """Settings with which the index is in a file, or in PostgreSQL."""
    return {} if request.param == "SQLite" else {"database_url": request.getfixturevalue("database")}


async def found(running, query):
    """How many passages are found, once the index has what is in the log."""
    await running.service.search_follower.wait_for(running.stores.log.head, seconds=60)
    return len(await asyncio.to_thread(running.stores.search_index.search, MINE, query))


async def delete(running, its_id):
    version = (await running.stores.log.history(its_id))[-1].version
    await running.stores.log.append(its_id, version, [RecordingDeleted(at=at(7))], trace_id=None)


async def erased(index):
    async with asyncio.timeout(60):
        while await asyncio.to_thread(_is_due, index):
            await asyncio.sleep(0.01)


def _is_due(index):
    with index._database.reading() as tables:
        (generation,) = tables.execute("SELECT generation FROM search_state").fetchone()
        return index._generation(tables, generation).is_due()


async def test_what_was_forgotten_is_erased_by_itself_also_after_a_stop_in_between(data_dir, either, monkeypatch):
    with monkeypatch.context() as stopped:
        stopped.setattr(SearchIndex, "erase_some", lambda _: False)
        async with service(data_dir, **either) as running:
            doomed = await Spoken(running.stores, "proj_1").recording("penicillin")
            assert await found(running, "penicillin") == 1
            await delete(running, doomed)
            assert await found(running, "penicillin") == 0
            assert _is_due(running.stores.search_index)
    async with service(data_dir, **either) as running:
        await erased(running.stores.search_index)
        doomed = await Spoken(running.stores, "proj_1").recording("penicillin")
        await delete(running, doomed)
        assert await found(running, "penicillin") == 0
        await erased(running.stores.search_index)


async def test_erasing_goes_on_though_events_that_mean_nothing_for_the_index_come_in_between(data_dir, monkeypatch):
    monkeypatch.setattr("adapters.search.tables.COPIED_PASSAGES", 1)
    erase_some, has_erased, may_go_on = SearchIndex.erase_some, threading.Event(), threading.Event()

    def erase_some_and_wait(index):
        is_left = erase_some(index)
        if is_left:
            has_erased.set()
            assert may_go_on.wait(60)
        return is_left

    monkeypatch.setattr(SearchIndex, "erase_some", erase_some_and_wait)
    async with service(data_dir) as running:
        spoken = Spoken(running.stores, "proj_1")
        doomed = await spoken.recording("penicillin")
        await spoken.recording(*(f"one rash {number}" for number in range(5)))
        await delete(running, doomed)
        assert await asyncio.to_thread(has_erased.wait, 60)
        await running.stores.log.append(uuid4(), 0, [opened(tenant_id="proj_1")], trace_id=None)
        may_go_on.set()
        await erased(running.stores.search_index)


async def test_a_lost_index_is_made_from_the_log_again(data_dir):
    async with service(data_dir) as running:
        spoken = Spoken(running.stores, "proj_1")
        await spoken.recording("one rash")
        await delete(running, await spoken.recording("another rash"))
        assert await found(running, "rash") == 1
    for path in data_dir.glob("search.sqlite3*"):
        path.unlink()
    async with service(data_dir) as running:
        assert await found(running, "rash") == 1


async def test_an_index_rebuilt_by_the_command_finds_what_it_found_before(data_dir, either):
    """Beside the running service, which then goes on from there."""
    async with service(data_dir, **either) as running:
        spoken = Spoken(running.stores, "proj_1")
        its_id = await spoken.recording("one rash", "and another")
        await delete(running, await spoken.recording("a rash that is gone"))
        before = await found(running, "rash another")
        with closing(SearchIndex(search_place(running.settings))) as other, other._database.writing() as tables:
            tables.execute("DELETE FROM recordings_1")
        assert await found(running, "rash another") == 0

        environment = {"TAPEDECK_DATA_DIR": str(data_dir), "TAPEDECK_DATABASE_URL": either.get("database_url")}
        rebuilt = await asyncio.to_thread(CliRunner().invoke, main, ["rebuild", "search"], env=environment)
        assert rebuilt.output == f"search: rebuilt from {running.stores.log.head} events.\n"
        assert await found(running, "rash another") == before == 2
        await spoken.heard_again(its_id, "no more of it")
        assert (await found(running, "rash"), await found(running, "more")) == (0, 1)


@pytest.mark.slow
async def test_in_postgresql_the_index_is_made_anew_and_the_file_that_it_was_in_is_removed(data_dir, database):
    async with service(data_dir) as running:
        await Spoken(running.stores, "proj_1").recording("one rash")
        assert await found(running, "rash") == 1
    for path in data_dir.glob("tapedeck.sqlite3*"):
        path.unlink()
    async with service(data_dir, database_url=database) as running:
        assert await found(running, "rash") == 0
        await Spoken(running.stores, "proj_1").recording("another rash")
        assert await found(running, "rash") == 1
    assert list(data_dir.glob("search.sqlite3*")) == []


async def test_events_that_mean_nothing_for_the_index_are_passed_over_without_writing(data_dir, monkeypatch):
    async with service(data_dir) as running:
        spoken = Spoken(running.stores, "proj_1")
        await spoken.recording("one rash")
        assert await found(running, "rash") == 1
        written = running.stores.search_index.position()
        await running.api.create()
        assert await found(running, "rash") == 1
        assert running.stores.search_index.position() == written < running.stores.log.head

        monkeypatch.setattr(search_follower, "EVENTS_PER_WRITE", 3)
        for _ in range(4):
            await running.api.create()
        assert await found(running, "rash") == 1
        assert running.stores.search_index.position() > written


async def test_a_blob_store_out_of_service_is_waited_out(data_dir, monkeypatch):
    async with service(data_dir) as running:
        read, failures = running.stores.blobs.read, iter([StorageUnavailable("planted")])

        def fails_once(key, **part):
            for failure in failures:
                raise failure
            return read(key, **part)

        monkeypatch.setattr(running.stores.blobs, "read", fails_once)
        await Spoken(running.stores, "proj_1").recording("one rash")
        assert await found(running, "rash") == 1
        assert next(failures, None) is None


async def test_a_blob_store_that_is_away_for_long_and_back_at_any_moment_is_waited_out(data_dir, monkeypatch):
    """Its failures say nothing of the transcript, also the last one, right after which it is back."""
    async with service(data_dir) as running:
        read, check, away = running.stores.blobs.read, running.stores.blobs.check_writable, 2
        failed = 0

        def fails_while_away(key, **part):
            nonlocal failed
            if failed < away:
                failed += 1
                raise StorageUnavailable("planted")
            return read(key, **part)

        async def is_back_after_the_last():
            if failed < away:
                raise StorageUnavailable("planted")
            await check()

        monkeypatch.setattr(running.stores.blobs, "read", fails_while_away)
        monkeypatch.setattr(running.stores.blobs, "check_writable", is_back_after_the_last)
        monkeypatch.setattr(search_changes, "ATTEMPTS", away)
        await Spoken(running.stores, "proj_1").recording("one rash")
        assert await found(running, "rash") == 1


async def test_a_transcript_that_can_never_be_read_does_not_hold_up_the_others(data_dir, monkeypatch):
    async with service(data_dir) as running:
        spoken = Spoken(running.stores, "proj_1")
        read, keys = running.stores.blobs.read, []

        def fails_for_one(key, **part):
            keys.append(key)
            if key == keys[0]:
                raise StorageUnavailable("input/output error")
            return read(key, **part)

        monkeypatch.setattr(running.stores.blobs, "read", fails_for_one)
        monkeypatch.setattr(search_changes, "ATTEMPTS", 2)
        await spoken.recording("one rash")
        await spoken.recording("another rash")
        assert await found(running, "rash") == 1
