"""Against real Apache Kafka: one transaction is all or nothing, and only the newest producer writes."""

import asyncio
import gc
from uuid import uuid4

import pytest
from aiokafka.errors import KafkaError

from adapters.kafka import producer as producer_module
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.errors import Fenced, KafkaFailed
from adapters.kafka.message import Message
from adapters.kafka.position import Published, read_position, read_published
from adapters.kafka.producer import TransactionalProducer
from adapters.kafka.topic import Topic, ensure_topic
from tests.tools.kafka.broker import PASSWORD, USER
from tests.tools.kafka.reading import read_committed


def message(position: int, key: str = "a", *, padding: int = 0) -> Message:
    headers = [("ce_id", f"id/{position}".encode()), ("ce_logposition", b"%d" % position)]
    return Message(key=key.encode(), value=b"%d" % position + b" " * padding, headers=headers, timestamp_ms=1_000)


class Place:
    """A topic of the test's own, and everything asyncio complains about meanwhile."""

    def __init__(self, kafka, complaints):
        self.kafka = kafka
        self.connection = KafkaConnection(bootstrap_servers=(kafka.bootstrap_servers,))
        self.topic = f"test-{uuid4()}"
        self.complaints = complaints

    async def open(self):
        return await TransactionalProducer.open(self.connection, self.topic)

    async def published(self):
        """As the next publisher finds it."""
        producer = await self.open()
        await producer.close()
        return await read_published(self.connection, self.topic)

    async def values(self):
        seen = await asyncio.to_thread(read_committed, self.kafka.bootstrap_servers, self.topic, keeps_contract=False)
        return [int(message.value) for message in seen]


def complaints_of_asyncio():
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    return complaints


@pytest.fixture
async def place(kafka):
    complaints = complaints_of_asyncio()
    place = Place(kafka, complaints)
    await ensure_topic(place.connection, Topic(name=place.topic, partitions=3))
    yield place
    gc.collect()  # a future whose exception nobody fetched complains when it goes
    assert complaints == []
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_new_topic_is_published_up_to_nothing(place):
    assert await place.published() == Published(position=0, last_id=None)


async def test_messages_and_the_position_come_together_and_are_read_back(place):
    producer = await place.open()
    await producer.publish([message(1), message(2, "b"), message(3)], position=3)
    await producer.publish([message(4, "c")], position=4)
    await producer.close()
    assert await place.published() == Published(position=4, last_id="id/4")
    assert await read_position(place.connection, place.topic) == 4
    assert sorted(await place.values()) == [1, 2, 3, 4]


async def test_messages_of_one_key_stay_in_order_through_many_requests(place):
    producer = await place.open()
    numbers = range(1, 401)
    await producer.publish([message(number, padding=5_000) for number in numbers], position=400)
    await producer.close()
    assert await place.values() == list(numbers)


async def test_a_key_lands_where_kafkas_own_clients_put_it(place):
    producer = await place.open()
    keys = [str(uuid4()) for _ in range(20)]
    await producer.publish([message(number, key) for number, key in enumerate(keys, 1)], position=20)
    await producer.close()
    seen = await asyncio.to_thread(read_committed, place.kafka.bootstrap_servers, place.topic, keeps_contract=False)
    from confluent_kafka import Producer  # noqa: PLC0415

    other = Producer({"bootstrap.servers": place.kafka.bootstrap_servers, "partitioner": "murmur2_random"})
    landed = {}
    for key in keys:
        other.produce(place.topic, key=key, on_delivery=lambda _, sent: landed.update({sent.key(): sent.partition()}))
    other.flush()
    assert {message.key.encode(): message.partition for message in seen} == landed


async def test_a_second_producer_fences_the_first(place):
    first = await place.open()
    await first.publish([message(1)], position=1)
    second = await place.open()
    with pytest.raises(Fenced):
        await first.publish([message(2)], position=2)
    await first.close()
    await second.publish([message(2)], position=2)
    await second.close()
    assert await place.values() == [1, 2]
    assert await place.published() == Published(2, "id/2")


async def test_a_transaction_that_is_cut_off_by_a_second_producer_leaves_nothing(place):
    first = await place.open()
    await first._producer.begin_transaction()
    await asyncio.gather(*await first._send([message(1), message(2, "b")]))
    await first._send_position(2)
    second = await place.open()
    assert await read_published(place.connection, place.topic) == Published(0, None)
    with pytest.raises(KafkaError):
        await first._producer.commit_transaction()
    await first.close()
    await second.publish([message(1)], position=1)
    await second.close()
    assert await place.values() == [1]


async def test_closing_in_the_middle_of_a_transaction_aborts_it(place):
    first = await place.open()
    await first._producer.begin_transaction()
    await asyncio.gather(*await first._send([message(1)]))
    await first.close()
    assert await place.values() == []  # and the reader is not held up by a transaction without an end
    assert await place.published() == Published(0, None)


async def test_a_message_that_kafka_refuses_takes_its_whole_transaction_with_it(place):
    """aiokafka would commit the rest."""
    producer = await place.open()
    with pytest.raises(KafkaFailed):
        await producer.publish([message(1, "a"), message(2, "b", padding=2 * 1024 * 1024)], position=2)
    await producer.close()
    assert await place.values() == []
    assert await place.published() == Published(0, None)


