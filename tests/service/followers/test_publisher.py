"""The publisher against real Apache Kafka: exactly once, in order, whoever publishes and whatever is killed."""

import asyncio
from datetime import timedelta
from random import Random
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest

from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.kafka import producer as producer_module
from adapters.kafka.calling import GRACE_SECONDS
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.position import READ_SECONDS
from adapters.kafka.producer import TransactionalProducer
from adapters.kafka.topic import Topic
from adapters.positions import PositionStore
from domain.recording import fold
from service.application.metrics import Metrics
from service.application.recordings import Recordings
from service.application.retry import RetryPolicy
from service.dialects.registry import client_ids_of
from service.followers import publisher as publisher_module
from service.followers.publisher import Publisher
from service.runtime.publishing import InDatabase
from tests.domain.histories import at, finalize, open_recording, store_chunk
from tests.domain.history_kit import histories
from tests.tools.kafka.folding import folded
from tests.tools.kafka.reading import read_committed

SOON = RetryPolicy(first=timedelta(milliseconds=600))
CALM = RetryPolicy(first=timedelta(seconds=6))
RETIRED = RetryPolicy(first=timedelta(minutes=30), longest=timedelta(minutes=30))
AT_ONCE = RetryPolicy(first=timedelta(milliseconds=1))


class Rig:
    """A log that grows, a topic of its own, and any number of publishers."""

    def __init__(self, place, servers):
        self.log_path = place / "log.sqlite3"
        self.log = EventLog(SQLiteLogRecorder(self.log_path))
        self.recordings = Recordings(self.log)
        self.positions = PositionStore(place / "followers.sqlite3")
        self.servers = servers
        self.topic = f"test-{uuid4()}"
        self._tasks = []
        self.now = at(10)

    def publisher(self, *, log=None, servers=None, topic=None, patience=SOON, presence=None):
        connection = KafkaConnection(bootstrap_servers=(servers or self.servers,))
        metrics = Metrics()
        publisher = Publisher(
            log or self.log,
            connection,
            topic or Topic(name=self.topic, partitions=3),
            positions=self.positions,
            clock=lambda: self.now,
            random=Random(1),
            metrics=metrics,
            client_ids_of=client_ids_of,
            patience=patience,
            presence=presence,
        )
        publisher.registry = metrics.registry
        return publisher

    def run(self, publisher):
        task = asyncio.create_task(publisher.run())
        self._tasks.append(task)
        return task

    async def stop(self, task):
        task.cancel()
        stopped, _ = await asyncio.wait([task], timeout=120)
        assert stopped, "a publisher that was cancelled goes on"

    async def grow(self, recordings=1, chunks=3):
        """Further recordings, their events interleaved in the log."""
        ids = [uuid4() for _ in range(recordings)]
        await asyncio.gather(*(self.recordings.execute(its_id, open_recording()) for its_id in ids))
        for number in range(1, chunks + 1):
            await asyncio.gather(*(self.recordings.execute(its_id, store_chunk(number)) for its_id in ids))
        await asyncio.gather(*(self.recordings.execute(its_id, finalize(chunks)) for its_id in ids))
        return ids

    async def until(self, condition):
        async with asyncio.timeout(400):
            while not condition():
                for task in self._tasks:
                    assert not task.done() or task.cancelled(), f"a publisher ended: {task.exception()!r}"
                await asyncio.sleep(0.005)

    async def until_published(self, *publishers):
        await self.until(lambda: any(publisher.position == self.log.head for publisher in publishers))

    async def seen(self):
        return await asyncio.to_thread(read_committed, self.servers, self.topic)

    async def logged(self):
        return await self.log.read(after=0, limit=1_000_000)

    async def assert_exactly_the_log(self):
        await assert_exactly_once(await self.logged(), await self.seen())

    async def close(self):
        for task in self._tasks:
            await self.stop(task)
        await self.log.close()
        self.positions.close()


async def assert_exactly_once(logged, seen):
    """Every event of the log once, nothing else, and each partition in the log's order."""
    expected = {f"{event.stream_id}/{event.version}": event.position for event in logged}
    assert sorted(message.id for message in seen) == sorted(expected)
    assert {message.id: message.log_position for message in seen} == expected
    for partition in {message.partition for message in seen}:
        positions = [message.log_position for message in seen if message.partition == partition]
        assert positions == sorted(positions)
    for message in seen:  # whoever published it, and wherever it began
        assert message.form.client_ids["recording_id"] == f"rec_{message.form.subject_id.hex}"


