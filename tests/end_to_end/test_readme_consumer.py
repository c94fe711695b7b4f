"""The README's consumer in Python does what the README says, against a real Kafka."""

import asyncio
import re
import subprocess
import sys
from uuid import uuid4

from adapters.event_log.mapper import RecordedEvent
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.producer import TransactionalProducer
from adapters.kafka.topic import Topic, ensure_topic
from service.messages.publication import to_message
from tests.domain.histories import chunk, finalized, opened, stitched, transcribed
from tests.end_to_end.test_readme import section


def test_the_consumer_in_the_readme_tells_what_was_transcribed(kafka):
    recording_id, topic = uuid4(), f"test-{uuid4()}"
    history = [opened(), chunk(1), finalized(1), stitched(), transcribed()]

    async def publish():
        connection = KafkaConnection(bootstrap_servers=(kafka.bootstrap_servers,))
        await ensure_topic(connection, Topic(name=topic))
        producer = await TransactionalProducer.open(connection, topic)
        messages = [
            to_message(RecordedEvent(number, recording_id, number, event, None), {})
            for number, event in enumerate(history, 1)
        ]
        await producer.publish(messages, position=len(messages))
        await producer.close()

    asyncio.run(publish())
    (program,) = re.findall(r"```python\n(.*?)```", section("Every event in Kafka"), re.DOTALL)
    program = program.replace("127.0.0.1:9092", kafka.bootstrap_servers).replace("tapedeck.recordings", topic)
    assert topic in program
    consumer = subprocess.Popen([sys.executable, "-u", "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert consumer.stdout.readline() == f"{recording_id} {transcribed().word_count} words\n"
    finally:
        consumer.kill()
        consumer.communicate()
