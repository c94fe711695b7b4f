"""Attacks on the process that answers everyone: on its memory, and on its one event loop."""

from functools import cache

from tests.tools.soak.abuse.attack import Attack
from tests.tools.soak.abuse.attacker import Attacker

MEBIBYTE = 1024 * 1024


async def _unfinished_bodies(attacker: Attacker) -> None:
    """A Dorsum body of almost 16 MB that never ends."""
    await attacker.dorsum_that_stays_unfinished(_large_body(), missing=100, seconds=30)


@cache
def _large_body() -> bytes:
    return b'{"chunk": [' + b"0.123456789012," * (MEBIBYTE - 100)


async def _junk_samples(attacker: Attacker) -> None:
    """15 MB of arrays in arrays where samples should be."""
    await attacker.dorsum(_nested_junk())
    await attacker.dorsum(_numbers_in_arrays())


@cache
def _nested_junk() -> bytes:
    return b'{"chunk": ' + b"[" * (15 * MEBIBYTE)


@cache
def _numbers_in_arrays() -> bytes:
    return b'{"chunk": [' + b"[1]," * (3 * MEBIBYTE) + b"[1]]}"


async def _nested_metadata(attacker: Attacker) -> None:
    deep = 1_000
    body = b'{"streaming": true, "metadata": ' + b'{"a":' * deep + b"1" + b"}" * deep + b"}"
    await attacker.caller.tried("POST", "/v1/recordings", body=body)


async def _floods(attacker: Attacker) -> None:
    """Calls with a key of nobody's."""
    headers = {"Authorization": "Bearer sk_live_0000000000000000000000000000000000000000000000"}
    await attacker.caller.tried("GET", "/v1/recordings", headers=headers, key=False)


ON_THE_SERVICE = (
    Attack(
        name="unfinished-bodies",
        again=_unfinished_bodies,
        refusals=("408 ",),
        others=("hung up", "waited for"),
        at_once=20,
    ),
    Attack(name="junk-samples", again=_junk_samples, refusals=("400 ",), at_once=2, pause_seconds=2),
    Attack(name="nested-metadata", again=_nested_metadata, refusals=("400 ",)),
    Attack(name="floods", again=_floods, refusals=("401 ",), at_once=2, pause_seconds=0.02),
)
