"""Creates the topic when it is missing. An existing one is left as it is."""

import asyncio
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAlreadyExistsError, for_code

from adapters.kafka.calling import call, close, start
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.diagnosis import why_unreachable
from adapters.kafka.errors import KafkaFailed

USUAL_REPLICATION = 3
TOPIC_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """`partitions` and `replication` are for its creation; None means 3 replicas, or one per broker if fewer."""

    name: str
    partitions: int = 6
    replication: int | None = None


async def ensure_topic(connection: KafkaConnection, topic: Topic) -> None:
    """Return once the topic exists. Raises: KafkaFailed."""
    admin = AIOKafkaAdminClient(**connection.options())
    try:
        async with asyncio.timeout(TOPIC_SECONDS):
            await start(admin)
            await call(_create_missing(admin, topic))
    except KafkaConnectionError as error:
        raise KafkaFailed(await why_unreachable(connection)) from error
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaFailed(f"Kafka does not provide the topic {topic.name}: {error!r}") from error
    finally:
        await close(admin.close())


async def _create_missing(admin: AIOKafkaAdminClient, topic: Topic) -> None:
    if topic.name in await admin.list_topics():
        return
    brokers = len((await admin.describe_cluster())["brokers"])
    replication = topic.replication or min(USUAL_REPLICATION, brokers)
    configuration = {
        # A consumer that starts next year must find the log from its first event; and the position of a publisher that
        # paused for longer than Kafka keeps positions is read back from the last messages.
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "cleanup.policy": "delete",
        "min.insync.replicas": str(max(1, replication - 1)),
    }
    created = await admin.create_topics(
        [NewTopic(topic.name, topic.partitions, replication, topic_configs=configuration)]
    )
    for name, code, *_ in created.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise KafkaFailed(f"Kafka does not create the topic {name}: {error.__name__}, {error.description}")
