"""Whoever is cancelled while it talks to Kafka is cancelled, at whichever moment; aiokafka by itself forgets it."""

import asyncio
import gc
from itertools import count
from uuid import uuid4

import pytest

from adapters.kafka.connection import KafkaConnection
from adapters.kafka.diagnosis import why_unreachable
from adapters.kafka.position import read_position, read_published
from adapters.kafka.producer import TransactionalProducer
from adapters.kafka.topic import Topic, ensure_topic
from tests.adapters.kafka.test_producer import complaints_of_asyncio, message
from tests.tools.kafka.cancelling import cancelled_at


async def _publish(connection, topic):
    producer = await TransactionalProducer.open(connection, topic)
    try:
        await producer.publish([message(2)], position=2)
    finally:
        await producer.close()


CALLS = {
    "read_position": read_position,
    "read_published": read_published,
    "ensure_topic": lambda connection, topic: ensure_topic(connection, Topic(name=topic)),
    "publish": _publish,
    "why_unreachable": lambda connection, _: why_unreachable(connection),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
async def test_a_call_that_is_cancelled_at_any_moment_tells_it_and_leaves_nothing_behind(kafka, name):
    complaints = complaints_of_asyncio()
    connection, topic = KafkaConnection(bootstrap_servers=(kafka.bootstrap_servers,)), f"test-{uuid4()}"
    await ensure_topic(connection, Topic(name=topic, partitions=2))
    await _publish(connection, topic)
    for step in count(1):
        ended, was_cancelled = await cancelled_at(CALLS[name](connection, topic), step)
        if not was_cancelled:
            assert ended.exception() is None
            break
        assert ended.cancelled(), f"at step {step} it forgot that it was cancelled"
        assert asyncio.all_tasks() == {asyncio.current_task()}, f"at step {step}"
    gc.collect()
    assert complaints == []
