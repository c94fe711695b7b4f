"""Ordered notes are written several at a time, and no more than fit into memory."""

import asyncio
from datetime import timedelta
from random import Random
from uuid import uuid4

from adapters.blobs.opening import open_store
from adapters.notes.orders import OrderedNote
from service.application.clock import utc_now
from service.application.order_writing import OrderWriting
from service.application.retry import RetryPolicy
from service.application.turns import Turns
from tests.adapters.notes.test_extractive import transcript_of
from tests.domain.histories import note_ordered

AT_ONCE = 8


class SlowWriter:
    """Writes on until `AT_ONCE` write at the same time."""

    name = "slow"

    def __init__(self) -> None:
        self.writing = self.most = 0
        self.are_enough = asyncio.Event()

    async def write(self, transcript, _):
        self.writing += 1
        self.most = max(self.most, self.writing)
        if self.most == AT_ONCE:
            self.are_enough.set()
        await self.are_enough.wait()
        await asyncio.sleep(0)
        self.writing -= 1
        return OrderedNote(output={"overview": transcript.text}, engine=self.name, language="en")


async def test_of_many_orders_only_some_have_their_transcript_in_memory(tmp_path):
    blobs = open_store(f"file://{tmp_path}/blobs")
    transcript = await asyncio.to_thread(blobs.put_bytes, "transcript", transcript_of("A rash.").to_json())
    writer = SlowWriter()
    writing = OrderWriting(
        blobs,
        writer,
        turns=Turns(AT_ONCE),
        limit=timedelta(minutes=1),
        policy=RetryPolicy(attempts=1),
        clock=utc_now,
        random=Random(1),
    )
    order = note_ordered(transcript_key=transcript.key)
    async with asyncio.timeout(60):
        done = await asyncio.gather(*(writing.work(uuid4(), order) for _ in range(3 * AT_ONCE)))
    assert (len(done), writer.most) == (3 * AT_ONCE, AT_ONCE)
    await blobs.close()
