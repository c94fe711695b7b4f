"""Publishes batches of messages to Kafka: each batch and the new position in one transaction, all or nothing.

Opening a producer for a topic fences the previous one: its open transaction is aborted, and it can never write again.
A producer is used until its first failure; the next one then reads how the failed transaction ended.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidProducerEpoch, InvalidProducerIdMapping, KafkaError, ProducerFenced
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from adapters.kafka.calling import call, close, start
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.errors import Fenced, KafkaFailed
from adapters.kafka.message import Message
from adapters.kafka.position import position_group

TRANSACTION_SECONDS = 30
"""After this, Kafka aborts a transaction that its producer has abandoned, and a publisher gives up on its own."""

CLOSE_SECONDS = 3
LARGEST_BATCH_BYTES = 512 * 1024
"""For one partition's messages in one request; brokers accept 1 MiB by default."""


class TransactionalProducer:
    """Open with `open`, close with `close`. One call at a time."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self._group = position_group(topic)
        self._partitions = 0

    @classmethod
    async def open(cls, connection: KafkaConnection, topic: str) -> Self:
        """Connect and fence every producer that publishes to `topic`. Raises: KafkaFailed."""
        producer = AIOKafkaProducer(
            **connection.options(),
            transactional_id=position_group(topic),
            transaction_timeout_ms=TRANSACTION_SECONDS * 1000,
            max_batch_size=LARGEST_BATCH_BYTES,
        )
        opened = cls(producer, topic)
        try:
            async with asyncio.timeout(TRANSACTION_SECONDS):
                await start(producer)
                opened._partitions = len(await call(producer.partitions_for(topic)))
        except BaseException as error:
            await opened.close()
            if isinstance(error, (KafkaError, OSError, TimeoutError)):
                raise KafkaFailed(f"Kafka does not accept a producer for {topic}: {_said(error)}") from error
            raise
        return opened

    async def publish(self, messages: Sequence[Message], *, position: int) -> None:
        """In one transaction, write `messages` in order and note that the log is published up to `position`.

        Raises: Fenced; KafkaFailed, after which the transaction may or may not have been committed.
        """
        try:
            async with asyncio.timeout(TRANSACTION_SECONDS):
                await call(self._transaction(messages, position))
        except (KafkaError, OSError, TimeoutError, AssertionError) as error:  # aiokafka has asserts there
            raise self._named(error) from error

    async def _transaction(self, messages: Sequence[Message], position: int) -> None:
        await self._producer.begin_transaction()
        # Wait for every delivery before the commit: aiokafka commits a transaction even when one of its batches was
        # refused, and the refused messages would be missing.
        await asyncio.gather(*await self._send(messages))
        # Not at the same time as the messages: while the coordinator adds the group, brokers refuse them for 100 ms.
        await self._send_position(position)
        await self._producer.commit_transaction()

    async def _send(self, messages: Sequence[Message]) -> list[Awaitable[Any]]:
        """Queue the messages as whole batches: one future per batch, not one per message."""
        by_partition: dict[int, list[Message]] = {}
        for message in messages:
            by_partition.setdefault(partition_of(message.key, self._partitions), []).append(message)
        return [
            await self._producer.send_batch(batch, self._topic, partition=partition)
            for partition, its_messages in by_partition.items()
            for batch in self._batches(its_messages)
        ]

    def _batches(self, messages: Sequence[Message]) -> Iterable[Any]:
        batch = self._producer.create_batch()
        for message in messages:
            if not _append(batch, message):
                yield batch
                batch = self._producer.create_batch()
                _append(batch, message)
        batch.close()
        yield batch

    async def _send_position(self, position: int) -> None:
        offset = OffsetAndMetadata(position, "position in tapedeck's log")
        await self._producer.send_offsets_to_transaction({TopicPartition(self._topic, 0): offset}, self._group)

    def _named(self, error: Exception) -> KafkaFailed:
        sender = self._producer._sender.sender_task  # noqa: SLF001 - why it ended says more than what the call raised
        ended = sender.exception() if sender is not None and sender.done() and not sender.cancelled() else None
        for cause in (error, ended):
            if isinstance(cause, (ProducerFenced, InvalidProducerEpoch, InvalidProducerIdMapping)):
                return Fenced("Another producer has taken over, or Kafka has given up the transaction.")
        return KafkaFailed(f"The transaction did not complete: {_said(error)}")

    async def close(self) -> None:
        """Abort the open transaction, if Kafka answers soon, and close every connection."""
        try:
            with suppress(TimeoutError, KafkaError, AssertionError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await call(_finish(self._producer))
        finally:
            await close(_abandon(self._producer))


@lru_cache(maxsize=65_536)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition that Kafka's own clients, in Java and elsewhere, choose for this key."""
    everyone = range(partitions)
    return int(DefaultPartitioner()(key, everyone, everyone))


def _append(batch: Any, message: Message) -> bool:
    appended = batch.append(
        timestamp=message.timestamp_ms, key=message.key, value=message.value, headers=message.headers
    )
    return appended is not None


def _said(error: BaseException) -> str:
    return f"no answer within {TRANSACTION_SECONDS} s" if isinstance(error, TimeoutError) else repr(error)


# What follows uses aiokafka 0.14's internals, as there is no other way. While a broker is away, aiokafka retries
# endlessly, even when told to stop. It leaves futures whose exceptions nobody retrieves, which asyncio then reports.


def _is_in_transaction(producer: AIOKafkaProducer) -> bool:
    sender = producer._sender.sender_task  # noqa: SLF001
    return sender is not None and not sender.done() and bool(producer._txn_manager.is_in_transaction())  # noqa: SLF001


async def _finish(producer: AIOKafkaProducer) -> None:
    if _is_in_transaction(producer):
        await producer.abort_transaction()
    await producer.stop()


async def _abandon(producer: AIOKafkaProducer) -> None:
    """End every task of the producer, even those that wait for a broker that does not answer."""
    producer._closed = True  # noqa: SLF001
    await producer.client.close()
    sender = producer._sender.sender_task  # noqa: SLF001
    while sender is not None and not sender.done():
        # The first cancel makes it wait for its requests one by one; each further cancel ends the current one.
        sender.cancel()
        await asyncio.wait([sender], timeout=0.01)
    await producer.client.close()
    await asyncio.sleep(0)  # a connection closes its socket in the next round of the loop
    _fetch_exceptions(producer)


def _fetch_exceptions(producer: AIOKafkaProducer) -> None:
    accumulator = producer._message_accumulator  # noqa: SLF001
    batches = [batch for queue in accumulator._batches.values() for batch in queue]  # noqa: SLF001
    futures = [
        producer._txn_manager.wait_for_transaction_end(),  # noqa: SLF001
        producer._txn_manager._pid_waiter,  # noqa: SLF001
        producer._sender.sender_task,  # noqa: SLF001
        *(future for batch in batches for future in (batch.future, batch._drain_waiter)),  # noqa: SLF001
    ]
    for future in futures:
        if future is not None and future.done() and not future.cancelled():
            future.exception()