async def test_the_position_outlives_what_kafka_forgets_by_the_last_message(place):
    """Kafka keeps a resting group's offsets for a week only. Deleting them is what it does then."""
    producer = await place.open()
    for position in range(1, 4):
        await producer.publish([message(position, str(position))], position=position)
    await producer.close()
    from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition  # noqa: PLC0415, F401
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415

    admin = AdminClient({"bootstrap.servers": place.kafka.bootstrap_servers})
    for future in admin.delete_consumer_groups([f"{place.topic}.publisher"]).values():
        await asyncio.to_thread(future.result)
    assert await read_position(place.connection, place.topic) == 0
    assert await place.published() == Published(3, "id/3")


async def test_the_last_message_is_found_behind_any_number_of_aborted_ones(place, monkeypatch):
    monkeypatch.setattr("adapters.kafka.position.FIRST_TAIL_OFFSETS", 1)
    producer = await place.open()
    await producer.publish([message(1)], position=1)
    await producer.close()
    for _ in range(3):
        cut_off = await place.open()
        await cut_off._producer.begin_transaction()
        await asyncio.gather(*await cut_off._send([message(number) for number in range(2, 12)]))
        await cut_off.close()
    assert await place.published() == Published(1, "id/1")


async def test_a_position_without_messages_can_be_committed_again(place):
    producer = await place.open()
    await producer.publish([message(1)], position=1)
    await producer.publish([], position=1)
    await producer.close()
    assert await place.published() == Published(1, "id/1")


@pytest.mark.slow
async def test_a_producer_can_be_let_go_while_kafka_is_away(own_kafka):
    place = Place(own_kafka, complaints_of_asyncio())
    await ensure_topic(place.connection, Topic(name=place.topic))
    idle, busy = await place.open(), await TransactionalProducer.open(place.connection, place.topic)
    publishing = asyncio.create_task(busy.publish([message(1)], position=1))
    await publishing
    publishing = asyncio.create_task(busy.publish([message(2)], position=2))
    await asyncio.sleep(0)
    await asyncio.to_thread(own_kafka.kill)
    publishing.cancel()
    await asyncio.wait([publishing])
    await busy.close()
    await idle.close()
    gc.collect()
    assert place.complaints == []
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.slow
async def test_a_transaction_without_an_answer_is_given_up(own_kafka, monkeypatch):
    place = Place(own_kafka, complaints_of_asyncio())
    await ensure_topic(place.connection, Topic(name=place.topic))
    producer = await place.open()
    monkeypatch.setattr(producer_module, "TRANSACTION_SECONDS", 0.5)
    await asyncio.to_thread(own_kafka.kill)
    with pytest.raises(KafkaFailed):
        await producer.publish([message(1)], position=1)
    await producer.close()
    with pytest.raises(KafkaFailed):
        await place.open()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_existing_topic_is_left_as_it_is(place):
    await ensure_topic(place.connection, Topic(name=place.topic, partitions=9))
    producer = await place.open()
    assert producer._partitions == 3
    await producer.close()


async def test_a_topic_that_kafka_does_not_make_is_one_sentence(place):
    with pytest.raises(KafkaFailed, match=r"does not create the topic .*InvalidReplicationFactorError"):
        await ensure_topic(place.connection, Topic(name=f"{place.topic}-2", replication=7))


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
async def test_it_works_over_tls_with_a_password(kafka, mechanism):
    connection = KafkaConnection(
        bootstrap_servers=(kafka.secured_servers,),
        security_protocol="SASL_SSL",
        sasl_mechanism=mechanism,
        sasl_username=USER,
        sasl_password=PASSWORD,
        ssl_ca=kafka.authority,
    )
    topic = f"test-{uuid4()}"
    await ensure_topic(connection, Topic(name=topic))
    producer = await TransactionalProducer.open(connection, topic)
    await producer.publish([message(1)], position=1)
    await producer.close()
    await (await TransactionalProducer.open(connection, topic)).close()  # returns once that transaction has ended
    assert await read_position(connection, topic) == 1


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"sasl_password": "close sesame"}, "it rejects KAFKA_SASL_USERNAME with KAFKA_SASL_PASSWORD"),
        ({"sasl_mechanism": "SCRAM-SHA-256"}, "it does not accept KAFKA_SASL_MECHANISM=SCRAM-SHA-256"),
        ({"ssl_ca": None}, "its certificate is not trusted (self-signed certificate); check KAFKA_SSL_CA"),
        (
            {"security_protocol": "SASL_PLAINTEXT", "ssl_ca": None},
            "it closes the connection; check whether KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT is right for this port",
        ),
        (
            {"security_protocol": "SSL", "sasl_mechanism": None, "sasl_username": None, "sasl_password": None},
            "it closes the connection; check whether KAFKA_SECURITY_PROTOCOL=SSL is right for this port",
        ),
    ],
)
async def test_a_setting_that_this_kafka_refuses_is_told_in_one_sentence_that_names_it(kafka, wrong, reason):
    right = {
        "bootstrap_servers": (kafka.secured_servers,),
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_username": USER,
        "sasl_password": PASSWORD,
        "ssl_ca": kafka.authority,
    }
    with pytest.raises(KafkaFailed) as refusal:
        await ensure_topic(KafkaConnection(**right | wrong), Topic(name="any"))
    assert str(refusal.value) == f"Kafka at {kafka.secured_servers} cannot be used: {reason}."


@pytest.mark.parametrize(
    ("server", "reason"),
    [("127.0.0.1:1", "nothing listens there"), ("nowhere.invalid:9092", "there is no host with this name")],
)
async def test_a_server_that_is_not_there_is_told_in_one_sentence(server, reason):
    with pytest.raises(KafkaFailed) as refusal:
        await ensure_topic(KafkaConnection(bootstrap_servers=(server,)), Topic(name="any"))
    assert str(refusal.value) == f"Kafka at {server} cannot be used: {reason}."
