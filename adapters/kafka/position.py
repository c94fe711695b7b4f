"""Reads how far in the log a topic has been published.

The position is the committed offset of a consumer group that has no consumers: the producer commits it in the same
transaction as the messages. Kafka forgets such an offset when nothing was committed for a while
(`offsets.retention.minutes`, a week by default), so the topic's last messages are read too: each names its place in the
log, and a transaction is visible completely or not at all.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from adapters.kafka.calling import call, close, start
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.errors import KafkaFailed

POSITION_HEADER = "ce_logposition"
READ_SECONDS = 60
FIRST_TAIL_OFFSETS = 64
POLL_MS = 20


@dataclass(frozen=True, slots=True)
class Published:
    """How far a topic has come. `last_id` is the `ce_id` of the last message, None when no message is left."""

    position: int
    last_id: str | None


def position_group(topic: str) -> str:
    """The consumer group, which is also the transactional id, of the publisher to `topic`."""
    return f"{topic}.publisher"


async def read_position(connection: KafkaConnection, topic: str) -> int:
    """The committed position alone: quick, and 0 if Kafka has none. Raises: KafkaFailed."""
    consumer = _consumer(connection, topic)
    try:
        async with asyncio.timeout(READ_SECONDS):
            await start(consumer)
            return await call(_committed(consumer, topic))
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaFailed(f"Kafka does not say how far {topic} is published: {error!r}") from error
    finally:
        await close(consumer.stop())


async def read_published(connection: KafkaConnection, topic: str) -> Published:
    """How far the log is published in `topic`, by the committed position and the last messages. Raises: KafkaFailed.

    Exact once all other producers are fenced: then no transaction is open.
    """
    consumer = _consumer(connection, topic)
    try:
        async with asyncio.timeout(READ_SECONDS):
            await start(consumer)
            committed = await call(_committed(consumer, topic))
            last = await call(_last_message(consumer, topic))
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaFailed(f"Kafka does not say how far {topic} is published: {error!r}") from error
    finally:
        await close(consumer.stop())
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
        fetch_max_wait_ms=POLL_MS,
    )


async def _committed(consumer: AIOKafkaConsumer, topic: str) -> int:
    # The position belongs to no partition in particular; it is kept under the first.
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    return await consumer.committed(partition) or 0


async def _last_message(consumer: AIOKafkaConsumer, topic: str) -> ConsumerRecord | None:
    """The committed message furthest in the log: the last of its partition.

    Markers and aborted messages have offsets too, so this looks further and further back until it finds a message.
    """
    await consumer._client._wait_on_metadata(topic)  # noqa: SLF001 - an assigned consumer does not fetch it on its own
    partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
    consumer.assign(partitions)
    first, end = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    found: list[ConsumerRecord] = []
    way_back = FIRST_TAIL_OFFSETS
    unfinished = [partition for partition in partitions if end[partition] > first[partition]]
    while unfinished:
        starts = {partition: max(first[partition], end[partition] - way_back) for partition in unfinished}
        last = await _read_between(consumer, starts, end)
        found += last.values()
        unfinished = [each for each in unfinished if each not in last and starts[each] > first[each]]
        way_back *= 16
    return max(found, key=_log_position, default=None)


async def _read_between(
    consumer: AIOKafkaConsumer, starts: dict[TopicPartition, int], end: dict[TopicPartition, int]
) -> dict[TopicPartition, ConsumerRecord]:
    """The last message of each partition between its start and its end; partitions without one are left out."""
    consumer.pause(*consumer.assignment())
    consumer.resume(*starts)
    for partition, offset in starts.items():
        consumer.seek(partition, offset)
    last: dict[TopicPartition, ConsumerRecord] = {}
    unread = set(starts)
    while unread:
        for partition, records in (await consumer.getmany(*unread, timeout_ms=POLL_MS)).items():
            last[partition] = records[-1]
        unread = {partition for partition in unread if await consumer.position(partition) < end[partition]}
    return last


def _log_position(record: ConsumerRecord) -> int:
    return int(_header(record, POSITION_HEADER) or 0)


def _header(record: ConsumerRecord, name: str) -> str | None:
    headers: Sequence[tuple[str, bytes]] = record.headers
    return next((value.decode() for key, value in headers if key == name), None)
