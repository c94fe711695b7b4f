"""Attacks on what is kept: bytes, events and rows that nobody ever takes away again."""

import asyncio
from uuid import uuid4

from tests.tools.abuse.floods import Flood
from tests.tools.abuse.replacements import Replacements
from tests.tools.soak.abuse.attack import Attack
from tests.tools.soak.abuse.attacker import Attacker
from tests.tools.soak.abuse.operating import MEBIBYTE

_OF_EACH = 10
"""Of everything that a flood makes more of, in one go."""
_REPLACED = 20
_REPLACING = 5


async def _flood(attacker: Attacker) -> None:
    """Recordings, chunks, webhooks, end users and devices without end."""
    flood = attacker.kept.setdefault("flood", Flood(attacker.caller.url, attacker.project.token))
    await flood.everything(attacker.caller.http, count=_OF_EACH, chunk_bytes=MEBIBYTE // 4)
    for outcome, times in flood.outcomes.items():
        attacker.caller.count(f"{outcome.status} {outcome.code}: {outcome.what}", times)
    flood.outcomes.clear()


async def _replacements(attacker: Attacker) -> None:
    """Ever other bytes for the same chunk, on several connections."""
    http, kept = attacker.caller.http, attacker.kept
    if "template" not in kept:
        kept["replacements"] = Replacements(attacker.caller.url, attacker.project.token)
        _, kept["template"] = await kept["replacements"].opened(http)
    replacing = (kept["replacements"].replace(http, kept["template"], _REPLACED) for _ in range(_REPLACING))
    await asyncio.gather(*replacing)
    for (status, code), times in kept["replacements"].outcomes.items():
        attacker.caller.count(f"{status} {code}".strip(), times)
    kept["replacements"].outcomes.clear()


async def _webhooks(attacker: Attacker) -> None:
    """Endpoints that never answer, and events for all of them."""
    asked = {"url": f"{attacker.receiver_url}/{uuid4().hex}", "events": ["recording.created", "recording.deleted"]}
    await attacker.caller.tried("POST", "/v1/webhooks", body=asked)
    recording = await attacker.create()
    if recording is not None:
        await attacker.delete(recording)


_AT_ITS_QUOTA = (
    "507 quota_exceeded: chunk",
    "429 quota_exceeded: recording",
    "409 quota_exceeded: webhook",
    "409 quota_exceeded: end_user",
    "409 quota_exceeded: device",
)

ON_THE_DISK = (
    Attack(
        name="flood",
        again=_flood,
        refusals=_AT_ITS_QUOTA,
        others=("20[01] : ", "507 quota_exceeded: recording"),
        pause_seconds=1,
    ),
    Attack(name="replacements", again=_replacements, refusals=("409 replaced_too_often",)),
    Attack(name="webhooks", again=_webhooks, refusals=("409 quota_exceeded: ",)),
)
