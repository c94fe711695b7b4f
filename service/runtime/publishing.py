"""The Kafka publisher as the settings configure it, in the service or in a process of its own."""

from random import Random

from adapters.event_log.log import EventLog
from adapters.kafka.topic import Topic
from adapters.positions import PositionStore
from service.application.clock import utc_now
from service.application.metrics import Metrics
from service.dialects.registry import client_ids_of
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
    )
