"""Publishes the log to Kafka: every event once, in order. Kafka itself keeps the position reached.

Each batch of events and its new position are one transaction, so a crash anywhere leaves both or neither. Any failure
ends the session; the next one fences off what is left of it and asks Kafka where to continue. Nothing is read from
the log before there is room for it, so an outage of Kafka costs no memory.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from adapters.event_log.port import LogUnavailable
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.errors import Fenced, KafkaFailed
from adapters.kafka.message import Message
from adapters.kafka.position import Published, read_position, read_published
from adapters.kafka.producer import TransactionalProducer
from adapters.kafka.topic import Topic, ensure_topic
from adapters.positions import PositionStore
from service.application.clock import Clock
from service.application.metrics import Metrics, PublisherMetrics
from service.application.retry import RetryPolicy
from service.followers.presence import NotTold, Presence, told
from service.followers.subjects import ClientIdsOf, Subjects
from service.messages.publication import message_id, to_message

logger = logging.getLogger(__name__)

LARGEST_BATCH = 1_000
"""Maximum events per transaction. A transaction takes 30 ms whatever is in it."""

SLICE = 100
"""Events read and made into messages at a time."""

WAITING = RetryPolicy(first=timedelta(milliseconds=200), longest=timedelta(seconds=5))

PATIENCE = RetryPolicy(first=timedelta(seconds=20), longest=timedelta(minutes=10))
"""How long events wait unpublished before a standby publisher takes over; half of it is random.

