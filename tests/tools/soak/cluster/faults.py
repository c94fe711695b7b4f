"""What is done to the cluster: a sequence of faults that a seed gives, and the doing of them."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from signal import SIGKILL

from tests.tools.kafka.broker import KafkaBroker
from tests.tools.postgres.server import PostgresServer
from tests.tools.s3.server import S3Server
from tests.tools.soak.cluster.cluster import Cluster
from tests.tools.soak.cluster.members import Member
from tests.tools.soak.cluster.relay import Relay

FAULTS = {
    "kill a host": 6,
    "kill a host's process": 6,
    "hang a host": 4,
    "hang a host's process": 4,
    "restart a host": 3,
    "kill a worker": 5,
    "kill a worker's process": 4,
    "hang a worker": 4,
    "restart a worker": 2,
    "kill a publisher": 5,
    "hang a publisher": 4,
    "restart a publisher": 2,
    "kill PostgreSQL": 4,
    "restart PostgreSQL": 4,
    "hang PostgreSQL": 3,
    "cut PostgreSQL": 6,
    "hold PostgreSQL": 4,
    "slow PostgreSQL": 3,
    "kill the bucket": 5,
    "hang the bucket": 4,
    "cut the bucket": 5,
    "refuse the bucket": 5,
    "hold the bucket": 3,
    "slow the bucket": 4,
    "restart Kafka": 3,
    "kill Kafka": 2,
    "cut Kafka": 4,
    "refuse Kafka": 3,
    "cut clients": 6,
    "slow clients": 2,
}
"""How often each is done. `hang`: the processes are stopped with SIGSTOP, and go on later. `hold`: bytes are taken and
not passed on. `refuse`: no connection is accepted. `cut`: all connections are reset."""

Server = PostgresServer | S3Server | KafkaBroker

_AT_ONCE = 3
_CALM_SECONDS = (0.0, 3.0)
_ACKNOWLEDGED = 12
"""So many calls are answered well between the beginnings of two faults, if that is soon."""
_GOES_ON_SECONDS = 20
_LOOK_SECONDS = 0.05
_SECONDS = (0.3, 6.0)
_LONG_SECONDS = (20.0, 26.0)
_LONG = 0.08
"""How probable it is that one takes so long that whoever waits gives up."""


@dataclass(frozen=True)
class Fault:
    """`which`: of those that it could be done to, counted around. `seconds`: how long it lasts, if it is not done at
    once. `calm_seconds`: how long after the one before, and after some calls, it begins."""

    name: str
    which: int
    seconds: float
    calm_seconds: float

    @property
    def subject(self) -> str:
        """Who or what it is done to; none is done twice at once to the same."""
        return self.name.partition(" ")[2].removesuffix("'s process")


def faults_of(seed: int, count: int) -> list[Fault]:
    """The same for the same seed. Each is among the first ones of a run that has enough of them."""
    chance = Random(seed)
    names = list(FAULTS)
    chance.shuffle(names)
    names += chance.choices(list(FAULTS), list(FAULTS.values()), k=max(0, count - len(names)))
    return [_fault(name, chance) for name in names[:count]]


def _fault(name: str, chance: Random) -> Fault:
    lasts = _LONG_SECONDS if chance.random() < _LONG else _SECONDS
    return Fault(name, chance.randrange(60), chance.uniform(*lasts), chance.uniform(*_CALM_SECONDS))


class Faults:
    """Does them, up to three at once. `done`: how often each was; `begun`: how many."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._subjects = defaultdict[str, asyncio.Lock](asyncio.Lock)
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self.begun = 0
        self.done: Counter[str] = Counter()

    async def do(self, faults: list[Fault], tell: Callable[[Fault], None], acknowledged: Callable[[], int]) -> None:
        """Return when all are done and over. `acknowledged`: how many calls were, up to now."""
        async with asyncio.TaskGroup() as running:
            for fault in faults:
                await self._until_some_goes_on(acknowledged)
                await asyncio.sleep(fault.calm_seconds)
                await self._at_once.acquire()
                running.create_task(self._one(fault, tell))

    async def _until_some_goes_on(self, acknowledged: Callable[[], int]) -> None:
        """Or for a while: a machine with other work takes long to start what was killed."""
        enough = acknowledged() + _ACKNOWLEDGED
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOES_ON_SECONDS):
                while acknowledged() < enough:
                    await asyncio.sleep(_LOOK_SECONDS)

    async def _one(self, fault: Fault, tell: Callable[[Fault], None]) -> None:
        try:
            async with self._subjects[fault.subject]:
                self.begun += 1
                tell(fault)
                await self._do(fault)
            self.done[fault.name] += 1
        finally:
            self._at_once.release()

    async def _do(self, fault: Fault) -> None:
        what, _, subject = fault.name.partition(" ")
        cluster = self._cluster
        members = {"a host": cluster.hosts, "a worker": cluster.workers, "a publisher": cluster.publishers}
        servers: dict[str, tuple[Server, Relay]] = {
            "PostgreSQL": (cluster.postgres, cluster.to_postgres),
            "the bucket": (cluster.s3, cluster.to_s3),
            "Kafka": (cluster.kafka, cluster.to_kafka),
        }
        if subject == "clients":
            await asyncio.gather(*(_to_connections(what, relay, fault.seconds) for relay in cluster.to_hosts))
        elif subject in servers:
            server, relay = servers[subject]
            if what in ("kill", "restart", "hang"):
                await _to_server(what, server, fault.seconds)
            else:
                await _to_connections(what, relay, fault.seconds)
        else:
            of_it = members[subject.removesuffix("'s process")]
            await _to_member(what, of_it[fault.which % len(of_it)], fault, one=subject.endswith("'s process"))


async def _to_member(what: str, member: Member, fault: Fault, *, one: bool) -> None:
    processes = member.processes()
    if one and processes:
        processes = [processes[fault.which % len(processes)]]
    if what == "kill":
        member.send(processes if one else processes[:1], SIGKILL)
    elif what == "hang":
        await member.hang(processes, fault.seconds)
    else:
        await member.restart()


async def _to_server(what: str, server: Server, seconds: float) -> None:
    if what == "hang":
        await _hang(server, seconds)
        return
    await asyncio.to_thread(server.kill if what == "kill" else server.stop)
    await asyncio.sleep(min(seconds, _SECONDS[1]))
    await asyncio.to_thread(server.start)


async def _hang(server: Server, seconds: float) -> None:
    if isinstance(server, PostgresServer):
        with server.stopped_in_its_tracks():
            await asyncio.sleep(seconds)
    elif isinstance(server, S3Server):
        server.hold()
        try:
            await asyncio.sleep(seconds)
        finally:
            server.go_on()


async def _to_connections(what: str, relay: Relay, seconds: float) -> None:
    if what == "cut":
        relay.cut()
        return
    if what == "hold":
        relay.hold()
    elif what == "slow":
        relay.slow_down()
    else:
        await relay.refuse()
    try:
        await asyncio.sleep(seconds)
    finally:
        await relay.calm()
