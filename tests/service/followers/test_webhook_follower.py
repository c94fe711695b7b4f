"""Each event's messages are made once, also where the follower's position on disk is behind what it has read."""

import asyncio
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.one_thread import OneThread
from adapters.webhooks.deliveries import Endpoint, Message
from adapters.webhooks.sender import Sent
from adapters.webhooks.signing import new_secret, sealer_of_secrets
from adapters.webhooks.store import WebhookStore
from service.followers import webhook_follower
from service.followers.webhook_follower import WebhookFollower
from tests.domain.histories import START, chunk, finalized, opened, stitched


class CountingThread(OneThread):
    """`calls`: how many have ended."""

    def __init__(self):
        super().__init__("webhooks")
        self.calls = 0

    async def run(self, work, *args, **kwargs):
        try:
            return await super().run(work, *args, **kwargs)
        finally:
            self.calls += 1


class Delivery:
    """Sends nothing."""

    def wake(self, _endpoints):
        """Nobody waits."""


class Rig:
    """A log, the webhook store and, while `following`, the follower: a new one each time, as after a crash."""

    def __init__(self, place):
        self.log = EventLog(SQLiteLogRecorder(place / "log.sqlite3"))
        self.store = WebhookStore(place / "webhooks.sqlite3", sealer_of_secrets(place / "webhooks.key"))
        self.thread = CountingThread()
        self._delivered = []

    async def append(self, its_id, *events):
        version = len(await self.log.history(its_id))
        await self.log.append(its_id, version, list(events), trace_id=None)

    def make_endpoint(self, its_id="wh_1"):
        facts = {"url": "http://r.example/", "events": ("any",), "created_at": START}
        self.store.add(Endpoint(its_id, project_id="proj_1", after_position=self.log.head, **facts), new_secret())

    def told(self, its_id="wh_1"):
        """What has been delivered to the endpoint by now, which accepts everything."""
        while due := self.store.due(its_id, now=START, limit=100):
            for one in due:
                self.store.record(one.sequence, START, START, Sent(200), None)
                self._delivered.append(one.body.decode())
        return self._delivered

    @asynccontextmanager
    async def following(self):
        follower = WebhookFollower(
            self.store, self.thread, Delivery(), self._messages_of, _no_messages, log=self.log, clock=lambda: START
        )
        running = asyncio.create_task(follower.run())
        yield self
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    def _messages_of(self, recorded, summary):
        body = f"{type(recorded.event).__name__} of {summary.total_chunks}".encode()
        return [
            Message(f"evt_{recorded.position}", "any", "proj_1", recorded.stream_id, recorded.position, START, body)
        ]

    async def until(self, condition):
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.001)


def _no_messages(_recorded, _order):
    return ()


@pytest.fixture
async def rig(tmp_path):
    rig = Rig(tmp_path)
    yield rig
    await rig.log.close()
    rig.thread.close()
    rig.store.close()


async def test_chunks_are_passed_over_without_a_thread_and_are_read_again_after_a_crash(rig, monkeypatch):
    monkeypatch.setattr(webhook_follower, "EVENTS_PER_WRITE", 10)
    its_id = UUID(int=1)
    rig.make_endpoint()
    async with rig.following():
        await rig.append(its_id, opened())
        await rig.until(lambda: rig.thread.calls == 3)  # for the position, the endpoints and the message
        assert rig.store.position() == 1
        await rig.append(its_id, *(chunk(number) for number in range(1, 6)))
        await rig.append(its_id, *(chunk(number) for number in range(6, 11)))
        await rig.until(lambda: rig.thread.calls == 4)
        assert rig.store.position() == 11
        await rig.append(its_id, chunk(11))
    assert rig.store.position() == 11
    async with rig.following():
        await rig.append(its_id, finalized(11))
        await rig.until(lambda: rig.store.position() == 13)
    assert rig.told() == ["RecordingOpened of None", "FinalizeRequested of 11"]


async def test_an_endpoint_is_told_of_nothing_that_was_read_before_it_was_made_also_if_that_is_read_again(rig):
    its_id = UUID(int=1)
    async with rig.following():
        await rig.append(its_id, opened(), chunk(1))
        await rig.until(lambda: rig.thread.calls == 2)  # for the position and the endpoints
    rig.make_endpoint()
    assert rig.store.position() == 0
    async with rig.following():
        await rig.append(its_id, finalized(1))
        await rig.until(lambda: rig.store.position() == 3)
    assert rig.told() == ["FinalizeRequested of 1"]


async def test_what_happened_while_there_was_no_endpoint_is_in_what_a_later_one_is_told(rig):
    its_id = UUID(int=1)
    rig.make_endpoint("wh_0")
    async with rig.following():
        await rig.append(its_id, opened())
        await rig.until(lambda: rig.thread.calls == 3)
        rig.store.remove("wh_0")
        await rig.append(its_id, chunk(1), finalized(1))
        await rig.until(lambda: rig.thread.calls == 4)
        rig.make_endpoint()
        await rig.append(its_id, stitched())
        await rig.until(lambda: rig.told() != [])
    assert rig.told() == ["Stitched of 1"]