It grows with each fencing since the last event that anyone published, until it is longer than a session can need from
its take-over to its first commit: each step of that is bounded, two and a half minutes in all. So whoever has taken
over publishes before another's patience ends, or fails on its own; publishers cannot keep fencing each other off.
"""

LONGEST_LOOK = timedelta(seconds=2)
"""A standby publisher asks Kafka at least this often how far the others are."""

POSITION_RENEWAL = timedelta(hours=12)
"""A position is committed again after this long without events: Kafka forgets one unchanged for a week."""


class AnotherLog(Exception):
    """The topic holds events that this log does not have: it belongs to another log, or this log was restored."""


class AnotherPublisher(Exception):
    """Someone else has published meanwhile; taking over would only interrupt that."""


@dataclass(frozen=True, slots=True)
class _Batch:
    messages: Sequence[Message]
    position: int
    oldest: RecordedEvent | None


class Publisher:
    """The follower. Only one per topic works at any time; others that run stand by.

    `worded`: puts an adapter's sentence into the names of this program's settings.
    """

    name = "kafka"

    def __init__(
        self,
        log: EventLog,
        connection: KafkaConnection,
        topic: Topic,
        *,
        positions: PositionStore,
        clock: Clock,
        random: Random,
        metrics: Metrics,
        client_ids_of: ClientIdsOf,
        worded: Callable[[str], str] = str,
        patience: RetryPolicy = PATIENCE,
        presence: Presence | None = None,
    ) -> None:
        self._worded = worded
        self._log = log
        self._connection = connection
        self._topic = topic
        self._client_ids: Subjects[Mapping[str, str]] = Subjects(log, client_ids_of, {})
        self._positions = positions
        self._clock = clock
        self._random = random
        self._follower_position = metrics.follower_position.labels(self.name)
        self._metrics = PublisherMetrics(metrics.registry)
        self._presence = presence or NotTold()
        self._patience = patience
        self._patiences = patience.delays(random)
        # Kafka's own position counts; the one noted here only feeds the metrics while Kafka is away.
        self.position = positions.load(self.name)
        # Where Kafka may say the topic is if nobody else has published. Empty: not known yet.
        self._expected: frozenset[int] = frozenset()
        self._oldest_unpublished: RecordedEvent | None = None
        self._metrics.measure_lag(lambda: self.lag_events, self._lag_seconds)
        self._is_held_up = False

    @property
    def is_held_up(self) -> bool:
        """Whether the last try to publish failed. A publisher that stands by for another is not held up."""
        return self._is_held_up

    @property
    def lag_events(self) -> int:
        """Events in the log that are not published yet."""
        return max(0, self._log.head - self.position)

    @property
    def lag(self) -> timedelta:
        """Age of the oldest event not published yet; zero if there is none."""
        oldest = self._oldest_unpublished
        if oldest is None or oldest.position <= self.position:
            return timedelta()
        return max(timedelta(), self._clock() - oldest.event.at)

    def _lag_seconds(self) -> float:
        return self.lag.total_seconds()

    async def run(self) -> None:
        """Follow the log until cancelled."""
        delays, tried_from = WAITING.delays(self._random), self.position
        stands_by = False
        while True:
            try:
                await self._look_at_oldest()
                if stands_by:
                    await self._stand_by()
                    stands_by = False
                async with told(self._presence):
                    await self._publish()
            except Fenced as error:
                stands_by, self._is_held_up = True, False
                self._metrics.fencings.inc()
                logger.warning("fenced; standing by", extra={"position": self.position, "because": str(error)})
            except AnotherPublisher as error:
                stands_by, self._is_held_up = True, False
                logger.info("standing by", extra={"position": self.position, "because": str(error)})
            except (KafkaFailed, LogUnavailable, AnotherLog) as error:
                self._is_held_up = True
                if self.position != tried_from:
                    delays, tried_from = WAITING.delays(self._random), self.position
                logger.warning(
                    "publishing waits", extra={"position": self.position, "because": self._worded(str(error))}
                )
                await asyncio.sleep(next(delays).total_seconds())

    async def _publish(self) -> None:
        """One session: take the topic over, ask how far it is, continue from there until something fails.

        A process's first session takes over from any publisher; a later one only if nobody else published meanwhile.
        """
        await ensure_topic(self._connection, self._topic)
        await self._check_take_over()
        producer = await TransactionalProducer.open(self._connection, self._topic.name)
        try:
            published = await read_published(self._connection, self._topic.name)
            await self._check_same_log(published)
            self._moved_to(published.position)
            self._is_held_up = False
            logger.info("publishing", extra={"topic": self._topic.name, "position": published.position})
            async with aclosing(self._batches(after=published.position)) as batches:
                async for batch in batches:
                    await self._publish_batch(producer, batch)
        finally:
            await producer.close()

    async def _publish_batch(self, producer: TransactionalProducer, batch: _Batch) -> None:
        self._oldest_unpublished = batch.oldest
        self._expected = frozenset((self.position, batch.position))
        try:
            await producer.publish(batch.messages, position=batch.position)
        except BaseException:
            self._metrics.aborts.inc()
            raise
        self._metrics.transactions.inc()
        self._metrics.events.inc(len(batch.messages))
        self._moved_to(batch.position)

    async def _batches(self, *, after: int) -> AsyncGenerator[_Batch]:
        """The batches to publish, without end. A batch without messages renews the position.

        A full batch is prepared while the one before it is being published; a smaller one waits and grows meanwhile.
        """
        ahead: asyncio.Task[_Batch] | None = None
        try:
            while True:
                batch = await ahead if ahead is not None else await self._next_batch(after)
                after = batch.position
                is_whole_one_waiting = self._log.head - after >= LARGEST_BATCH
                ahead = asyncio.create_task(self._next_batch(after)) if is_whole_one_waiting else None
                yield batch
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.wait([ahead])

    async def _next_batch(self, after: int) -> _Batch:
        """Raises: LogUnavailable."""
        renewed_at = self._clock() + POSITION_RENEWAL
        while self._log.head <= after:
            await self._log.wait_for_growth(after)
            if self._clock() >= renewed_at:
                return _Batch((), after, None)
        messages: list[Message] = []
        oldest = None
        # Slice by slice, so that a thousand events do not hold up the requests that are being served.
        while len(messages) < LARGEST_BATCH:
            events = await self._log.read(after=after, limit=min(SLICE, LARGEST_BATCH))
            if not events:
                break
            client_ids = await self._client_ids.of(events)
            messages += map(to_message, events, client_ids)
            oldest, after = oldest or events[0], events[-1].position
            await asyncio.sleep(0)
        return _Batch(messages, after, oldest)

    async def _check_take_over(self) -> None:
        """Raises: AnotherLog; AnotherPublisher; KafkaFailed; LogUnavailable."""
        published = await read_published(self._connection, self._topic.name)
        await self._check_same_log(published)
        if self._expected and published.position not in self._expected:
            self._moved_to(published.position)
            raise AnotherPublisher(f"Another publisher has reached position {published.position}.")

    async def _check_same_log(self, published: Published) -> None:
        """Raises: AnotherLog; LogUnavailable."""
        head = await self._log.refresh_head()
        if published.position > head:
            raise AnotherLog(
                f"{self._topic.name} is published up to position {published.position}, and this log ends at {head}: "
                "it belongs to another log, or this one was restored to an older state. Give this log another topic."
            )
        if published.last_id is None:
            return
        (event,) = await self._log.read(after=published.position - 1, limit=1)
        if message_id(event) != published.last_id:
            raise AnotherLog(
                f"{self._topic.name} has another event at position {published.position} than this log: it belongs to "
                "another log. Give this log another topic."
            )

    async def _stand_by(self) -> None:
        """Return when events wait, and whoever took over has ended or has long left them. Raises: KafkaFailed."""
        loop = asyncio.get_running_loop()
        patience, moved_at = next(self._patiences), loop.time()
        while loop.time() - moved_at < patience.total_seconds():
            await asyncio.sleep(min(patience / 10, LONGEST_LOOK).total_seconds())
            # Kafka forgets a position that has not changed for long, and then says 0.
            position = max(self.position, await read_position(self._connection, self._topic.name))
            self._is_held_up = False
            await self._log.refresh_head()
            if position != self.position:
                self._moved_to(position)
                patience, moved_at = next(self._patiences), loop.time()
            elif position >= self._log.head:
                moved_at = loop.time()
            elif await self._presence.take():
                return
            await self._look_at_oldest()

    async def _look_at_oldest(self) -> None:
        waiting = await self._log.read(after=self.position, limit=1)
        self._oldest_unpublished = waiting[0] if waiting else None

    def _moved_to(self, position: int) -> None:
        if position != self.position:
            self.position = position
            self._positions.save(self.name, position)
            self._patiences = self._patience.delays(self._random)
        self._expected = frozenset((position,))
        self._follower_position.set(position)
