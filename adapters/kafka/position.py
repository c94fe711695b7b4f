"""Reads how far in the log a topic has been published.

The position is the committed offset of a consumer group that has no consumers: the producer commits it in the same
transaction as the messages. Kafka forgets such an offset when nothing was committed for a while
(`offsets.retention.minutes`, a week by default), so the last messages of the topic are asked too: each names its place
in the log, and a transaction is visible whole or not at all.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from adapters.kafka.connection import KafkaConnection
from adapters.kafka.errors import KafkaFailed

POSITION_HEADER = "ce_logposition"
READ_SECONDS = 60
FIRST_TAIL_OFFSETS = 64
POLL_MS = 200


@dataclass(frozen=True, slots=True)
class Published:
    """How far a topic stands. `last_id` is the `ce_id` of the last message, None where there is no message left."""

    position: int
    last_id: str | None


def position_group(topic: str) -> str:
    """The consumer group, and the transactional id, of the one that publishes to `topic`."""
    return f"{topic}.publisher"


async def read_position(connection: KafkaConnection, topic: str) -> int:
    """The committed position alone: quick, and 0 where Kafka has none. Raises: KafkaFailed."""
    consumer = _consumer(connection, topic)
    try:
        async with asyncio.timeout(READ_SECONDS):
            await consumer.start()
            return await _committed(consumer, topic)
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaFailed(f"Kafka does not say how far {topic} is published: {error!r}") from error
    finally:
        await consumer.stop()


async def read_published(connection: KafkaConnection, topic: str) -> Published:
    """How far the log is in `topic`, by the committed position and by the last messages. Raises: KafkaFailed.

    Exact for whoever has fenced all other producers first: then no transaction is under way.
    """
    consumer = _consumer(connection, topic)
    try:
        async with asyncio.timeout(READ_SECONDS):
            await consumer.start()
            committed = await _committed(consumer, topic)
            last = await _last_message(consumer, topic)
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaFailed(f"Kafka does not say how far {topic} is published: {error!r}") from error
    finally:
        await consumer.stop()
    if last is None:
        return Published(committed, None)
    position = _log_position(last)
    return Published(max(position, committed), _header(last, "ce_id") if position >= committed else None)


def _consumer(connection: KafkaConnection, topic: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        **connection.options(),
        group_id=position_group(topic),
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="none",
    )


async def _committed(consumer: AIOKafkaConsumer, topic: str) -> int:
    # The position belongs to no partition in particular; it stands under the first.
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    return await consumer.committed(partition) or 0


async def _last_message(consumer: AIOKafkaConsumer, topic: str) -> ConsumerRecord | None:
    """The message furthest in the log among the last of every partition."""
    await consumer._client._wait_on_metadata(topic)  # noqa: SLF001 - a consumer that is assigned fetches none by itself
    partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
    consumer.assign(partitions)
    first, end = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    tails = [await _tail(consumer, partition, first[partition], end[partition]) for partition in partitions]
    return max((last for last in tails if last is not None), key=_log_position, default=None)


async def _tail(consumer: AIOKafkaConsumer, partition: TopicPartition, first: int, end: int) -> ConsumerRecord | None:
    """The last committed message of one partition.

    Markers and aborted messages have offsets too, so the way back is lengthened until there is a message.
    """
    consumer.pause(*(consumer.assignment() - {partition}))
    consumer.resume(partition)
    way_back = FIRST_TAIL_OFFSETS
    start = end
    while start > first:
        start = max(first, end - way_back)
        consumer.seek(partition, start)
        last = None
        while await consumer.position(partition) < end:
            batches = await consumer.getmany(partition, timeout_ms=POLL_MS)
            for records in batches.values():
                last = records[-1]
        if last is not None:
            return last
        way_back *= 16
    return None


def _log_position(record: ConsumerRecord) -> int:
    return int(_header(record, POSITION_HEADER) or 0)


def _header(record: ConsumerRecord, name: str) -> str | None:
    headers: Sequence[tuple[str, bytes]] = record.headers
    return next((value.decode() for key, value in headers if key == name), None)
