"""`tapedeck consume`: on librdkafka's mock cluster, which needs no Java, and with groups on a real Kafka."""

import asyncio
import os
import signal
import subprocess
import sys
from uuid import uuid4

import pytest
from click.testing import CliRunner

from adapters.event_log.mapper import RecordedEvent
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.producer import TransactionalProducer
from adapters.kafka.topic import Topic, ensure_topic
from service.cli import main
from service.messages.publication import to_message
from tests.domain.histories import chunk, finalized, opened, stitched
from tests.service.messages.test_publication import changed
from tests.tools.kafka.mock_cluster import MockCluster
from tests.tools.kafka.reading import read_committed

RECORDING = uuid4()
HISTORY = [opened(), chunk(1), chunk(2), finalized(2), stitched()]


def messages(history=HISTORY, *, recording_id=RECORDING):
    return [
        to_message(RecordedEvent(number, recording_id, number, event, None), {"recording_id": "rec_1"})
        for number, event in enumerate(history, 1)
    ]


@pytest.fixture(scope="module")
def cluster():
    return MockCluster()


@pytest.fixture
def topic(cluster, monkeypatch):
    topic = f"test-{uuid4()}"
    monkeypatch.setenv("TAPEDECK_KAFKA_BOOTSTRAP_SERVERS", cluster.bootstrap_servers)
    monkeypatch.setenv("TAPEDECK_KAFKA_TOPIC", topic)
    return topic


def consume(*options):
    return CliRunner().invoke(main, ["consume", "--until-end", *options])


def test_every_event_is_a_line_with_its_facts(cluster, topic):
    cluster.produce(topic, messages())
    ran = consume("--from-beginning")
    assert (ran.exit_code, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert [line.split()[2:4] for line in lines] == [
        [f"{RECORDING}/1", "opened"],
        [f"{RECORDING}/2", "chunk_stored"],
        [f"{RECORDING}/3", "chunk_stored"],
        [f"{RECORDING}/4", "finalize_requested"],
        [f"{RECORDING}/5", "stitched"],
    ]
    assert all("  recording_id rec_1" in line for line in lines)
    assert "#1" in lines[1]
    assert "method remuxed" in lines[4]


def test_only_what_comes_is_shown_unless_the_beginning_is_asked_for(cluster, topic):
    cluster.produce(topic, messages())
    assert consume().stdout == ""


@pytest.mark.parametrize("name", ["chunk_stored", "tapedeck.recording.chunk_stored.v1"])
def test_only_the_types_that_were_asked_for_are_shown(cluster, topic, name):
    cluster.produce(topic, messages())
    lines = consume("--from-beginning", "--type", name, "--type", "stitched").stdout.splitlines()
    assert [line.split()[3] for line in lines] == ["chunk_stored", "chunk_stored", "stitched"]


def test_an_unknown_type_to_show_is_told_with_those_that_there_are(topic):
    ran = consume("--type", "chunk")
    assert ran.exit_code == 2
    assert "chunk is none of opened, chunk_stored" in ran.stderr


def test_a_message_that_breaks_the_contract_is_told_and_the_others_are_shown(cluster, topic):
    good = messages()
    cluster.produce(topic, [good[0], changed(good[1], ce_id=b"other"), good[2]])
    ran = consume("--from-beginning")
    assert ran.exit_code == 1
    assert len(ran.stdout.splitlines()) == 2
    assert "its ce_id is not its key and the version." in ran.stderr


def test_a_type_that_is_not_known_yet_is_passed_over(cluster, topic):
    good = messages()
    cluster.produce(topic, [good[0], changed(good[1], ce_type=b"tapedeck.recording.archived.v1")])
    ran = consume("--from-beginning")
    assert (ran.exit_code, len(ran.stdout.splitlines())) == (0, 1)
    assert "tapedeck.recording.archived.v1 is not known" in ran.stderr


def test_a_topic_that_is_not_there_is_one_sentence(cluster, topic):
    ran = consume()
    assert ran.exit_code == 1
    assert ran.stderr == (
        f"Error: Kafka at {cluster.bootstrap_servers} cannot be followed: there is no topic {topic} yet.\n"
    )


def test_a_kafka_that_is_not_there_is_one_sentence(monkeypatch):
    monkeypatch.setenv("TAPEDECK_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    ran = consume()
    assert (ran.exit_code, ran.stderr) == (1, "Error: Kafka at 127.0.0.1:1 cannot be used: nothing listens there.\n")


@pytest.mark.parametrize("command", ["consume", "publish"])
def test_without_a_kafka_the_command_says_what_to_set(monkeypatch, command):
    monkeypatch.delenv("TAPEDECK_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    ran = CliRunner().invoke(main, [command])
    assert (ran.exit_code, ran.stderr) == (1, "Error: TAPEDECK_KAFKA_BOOTSTRAP_SERVERS is not set: where is Kafka?\n")


def test_publishing_without_a_log_says_where_it_was_looked_for(monkeypatch, tmp_path, topic):
    monkeypatch.setenv("TAPEDECK_DATA_DIR", str(tmp_path))
    ran = CliRunner().invoke(main, ["publish"])
    assert ran.exit_code == 1
    assert f"There is no event log at {tmp_path}/tapedeck.sqlite3" in ran.stderr


def test_it_follows_until_ctrl_c(cluster, topic):
    cluster.produce(topic, messages(HISTORY[:1]))
    following = subprocess.Popen(
        [sys.executable, "-u", "-m", "service.cli", "consume", "--from-beginning"],
        env=os.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert "opened" in following.stdout.readline()
    cluster.produce(topic, messages(HISTORY)[1:2])
    assert "chunk_stored" in following.stdout.readline()
    following.send_signal(signal.SIGINT)
    assert (following.communicate(timeout=120)[1], following.returncode) == ("", 130)


def test_a_group_goes_on_where_it_stopped_and_sees_only_what_is_committed(kafka, monkeypatch):
    topic = f"test-{uuid4()}"
    monkeypatch.setenv("TAPEDECK_KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("TAPEDECK_KAFKA_TOPIC", topic)
    connection = KafkaConnection(bootstrap_servers=(kafka.bootstrap_servers,))
    published = messages()

    async def publish(batch, *, cut_off=()):
        await ensure_topic(connection, Topic(name=topic, partitions=2))
        producer = await TransactionalProducer.open(connection, topic)
        await producer.publish(batch, position=1)
        await producer._producer.begin_transaction()
        await asyncio.gather(*await producer._send(cut_off))
        await producer.close()

    asyncio.run(publish(published[:2], cut_off=published[2:4]))
    first = consume("--group", topic, "--from-beginning").stdout.splitlines()
    assert [line.split()[3] for line in first] == ["opened", "chunk_stored"]
    asyncio.run(publish(published[2:3]))
    read_committed(kafka.bootstrap_servers, topic)  # every partition shows the commit, a moment after it was answered
    again = consume("--group", topic, "--from-beginning").stdout.splitlines()
    assert [line.split()[2] for line in again] == [f"{RECORDING}/3"]
    assert consume("--group", topic).stdout == ""
