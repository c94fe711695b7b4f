"""A process says which release it runs for as long as it runs, if other processes can use the same log."""

import asyncio
from contextlib import AsyncExitStack

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from adapters.database import presence
from adapters.database.port import OtherRelease
from adapters.database.presence import RELEASE_GROUP, Presence
from service.runtime import presence as module
from service.runtime.presence import join_service
from service.runtime.settings import ServiceSettings

END_ALL = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"

END_OTHERS = f"{END_ALL} AND pid <> %s"


@pytest.fixture
def settings(tmp_path, database):
    return ServiceSettings(data_dir=tmp_path, database_url=database)


@pytest.fixture
def newer(database):
    """A process of a release that is not compatible with this one."""
    newer = Presence(database, release_group=RELEASE_GROUP + 1)
    yield newer
    newer.leave()


async def test_until_it_is_closed_no_process_of_another_release_group_joins(settings, newer):
    async with AsyncExitStack() as opened:
        await join_service(opened, settings)
        with pytest.raises(OtherRelease):
            newer.join()
    newer.join()
    async with AsyncExitStack() as opened:
        with pytest.raises(OtherRelease):
            await join_service(opened, settings)


async def test_it_is_known_again_after_the_server_has_lost_what_it_knew(settings, newer, postgres, monkeypatch):
    monkeypatch.setattr(module, "STAY_SECONDS", 0.01)
    monkeypatch.setattr(presence, "SETTLED_SECONDS", 0)
    name = conninfo_to_dict(settings.log_url)["dbname"]
    async with AsyncExitStack() as opened:
        await join_service(opened, settings)
        monkeypatch.setattr(presence, "SETTLED_SECONDS", 1e9)
        with psycopg.connect(postgres.url(), autocommit=True) as server:
            for _ in range(3):
                server.execute(END_ALL, [name])
                async with asyncio.timeout(60):
                    while not await asyncio.to_thread(is_refused, newer):
                        await asyncio.sleep(0.01)


def is_refused(newer):
    try:
        newer.join()
    except OtherRelease:
        return True
    newer.leave()
    return False


async def test_it_stops_when_it_finds_that_it_may_not_go_on(settings, newer, postgres, monkeypatch, caplog):
    monkeypatch.setattr(module, "STAY_SECONDS", 0.01)
    monkeypatch.setattr(presence, "SETTLED_SECONDS", 0)
    has_stopped = asyncio.Event()
    monkeypatch.setattr(module, "stop_this_process", has_stopped.set)
    async with AsyncExitStack() as opened:
        await join_service(opened, settings)
        newer._lock.take()  # as if it had joined while this one was not known
        with psycopg.connect(postgres.url(), autocommit=True) as server:
            server.execute(END_OTHERS, [conninfo_to_dict(settings.log_url)["dbname"], newer._lock.backend.split()[0]])
        async with asyncio.timeout(60):
            await has_stopped.wait()
    (said,) = [record for record in caplog.records if record.message == "stopping"]
    assert said.because.startswith("A process on this database runs a release that is not compatible")


async def test_with_a_file_there_is_nothing_to_join(tmp_path):
    async with AsyncExitStack() as opened:
        await join_service(opened, ServiceSettings(data_dir=tmp_path))
        assert asyncio.all_tasks() == {asyncio.current_task()}