@pytest.fixture
async def rig(tmp_path, kafka, monkeypatch):
    monkeypatch.setattr(publisher_module, "WAITING", RetryPolicy(first=timedelta(0), longest=timedelta(seconds=0.2)))
    rig = Rig(tmp_path, kafka.bootstrap_servers)
    yield rig
    await rig.close()


def sample(publisher, name):
    return publisher.registry.get_sample_value(f"tapedeck_publisher_{name}")


async def test_what_is_in_the_log_and_what_comes_is_published_once_and_in_order(rig):
    await rig.grow(recordings=20)
    publisher = rig.publisher()
    rig.run(publisher)
    await rig.until_published(publisher)
    await rig.grow(recordings=20)
    await rig.until_published(publisher)
    await rig.assert_exactly_the_log()


async def test_a_log_longer_than_a_batch_is_published_whole(rig, monkeypatch):
    monkeypatch.setattr(publisher_module, "LARGEST_BATCH", 7)
    sizes, publish = [], TransactionalProducer.publish

    async def noted(self, messages, *, position):
        sizes.append(len(messages))
        await publish(self, messages, position=position)

    monkeypatch.setattr(TransactionalProducer, "publish", noted)
    await rig.grow(recordings=20)
    publisher = rig.publisher()
    rig.run(publisher)
    await rig.until_published(publisher)
    await rig.assert_exactly_the_log()
    assert max(sizes) == 7
    assert sum(sizes) >= rig.log.head  # more, where the answer to a commit was lost


async def test_a_publisher_that_starts_again_goes_on_where_kafka_says(rig):
    publisher = rig.publisher()
    running = rig.run(publisher)
    await rig.grow(recordings=5)
    await rig.until_published(publisher)
    await rig.stop(running)
    await rig.grow(recordings=5)
    for told in (0, 7, rig.log.head):  # what is noted beside Kafka counts for nothing
        rig.positions.save("kafka", told)
        again = rig.publisher()
        running = rig.run(again)
        await rig.until(lambda again=again: sample(again, "lag_events") == 0 and again._follower_position._value.get())
        await rig.stop(running)
    await rig.assert_exactly_the_log()


async def test_stopped_again_and_again_in_the_middle_everything_is_there_once(rig, monkeypatch):
    monkeypatch.setattr(publisher_module, "LARGEST_BATCH", 5)
    chance = Random(3)
    await rig.grow(recordings=40)
    publisher = None
    for _ in range(12):
        publisher = rig.publisher()
        running = rig.run(publisher)
        enough = publisher.position + chance.randrange(1, 20)
        await rig.until(lambda publisher=publisher, enough=enough: publisher.position >= min(enough, rig.log.head))
        await rig.stop(running)
    publisher = rig.publisher()
    rig.run(publisher)
    await rig.until_published(publisher)
    await rig.assert_exactly_the_log()


@pytest.mark.slow
async def test_a_second_publisher_takes_over_and_the_first_stands_by_until_it_is_needed(rig):
    first, second = rig.publisher(patience=CALM), rig.publisher()
    rig.run(first)
    await rig.grow()
    await rig.until_published(first)
    at_work = rig.run(second)
    await rig.until(lambda: sample(second, "lag_events") == 0)
    await rig.grow(recordings=3)
    await rig.until(lambda: sample(first, "fencings_total") == 1)
    await rig.until_published(second)
    await rig.stop(at_work)
    await rig.grow(recordings=3)
    await rig.until(lambda: first.position == rig.log.head and sample(first, "transactions_total") > 1)
    assert sample(first, "fencings_total") >= 1
    await rig.assert_exactly_the_log()


@pytest.mark.slow
async def test_one_that_stands_by_takes_over_once_the_one_that_publishes_has_ended(rig, database):
    """Nothing else would let it: its patience is half an hour."""
    first, second = (rig.publisher(patience=RETIRED, presence=InDatabase(database, rig.topic)) for _ in range(2))
    rig.run(first)
    await rig.grow()
    await rig.until_published(first)
    publishing = rig.run(second)
    await rig.until_published(second)
    await rig.grow()
    await rig.until(lambda: sample(first, "fencings_total") >= 1)
    for _ in range(3):
        await rig.grow()
        await rig.until_published(first, second)
    await rig.stop(publishing)
    await rig.grow()
    await rig.until_published(first)
    await rig.assert_exactly_the_log()


