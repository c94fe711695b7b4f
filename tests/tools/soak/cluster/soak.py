"""One run: clients of a cluster to which faults are done, and what holds of every recording then."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.service.dialects.bota.webhook_receiver import Receiver
from tests.tools.soak.cluster.answers import wrong_answers
from tests.tools.soak.cluster.caller import Caller
from tests.tools.soak.cluster.clients import Clients
from tests.tools.soak.cluster.cluster import Cluster
from tests.tools.soak.cluster.faults import Fault, Faults, faults_of
from tests.tools.soak.cluster.history import History, Operation
from tests.tools.soak.cluster.looking import Look
from tests.tools.soak.cluster.upgrade import Beside, Upgrade

CLIENTS = 16

Tell = Callable[[str], None]

_NAMES = {"previous": "the previous release", "this": "this release"}


@dataclass
class Found:
    """`wrong`: a sentence each. `done`: how often each fault was done. `beside`: see `Upgrade`."""

    done: Counter[str] = field(default_factory=Counter)
    history: History = field(default_factory=History)
    refused: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    recordings: int = 0
    webhooks: int = 0
    beside: set[Beside] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        yield f"faults: {', '.join(f'{count} x {name}' for name, count in sorted(self.done.items()))}"
        answered = Counter(call.operation for call in self.history.calls if call.is_acknowledged)
        yield (
            f"{self.recordings} recordings; acknowledged: "
            + ", ".join(f"{count} x {name}" for name, count in sorted(answered.items()))
            + f"; not, and asked again: {', '.join(f'{count} x {why}' for why, count in sorted(self.refused.items()))}"
        )
        yield f"{self.webhooks} webhooks came; processes ended: {dict(self.ends)}"
        for leads, stands_by in sorted(self.beside):
            yield f"{_NAMES[leads]} led beside {_NAMES[stands_by]}"
        yield from self.notes


class Soak:
    """`folder`: for everything that servers and processes store and log, but for PostgreSQL's.

    `previous`: the code of the previous release, from which all is upgraded meanwhile; None: nothing is.
    """

    def __init__(
        self, folder: Path, *, faults: int, seed: int, hosts: int, tell: Tell, previous: Path | None = None
    ) -> None:
        self._folder = folder
        self._chance = Random(seed)
        self._faults = faults_of(seed, faults)
        self._hosts = hosts
        self._previous = previous
        self._tell = tell
        self.found = Found()
        self._receiver = Receiver()

    async def run(self, *, clients: int = CLIENTS) -> Found:
        cluster = await asyncio.to_thread(Cluster, self._folder, hosts=self._hosts, code_dir=self._previous)
        await self._receiver.start()
        try:
            await cluster.start()
            await self._run(cluster, clients)
        finally:
            await self._receiver.stop()
            await cluster.destroy()
        return self.found

    async def _run(self, cluster: Cluster, clients: int) -> None:
        token = await asyncio.to_thread(cluster.new_key)
        asking = Clients(cluster.urls, token, self._chance, self.found.history)
        secret = await self._subscribed(asking)
        doing, over, began = Faults(cluster), asyncio.Event(), time.monotonic()
        self.found.done = doing.done

        def told(fault: Fault) -> None:
            lasts = "" if fault.name.partition(" ")[0] in ("cut", "kill", "restart") else f" for {fault.seconds:.1f} s"
            self._tell(
                f"  {time.monotonic() - began:6.1f} s  fault {doing.begun}: {fault.name}{lasts}; "
                f"{len(asking.made)} recordings begun, {len(self.found.history.calls)} calls"
            )

        def told_step(step: str) -> None:
            self._tell(f"  {time.monotonic() - began:6.1f} s  {step}; {len(self.found.history.calls)} calls")

        async def do_faults() -> None:
            async with asyncio.TaskGroup() as both:
                both.create_task(doing.do(self._faults, told, self.found.history.acknowledged))
                if self._previous is not None:
                    upgrade = Upgrade(cluster, self._previous, told_step, self.found.history.acknowledged)
                    self.found.beside = upgrade.beside
                    await upgrade.run()
            await cluster.calm()
            over.set()
            self._tell(f"  {time.monotonic() - began:6.1f} s  the faults are over; clients finish what they have begun")

        async with asyncio.TaskGroup() as both:
            both.create_task(do_faults())
            both.create_task(asking.run(clients, over.is_set))
        self.found.refused = asking.refused
        self.found.recordings = len(asking.made)
        self.found.wrong += wrong_answers(self.found.history)
        look = Look(cluster, asking, self._receiver, secret)
        await look.until_settled()
        self.found.notes.append(f"{cluster.connections()} connections to the database once all was calm")
        self._tell(f"all is calm; {len(asking.made)} recordings are looked at; {len(self.found.wrong)} wrong so far")
        self.found.wrong += [wrong async for wrong in look.wrong()]
        self.found.webhooks = len(self._receiver.received)
        self.found.ends = cluster.ends()
        self.found.notes += cluster.own_ends()
        self.found.wrong += await cluster.end()
        self.found.wrong += cluster.wrong_blobs()

    async def _subscribed(self, asking: Clients) -> str:
        """The secret of a webhook that is told of everything."""
        caller = Caller(0, asking.urls, asking.token, self._chance, History())
        kinds = ["recording.created", "recording.uploaded", "recording.deleted"]
        kinds += [f"transcription.{what}" for what in ("queued", "started", "completed", "failed")]
        body = {"url": self._receiver.url, "events": kinds}
        called = await caller.until_answered(Operation.CREATE, "", method="POST", path="/v1/webhooks", body=body)
        secret: str = called.json["secret"]
        return secret
