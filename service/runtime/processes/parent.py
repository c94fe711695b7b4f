"""Starts the API processes, watches them, and replaces one that has ended or hangs."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import service
from service.runtime.assembly import RunningService
from service.runtime.counts import Counts, CountsOfEnded
from service.runtime.data_dir import locked_for_processes
from service.runtime.failures import StartFailed
from service.runtime.listening import listen_for_operators, listen_for_processes, sockets_on_one_port
from service.runtime.processes.channel import DRAIN, HEAD, HELLO, LEADS, METRICS, READY, REPORT, STOP, Channel
from service.runtime.processes.forwarding import taking_over
from service.runtime.processes.leads import HERE
from service.runtime.settings import Settings
from service.runtime.tls import tls_for_hosts, tls_of, trust_in_hosts

LOOK_SECONDS = 0.5
LOOKS_UNTIL_HUNG = 10
"""A process of which nothing was heard for so many looks is killed. Looks are counted and not seconds: if the machine
slept, or this process was stopped, nobody hangs. In a transaction, it would hold up the others' commits for as long,
which wait ten seconds (`adapters.sqlite_file`)."""
LOOKS_UNTIL_STARTED = 480
"""What a process may take until it listens, on a machine with other work."""

REPLACED_AFTER_SECONDS, LONGEST_SECONDS = 0.05, 10.0
"""Twice as long each time that a process ends before it has run for a while."""
RAN_FOR_A_WHILE_SECONDS = 10.0
REPORT_SECONDS = 1.0
CUT_SECONDS = 5.0
"""What processes may take to end after their requests have."""

_CODE = Path(service.__file__).parents[1]

logger = logging.getLogger(__name__)


class ApiProcessFailed(StartFailed):
    """An API process ended while the service started; its lines in the log say why."""

    def __init__(self, number: int, code: int) -> None:
        super().__init__(f"API process {number} ended with exit code {code} before it could serve; see its lines above")


async def listen_with_processes(opened: RunningService, settings: Settings, running: AsyncExitStack) -> None:
    """Serve from several processes until `running` ends.

    Raises: CannotListen; ApiProcessFailed; OSError; AllowListUnusable.
    """
    await listen_for_operators(opened, settings, running)
    await listen_for_processes(opened, taking_over, settings, running)
    processes = open_processes(settings, running)
    processes.serve(opened)
    opened.drain.when_begun(processes.drain)
    await processes.start()


def open_processes(settings: Settings, running: AsyncExitStack) -> "ApiProcesses":
    """Those of this machine, not started yet; closed with `running`.

    Raises: CannotListen; OSError; TlsFilesUnusable, also for files that each of them reads anew.
    """
    tls_of(settings)
    if settings.peer_url is not None:
        tls_for_hosts(settings)
        trust_in_hosts(settings)
    sockets = sockets_on_one_port(settings, settings.api_processes)
    lock = running.enter_context(locked_for_processes(settings.data_dir))
    processes = ApiProcesses(settings, sockets, lock)
    running.push_async_callback(processes.close)
    return processes


@dataclass
class _Process:
    number: int
    popen: "subprocess.Popen[bytes]"
    channel: Channel
    began: float
    is_ready: bool = False
    looks_without_word: int = 0
    counts: Counts = field(default_factory=list)
    reported: asyncio.Event = field(default_factory=asyncio.Event)


class ApiProcesses:
    """`sockets`: those of each process. `lock`: a file that each keeps open."""

    def __init__(self, settings: Settings, sockets: Sequence[Sequence[socket.socket]], lock: int) -> None:
        self._leads: str | None = None
        self._heard: Callable[[int], None] | None = None
        self._drains = False
        self._settings = settings
        self._sockets = sockets
        self._lock = lock
        self._running: dict[int, _Process] = {}
        self._ready: asyncio.Queue[int] = asyncio.Queue()
        self._ended = CountsOfEnded()
        self._tasks: list[asyncio.Task[None]] = []
        self._keeping: list[asyncio.Task[None]] = []
        self._has_started = False
        self._stops = asyncio.Event()

    def serve(self, opened: RunningService) -> None:
        """From now on, and until another leads, they hand requests over to this process, which has this service open:
        it hears of their commits, and shows their counts with its own."""
        opened.other_processes.counts = self.counts
        opened.other_processes.serving = self.serving
        self._heard = opened.stores.log.hear
        self._tell_leads(HERE)

    def led_by(self, url: str | None) -> None:
        """They hand requests over to this host; for None, they wait until one leads."""
        self._heard = None
        self._tell_leads(url)

    @property
    def have_a_leader(self) -> bool:
        """Whether they know of a process that answers what they hand over."""
        return self._leads is not None

    def _tell_leads(self, place: str | None) -> None:
        if place != self._leads:
            self._leads = place
            for process in self._running.values():
                process.channel.tell(LEADS, place)

    async def start(self) -> None:
        """Return when all of them serve. Raises: ApiProcessFailed; OSError."""
        numbers = range(1, len(self._sockets) + 1)
        self._keeping = [asyncio.create_task(self._keep(number), name=f"API process {number}") for number in numbers]
        self._tasks.append(asyncio.create_task(self._watch(), name="API processes"))
        all_ready = asyncio.create_task(self._all_ready())
        self._tasks.append(all_ready)
        ended, _ = await asyncio.wait([all_ready, *self._keeping], return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
        self._has_started = True

    async def _all_ready(self) -> None:
        waited_for = {number for number, _ in enumerate(self._sockets, 1)}
        while waited_for:
            waited_for.discard(await self._ready.get())

    async def _keep(self, number: int) -> None:
        """One process after another under this number. Raises: ApiProcessFailed, OSError while the service starts."""
        loop, wait_seconds = asyncio.get_running_loop(), REPLACED_AFTER_SECONDS
        while not self._stops.is_set():
            process = await self._begin(number)
            await self._follow(process)
            code = await self._end_of(process)
            if self._stops.is_set():
                return
            if not self._has_started:
                raise ApiProcessFailed(number, code)
            logger.warning("API process ended; another takes its place", extra={"number": number, "exit_code": code})
            if loop.time() - process.began > RAN_FOR_A_WHILE_SECONDS:
                wait_seconds = REPLACED_AFTER_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_seconds):
                    await self._stops.wait()
            wait_seconds = min(2 * wait_seconds, LONGEST_SECONDS)

    async def _begin(self, number: int) -> _Process:
        ours, its = socket.socketpair()
        with its:
            files = [its.fileno(), *(each.fileno() for each in self._sockets[number - 1])]
            popen = subprocess.Popen(  # noqa: ASYNC220, S603 - it dies with the thread that starts it: not with another
                [sys.executable, "-P", "-m", "service.runtime.processes.child", *map(str, files)],
                env=os.environ | self._environment,
                stdin=subprocess.DEVNULL,
                pass_fds=(*files, self._lock),
            )
        process = _Process(number, popen, await Channel.over(ours), asyncio.get_running_loop().time())
        self._running[number] = process
        process.channel.tell(HELLO, {"number": number, "parent_pid": os.getpid(), "leads": self._leads})
        if self._drains:
            process.channel.tell(DRAIN)
        if self._stops.is_set():
            process.channel.tell(STOP)
        return process

    @property
    def _environment(self) -> dict[str, str]:
        """The code of this process, and what the command line may have set."""
        settings = self._settings
        return {
            "PYTHONPATH": os.pathsep.join((str(_CODE), os.environ.get("PYTHONPATH", ""))).rstrip(os.pathsep),
            "TAPEDECK_HOST": settings.host,
            "TAPEDECK_PORT": str(settings.port),
            "TAPEDECK_DATA_DIR": str(settings.data_dir),
        }

    async def _follow(self, process: _Process) -> None:
        """What it tells, until it has ended."""
        async for what, said in process.channel.messages():
            process.looks_without_word = 0
            if what == HEAD:
                if self._heard is not None:
                    self._heard(said)
            elif what == METRICS:
                process.counts = [tuple(each) for each in said]
                process.reported.set()
            elif what == READY:
                process.is_ready = True
                self._ready.put_nowait(process.number)

    async def _end_of(self, process: _Process) -> int:
        """Its exit code. What it had counted stays."""
        process.popen.kill()  # it has ended, or has closed its channel, which it cannot do without
        code = await asyncio.to_thread(process.popen.wait)
        await process.channel.close()
        del self._running[process.number]
        self._ended.add(process.counts)
        process.reported.set()
        return code

    async def _watch(self) -> None:
        """Kill processes that hang: `_keep` replaces them."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for process in self._running.values():
                process.looks_without_word += 1
                if process.looks_without_word == (LOOKS_UNTIL_HUNG if process.is_ready else LOOKS_UNTIL_STARTED):
                    logger.error("API process does not answer; it is killed", extra={"number": process.number})
                    process.popen.kill()

    async def counts(self) -> list[Counts]:
        """Of all processes, also of those that have ended; of one that does not answer, what it told last."""
        asked = list(self._running.values())
        for process in asked:
            process.reported.clear()
            process.channel.tell(REPORT)
        if asked:
            reports = [asyncio.create_task(process.reported.wait()) for process in asked]
            _, late = await asyncio.wait(reports, timeout=REPORT_SECONDS)
            for task in late:
                task.cancel()
        return [self._ended.counts, *(process.counts for process in self._running.values())]

    def serving(self) -> int:
        """How many of them serve now; none before all of them have once."""
        return sum(process.is_ready for process in self._running.values()) if self._has_started else 0

    def drain(self) -> None:
        """Each answer ends its connection from now on."""
        self._drains = True
        for process in self._running.values():
            process.channel.tell(DRAIN)

    async def close(self) -> None:
        """Let requests end, and then all processes. New connections are refused."""
        self._stops.set()
        for each in self._sockets:
            for bound in each:
                bound.close()
        for process in self._running.values():
            process.channel.tell(STOP)
        if self._keeping:
            await asyncio.wait(self._keeping, timeout=self._settings.stop_seconds + CUT_SECONDS)
        for process in self._running.values():
            process.popen.kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._keeping, return_exceptions=True)
