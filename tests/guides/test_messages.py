"""The guide to the events in Kafka does what it says, against a real Kafka."""

import asyncio
import re
import subprocess
import sys
from uuid import uuid4

from adapters.event_log.mapper import RecordedEvent
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.producer import TransactionalProducer
from adapters.kafka.topic import Topic, ensure_topic
from service.messages.forms import FORMS
from service.messages.publication import to_message
from tests.domain.histories import chunk, finalized, opened, stitched, transcribed
from tests.guides.guides import block, section
from tests.guides.shell import checkout, run

HISTORY = [opened(), chunk(1), chunk(2), finalized(2), stitched(), transcribed()]


def published(servers: str, topic: str) -> str:
    """The id of a recording whose whole history is in the topic."""
    recording_id = uuid4()

    async def publish():
        connection = KafkaConnection(bootstrap_servers=(servers,))
        await ensure_topic(connection, Topic(name=topic))
        producer = await TransactionalProducer.open(connection, topic)
        messages = [
            to_message(
                RecordedEvent(number, recording_id, number, event, None), {"recording_id": f"rec_{recording_id.hex}"}
            )
            for number, event in enumerate(HISTORY, 1)
        ]
        await producer.publish(messages, position=len(messages))
        await producer.close()

    asyncio.run(publish())
    return str(recording_id)


def test_the_consumer_in_python_tells_what_was_transcribed(kafka):
    topic = f"test-{uuid4()}"
    recording_id = published(kafka.bootstrap_servers, topic)
    program = block("service/messages/README.md", "Read it from Python", "python")
    program = program.replace("127.0.0.1:9092", kafka.bootstrap_servers).replace("tapedeck.recordings", topic)
    assert topic in program
    consumer = subprocess.Popen([sys.executable, "-u", "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert consumer.stdout.readline() == f"{recording_id} {transcribed().word_count} words\n"
    finally:
        consumer.kill()
        consumer.communicate()


def test_the_command_that_follows_the_topic_prints_one_line_per_event(kafka, tmp_path):
    """With the options of the guide's own sentence beside those of its block: alone, it would go on until Ctrl-C."""
    topic = f"test-{uuid4()}"
    recording_id = published(kafka.bootstrap_servers, topic)
    script = block("service/messages/README.md", "Try it without a Kafka of your own", "sh", number=2)
    assert "127.0.0.1:9092" in script
    script = script.replace("127.0.0.1:9092", kafka.bootstrap_servers).rstrip()
    folder = checkout(tmp_path, tmp_path / "data")
    shown = run(f"{script} --until-end", folder, TAPEDECK_KAFKA_TOPIC=topic).stdout.splitlines()
    assert [re.search(rf"{recording_id}/(\d+)", line)[1] for line in shown] == ["1", "2", "3", "4", "5", "6"]
    (line,) = run(f"{script} --type transcribed --until-end", folder, TAPEDECK_KAFKA_TOPIC=topic).stdout.splitlines()
    assert " transcribed " in line


def test_every_type_of_message_is_named():
    rows = section("service/messages/README.md", "A message").splitlines()
    (row,) = [line for line in rows if line.startswith("| `ce_type`")]
    assert set(re.findall(r"`([a-z_]+)`", row)) - {"ce_type"} == {name.split(".")[2] for name in FORMS}
