"""One of several hosts of a service.

Its API processes take chunks all the time. Whoever has the database's claim leads: it has the whole service open, with
all followers, and answers what the API processes of all hosts hand over. If its claim is lost, or given back when it
stops, another host leads within seconds.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from typing import Any

from adapters.blobs.bucket.arrival import discard_unfinished, incoming_in
from adapters.blobs.opening import open_store
from adapters.database.leadership import Leadership, Secrets
from adapters.database.port import OtherRelease, ServerAway
from adapters.event_log.log import EventLog
from adapters.event_log.opening import open_log
from adapters.one_thread import OneThread
from adapters.sqlite_file import DatabaseUnavailable
from service.dialects.http.limits import Limits
from service.runtime.assembly import RunningService, open_claimed
from service.runtime.data_dir import empty_scratch_dir, owned_data_dir
from service.runtime.draining import Drain, stop_this_process
from service.runtime.failures import START_FAILURES
from service.runtime.hosts.keeping import KeptLead
from service.runtime.hosts.operations import standby_application
from service.runtime.listening import (
    listen_at_operations_port,
    listen_for_hosts,
    listen_for_operators,
    listen_for_processes,
)
from service.runtime.places import hosts_place
from service.runtime.presence import join_service
from service.runtime.processes.forwarding import of_hosts, proof_of, taking_over
from service.runtime.processes.parent import ApiProcesses, open_processes
from service.runtime.settings import Settings
from service.runtime.shared_secrets import check_secrets, made_secrets
from service.runtime.tasks import end_tasks
from service.runtime.web import runner_within

LOOK_SECONDS = 0.5
"""How often a host looks which one leads, and whether it could."""
FAILED_SECONDS = 5.0
"""How long a host that could not lead leaves it to the others."""

logger = logging.getLogger("tapedeck")


@asynccontextmanager
async def open_host(settings: Settings, drain: Drain) -> AsyncIterator["Host"]:
    """The host takes requests until the block ends: then first another host may lead, and then its own API processes
    end. `drain`: whether it is about to stop.

    Raises: OtherSecrets; ApiProcessFailed; what `service.runtime.failures` calls START_FAILURES.
    """
    async with AsyncExitStack() as opened:
        opened.enter_context(owned_data_dir(settings.data_dir))
        empty_scratch_dir(settings.data_dir)
        discard_unfinished(incoming_in(settings.bucket_folder))
        await join_service(opened, settings)
        host = Host(settings, drain, opened)
        kept = await host.join()
        if kept is not None:
            opened.push_async_callback(kept.close)
            await _recover(settings)
        tasks: list[asyncio.Task[None]] = []
        opened.push_async_callback(end_tasks, tasks)
        processes = open_processes(settings, opened)
        drain.when_begun(processes.drain)
        tasks += host.run(processes, kept)
        opened.push_async_callback(host.stop_leading)
        await processes.start()
        yield host


async def _recover(settings: Settings) -> None:
    """No other host leads, so this one sees to it that the blobs are in order. Raises: BlobFailure."""
    blobs = open_store(settings.blob_store_url, small_bytes=settings.segment_body_bytes)
    try:
        await asyncio.to_thread(blobs.recover)
    finally:
        await blobs.close()


class Host:
    """`opened`: closes what it opens. `gave_up_because`: a sentence, if it has made its process stop; else empty."""

    def __init__(self, settings: Settings, drain: Drain, opened: AsyncExitStack) -> None:
        """Raises: DatabaseUnavailable; ServerAway."""
        if settings.peer_url is None:
            raise ValueError("the service has one host")
        self._settings = settings
        self._url = settings.peer_url
        self._drain = drain
        drain.when_begun(self._drain_service)
        self._thread = OneThread("looks who leads")
        self._leadership = Leadership(hosts_place(settings), own_url=self._url)
        opened.callback(self._leadership.close)
        opened.callback(self._thread.close)
        self.gave_up_because = ""
        self._service: RunningService | None = None
        self._may_serve = False
        self._stops = asyncio.Event()
        self._has_stopped = asyncio.Event()

    async def join(self) -> KeptLead | None:
        """Wait until the service has its secrets, and see that they are this host's; the first one makes them.

        Returns the lead if no other host has it. Raises: OtherSecrets; DamagedKey; DatabaseUnavailable; OSError.
        """
        with closing(Secrets(hosts_place(self._settings))) as secrets:
            while True:
                leads = await self._thread.run(self._leadership.claim)
                digests = await self._thread.run(secrets.known)
                if leads and not digests:
                    digests = made_secrets(self._settings.data_dir)
                    await self._thread.run(secrets.settle, digests)
                if digests:
                    check_secrets(self._settings.data_dir, digests)
                    return KeptLead(self._leadership) if leads else None
                await asyncio.sleep(LOOK_SECONDS)

    def run(self, processes: ApiProcesses, kept: KeptLead | None) -> list["asyncio.Task[None]"]:
        """Begin. `kept`: the lead, if this host has it."""
        looking, leading = self._tell_who_leads(processes), self._lead_when_possible(processes, kept)
        return [
            asyncio.create_task(self._unless_it_fails(looking), name="looks who leads"),
            asyncio.create_task(self._unless_it_fails(leading), name="leads"),
        ]

    async def stop_leading(self) -> None:
        """Return when another host may lead, and what this one had begun as the leader has ended."""
        self._stops.set()
        await self._has_stopped.wait()

    async def _unless_it_fails(self, running: Coroutine[Any, Any, None]) -> None:
        """What must not end by itself: if it does, this process stops, to be started anew."""
        try:
            await running
        except OtherRelease as error:
            self._give_up(str(error))
        except Exception:
            logger.exception("this host cannot go on")
            self._give_up("A part of it failed; its log says how.")

    def _give_up(self, because: str) -> None:
        self.gave_up_because = because
        logger.error("this host stops", extra={"because": because})
        stop_this_process()

    def _drain_service(self) -> None:
        if self._service is not None:
            self._service.drain.begin()

    async def _tell_who_leads(self, processes: ApiProcesses) -> None:
        while True:
            try:
                url = await self._thread.run(self._leadership.leader)
            except DatabaseUnavailable:
                url = None  # which whoever needs the database says
            if self._service is None:
                processes.led_by(None if url == self._url else url)
            await asyncio.sleep(LOOK_SECONDS)

    async def _lead_when_possible(self, processes: ApiProcesses, kept: KeptLead | None) -> None:
        try:
            while not self._stops.is_set():
                if kept is None:
                    async with AsyncExitStack() as standing_by:
                        answering = asyncio.create_task(self._answer_operators(processes), name="answers operators")
                        standing_by.push_async_callback(end_tasks, [answering])
                        kept = await self._claimed()
                if kept is not None and not await self._lead(processes, kept):
                    await self._pause(FAILED_SECONDS)
                kept = None
        finally:
            if kept is not None:
                await kept.close()
            self._has_stopped.set()

    async def _claimed(self) -> KeptLead | None:
        """The lead, once no other host has it; None if this one stops before."""
        while not self._stops.is_set():
            try:
                if await self._thread.run(self._leadership.claim):
                    return KeptLead(self._leadership)
            except ServerAway:
                pass  # which whoever needs the database says
            await self._pause(LOOK_SECONDS)
        return None

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stops.wait()

    async def _lead(self, processes: ApiProcesses, kept: KeptLead) -> bool:
        """Lead until the claim is lost or this host stops. Returns whether it has led at all.

        Its followers end first, then another host may lead, and then what clients have begun here ends.
        """
        followers: list[asyncio.Task[None]] = []
        self._may_serve = True
        serving = asyncio.create_task(self._serve(processes, kept, followers), name="serves")
        waits = [asyncio.create_task(event.wait()) for event in (kept.lost, self._stops)]
        try:
            await asyncio.wait({serving, *waits}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            has_led, self._may_serve = self._service is not None, False
            self._drain_service()
            self._service = None
            processes.led_by(None)
            because = "another host may have the claim" if kept.lost.is_set() else "it stops"
            logger.info("does not lead any more", extra={"because": "it could not" if serving.done() else because})
            await end_tasks(followers if has_led else [serving])
            await kept.close()
            await self._thread.run(self._leadership.leave)
            await end_tasks([serving])
        return has_led

    async def _serve(self, processes: ApiProcesses, kept: KeptLead, followers: list["asyncio.Task[None]"]) -> None:
        """Until it is cancelled."""
        settings = self._settings
        try:
            async with AsyncExitStack() as leading:
                await self._thread.run(self._leadership.end_what_hangs)
                service = await leading.enter_async_context(open_claimed(settings, followers, has_recovered=True))
                await listen_for_operators(service, settings, leading)
                await listen_for_processes(service, taking_over, settings, leading)
                await listen_for_hosts(service, of_hosts(proof_of(service.parts.signer)), settings, leading)
                if await self._thread.run(kept.announce) and self._may_serve:
                    self._service = service
                    if self._drain.has_begun:
                        self._drain_service()
                    processes.serve(service)
                    logger.info("leads", extra={"peer_url": self._url})
                    await asyncio.Event().wait()
        except START_FAILURES as error:
            logger.error("cannot lead", extra={"because": str(error)})  # noqa: TRY400 - the sentence is enough
        except Exception:
            logger.exception("cannot lead")

    async def _answer_operators(self, processes: ApiProcesses) -> None:
        """Until it is cancelled. What keeps it from doing so may pass."""
        settings = self._settings
        while settings.operations_port is not None:
            try:
                async with AsyncExitStack() as standing_by:
                    log = EventLog(open_log(settings.log_url).recorder, is_shared=True)
                    standing_by.push_async_callback(log.close)
                    blobs = open_store(settings.blob_store_url, small_bytes=settings.segment_body_bytes)
                    standing_by.push_async_callback(blobs.close)
                    app = standby_application(settings, self._drain, log, blobs, processes)
                    server = runner_within(Limits.from_settings(settings), app)
                    await listen_at_operations_port(server, self._drain, settings, standing_by)
                    await asyncio.Event().wait()
            except START_FAILURES as error:
                logger.warning("operators are not answered", extra={"because": str(error)})
            except Exception:
                logger.exception("operators are not answered")
            await asyncio.sleep(FAILED_SECONDS)
