"""Attacks on the processes that stitch and transcribe: recordings that cost far more to read than to send."""

import asyncio
from functools import cache
from uuid import uuid4

from tests.end_to_end.service_process import SAMPLE, slices
from tests.tools.soak.abuse.attack import SUCCESS, Attack
from tests.tools.soak.abuse.attacker import Attacker
from tests.tools.soak.abuse.speech import whole_sample

MEBIBYTE = 1024 * 1024


async def _boxes(attacker: Attacker) -> None:
    """An MP4 of nothing but empty boxes of eight bytes."""
    await attacker.upload_to_its_end([_tiny_boxes()], codec="m4a")


@cache
def _tiny_boxes(size_bytes: int = 10 * MEBIBYTE) -> bytes:
    head = b"\0\0\0\x14ftypM4A \0\0\0\0M4A "
    return head + b"\0\0\0\x08free" * ((size_bytes - len(head)) // 8)


async def _slices(attacker: Attacker) -> None:
    """The sample in as many slices as a recording may have, and more of them."""
    parts = slices(SAMPLE.read_bytes(), 100)
    recording = await attacker.create()
    if recording is None:
        return
    for number, part in enumerate(parts, 1):
        await attacker.put(recording, number, part)
    await attacker.put(recording, 10**6, b"one more")
    await attacker.dragon(2**31 - 1, b"far away", correlation_id=f"slices-{uuid4().hex}")


async def _long_recordings(attacker: Attacker) -> None:
    """An hour of speech, which is deleted while it is transcribed."""
    recording = await attacker.upload([SAMPLE.read_bytes()] * 60, codec="opus")
    if recording is not None:
        await asyncio.sleep(5)
        await attacker.delete(recording)


async def _live_speech(attacker: Attacker) -> None:
    """Sessions that are never ended, each with half a minute to be recognized at once."""
    fields = b'{"session_id": "%s", "is_final": false, "chunk": %s}' % (str(uuid4()).encode(), _half_a_minute())
    await attacker.dorsum(fields)


@cache
def _half_a_minute() -> bytes:
    return whole_sample().session[0]


ON_WORKERS = (
    Attack(name="boxes", again=_boxes, refusals=("failed ",), pause_seconds=5),
    Attack(name="slices", again=_slices, refusals=("400 ",), pause_seconds=5),
    Attack(name="long-recordings", again=_long_recordings, refusals=(), pause_seconds=5),
    Attack(name="live-speech", again=_live_speech, refusals=("503 ",), others=SUCCESS, at_once=4, pause_seconds=1),
)
