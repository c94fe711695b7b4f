"""Attacks on the processes that stitch and transcribe: recordings that cost far more to read than to send."""

import asyncio
from collections.abc import Callable, Iterator
from functools import cache
from itertools import cycle, product
from uuid import uuid4

from tests.end_to_end.service_process import SAMPLE
from tests.tools.abuse import slices
from tests.tools.abuse.bombs import flac_bomb
from tests.tools.abuse.boxes import HOSTILE
from tests.tools.soak.abuse.attack import SUCCESS, Attack
from tests.tools.soak.abuse.attacker import Attacker
from tests.tools.soak.abuse.operating import MAX_CHUNKS, MEBIBYTE
from tests.tools.soak.abuse.speech import whole_sample

_DAYS = 6.3 * 24
_BOX_BYTES = (10 * MEBIBYTE, 40 * MEBIBYTE)


async def _bombs(attacker: Attacker) -> None:
    """A megabyte of FLAC that lasts six days, and one that does not say so."""
    for claims_hours in (None, 0.0):
        await attacker.upload_to_its_end([await asyncio.to_thread(_bomb, claims_hours)], codec="flac")


@cache
def _bomb(claims_hours: float | None) -> bytes:
    return flac_bomb(_DAYS, claims_hours=claims_hours)


async def _boxes(attacker: Attacker) -> None:
    """Files of tiny boxes, tags and pictures, one kind after another."""
    kinds: Iterator[tuple[int, Callable[[int], bytes]]]
    kinds = attacker.kept.setdefault("kinds", cycle(product(_BOX_BYTES, HOSTILE.values())))
    size_bytes, make = next(kinds)
    made = await asyncio.to_thread(make, size_bytes)
    await attacker.upload_to_its_end([made], codec="m4a")


async def _slices(attacker: Attacker) -> None:
    """Recordings in as many slices as one may have, one kind after another; then a slice beyond that."""
    makers: Iterator[Callable[[], list[bytes]]] = attacker.kept.setdefault("makers", cycle(_SLICED))
    await attacker.upload_to_its_end(next(makers)(), codec="opus")
    if (recording := await attacker.create()) is not None:
        await attacker.put(recording, MAX_CHUNKS + 1, b"one more")
        await attacker.delete(recording)
    await attacker.dragon(2**31 - 1, b"far away", correlation_id=f"slices-{uuid4().hex}")


def _sample_as(make: Callable[[bytes, int], list[bytes]]) -> Callable[[], list[bytes]]:
    return lambda: make(SAMPLE.read_bytes(), MAX_CHUNKS)


_SLICED: tuple[Callable[[], list[bytes]], ...] = (
    *map(_sample_as, (slices.slices, slices.among_zeros, slices.among_pictures, slices.without_a_beginning)),
    lambda: slices.frameless_flac(MAX_CHUNKS),
)


async def _long_recordings(attacker: Attacker) -> None:
    """An hour of speech, which is deleted while it is worked on."""
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
    Attack(name="bombs", again=_bombs, refusals=("failed recording_too_long: ",)),
    Attack(
        name="boxes",
        again=_boxes,
        refusals=("failed (not_audio|too_much_memory): ",),
        others=(*SUCCESS, "ended: completed", "failed unsupported_audio: "),
    ),
    Attack(
        name="slices",
        again=_slices,
        refusals=("400 invalid_request: Chunk number N is not between N and N", "400 chunkId must be at most N"),
        others=(*SUCCESS, "ended: completed", "failed (not_audio|unsupported_audio): "),
    ),
    Attack(name="long-recordings", again=_long_recordings, refusals=(), pause_seconds=5),
    Attack(
        name="live-speech",
        again=_live_speech,
        refusals=("503 Too much speech is waiting",),
        others=(*SUCCESS, "507 The project's quota is N bytes"),
        at_once=20,
    ),
)
