"""Reads a topic as a downstream consumer would, with librdkafka: not the implementation that publishes.

Every message read here is checked against its committed JSON Schema and the CloudEvents headers of the contract.
"""

import time
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import uuid4

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from jsonschema import Draft202012Validator

from service.messages.forms import PublicForm
from service.messages.reading import read_form
from tests.places import REPOSITORY

SCHEMAS = REPOSITORY / "schemas"
POLL_SECONDS = 0.5
READ_SECONDS = 120


@dataclass(frozen=True)
class Seen:
    """A committed message."""

    partition: int
    offset: int
    key: str
    value: bytes
    headers: dict[str, str]
    timestamp_ms: int

    @property
    def id(self) -> str:
        return self.headers["ce_id"]

    @property
    def log_position(self) -> int:
        return int(self.headers["ce_logposition"])

    @property
    def form(self) -> PublicForm:
        return read_form(self.key.encode(), self.value, [(name, text.encode()) for name, text in self.headers.items()])


def read_committed(servers: str, topic: str, *, keeps_contract: bool = True) -> list[Seen]:
    """Every committed message up to the topic's end, partition by partition in order. Blocking.

    A commit is answered before every partition shows it, so the end is read without regard to transactions, and
    reading goes on until it is reached.
    """
    ends = _ends(servers, topic)
    consumer = _consumer(servers, "read_committed")
    deadline = time.monotonic() + READ_SECONDS
    try:
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in ends])
        unread = {number for number, end in ends.items() if end > 0}
        seen = defaultdict[int, list[Seen]](list)
        while unread:
            assert time.monotonic() < deadline, f"a transaction in {topic} does not end"
            message = consumer.poll(POLL_SECONDS)
            if message is None:
                continue
            if message.error() is None:
                seen[message.partition()].append(_seen(message))
            elif message.error().code() == KafkaError._PARTITION_EOF:
                unread -= {message.partition()} if message.offset() >= ends[message.partition()] else set()
    finally:
        consumer.close()
    found = [message for number in sorted(seen) for message in seen[number]]
    if keeps_contract:
        for message in found:
            check_contract(message)
    return found


def _ends(servers: str, topic: str) -> dict[int, int]:
    consumer = _consumer(servers, "read_uncommitted")
    try:
        return {
            number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=60)[1]
            for number in consumer.list_topics(topic, timeout=60).topics[topic].partitions
        }
    finally:
        consumer.close()


def _consumer(servers: str, isolation: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": f"reading-{uuid4()}",
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )


def check_contract(message: Seen) -> None:
    """Raises: jsonschema.ValidationError; NotOurMessage; AssertionError."""
    _validator(message.headers["ce_type"]).validate(orjson.loads(message.value))
    described = _described_headers()
    described.validate(message.headers)
    assert message.headers["ce_type"] == message.form.TYPE


@cache
def _validator(message_type: str) -> Draft202012Validator:
    schema = orjson.loads((SCHEMAS / f"{message_type}.json").read_bytes())
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


@cache
def _described_headers() -> Draft202012Validator:
    document = orjson.loads((SCHEMAS / "asyncapi.json").read_bytes())
    headers = document["components"]["messageTraits"]["cloudEvent"]["headers"]
    return Draft202012Validator(headers, format_checker=Draft202012Validator.FORMAT_CHECKER)


def _seen(message: Any) -> Seen:
    return Seen(
        partition=message.partition(),
        offset=message.offset(),
        key=message.key().decode(),
        value=message.value(),
        headers={name: content.decode() for name, content in message.headers() or []},
        timestamp_ms=message.timestamp()[1],
    )
