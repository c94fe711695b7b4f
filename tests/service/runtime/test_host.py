"""A host that is about to lead: what can go wrong meanwhile. The service itself is stood in for."""

import asyncio
import logging
import threading
from contextlib import AsyncExitStack, asynccontextmanager
from types import SimpleNamespace

import pytest

from adapters.database.leadership import Leadership, Secrets
from adapters.database.port import PostgresPlace
from adapters.database.presence import RELEASE_GROUP
from service.runtime.draining import Drain
from service.runtime.hosts import host as module
from service.runtime.hosts import keeping
from service.runtime.hosts.host import Host
from service.runtime.settings import load_settings
from service.runtime.shared_secrets import made_secrets
from service.runtime.tasks import end_tasks
from tests.tools.postgres.claims import end_claim


class Processes:
    """Notes what API processes are told of who leads."""

    def __init__(self):
        self.told = [None]

    def led_by(self, url):
        self._told(url)

    def serve(self, _):
        self._told("this host")

    def _told(self, place):
        if self.told[-1] != place:
            self.told.append(place)

    async def until_told(self, place):
        async with asyncio.timeout(60):
            while self.told[-1] != place:
                await asyncio.sleep(0.01)


@pytest.fixture
def settings(database, tmp_path):
    return load_settings(
        data_dir=tmp_path,
        peer_url="http://this:8081",
        database_url=database,
        blob_url="s3://bucket/tapes",
        public_url="https://x",
    )


@pytest.fixture
def other(database):
    """Another host."""
    other = Leadership(PostgresPlace(database, "tapedeck_hosts"), own_url="http://other:8081")
    yield other
    other.close()


@pytest.fixture
def opening(monkeypatch):
    """Opening the service: what it does is set by the test."""
    opening = SimpleNamespace(begun=asyncio.Event(), may_go_on=asyncio.Event(), fails_with=[])

    @asynccontextmanager
    async def opened(_, followers, **__):
        opening.begun.set()
        if opening.fails_with:
            raise opening.fails_with.pop()

        async def follow():
            try:
                await asyncio.Event().wait()
            finally:
                await opening.may_go_on.wait()  # what it has begun is ended

        followers.append(asyncio.create_task(follow()))
        await opening.may_go_on.wait()
        yield SimpleNamespace(parts=SimpleNamespace(signer=SimpleNamespace(signature=lambda *_: "")), drain=Drain())

    async def listened(*_):
        """Nothing listens."""

    monkeypatch.setattr(module, "open_claimed", opened)
    monkeypatch.setattr(module, "FAILED_SECONDS", 0.01)
    for each in ("listen_for_operators", "listen_for_processes", "listen_for_hosts"):
        monkeypatch.setattr(module, each, listened)
    return opening


@asynccontextmanager
async def running(settings, opening):
    """What the processes of a host are told that runs meanwhile."""
    processes = Processes()
    async with AsyncExitStack() as opened:
        host = Host(settings, Drain(), opened)
        tasks = host.run(processes, await host.join())
        opened.push_async_callback(end_tasks, tasks)
        opened.push_async_callback(host.stop_leading)
        opened.callback(opening.may_go_on.set)
        yield processes


async def test_a_lead_that_is_lost_while_the_service_opens_is_not_taken_up(settings, opening, other, database, caplog):
    caplog.set_level(logging.INFO)
    async with running(settings, opening) as processes:
        await opening.begun.wait()
        while not other.claim():
            end_claim(database)
        other.announce()
        await processes.until_told("http://other:8081")
        opening.may_go_on.set()
        async with asyncio.timeout(60):
            while "does not lead any more" not in caplog.text:
                await asyncio.sleep(0.01)
        assert "this host" not in processes.told
        other.leave()
        await processes.until_told("this host")


@pytest.mark.parametrize("error", [OSError("no room"), KeyError("a defect")])
async def test_a_host_that_could_not_lead_says_why_and_tries_again(opening, settings, caplog, error):
    opening.fails_with.append(error)
    opening.may_go_on.set()
    async with running(settings, opening) as processes:
        await processes.until_told("this host")
    (said,) = [record for record in caplog.records if record.message == "cannot lead"]
    assert said.because == str(error) if isinstance(error, OSError) else said.exc_info[1] is error
    assert processes.told[-1] is None


@pytest.fixture
def newer(database):
    """A host of a release that is not compatible with this one."""
    newer = Leadership(
        PostgresPlace(database, "tapedeck_hosts"), own_url="http://newer:8081", release_group=RELEASE_GROUP + 1
    )
    yield newer
    newer.close()


@pytest.fixture
def stopped(monkeypatch, caplog):
    """Gives why the host under test stopped, once it has."""
    event = asyncio.Event()
    monkeypatch.setattr(module, "stop_this_process", event.set)

    async def because():
        async with asyncio.timeout(60):
            await event.wait()
        return next(record for record in caplog.records if "stops" in record.message).because

    return because


async def test_a_host_stops_when_one_leads_whose_release_is_not_compatible(settings, opening, other, newer, stopped):
    other.claim()
    other.announce()
    secrets = Secrets(PostgresPlace(settings.log_url, "tapedeck_hosts"))
    secrets.settle(made_secrets(settings.data_dir))
    secrets.close()
    async with running(settings, opening) as processes:
        await processes.until_told("http://other:8081")
        other.leave()
        while not newer.claim():
            end_claim(settings.log_url)
        newer.announce()
        assert (await stopped()).startswith("The host at http://newer:8081, which leads, runs")
    assert "http://newer:8081" not in processes.told


class Silent:
    """A `Leadership` whose server does not answer, or that fails as nobody expected."""

    def __init__(self, error=None):
        self.error = error
        self.may_answer = threading.Event()

    def claim(self):
        if self.error is not None:
            raise self.error
        self.may_answer.wait()
        return True


@pytest.mark.parametrize("error", [None, KeyError("a defect")])
async def test_a_lead_is_lost_when_it_is_not_confirmed_whatever_the_reason(monkeypatch, error):
    monkeypatch.setattr(keeping, "RENEWAL_SECONDS", 0.01)
    monkeypatch.setattr(keeping, "GIVEN_UP_SECONDS", 0.05)
    leadership = Silent(error)
    kept = keeping.KeptLead(leadership)
    async with asyncio.timeout(60):
        await kept.lost.wait()
    assert not kept.announce()
    leadership.may_answer.set()
    await kept.close()
