"""The Kafka publisher as the settings configure it, in the service or in a process of its own."""

from random import Random
from zlib import crc32

from adapters.database.looking_up import in_database_thread
from adapters.database.port import ServerAway
from adapters.event_log.log import EventLog
from adapters.event_log.url import is_postgres
from adapters.kafka.topic import Topic
from adapters.positions import PositionStore
from service.application.clock import utc_now
from service.application.metrics import Metrics
from service.dialects.registry import client_ids_of
from service.followers.presence import Presence
from service.followers.publisher import Publisher
from service.runtime.settings import Settings, as_set


def open_publisher(
    settings: Settings, log: EventLog, *, positions: PositionStore, random: Random, metrics: Metrics
) -> Publisher:
    """Raises: ValueError if the settings name no Kafka."""
    if settings.kafka is None:
        raise ValueError("no Kafka is configured")
    topic = Topic(
        name=settings.kafka_topic, partitions=settings.kafka_partitions, replication=settings.kafka_replication
    )
    return Publisher(
        log,
        settings.kafka,
        topic,
        positions=positions,
        clock=utc_now,
        random=random,
        metrics=metrics,
        client_ids_of=client_ids_of,
        worded=as_set,
        presence=_presence(settings.log_url, topic.name),
    )


def _presence(log_url: str, topic: str) -> Presence | None:
    return InDatabase(log_url, topic) if is_postgres(log_url) else None


class InDatabase:
    """The lock is one of the database that has the log, for this topic."""

    def __init__(self, log_url: str, topic: str) -> None:
        from adapters.database.session_lock import SessionLock  # noqa: PLC0415 - the embedded profile does without it

        self._lock = SessionLock(log_url, _PUBLISHERS << 32 | crc32(topic.encode()))

    async def take(self) -> bool:
        try:
            return await in_database_thread(self._lock.take)
        except ServerAway:  # which the follower says, of the log
            return False

    async def leave(self) -> None:
        await in_database_thread(self._lock.leave)


_PUBLISHERS = 0x7461_7068
