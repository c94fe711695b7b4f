"""One run: honest clients alone, then beside all attacks, on one service that is watched meanwhile."""

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.end_to_end.service_process import ServiceProcess
from tests.service.dialects.bota.webhook_receiver import Receiver
from tests.tools.soak.abuse.calling import bearer, connected
from tests.tools.soak.abuse.credentials import honest_accounts, hostile_projects
from tests.tools.soak.abuse.findings import Bounds, Findings, Group
from tests.tools.soak.abuse.honest import Account, BotaClient, ClientType, DorsumClient, Honest, Pace, honest_rounds
from tests.tools.soak.abuse.hostile import Plan, attacked
from tests.tools.soak.abuse.operating import MOST_SERVICE_BYTES, MOST_WORKER_BYTES, SETTINGS, WORKERS, most_disk_bytes
from tests.tools.soak.abuse.speech import Speech, three_seconds, whole_sample
from tests.tools.soak.abuse.tally import Tally
from tests.tools.soak.abuse.watching import defects, has_ended, logged_errors, watched

_SHARE = 0.3
"""Of the workers' time that honest recordings take: nobody waits long if nobody else is there."""
_ONE_IN = 4
"""Of the honest clients that speaks Dorsum."""
_MEASURED = 3
_DELIVERY_SECONDS = 60

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """`seconds`: of the attacks. `clients`: the honest ones. `rounds_alone`: recordings that each makes before."""

    seconds: float
    clients: int = 16
    whole_sample: bool = True
    rounds_alone: int = 2


async def soak(folder: Path, size: Size, attacks: Sequence[str], *, tell: Tell) -> Findings:
    """`folder`: for the service's data directory and log. `attacks`: the names of those that are wanted."""
    service = ServiceProcess(folder / "data", SETTINGS)
    try:
        await service.start()
        async with watched(service) as taken:
            honest, hostile = await _both(service, size, attacks, tell)
        wrong = await _wrong(service)
    finally:
        service.kill()
    bounds = Bounds(MOST_SERVICE_BYTES, MOST_WORKER_BYTES, most_disk_bytes(size.clients + len(attacks)))
    return Findings(honest=honest, hostile=hostile, taken=taken, bounds=bounds, attacks=attacks, others=wrong)


async def _wrong(service: ServiceProcess) -> list[str]:
    """What the service itself shows in the end that must not be, a sentence each."""
    if has_ended(service):
        return ["the service has ended by itself"]
    return [fault async for fault in defects(service)] + list(logged_errors(service))


async def _both(
    service: ServiceProcess, size: Size, attacks: Sequence[str], tell: Tell
) -> tuple[Sequence[Group], Tally]:
    honest = await _HonestClients.of(service, size)
    tell(f"A recording takes {honest.seconds:.1f} s; {size.clients} clients make one each every {honest.every:.0f} s.")
    receiver = await Receiver().start()
    try:
        await honest.subscribe(receiver.url)
        alone = await honest.run(honest.every * (size.rounds_alone - 0.5))
        tell(f"Alone: {_told(alone)}. Now beside: {', '.join(attacks)}.")
        projects = await hostile_projects(service, attacks)
        beside, counts = await asyncio.gather(
            honest.run(size.seconds), attacked(Plan(service.url, size.seconds, projects))
        )
        tell(f"Beside: {_told(beside)}.")
        await _check_deliveries(receiver, [*alone, *beside])
    finally:
        await receiver.stop()
    hostile = Tally()
    hostile.add_all(counts)
    names = [name for name, _, _ in honest.protocols]
    return [Group(*group) for group in zip(names, alone, beside, strict=True)], hostile


def _told(honest: Sequence[Honest]) -> str:
    return f"{sum(len(each.seconds) for each in honest)} recordings"


@dataclass
class _HonestClients:
    """`protocols`: of each that anyone speaks, its name, how it is spoken, and by whom. `seconds`: how long one
    recording takes when nothing else is done. `every`: how often a client begins one."""

    url: str
    protocols: list[tuple[str, ClientType, list[Account]]]
    speech: Speech
    seconds: float
    every: float

    @classmethod
    async def of(cls, service: ServiceProcess, size: Size) -> "_HonestClients":
        accounts = honest_accounts(service, size.clients)
        dorsum = accounts[_ONE_IN - 1 :: _ONE_IN]
        bota = [account for account in accounts if account not in dorsum]
        spoken: list[tuple[str, ClientType, list[Account]]] = [
            ("Bota", BotaClient, bota),
            ("Dorsum", DorsumClient, dorsum),
        ]
        clients = cls(service.url, [each for each in spoken if each[2]], _speech(size), 0, 0)
        await clients.measure()  # which includes that a worker loads its model
        times = [await clients.measure() for _ in range(min(_MEASURED, size.clients))]
        clients.seconds = max(times)
        clients.every = size.clients * clients.seconds / (_SHARE * WORKERS)
        return clients

    async def measure(self) -> float:
        """One recording over each protocol, one after another, and how long one took on average. What is heard in it
        is known from then on."""
        times = []
        for name, client_type, accounts in self.protocols:
            now = Pace(0, time.monotonic(), 0)
            found = await honest_rounds(self.url, accounts[:1], self.speech, client_type, pace=now)
            assert not found.refused, found.refused
            (words,) = found.words
            self.speech = replace(self.speech, **{"words" if name == "Bota" else "session_words": words})
            times += found.seconds
        return statistics.mean(times)

    async def subscribe(self, receiver_url: str) -> None:
        """Bota's clients are told of their recordings."""
        for _, client_type, accounts in self.protocols:
            if client_type is BotaClient:
                await asyncio.gather(*(_subscribe(self.url, account, receiver_url) for account in accounts))

    async def run(self, seconds: float) -> list[Honest]:
        """What the clients of each protocol met. Each makes one recording at least."""
        now = time.monotonic()
        pace = Pace(self.every, now, now + seconds)
        return await asyncio.gather(
            *(
                honest_rounds(self.url, accounts, self.speech, client_type, pace=pace)
                for _, client_type, accounts in self.protocols
            )
        )


def _speech(size: Size) -> Speech:
    return whole_sample() if size.whole_sample else three_seconds()


async def _subscribe(url: str, account: Account, receiver_url: str) -> None:
    asked = {"url": receiver_url, "events": ["recording.uploaded"]}
    async with connected(url, bearer(account.token), who="honest", tally=Tally()) as caller:
        answer = await caller.call("POST", "/v1/webhooks", body=asked)
        assert answer.status == 201, answer


async def _check_deliveries(receiver: Receiver, met: Sequence[Honest]) -> None:
    """Every honest recording's webhook has come, or comes now; else that is told of its client."""

    def delivered() -> set[str]:
        return {one.body["data"]["id"] for one in receiver.received}

    wanted = {its_id for honest in met for its_id in honest.uploaded}
    deadline = time.monotonic() + _DELIVERY_SECONDS
    while wanted - delivered() and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
    for honest in met:
        missing = set(honest.uploaded) - delivered()
        if missing:
            honest.refused.append(f"{len(missing)} webhooks were not delivered")
