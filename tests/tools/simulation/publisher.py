"""A stand-in for the Kafka publisher: the log, in order, to a topic that commits its position with the messages."""

import asyncio

from adapters.event_log.log import EventLog
from tests.tools.simulation.memory_views import Topic


class Publisher:
    """Reads its position back from the topic, and continues from there."""

    name = "publish"

    def __init__(self, log: EventLog, topic: Topic) -> None:
        self._log = log
        self._topic = topic

    async def run(self) -> None:
        """Follow the log until stopped. Raises: Fenced, TopicUnavailable."""
        producer, position = await asyncio.to_thread(self._topic.begin)
        async for events in self._log.follow(after=position):
            await asyncio.to_thread(self._topic.commit, producer, events, events[-1].position)
