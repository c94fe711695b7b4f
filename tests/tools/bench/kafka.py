"""`make bench-kafka`: the publisher beside a bare producer, and how long a consumer waits, with a real Apache Kafka.

Every row says what was compared with what within one run.
"""

import asyncio
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from uuid import uuid4

import aiohttp
from aiokafka import AIOKafkaProducer
from confluent_kafka import Consumer

from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.message import Message
from adapters.kafka.producer import LARGEST_BATCH_BYTES
from adapters.kafka.topic import Topic, ensure_topic
from adapters.positions import PositionStore
from service.application.clock import utc_now
from service.application.metrics import Metrics
from service.dialects.registry import client_ids_of
from service.followers.publisher import LARGEST_BATCH, Publisher
from service.followers.subjects import Subjects
from service.messages.publication import to_message
from service.runtime.collector import settle_collector
from tests.domain.histories import chunk, opened
from tests.end_to_end.service_process import ServiceProcess
from tests.tools.bench.figures import spread
from tests.tools.kafka.broker import KafkaBroker

RECORDINGS = 400
CHUNKS = 99
ROUNDS = 5
EVENTS_A_SECOND = 200
MEASURED_EVENTS = 6_000


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        broker = KafkaBroker(Path(folder) / "kafka").start()
        try:
            await publishing(Path(folder), broker.bootstrap_servers)
            await latency(Path(folder), broker.bootstrap_servers)
        finally:
            broker.stop()


async def publishing(folder: Path, servers: str) -> None:
    """The publisher, from the log on disk to the commit, and a bare producer that already has the finished messages."""
    log = EventLog(SQLiteLogRecorder(folder / "log.sqlite3"))
    for _ in range(RECORDINGS):
        its_id = uuid4()
        await log.append(its_id, 0, [opened(), *(chunk(number) for number in range(1, CHUNKS + 1))], trace_id=None)
    events = await log.read(after=0, limit=log.head)
    messages = list(map(to_message, events, await Subjects(log, client_ids_of, {}).of(events)))
    batches = [messages[start : start + LARGEST_BATCH] for start in range(0, len(messages), LARGEST_BATCH)]
    settle_collector()  # as the service does, now that the bare producer's messages exist
    ratios, rates = [], []
    for number in range(ROUNDS):
        bare = await bare_producer_seconds(servers, batches)
        ours = await publisher_seconds(folder / f"positions-{number}", servers, log)
        ratios.append(bare / ours)
        rates.append(len(messages) / ours)
    await log.close()
    print(f"{len(messages)} events published, {LARGEST_BATCH} per transaction, {ROUNDS} runs")
    print(f"  publisher : bare aiokafka producer         {spread(ratios)}")
    print(f"  events a second                            {spread(rates)}")


async def publisher_seconds(place: Path, servers: str, log: EventLog) -> float:
    topic, connection = Topic(name=f"bench-{uuid4()}"), KafkaConnection(bootstrap_servers=(servers,))
    await ensure_topic(connection, topic)
    positions = PositionStore(place)
    publisher = Publisher(
        log,
        connection,
        topic,
        positions=positions,
        clock=utc_now,
        random=Random(1),
        metrics=Metrics(),
        client_ids_of=client_ids_of,
    )
    began = time.perf_counter()
    running = asyncio.create_task(publisher.run())
    while publisher.position < log.head:
        await asyncio.sleep(0.005)
    seconds = time.perf_counter() - began
    running.cancel()
    await asyncio.wait([running])
    positions.close()
    return seconds


async def bare_producer_seconds(servers: str, batches: Sequence[Sequence[Message]]) -> float:
    """The same bytes in the same transactions, as in aiokafka's own documentation; no position, no log."""
    topic = f"bench-{uuid4()}"
    await ensure_topic(KafkaConnection(bootstrap_servers=(servers,)), Topic(name=topic))
    began = time.perf_counter()
    producer = AIOKafkaProducer(bootstrap_servers=servers, transactional_id=topic, max_batch_size=LARGEST_BATCH_BYTES)
    async with producer:
        for batch in batches:
            async with producer.transaction():
                for message in batch:
                    await producer.send(
                        topic,
                        key=message.key,
                        value=message.value,
                        headers=message.headers,
                        timestamp_ms=message.timestamp_ms,
                    )
    return time.perf_counter() - began


async def latency(folder: Path, servers: str) -> None:
    """From a chunk's 200 until a read_committed consumer has its event, at a steady rate."""
    topic = f"bench-{uuid4()}"
    service = ServiceProcess(
        folder / "data",
        {"KAFKA_BOOTSTRAP_SERVERS": servers, "KAFKA_TOPIC": topic, "MAX_CHUNKS": "100000", "LOG_LEVEL": "WARNING"},
    )
    await ensure_topic(KafkaConnection(bootstrap_servers=(servers,)), Topic(name=topic))
    arrivals: dict[str, float] = {}
    enough, ready = threading.Event(), threading.Event()
    consuming = asyncio.create_task(asyncio.to_thread(consume, servers, topic, arrivals, ready, enough))
    try:
        api = (await service.start()).api()
        await asyncio.to_thread(ready.wait)
        recordings = [await api.create() for _ in range(8)]
        answered = await put_steadily(recordings)
        deadline = time.perf_counter() + 120
        while len(arrivals) < MEASURED_EVENTS + len(recordings) and time.perf_counter() < deadline:
            await asyncio.sleep(0.05)
    finally:
        enough.set()
        await consuming
        service.stop()
    missing = answered.keys() - arrivals.keys()
    if missing:
        raise TimeoutError(f"{len(missing)} events did not reach the consumer")
    waits = sorted((arrivals[event] - at) * 1000 for event, at in answered.items())
    percentiles = statistics.quantiles(waits, n=100)
    print(f"{len(waits)} chunks at {EVENTS_A_SECOND} per second, from the 200 until the consumer has the event")
    print(f"  p50 {percentiles[49]:.0f} ms   p99 {percentiles[98]:.0f} ms   longest {waits[-1]:.0f} ms")


async def put_steadily(recordings: list[dict[str, str]]) -> dict[str, float]:
    """Event id -> when its chunk was answered."""
    answered: dict[str, float] = {}
    began = time.perf_counter()

    async def put(session: aiohttp.ClientSession, number: int) -> None:
        recording = recordings[number % len(recordings)]
        url = recording["chunk_upload_url_template"].replace("{part}", str(number // len(recordings) + 1))
        async with session.put(aiohttp.client.URL(url, encoded=True), data=bytes(1_000)) as answer:
            answer.raise_for_status()
            answered[answer.headers["x-correlation-id"]] = time.perf_counter()

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as puts:
        for number in range(MEASURED_EVENTS):
            await asyncio.sleep(began + number / EVENTS_A_SECOND - time.perf_counter())
            puts.create_task(put(session, number))
    return answered


def consume(
    servers: str, topic: str, arrivals: dict[str, float], ready: threading.Event, enough: threading.Event
) -> None:
    """Trace id -> when its event arrived. Each request causes one event."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": topic,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    consumer.subscribe([topic], on_assign=lambda *_: ready.set())
    while not enough.is_set():
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            now = time.perf_counter()
            arrivals[dict(message.headers())["ce_traceid"].decode()] = now
    consumer.close()


if __name__ == "__main__":
    asyncio.run(main())
