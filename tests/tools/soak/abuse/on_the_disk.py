"""Attacks on what is kept: bytes, events and rows that nobody ever takes away again."""

from random import Random
from uuid import uuid4

from tests.tools.soak.abuse.attack import Attack
from tests.tools.soak.abuse.attacker import Attacker

MEBIBYTE = 1024 * 1024


async def _replacements(attacker: Attacker) -> None:
    """Ever other bytes for the same chunk."""
    if "recording" not in attacker.kept:
        attacker.kept["recording"] = await attacker.create()
        attacker.kept["sent"] = 0
    recording = attacker.kept["recording"]
    if recording is None:
        return
    attacker.kept["sent"] += 1
    await attacker.put(recording, 1, b"%d" % attacker.kept["sent"])


async def _open_recordings(attacker: Attacker) -> None:
    """Recordings that are begun and left."""
    await attacker.create()


async def _bytes_kept(attacker: Attacker) -> None:
    """Chunks of random bytes, as many as are taken."""
    recording = await attacker.create()
    if recording is not None:
        await attacker.put(recording, 1, Random(id(recording)).randbytes(8 * MEBIBYTE))


async def _webhooks(attacker: Attacker) -> None:
    """Endpoints that never answer, and events for all of them."""
    asked = {"url": f"{attacker.receiver_url}/{uuid4().hex}", "events": ["recording.created", "recording.deleted"]}
    await attacker.caller.tried("POST", "/v1/webhooks", body=asked)
    recording = await attacker.create()
    if recording is not None:
        await attacker.delete(recording)


ON_THE_DISK = (
    Attack(name="replacements", again=_replacements, refusals=("4",), at_once=2, pause_seconds=0.05),
    Attack(name="open-recordings", again=_open_recordings, refusals=("4",)),
    Attack(name="bytes-kept", again=_bytes_kept, refusals=("507 ",), pause_seconds=1),
    Attack(name="webhooks", again=_webhooks, refusals=("4",)),
)
