"""Looks at everything once all is calm, and compares it with what was acknowledged."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from http import HTTPStatus
from random import Random

from domain.events import LoggedEvent
from tests.end_to_end.publisher_process import until_published
from tests.service.dialects.bota.webhook_receiver import Receiver
from tests.tools.soak.cluster.caller import Caller
from tests.tools.soak.cluster.clients import Clients, Made
from tests.tools.soak.cluster.cluster import Cluster
from tests.tools.soak.cluster.endings import (
    Told,
    expected_webhooks,
    wrong_ending,
    wrong_history,
    wrong_positions,
    wrong_records,
    wrong_webhooks,
)
from tests.tools.soak.cluster.gathering import (
    ending_of,
    partitions_of,
    streams_of,
    tokens_in_tables,
    tokens_on_disk,
    told_of,
)
from tests.tools.soak.cluster.history import History, Operation

_SETTLED_SECONDS = 900
"""Within which all comes to its end that faults have delayed: a webhook's third attempt is six minutes later."""
_LOOK_SECONDS = 1.0
_AT_ONCE = 8


class Look:
    """What `wrong` gives is a sentence for each violation."""

    def __init__(self, cluster: Cluster, asking: Clients, receiver: Receiver, secret: str) -> None:
        self._cluster = cluster
        self._made = asking.made
        self._lives = asking.history.by_recording()
        self._receiver = receiver
        self._secret = secret
        self._caller = Caller(0, asking.urls, asking.token, Random(0), History())

    async def until_settled(self) -> None:
        """Return once every recording that was finalized has come to its end, or has had time enough for it."""
        deadline = time.monotonic() + _SETTLED_SECONDS
        for made in self._made:
            if self._lives[made.name].is_finalized:
                while time.monotonic() < deadline and await self._is_under_way(made):
                    await asyncio.sleep(_LOOK_SECONDS)

    async def _is_under_way(self, made: Made) -> bool:
        shown = await self._caller.until_answered(Operation.SHOW, "", method="GET", path=made.path)
        return shown.status == HTTPStatus.OK and shown.json["status"] not in ("completed", "failed")

    async def wrong(self) -> AsyncIterator[str]:
        at_once = asyncio.Semaphore(_AT_ONCE)
        for wrong in await asyncio.gather(*(self._wrong_ending(made, at_once) for made in self._made)):
            for sentence in wrong:
                yield sentence
        async for sentence in self._wrong_in_the_log():
            yield sentence
        async for sentence in self._left():
            yield sentence

    async def _wrong_ending(self, made: Made, at_once: asyncio.Semaphore) -> list[str]:
        async with at_once:
            life = self._lives[made.name]
            ending = await ending_of(self._caller, life, made)
            return [f"{made.name} ({made.id}): {what}" for what in wrong_ending(life, made.what, ending)]

    async def _wrong_in_the_log(self) -> AsyncIterator[str]:
        database, kafka = self._cluster.database, self._cluster.kafka
        logged, streams = await streams_of(database)
        for sentence in wrong_positions(logged):
            yield sentence
        for made in self._made:
            for what in wrong_history(self._lives[made.name], streams.get(made.id, [])):
                yield f"{made.name} ({made.id}): {what}"
        if unknown := streams.keys() - {made.id for made in self._made}:
            yield f"the log has {len(unknown)} recordings that nobody was told of, such as {min(unknown)}"
        await until_published(database, kafka.bootstrap_servers, self._cluster.topic)
        for sentence in wrong_records(logged, await partitions_of(kafka.bootstrap_servers, self._cluster.topic)):
            yield sentence
        for sentence in await self._wrong_webhooks(streams):
            yield sentence

    async def _wrong_webhooks(self, streams: Mapping[str, Sequence[LoggedEvent]]) -> list[str]:
        """Once all have come, or have had time enough."""
        expected, deadline = expected_webhooks(streams), time.monotonic() + _SETTLED_SECONDS
        while time.monotonic() < deadline:
            told = self._told()
            if len({each.event_id for each in told}) >= expected.total():
                break
            await asyncio.sleep(_LOOK_SECONDS)
        return list(wrong_webhooks(expected, self._told()))

    def _told(self) -> list[Told]:
        return told_of(list(self._receiver.received), self._secret)

    async def _left(self) -> AsyncIterator[str]:
        """Of deleted recordings, once nothing is, or there was time enough to erase it; and whether a look finds what
        stands."""
        names = {made.what.token: made for made in self._made}
        gone = {token for token, made in names.items() if self._lives[made.name].deleted is not None}
        deadline = time.monotonic() + _SETTLED_SECONDS
        while (left := await self._places(gone)) and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
        for token, places in left.items():
            yield f"{names[token].name} ({names[token].id}): it is deleted, and still in {', '.join(places)}"
        standing = {made.what.token for made in self._made if not self._lives[made.name].may_be_deleted}
        if standing and not standing & tokens_on_disk(self._cluster.bucket_files):
            yield "nothing of the recordings that stand was found in the bucket: the look itself is wrong"

    async def _places(self, gone: set[str]) -> dict[str, list[str]]:
        """Where something of these is, by token."""
        found: dict[str, list[str]] = {}
        looks = {"the bucket": await asyncio.to_thread(tokens_on_disk, self._cluster.bucket_files)}
        looks["the database"] = await asyncio.to_thread(tokens_in_tables, self._cluster.database)
        for member in self._cluster.members:
            looks[f"files of {member.name}"] = await asyncio.to_thread(tokens_on_disk, member.data_dir)
        for place, tokens in looks.items():
            for token in tokens & gone:
                found.setdefault(token, []).append(place)
        return found
