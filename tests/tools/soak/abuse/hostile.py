"""All attacks from a process of their own, so that what they cost here is not taken from the honest clients.

It reads its plan from stdin, attacks until its time is over, and writes what was answered to stdout, both as JSON. An
attacker has a machine of their own: on this one it takes what the service and the honest clients leave of the
processors.
"""

import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

import aiohttp
import orjson

from tests.places import REPOSITORY
from tests.tools.soak.abuse.attack import CUT_OFF, Attack
from tests.tools.soak.abuse.attacker import Attacker, Project
from tests.tools.soak.abuse.attacks import BY_NAME
from tests.tools.soak.abuse.calling import bearer, connected
from tests.tools.soak.abuse.naming import LONGEST
from tests.tools.soak.abuse.tally import Tally

_LAST_GO_SECONDS = 20
"""How long an attack's last go may take when the time is over; then it is cut off."""


@dataclass(frozen=True)
class Plan:
    """`projects`: of each attack that is wanted, by its name."""

    url: str
    seconds: float
    projects: dict[str, Project]

    def dumped(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def loaded(cls, dumped: bytes) -> "Plan":
        plain: dict[str, Any] = orjson.loads(dumped)
        projects = {name: Project(**fields) for name, fields in plain.pop("projects").items()}
        return cls(**plain, projects=projects)


async def attacked(plan: Plan) -> dict[str, dict[str, int]]:
    """Attack from a new process, until its time is over; gives each attack's answers."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, cwd=REPOSITORY, stdin=PIPE, stdout=PIPE
    )
    try:
        told, _ = await process.communicate(plan.dumped())
    except BaseException:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, "the hostile process broke; see above"
    counts: dict[str, dict[str, int]] = orjson.loads(told)
    return counts


async def attack_all(plan: Plan, tally: Tally) -> None:
    until = time.monotonic() + plan.seconds
    async with receiver_that_never_answers() as receiver_url, asyncio.TaskGroup() as clients:
        for row, (name, project) in enumerate(plan.projects.items(), 1):
            for number in range(1, BY_NAME[name].at_once + 1):
                address = f"127.0.{row}.{number}"
                clients.create_task(
                    attack(BY_NAME[name], project, address, receiver_url, url=plan.url, until=until, tally=tally)
                )


async def attack(
    what: Attack, project: Project, address: str, receiver_url: str, *, url: str, until: float, tally: Tally
) -> None:
    async with connected(url, bearer(project.token), who=what.name, tally=tally, address=address) as caller:
        attacker = Attacker(caller, project, address, receiver_url)
        await _go(what, attacker)  # at least: what others leave of the processors may be nothing for a while
        try:
            async with asyncio.timeout(until + _LAST_GO_SECONDS - time.monotonic()):
                while time.monotonic() < until:
                    await asyncio.sleep(what.pause_seconds)
                    await _go(what, attacker)
        except TimeoutError:
            tally.add(what.name, CUT_OFF)


async def _go(what: Attack, attacker: Attacker) -> None:
    """Attacks that do not count themselves that there was no answer, or none that can be read."""
    try:
        await what.again(attacker)
    except (aiohttp.ClientError, ConnectionError, TimeoutError, ValueError, LookupError) as error:
        attacker.caller.count(f"no answer: {type(error).__name__}: {error}"[:LONGEST])


@asynccontextmanager
async def receiver_that_never_answers() -> AsyncIterator[str]:
    waiting: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: waiting.append(writer), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/never"
    finally:
        server.close()
        for writer in waiting:
            writer.transport.abort()


def _take_what_others_leave() -> None:
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(19)


def main() -> None:
    _take_what_others_leave()
    plan, tally = Plan.loaded(sys.stdin.buffer.read()), Tally()
    asyncio.run(attack_all(plan, tally))
    sys.stdout.buffer.write(orjson.dumps(tally.counts))


if __name__ == "__main__":
    main()