async def test_publishers_that_keep_fencing_each_other_publish_everything_once(rig, monkeypatch):
    monkeypatch.setattr(publisher_module, "LARGEST_BATCH", 3)
    other_log = EventLog(SQLiteLogRecorder(rig.log_path))
    # Much less patience than a session needs to begin: it has to grow, or they would go on for ever.
    publishers = [rig.publisher(patience=AT_ONCE), rig.publisher(log=other_log, patience=AT_ONCE)]
    for publisher in publishers:
        rig.run(publisher)
    await rig.grow(recordings=12)
    await rig.until_published(*publishers)
    await rig.close()
    rig.log = EventLog(SQLiteLogRecorder(rig.log_path))
    rig.positions = PositionStore(rig.log_path.with_name("followers.sqlite3"))
    await rig.assert_exactly_the_log()
    await other_log.close()


def test_whoever_has_taken_over_has_published_or_failed_before_the_longest_patience_ends():
    to_its_first_commit = producer_module.TRANSACTION_SECONDS + READ_SECONDS + producer_module.TRANSACTION_SECONDS
    letting_go = 3 * 2 * GRACE_SECONDS
    shortest_in_the_end = publisher_module.PATIENCE.longest * (1 - publisher_module.PATIENCE.jitter)
    assert shortest_in_the_end > 1.5 * timedelta(seconds=to_its_first_commit + letting_go)


async def test_an_event_is_the_same_message_on_every_attempt(rig):
    await rig.grow(recordings=3)
    publisher = rig.publisher()
    running = rig.run(publisher)
    await rig.until_published(publisher)
    first = {message.id: message for message in await rig.seen()}
    await rig.stop(running)
    rig.topic = f"test-{uuid4()}"
    rig.positions.save("kafka", 0)
    again = rig.publisher()
    rig.run(again)
    await rig.until_published(again)
    for message in await rig.seen():
        before = first[message.id]
        assert (message.key, message.value, message.headers, message.timestamp_ms) == (
            before.key,
            before.value,
            before.headers,
            before.timestamp_ms,
        )


async def test_a_topic_that_belongs_to_another_log_is_not_written_to(rig, tmp_path, caplog):
    publisher = rig.publisher()
    running = rig.run(publisher)
    await rig.grow(recordings=3)
    await rig.until_published(publisher)
    await rig.stop(running)
    published = await rig.seen()
    (tmp_path / "other").mkdir()
    for recordings, sentence in ((1, "this log ends at 5"), (9, "has another event at position 15")):
        other = Rig(tmp_path / "other", rig.servers)
        other.topic = rig.topic
        await other.grow(recordings=recordings)
        other.run(other.publisher())
        await rig.until(lambda sentence=sentence: any(sentence in str(vars(line)) for line in caplog.records))
        await other.close()
    assert await rig.seen() == published


async def test_a_publisher_whose_log_is_another_does_not_disturb_the_one_at_work(rig, tmp_path, caplog):
    publisher = rig.publisher()
    rig.run(publisher)
    await rig.grow(recordings=3)
    await rig.until_published(publisher)
    (tmp_path / "other").mkdir()
    other = Rig(tmp_path / "other", rig.servers)
    other.topic = rig.topic
    await other.grow()
    other.run(other.publisher())
    for tries in range(1, 6):
        await rig.until(lambda tries=tries: sum(line.message == "publishing waits" for line in caplog.records) >= tries)
        await rig.grow()
        await rig.until_published(publisher)
    await other.close()
    assert sample(publisher, "fencings_total") == 0
    await rig.assert_exactly_the_log()


async def test_a_publisher_whose_session_failed_leaves_alone_whoever_publishes_meanwhile(rig, monkeypatch, caplog):
    caplog.set_level("INFO", logger=publisher_module.__name__)
    publish, is_published_by_another = TransactionalProducer.publish, asyncio.Event()
    producers = []

    async def publish_or_fail(self, messages, *, position):
        producers.append(self)
        if self is producers[0]:
            await is_published_by_another.wait()
            await self._producer.begin_transaction()  # so that the next one fails, before anything is asked of Kafka
        await publish(self, messages, position=position)

    monkeypatch.setattr(TransactionalProducer, "publish", publish_or_fail)
    first, second = rig.publisher(patience=RETIRED), rig.publisher()
    rig.run(first)
    await rig.grow()
    await rig.until(lambda: producers)
    rig.run(second)
    await rig.until_published(second)
    await rig.grow()  # beyond what the first had begun
    await rig.until_published(second)
    is_published_by_another.set()
    await rig.until(lambda: any(line.message == "standing by" for line in caplog.records))
    await rig.grow()
    await rig.until_published(second)
    assert (sample(first, "fencings_total"), sample(second, "fencings_total")) == (0, 0)
    assert sample(first, "aborts_total") == 1
    await rig.assert_exactly_the_log()


