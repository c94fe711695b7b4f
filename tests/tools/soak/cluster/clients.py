"""Clients that upload, finalize, read and delete, one recording after another, whatever is done to the cluster."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from random import Random

from tests.tools.soak.cluster.caller import Caller
from tests.tools.soak.cluster.history import Call, History, Operation
from tests.tools.soak.cluster.speech import Recorded, marked, recorded

END_USER = "eu_soak"
_READS = 0.3
"""How probable it is that a client reads some recording, its own or another's, after each thing that it does."""
_FINALIZES_AGAIN = 0.5
_DELETES = {"never": 70, "before it is finalized": 5, "right after": 8, "when it is made": 17}
_MADE_WITHIN_SECONDS = 30
"""So long a client waits for a transcript before it begins another recording."""
_LOOK_SECONDS = 0.4
_CALM_SECONDS = 0.6
"""The longest that a client waits between two things that it does."""


@dataclass
class Made:
    """One recording. `name`: what the history calls it, and its Idempotency-Key."""

    what: Recorded
    id: str = ""
    template: str = ""

    @property
    def name(self) -> str:
        return f"recording-{self.what.number}"

    @property
    def path(self) -> str:
        return f"/v1/recordings/{self.id}"


@dataclass
class Clients:
    """`made`: all recordings, of all clients; each reads those of the others, too."""

    urls: Sequence[str]
    token: str
    chance: Random
    history: History = field(default_factory=History)
    made: list[Made] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    async def run(self, clients: int, is_over: Callable[[], bool]) -> None:
        """Return when each has brought its last recording to an end, once it is over."""
        async with asyncio.TaskGroup() as all_of_them:
            for number in range(1, clients + 1):
                its_chance = Random(self.chance.getrandbits(32))
                caller = Caller(number, self.urls, self.token, its_chance, self.history)
                self.callers.append(caller)
                all_of_them.create_task(self._client(caller, its_chance, is_over))

    @property
    def refused(self) -> Counter[str]:
        return sum((caller.refused for caller in self.callers), Counter())

    async def _client(self, caller: Caller, chance: Random, is_over: Callable[[], bool]) -> None:
        while not is_over():
            await self._one(caller, chance, is_over)

    async def _one(self, caller: Caller, chance: Random, is_over: Callable[[], bool]) -> None:
        made = Made(recorded(next(self._numbers), chance))
        (deletes,) = chance.choices(list(_DELETES), list(_DELETES.values()))
        await create(caller, made)
        self.made.append(made)
        await self._upload(caller, made, chance)
        if deletes == "before it is finalized":
            await delete(caller, made)
            return
        await finalize(caller, made)
        if deletes == "right after":
            await delete(caller, made)
            return
        await self._something_else(caller, chance)
        if chance.random() < _FINALIZES_AGAIN:
            await finalize(caller, made)
        await self._until_made(caller, made, is_over)
        await self._something_else(caller, chance)
        if deletes == "when it is made":
            await delete(caller, made)
            await show(caller, made)

    async def _upload(self, caller: Caller, made: Made, chance: Random) -> None:
        numbered = list(enumerate(made.what.bodies(), start=1))
        if chance.random() < 0.3:
            chance.shuffle(numbered)
        if made.what.replaced is not None:
            await put(caller, made, made.what.replaced, made.what.other_body())
        for number, body in numbered:
            await put(caller, made, number, body)
            await self._something_else(caller, chance)

    async def _something_else(self, caller: Caller, chance: Random) -> None:
        await asyncio.sleep(chance.uniform(0, _CALM_SECONDS))
        if chance.random() < _READS:
            await chance.choice((show, chunks))(caller, chance.choice(self.made[-50:]))

    async def _until_made(self, caller: Caller, made: Made, is_over: Callable[[], bool]) -> None:
        waited = 0.0
        while waited < _MADE_WITHIN_SECONDS and not is_over():
            shown = await show(caller, made)
            if shown.status != HTTPStatus.OK or shown.json["status"] in ("completed", "failed"):
                return
            await asyncio.sleep(_LOOK_SECONDS)
            waited += _LOOK_SECONDS


async def create(caller: Caller, made: Made) -> Call:
    """Raises: KeyError for an answer that names no recording; the history has it."""
    asked = {"streaming": True, "end_user_id": END_USER, "codec": "wav", "name": marked(made.what.token)}
    named = {"Idempotency-Key": made.name}
    called = await caller.until_answered(
        Operation.CREATE, made.name, method="POST", path="/v1/recordings", body=asked, headers=named
    )
    made.id, made.template = called.json["id"], called.json["chunk_upload_url_template"]
    return called


async def put(caller: Caller, made: Made, number: int, body: bytes) -> Call:
    path = made.template.replace("{part}", str(number))
    return await caller.until_answered(Operation.PUT, made.name, method="PUT", path=path, body=body, number=number)


async def finalize(caller: Caller, made: Made) -> Call:
    asked = {"total_chunks": len(made.what.sizes), "final_duration_ms": 1_000}
    path = f"{made.path}/finalize"
    return await caller.until_answered(Operation.FINALIZE, made.name, method="POST", path=path, body=asked)


async def show(caller: Caller, made: Made) -> Call:
    return await caller.until_answered(Operation.SHOW, made.name, method="GET", path=made.path)


async def chunks(caller: Caller, made: Made) -> Call:
    return await caller.until_answered(Operation.CHUNKS, made.name, method="GET", path=f"{made.path}/chunks")


async def delete(caller: Caller, made: Made) -> Call:
    return await caller.until_answered(Operation.DELETE, made.name, method="DELETE", path=made.path)
