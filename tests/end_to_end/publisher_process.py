"""`tapedeck publish` as a process that tests can kill, pause and start again, and what to compare its work with."""

import asyncio
import sys
from collections import Counter
from pathlib import Path
from signal import Signals

from adapters.event_log.mapper import RecordedEvent
from adapters.event_log.opening import open_log
from adapters.event_log.reader import EventReader
from adapters.kafka.connection import KafkaConnection, parse_servers
from adapters.kafka.errors import KafkaFailed
from adapters.kafka.position import read_position
from tests.end_to_end.tapedeck_process import TapedeckProcess
from tests.tools.kafka.reading import Seen, read_committed

PUBLISHED_SECONDS = 120
BEGUN = ("publishing", "standing by", "fenced; standing by")
"""What a publisher says once it runs, one of these at least; before that, SIGTERM ends it as it ends any process."""


class PublisherProcess(TapedeckProcess):
    """Publishes the log in `data_dir`, or where `others` of its settings say, to `topic`."""

    def __init__(self, data_dir: Path, servers: str, topic: str, **others: str) -> None:
        kafka = {"KAFKA_BOOTSTRAP_SERVERS": servers, "KAFKA_TOPIC": topic}
        self._settings = {"DATA_DIR": str(data_dir)} | kafka | others
        self.log_file = data_dir.parent / f"publisher-{id(self)}.log"
        self._said_before = 0

    def start(self) -> "PublisherProcess":
        self._said_before = self._said_of_beginning()
        self.launch((sys.executable, "-m", "service.cli", "publish"), self._settings)
        return self

    async def begun(self) -> None:
        """Return once it publishes or stands by, since it was started last."""
        async with asyncio.timeout(PUBLISHED_SECONDS):
            while self._said_of_beginning() == self._said_before:
                assert self.process is not None
                assert self.process.poll() is None, f"the publisher ended: {self.log_file.read_text()[-3000:]}"
                await asyncio.sleep(0.02)

    def _said_of_beginning(self) -> int:
        return sum(self.said(message) for message in BEGUN)

    def signal(self, number: Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def said(self, message: str) -> int:
        """How often a line with this message is in its log."""
        return self.log_file.read_text().count(f'"message":"{message}"') if self.log_file.exists() else 0


def log_of(place: Path | str) -> list[RecordedEvent]:
    """Every event of the log, in order, from another process than the one that writes it. `place`: here and below, its
    data directory, or its URL."""
    recorder = open_log(place if isinstance(place, str) else f"sqlite:///{place}/tapedeck.sqlite3").recorder
    try:
        return EventReader(recorder).after(0, limit=10_000_000)
    finally:
        recorder.close()


async def until_published(place: Path | str, servers: str, topic: str) -> None:
    """Return once Kafka says that the log is published up to its end."""
    connection = KafkaConnection(bootstrap_servers=parse_servers(servers))
    async with asyncio.timeout(PUBLISHED_SECONDS):
        while await _position(connection, topic) != (await asyncio.to_thread(log_of, place))[-1].position:
            await asyncio.sleep(0.05)


async def _position(connection: KafkaConnection, topic: str) -> int:
    try:
        return await read_position(connection, topic)
    except KafkaFailed:
        return -1


async def assert_exactly_the_log(place: Path | str, servers: str, topic: str) -> list[Seen]:
    """Every event of the log once, nothing that the log does not have, and in log order in each partition."""
    seen = await asyncio.to_thread(read_committed, servers, topic)
    logged = [(f"{event.stream_id}/{event.version}", event.position) for event in log_of(place)]
    assert Counter((message.id, message.log_position) for message in seen) == Counter(logged)
    assert {message.key for message in seen} == {message.id.partition("/")[0] for message in seen}
    for partition in {message.partition for message in seen}:
        positions = [message.log_position for message in seen if message.partition == partition]
        assert positions == sorted(positions)
    return seen