async def test_the_position_is_renewed_before_kafka_forgets_it(rig):
    publisher = rig.publisher()
    rig.run(publisher)
    await rig.grow()
    await rig.until_published(publisher)
    before = sample(publisher, "transactions_total")

    def is_renewed():
        rig.now += timedelta(hours=13)  # each time: one whose connection was lost begins to count anew
        return sample(publisher, "transactions_total") > before

    await rig.until(is_renewed)
    await rig.assert_exactly_the_log()


async def test_the_topic_is_made_as_the_settings_say_and_kept_for_ever(rig):
    await rig.grow()
    publisher = rig.publisher(topic=Topic(name=rig.topic, partitions=5, replication=1))
    rig.run(publisher)
    await rig.until_published(publisher)
    from confluent_kafka.admin import ConfigResource, ResourceType  # noqa: PLC0415

    admin = AdminClient({"bootstrap.servers": rig.servers})
    assert len((await asyncio.to_thread(admin.list_topics, rig.topic)).topics[rig.topic].partitions) == 5
    (described,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, rig.topic)]).values()
    assert (await asyncio.to_thread(described.result))["retention.ms"].value == "-1"


async def test_the_metrics_tell_position_lag_transactions_aborts_and_fencings(rig, caplog):
    publisher = rig.publisher()
    running = rig.run(publisher)
    await rig.grow()
    await rig.until_published(publisher)
    await rig.stop(running)
    shown = generate_latest(publisher.registry).decode()
    assert f'tapedeck_follower_position{{follower="kafka"}} {float(rig.log.head)}' in shown
    assert sample(publisher, "lag_events") == 0
    assert sample(publisher, "lag_seconds") == 0
    assert 0 < sample(publisher, "events_total") <= rig.log.head  # less where the answer to a commit was lost
    transactions_that_failed = [line for line in caplog.records if "transaction" in getattr(line, "because", "")]
    assert sample(publisher, "aborts_total") == len(transactions_that_failed)
    assert sample(publisher, "fencings_total") == 0


async def test_while_kafka_is_away_the_lag_is_told_and_nothing_is_held_in_memory(rig):
    await rig.grow(recordings=10)
    publisher = rig.publisher(servers="127.0.0.1:1")
    rig.run(publisher)
    rig.now = at(2)
    await rig.until(lambda: sample(publisher, "lag_seconds") == 120)  # opened at minute 0
    assert sample(publisher, "lag_events") == rig.log.head


async def test_a_log_that_was_published_tells_its_lag_before_kafka_has_answered(rig):
    publisher = rig.publisher()
    running = rig.run(publisher)
    await rig.grow()
    await rig.until_published(publisher)
    await rig.stop(running)
    away = rig.publisher(servers="127.0.0.1:1")
    rig.run(away)
    assert sample(away, "lag_events") == 0
    await rig.grow()
    assert sample(away, "lag_events") == 5


async def test_a_transaction_that_fails_is_counted_and_its_events_come_with_the_next(rig, monkeypatch):
    publish, failures, held_up = TransactionalProducer.publish, iter([True, True]), []

    async def publish_or_fail(self, messages, *, position):
        if next(failures, False):
            held_up.append(publisher.is_held_up)
            await self._producer.begin_transaction()
            await asyncio.gather(*await self._send(messages))
            await self._producer.client.close()  # the connections are gone in the middle of it
        return await publish(self, messages, position=position)

    monkeypatch.setattr(TransactionalProducer, "publish", publish_or_fail)
    publisher = rig.publisher()
    rig.run(publisher)
    await rig.grow(recordings=5)
    await rig.until_published(publisher)
    assert sample(publisher, "aborts_total") >= 2
    assert held_up == [False, False]  # each time, a session had begun
    assert not publisher.is_held_up
    await rig.assert_exactly_the_log()


@pytest.mark.slow
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(histories(), min_size=3, max_size=12))
def test_histories_published_and_consumed_fold_to_the_same_state_as_the_logs(kafka, tmp_path_factory, drawn):
    async def published_and_consumed():
        rig = Rig(tmp_path_factory.mktemp("histories"), kafka.bootstrap_servers)
        for events in drawn:
            await rig.log.append(uuid4(), 0, events, trace_id=None)
        publisher = rig.publisher()
        rig.run(publisher)
        await rig.until_published(publisher)
        seen, logged = await rig.seen(), await rig.logged()
        await rig.close()
        by_recording = {event.stream_id: [] for event in logged}
        for event in logged:
            by_recording[event.stream_id].append(event.event)
        assert folded(message.form for message in seen) == {
            its_id: fold(events) for its_id, events in by_recording.items()
        }

    asyncio.run(published_and_consumed())
