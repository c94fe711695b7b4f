"""One run: clients and listeners of a service to which faults are done, and what holds of every recording then."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from adapters.worker_errors import WorkerDied
from tests.end_to_end.service_process import Api, ServiceProcess, slices
from tests.tools.soak.abuse.watching import logged_errors
from tests.tools.soak.arriving.checks import heard_ahead, histories, of_answers, of_history, of_the_disk
from tests.tools.soak.arriving.clients import Life, Listener, answered, upload
from tests.tools.soak.arriving.faults import Faults
from tests.tools.soak.arriving.recordings import Recorded, arrival, recorded

KINDS = ("wav", "opus", "wav", "opus")
CLIENTS = 3
LISTENERS = 2
_SETTINGS = {"LOG_LEVEL": "INFO", "STAGE_ATTEMPTS": "100"}
"""With so many attempts, a stage fails only if its processes are killed again and again."""

_FAULTS_FOR_ONE_MORE = 5
"""Of the files, and of the clients: a run with few faults is short."""
_TOLD_EVERY = 10

Tell = Callable[[str], None]


@dataclass
class Found:
    """`wrong`: a sentence each. `done`: how often each fault was."""

    lives: list[Life] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    heard_ahead: int = 0
    wrong: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        listeners = [listener for life in self.lives for listener in life.listeners]
        yield f"faults: {', '.join(f'{count} x {name}' for name, count in sorted(self.done.items()))}"
        yield (
            f"{len(self.lives)} recordings, {sum(life.arrival.replaces for life in self.lives)} of them with replaced "
            f"chunks; {self.heard_ahead} parts heard before the end, {sum(life.retries for life in self.lives)} retries"
        )
        yield (
            f"{len(listeners)} listeners over {sum(each.connections for each in listeners)} connections; "
            f"{sum(each.told['segment'] for each in listeners)} segments told, "
            f"{sum(each.told['withdrawn'] for each in listeners)} times some taken back"
        )


async def soak(folder: Path, *, faults: int, seed: int, tell: Tell) -> Found:
    """`folder`: for the data directories of two services; nothing is done to the one that makes what is wanted."""
    chance = Random(seed)
    kinds = KINDS[: 1 + faults // _FAULTS_FOR_ONE_MORE]
    files = [recorded(str(number), kind, chance) for number, kind in enumerate(kinds)]
    began = time.monotonic()
    wanted = await _in_one_go(folder, files)
    each_seconds = (time.monotonic() - began) / len(files)
    tell(f"{len(files)} recordings made in one go, in {each_seconds:.0f} s each; {faults} faults follow")
    service, found = ServiceProcess(folder / "data", _SETTINGS), Found()
    doing = Faults(service, chance, recording_seconds=each_seconds)
    found.done = doing.done
    try:
        api = (await service.start()).api()
        await _while_faults_are_done(doing, api, files, found, faults=faults, chance=chance, tell=tell)
        tell("the faults are over; every recording is looked at")
        for life in found.lives:
            found.wrong += [_of(life, what) async for what in of_answers(api, life, wanted[life.what.name])]
        code = await asyncio.to_thread(service.stop)
        if code:
            found.wrong.append(f"the service ended with {code}")
    finally:
        service.kill()
    await _look_at_what_is_stored(service, found)
    return found


async def _in_one_go(folder: Path, files: Sequence[Recorded]) -> dict[str, dict[str, Any]]:
    """The transcript of each, by name, by a service that hears no recording before its end."""
    service = ServiceProcess(folder / "wanted", {"LISTENED_RECORDINGS": "0"})
    try:
        api = (await service.start()).api()
        made = {}
        for file in files:
            recording = await api.upload(slices(file.content, 2))
            await api.finalize(recording, 2)
            made[file.name] = await api.transcript(recording)
        return made
    finally:
        service.kill()


async def _while_faults_are_done(
    doing: Faults,
    api: Api,
    files: Sequence[Recorded],
    found: Found,
    *,
    faults: int,
    chance: Random,
    tell: Tell,
) -> None:
    """Clients make one recording after another until the faults are over, and then bring those to their end."""
    over = asyncio.Event()

    async def client(its_chance: Random) -> None:
        while not over.is_set():
            found.lives.append(life := await _begun(api, files, its_chance))
            async with asyncio.TaskGroup() as its:
                its.create_task(upload(api, life, its_chance))
                for listener in life.listeners:
                    its.create_task(listener.listen())

    async def do_faults() -> None:
        told = 0
        while doing.done.total() < faults:
            await doing.next()
            if doing.done.total() >= told + _TOLD_EVERY:
                told = doing.done.total()
                tell(f"  {told} faults, {len(found.lives)} recordings begun")
        over.set()

    async with asyncio.TaskGroup() as all_of_them:
        all_of_them.create_task(do_faults())
        for _ in range(min(CLIENTS, 1 + faults // _FAULTS_FOR_ONE_MORE)):
            all_of_them.create_task(client(Random(chance.getrandbits(32))))


async def _begun(api: Api, files: Sequence[Recorded], chance: Random) -> Life:
    what = chance.choice(files)
    recording = (await answered(api.asked_for_one, 201)).json
    listeners = [Listener(api, recording, Random(chance.getrandbits(32))) for _ in range(LISTENERS)]
    return Life(what, arrival(what, chance), recording, listeners=listeners)


async def _look_at_what_is_stored(service: ServiceProcess, found: Found) -> None:
    for life, history in zip(found.lives, await histories(service, found.lives), strict=True):
        found.wrong += [_of(life, what) for what in of_history(life, history)]
        found.heard_ahead += heard_ahead(history)
    found.wrong += of_the_disk(service)
    found.wrong += [logged for logged in logged_errors(service) if WorkerDied.__name__ not in logged]


def _of(life: Life, what: str) -> str:
    return f"{life.recording['id']} ({life.what.kind}, {len(life.arrival.bodies)} chunks): {what}"
