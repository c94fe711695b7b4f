"""One of several hosts of a service.

Its API processes take chunks all the time. Whoever has the database's claim leads: it has the whole service open, with
all followers, and answers what the API processes of all hosts hand over. If its claim is lost, or given back when it
stops, another host leads within seconds.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from adapters.blobs.bucket.arrival import discard_unfinished, incoming_in
from adapters.blobs.opening import open_store
from adapters.database.leadership import Leadership, Secrets
from adapters.database.port import ServerAway
from adapters.event_log.log import EventLog
from adapters.event_log.opening import open_log
from adapters.one_thread import OneThread
from adapters.sqlite_file import DatabaseUnavailable
from service.dialects.http.limits import Limits
from service.runtime.assembly import open_claimed
from service.runtime.data_dir import empty_scratch_dir, owned_data_dir
from service.runtime.draining import Drain
from service.runtime.failures import START_FAILURES
from service.runtime.hosts.operations import standby_application
from service.runtime.listening import (
    listen_at_operations_port,
    listen_for_hosts,
    listen_for_operators,
    listen_for_processes,
)
from service.runtime.places import hosts_place
from service.runtime.processes.forwarding import of_hosts, proof_of, taking_over
from service.runtime.processes.parent import ApiProcesses, open_processes
from service.runtime.settings import Settings
from service.runtime.shared_secrets import check_secrets, made_secrets
from service.runtime.tasks import end_tasks
from service.runtime.web import runner_within

RENEWAL_SECONDS = 1.0
LOOK_SECONDS = 0.5
"""How often a host looks which one leads, and whether it could."""
FAILED_SECONDS = 5.0
"""How long a host that could not lead leaves it to the others."""

logger = logging.getLogger("tapedeck")


@asynccontextmanager
async def open_host(settings: Settings, drain: Drain) -> AsyncIterator["Host"]:
    """The host, taking requests, until the block ends: then first another host may lead, and then its own API
    processes end. `drain`: whether it is about to stop.

    Raises: OtherSecrets; ApiProcessFailed; what `service.runtime.failures` calls START_FAILURES.
    """
    async with AsyncExitStack() as opened:
        opened.enter_context(owned_data_dir(settings.data_dir))
        empty_scratch_dir(settings.data_dir)
        discard_unfinished(incoming_in(settings.bucket_folder))
        host = Host(settings, opened)
        leads = await host.settle_secrets()
        tasks: list[asyncio.Task[None]] = []
        opened.push_async_callback(end_tasks, tasks)
        processes = open_processes(settings, opened)
        drain.when_begun(processes.drain)
        tasks += host.run(processes, drain, must_recover=leads)
        opened.push_async_callback(host.stop_leading)
        await processes.start()
        yield host


class Host:
    """`opened`: closes what it opens."""

    def __init__(self, settings: Settings, opened: AsyncExitStack) -> None:
        """Raises: DatabaseUnavailable; ServerAway."""
        if settings.peer_url is None:
            raise ValueError("the service has one host")
        self._settings = settings
        self._url = settings.peer_url
        self._claiming, self._looking = OneThread("claims the lead"), OneThread("looks who leads")
        opened.callback(self._looking.close)
        self._leadership = Leadership(hosts_place(settings), own_url=self._url)
        opened.callback(self._leadership.close)
        self._secrets = Secrets(hosts_place(settings))
        opened.callback(self._secrets.close)
        opened.callback(self._claiming.close)
        self._leads = False
        self._stops = asyncio.Event()
        self._has_stopped = asyncio.Event()

    async def settle_secrets(self) -> bool:
        """Wait until the service has its secrets, and see that they are this host's; the first one makes them.

        Returns whether this host leads. Raises: OtherSecrets; DamagedKey; DatabaseUnavailable; OSError.
        """
        while True:
            leads = await self._claiming.run(self._leadership.claim)
            digests = await self._looking.run(self._secrets.known)
            if leads and not digests:
                digests = made_secrets(self._settings.data_dir)
                await self._looking.run(self._secrets.settle, digests)
            if digests:
                check_secrets(self._settings.data_dir, digests)
                return leads
            await asyncio.sleep(LOOK_SECONDS)

    def run(self, processes: ApiProcesses, drain: Drain, *, must_recover: bool) -> list["asyncio.Task[None]"]:
        """Begin. `must_recover`: whether no other host was there when this one started, which then sees to it that the
        blobs are in order."""
        return [
            asyncio.create_task(self._tell_who_leads(processes), name="looks who leads"),
            asyncio.create_task(self._lead_when_possible(processes, drain, must_recover), name="leads"),
        ]

    async def stop_leading(self) -> None:
        """Return when another host may lead, and what this one had begun as the leader has ended."""
        self._stops.set()
        await self._has_stopped.wait()

    async def _tell_who_leads(self, processes: ApiProcesses) -> None:
        while True:
            try:
                url = await self._looking.run(self._leadership.leader)
            except DatabaseUnavailable:
                url = None  # which whoever needs the database says
            if not self._leads:
                processes.led_by(None if url == self._url else url)
            await asyncio.sleep(LOOK_SECONDS)

    async def _lead_when_possible(self, processes: ApiProcesses, drain: Drain, must_recover: bool) -> None:
        try:
            async with AsyncExitStack() as standing_by:
                await self._answer_operators(processes, drain, standing_by)
                while not self._stops.is_set():
                    if not await self._claims():
                        must_recover = False  # another host leads
                        await self._pause(LOOK_SECONDS)
                        continue
                    await standing_by.aclose()
                    has_led = await self._lead(processes, drain, has_recovered=not must_recover)
                    must_recover = must_recover and not has_led
                    await self._answer_operators(processes, drain, standing_by)
                    if not has_led:
                        await self._pause(FAILED_SECONDS)
        finally:
            self._has_stopped.set()

    async def _claims(self) -> bool:
        try:
            return await self._claiming.run(self._leadership.claim)
        except ServerAway:
            return False

    async def _pause(self, seconds: float) -> None:
        stops = asyncio.create_task(self._stops.wait())
        await asyncio.wait([stops], timeout=seconds)
        stops.cancel()

    async def _lead(self, processes: ApiProcesses, drain: Drain, *, has_recovered: bool) -> bool:
        """Lead until the claim is lost or this host stops. Returns whether it has led at all.

        Its followers end first, then another host may lead, and then what clients have begun here ends.
        """
        followers: list[asyncio.Task[None]] = []
        kept = asyncio.create_task(self._until_lost(), name="keeps the lead")
        serving = asyncio.create_task(self._serve(processes, drain, followers, has_recovered), name="serves")
        stops = asyncio.create_task(self._stops.wait())
        await asyncio.wait({kept, serving, stops}, return_when=asyncio.FIRST_COMPLETED)
        has_led, self._leads = self._leads, False
        processes.led_by(None)
        logger.info("does not lead any more", extra={"because": _because(kept, serving)})
        await end_tasks(followers)
        stops.cancel()
        await end_tasks([kept])
        await self._claiming.run(self._leadership.leave)
        await end_tasks([serving])
        return has_led

    async def _until_lost(self) -> None:
        while True:
            await asyncio.sleep(RENEWAL_SECONDS)
            try:
                if not await self._claiming.run(self._leadership.claim):
                    return
                if self._leads:
                    await self._claiming.run(self._leadership.announce)
            except DatabaseUnavailable:
                continue  # which the followers say

    async def _serve(
        self, processes: ApiProcesses, drain: Drain, followers: list["asyncio.Task[None]"], has_recovered: bool
    ) -> None:
        """Until it is cancelled."""
        settings = self._settings
        try:
            async with AsyncExitStack() as leading:
                service = await leading.enter_async_context(
                    open_claimed(settings, followers, has_recovered=has_recovered)
                )
                await listen_for_operators(service, settings, leading)
                await listen_for_processes(service, taking_over, settings, leading)
                await listen_for_hosts(service, of_hosts(proof_of(service.parts.signer)), settings, leading)
                await self._claiming.run(self._leadership.announce)
                drain.when_begun(service.drain.begin)
                if drain.has_begun:
                    service.drain.begin()
                self._leads = True
                processes.serve(service)
                logger.info("leads", extra={"peer_url": self._url})
                await asyncio.Event().wait()
        except START_FAILURES as error:
            logger.error("cannot lead", extra={"because": str(error)})  # noqa: TRY400 - the sentence is enough

    async def _answer_operators(self, processes: ApiProcesses, drain: Drain, standing_by: AsyncExitStack) -> None:
        settings = self._settings
        if settings.operations_port is None or self._stops.is_set():
            return
        log = EventLog(open_log(settings.log_url).recorder, is_shared=True)
        standing_by.push_async_callback(log.close)
        blobs = open_store(settings.blob_store_url, small_bytes=settings.segment_body_bytes)
        standing_by.push_async_callback(blobs.close)
        app = standby_application(settings, drain, log, blobs, processes)
        await listen_at_operations_port(
            runner_within(Limits.from_settings(settings), app), drain, settings, standing_by
        )


def _because(kept: "asyncio.Task[None]", serving: "asyncio.Task[None]") -> str:
    if kept.done():
        return "another host has the claim on the database"
    return "it could not" if serving.done() else "it stops"
