"""What hostile clients do, again and again, and what each of it must be answered."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from random import Random
from uuid import uuid4

from tests.end_to_end.service_process import SAMPLE, slices
from tests.tools.soak.abuse.attacker import Attacker
from tests.tools.soak.abuse.speech import whole_sample

MEBIBYTE = 1024 * 1024
SUCCESS = ("20[0-9]$",)
TO_WAIT = ("429 ", "503 ")
"""Refusals that say when to come again: any attack may meet them."""


@dataclass(frozen=True, kw_only=True)
class Attack:
    """`again`: one go. `refusals`: its own, each of which must come; `others`: what else it may be answered; both as
    patterns of answers' names. `at_once`: how many clients do it. `pause_seconds`: between two goes of one."""

    name: str
    again: Callable[[Attacker], Awaitable[None]]
    refusals: tuple[str, ...]
    others: tuple[str, ...] = SUCCESS
    at_once: int = 1
    pause_seconds: float = 0.2

    def unexpected(self, answers: Counter[str]) -> list[str]:
        known = (*self.refusals, *self.others, *TO_WAIT)
        return [answer for answer in answers if not any(re.match(each, answer) for each in known)]

    def missing(self, answers: Counter[str]) -> list[str]:
        return [each for each in self.refusals if not any(re.match(each, answer) for answer in answers)]


async def boxes(attacker: Attacker) -> None:
    """An MP4 of nothing but empty boxes of eight bytes."""
    await attacker.upload_to_its_end([tiny_boxes()], codec="m4a")


@cache
def tiny_boxes(size_bytes: int = 10 * MEBIBYTE) -> bytes:
    head = b"\0\0\0\x14ftypM4A \0\0\0\0M4A "
    return head + b"\0\0\0\x08free" * ((size_bytes - len(head)) // 8)


async def many_slices(attacker: Attacker) -> None:
    """The sample in as many slices as a recording may have, and more of them."""
    parts = slices(SAMPLE.read_bytes(), 100)
    recording = await attacker.create()
    if recording is None:
        return
    for number, part in enumerate(parts, 1):
        await attacker.put(recording, number, part)
    await attacker.put(recording, 10**6, b"one more")
    await attacker.dragon(2**31 - 1, b"far away", correlation_id=f"slices-{uuid4().hex}")


async def unfinished_bodies(attacker: Attacker) -> None:
    """A Dorsum body of almost 16 MB that never ends."""
    body = b'{"chunk": [' + b"0.123456789012," * (MEBIBYTE - 100)
    await attacker.dorsum_that_stays_unfinished(body, missing=100, seconds=30)


async def junk_samples(attacker: Attacker) -> None:
    """15 MB of arrays in arrays where samples should be."""
    await attacker.dorsum(b'{"chunk": ' + b"[" * (15 * MEBIBYTE))
    numbers_in_arrays = b'{"chunk": [' + b"[1]," * (3 * MEBIBYTE) + b"[1]]}"
    await attacker.dorsum(numbers_in_arrays)


async def nested_metadata(attacker: Attacker) -> None:
    deep = 1_000
    body = b'{"streaming": true, "metadata": ' + b'{"a":' * deep + b"1" + b"}" * deep + b"}"
    await attacker.caller.tried("POST", "/v1/recordings", body=body)


async def replacements(attacker: Attacker) -> None:
    """Ever other bytes for the same chunk."""
    if "recording" not in attacker.kept:
        attacker.kept["recording"] = await attacker.create()
        attacker.kept["sent"] = 0
    recording = attacker.kept["recording"]
    if recording is None:
        return
    attacker.kept["sent"] += 1
    await attacker.put(recording, 1, b"%d" % attacker.kept["sent"])


async def open_recordings(attacker: Attacker) -> None:
    """Recordings that are begun and left."""
    await attacker.create()


async def bytes_kept(attacker: Attacker) -> None:
    """Chunks of random bytes, as many as are taken."""
    recording = await attacker.create()
    if recording is not None:
        await attacker.put(recording, 1, Random(id(recording)).randbytes(8 * MEBIBYTE))


async def webhooks(attacker: Attacker) -> None:
    """Endpoints that never answer, and events for all of them."""
    asked = {"url": f"{attacker.receiver_url}/{uuid4().hex}", "events": ["recording.created", "recording.deleted"]}
    await attacker.caller.tried("POST", "/v1/webhooks", body=asked)
    recording = await attacker.create()
    if recording is not None:
        await attacker.delete(recording)


async def long_recordings(attacker: Attacker) -> None:
    """An hour of speech, which is deleted as soon as it is finalized."""
    recording = await attacker.upload([SAMPLE.read_bytes()] * 60, codec="opus")
    if recording is not None:
        await asyncio.sleep(5)
        await attacker.delete(recording)


async def floods(attacker: Attacker) -> None:
    """Calls with a key of nobody's."""
    headers = {"Authorization": "Bearer sk_live_0000000000000000000000000000000000000000000000"}
    await attacker.caller.tried("GET", "/v1/recordings", headers=headers, key=False)


async def live_speech(attacker: Attacker) -> None:
    """Sessions that are never ended, each with half a minute to be recognized at once."""
    fields = b'{"session_id": "%s", "is_final": false, "chunk": %s}' % (str(uuid4()).encode(), half_a_minute())
    await attacker.dorsum(fields)


@cache
def half_a_minute() -> bytes:
    return whole_sample().session[0]


ATTACKS = (
    Attack(name="boxes", again=boxes, refusals=("failed ",), pause_seconds=5),
    Attack(name="slices", again=many_slices, refusals=("400 ",), pause_seconds=5),
    Attack(
        name="unfinished-bodies",
        again=unfinished_bodies,
        refusals=("408 ",),
        others=("hung up", "waited for"),
        at_once=20,
    ),
    Attack(name="junk-samples", again=junk_samples, refusals=("400 ",), at_once=2, pause_seconds=2),
    Attack(name="nested-metadata", again=nested_metadata, refusals=("400 ",)),
    Attack(name="replacements", again=replacements, refusals=("4",), at_once=2, pause_seconds=0.05),
    Attack(name="open-recordings", again=open_recordings, refusals=("4",)),
    Attack(name="bytes-kept", again=bytes_kept, refusals=("507 ",), pause_seconds=1),
    Attack(name="webhooks", again=webhooks, refusals=("4",)),
    Attack(name="long-recordings", again=long_recordings, refusals=(), pause_seconds=5),
    Attack(name="floods", again=floods, refusals=("401 ",), at_once=2, pause_seconds=0.02),
    Attack(name="live-speech", again=live_speech, refusals=("503 ",), at_once=4, pause_seconds=1),
)
BY_NAME = {attack.name: attack for attack in ATTACKS}
