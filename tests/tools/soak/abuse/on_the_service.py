"""Attacks on the process that answers everyone: on its memory, and on its one event loop."""

import asyncio
from functools import cache
from urllib.parse import urlsplit
from uuid import uuid4

from tests.tools.abuse import bodies
from tests.tools.soak.abuse.attack import SUCCESS, Attack
from tests.tools.soak.abuse.attacker import DORSUM_PATH, Attacker
from tests.tools.soak.abuse.operating import MEBIBYTE

_UNFINISHED = 60
_HELD_SECONDS = 20
_DEEP = 1_000


async def _unfinished_bodies(attacker: Attacker) -> None:
    """Dorsum's largest bodies, but for their last byte."""
    place = urlsplit(attacker.caller.url)
    head = attacker.dorsum_keys | {"Content-Type": "application/json"}
    async with bodies.UnfinishedBodies(
        str(place.hostname), place.port or 80, DORSUM_PATH, head, 15 * MEBIBYTE, address=attacker.address
    ) as unfinished:
        await unfinished.send(_UNFINISHED)
        await asyncio.sleep(_HELD_SECONDS)
        for status, headers in unfinished.answers:
            attacker.caller.count(f"{status} {'with' if 'Retry-After' in headers else 'without'} Retry-After")
        attacker.caller.count("held to the end", _UNFINISHED - len(unfinished.answers))


async def _junk_bodies(attacker: Attacker) -> None:
    """15 MB of JSON that is all structure, where Dorsum's samples should be."""
    for junk in (bodies.nested_junk, bodies.texts_junk, bodies.junk_beside, bodies.too_many_samples):
        await attacker.dorsum(await asyncio.to_thread(junk, str(uuid4())))


async def _junk_metadata(attacker: Attacker) -> None:
    """Deep and wide JSON where everything has a place."""
    for body in (_deep(), _wide()):
        await attacker.caller.tried("POST", "/v1/recordings", body=body)


@cache
def _deep() -> bytes:
    return bodies.deep_metadata(_DEEP)


@cache
def _wide() -> bytes:
    return bodies.wide_metadata(60_000)


async def _bad_keys(attacker: Attacker) -> None:
    """Calls with a key of nobody's."""
    headers = {"Authorization": "Bearer sk_live_0000000000000000000000000000000000000000000000"}
    await attacker.caller.tried("GET", "/v1/recordings", headers=headers, key=False)


ON_THE_SERVICE = (
    Attack(
        name="unfinished-bodies",
        again=_unfinished_bodies,
        refusals=("503 with Retry-After",),
        others=("408 ", "held to the end"),
    ),
    Attack(name="junk-bodies", again=_junk_bodies, refusals=("400 ",), at_once=2),
    Attack(name="junk-metadata", again=_junk_metadata, refusals=("400 ",), others=(*SUCCESS, "413 ")),
    Attack(name="bad-keys", again=_bad_keys, refusals=("401 ",), at_once=2, pause_seconds=0.02),
)
