"""librdkafka's mock cluster: Kafka's protocol on a real port without Java, in this process.

For tests that need neither transactions that carry a position nor a reader that skips uncommitted messages.
"""

from collections.abc import Iterable

from confluent_kafka import Producer

from adapters.kafka.message import Message


class MockCluster:
    """Exists as long as this object."""

    def __init__(self) -> None:
        self._keeper = Producer({"bootstrap.servers": "", "test.mock.num.brokers": 1, "log_level": 0})
        (broker,) = self._keeper.list_topics(timeout=60).brokers.values()
        self.bootstrap_servers = f"{broker.host}:{broker.port}"

    def produce(self, topic: str, messages: Iterable[Message]) -> None:
        """Append the messages; a missing topic is created."""
        producer = Producer({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        for message in messages:
            producer.produce(
                topic,
                key=message.key,
                value=message.value,
                headers=list(message.headers),
                timestamp=message.timestamp_ms,
            )
        assert producer.flush(60) == 0
