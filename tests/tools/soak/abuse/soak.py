"""One run: honest clients alone, then beside all attacks, on one service that is watched meanwhile."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from adapters.keys import KeyKind, KeyStore
from service.application.clock import utc_now
from tests.end_to_end.dragon_client import development_token, dragon_credentials, ids
from tests.end_to_end.service_process import SAMPLE, ServiceProcess, short_speech
from tests.tools.soak.abuse.attacker import Project
from tests.tools.soak.abuse.findings import Bounds, Findings
from tests.tools.soak.abuse.honest import Account, Honest, Speech, honest_rounds
from tests.tools.soak.abuse.hostile import Plan, attacked
from tests.tools.soak.abuse.tally import Tally
from tests.tools.soak.abuse.watching import defects, watched

MEBIBYTE = 1024 * 1024
WORKERS = 2
SETTINGS = {
    "WORKERS": str(WORKERS),
    "LOG_LEVEL": "WARNING",
    "REQUESTS_PER_MINUTE": "1200",
}
"""As a careful operator sets them who has tenants that are not known to be honest."""
_SHARE = 0.3
"""Of the workers' time that honest recordings take: nobody waits long if nobody else is there."""


@dataclass(frozen=True)
class Size:
    """`seconds`: of the attacks. `clients`: the honest ones. `rounds_alone`: recordings that each makes before."""

    seconds: float
    clients: int = 16
    whole_sample: bool = True
    rounds_alone: int = 2


async def soak(folder: Path, size: Size, attacks: Sequence[str], *, tell: Callable[[str], None] = print) -> Findings:
    """`folder`: for the service's data directory and log. `attacks`: the names of those that are wanted."""
    service = ServiceProcess(folder / "data", SETTINGS)
    try:
        await service.start()
        async with watched(service) as taken:
            alone, beside, hostile = await _both(service, size, attacks, tell)
        broken = await defects(service)
    finally:
        service.kill()
    return Findings(
        alone=alone, attacked=beside, hostile=hostile, taken=taken, bounds=BOUNDS, attacks=attacks, defects=broken
    )


BOUNDS = Bounds(service_bytes=1024 * MEBIBYTE, worker_bytes=1024 * MEBIBYTE, disk_bytes=2048 * MEBIBYTE)


async def _both(
    service: ServiceProcess, size: Size, attacks: Sequence[str], tell: Callable[[str], None]
) -> tuple[Honest, Honest, Tally]:
    accounts, projects = await _credentials(service, size.clients, attacks)
    speech, seconds = await _measured(service, accounts[0], size)
    every = size.clients * seconds / (_SHARE * WORKERS)
    tell(f"One recording takes {seconds:.1f} s; each of {size.clients} clients makes one every {every:.0f} s.")
    tally = Tally()
    until = time.monotonic() + every * (size.rounds_alone - 0.5)
    alone = await honest_rounds(service.url, accounts, speech, every_seconds=every, until=until, tally=tally)
    tell(f"Alone: {len(alone.seconds)} recordings. Now beside: {', '.join(attacks)}.")
    plan = Plan(service.url, size.seconds, dict(zip(attacks, projects, strict=True)))
    until = time.monotonic() + size.seconds
    beside, counts = await asyncio.gather(
        honest_rounds(service.url, accounts, speech, every_seconds=every, until=until, tally=tally), attacked(plan)
    )
    hostile = Tally()
    hostile.add_all(counts)
    return alone, beside, hostile


async def _measured(service: ServiceProcess, account: Account, size: Size) -> tuple[Speech, float]:
    """The speech with its text, and how long one recording of it takes when nothing else is done."""
    body, codec = (SAMPLE.read_bytes(), "opus") if size.whole_sample else (short_speech(), "wav")
    speech, tally = Speech(body, codec), Tally()
    for _ in range(2):  # the first one waits until a worker has loaded its model
        found = await honest_rounds(service.url, [account], speech, every_seconds=0, until=0, tally=tally)
        assert not found.refused, found.refused
        (text,) = found.texts
        speech = Speech(body, codec, text)
    return speech, found.seconds[0]


async def _credentials(
    service: ServiceProcess, clients: int, attacks: Sequence[str]
) -> tuple[list[Account], list[Project]]:
    """A project for every honest client and for every attack."""
    dragon = dragon_credentials(service)
    dragon_token = await development_token(dragon)
    keys = KeyStore(service.data_dir / "keys.sqlite3", clock=utc_now)
    try:
        accounts = [
            Account(keys.create(KeyKind.SECRET, project_id=f"proj_honest{number}").token, f"eu_{token_hex(8)}")
            for number in range(clients)
        ]
        projects = [
            Project(
                token=keys.create(KeyKind.SECRET, project_id=project_id).token,
                client_key=keys.create(KeyKind.CLIENT, project_id=project_id).token,
                end_user_id=f"eu_{token_hex(8)}",
                dragon_token=dragon_token,
                dragon_ids=ids(dragon),
            )
            for project_id in (f"proj_hostile{number}" for number in range(len(attacks)))
        ]
    finally:
        keys.close()
    return accounts, projects
