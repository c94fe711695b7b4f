"""The service and its publisher as processes, with a real Apache Kafka: exactly once, whatever is killed.

`make soak-kafka` runs the same tests at the size of the promise; here they are small.
"""

import asyncio
import os
import random
import re
import signal
import time
from collections import defaultdict
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID, uuid4

import aiohttp
import psutil
import pytest

from tests.end_to_end.dorsum_client import Dorsum, silence
from tests.end_to_end.dragon_client import Dragon, ended
from tests.end_to_end.publisher_process import PublisherProcess, assert_exactly_the_log, until_published
from tests.guides.guides import block

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Size:
    recordings: int
    kills: int
    broker_restarts: int
    outage_seconds: float
    usual_share: float
    """Of the usual rate, what is there during the outage at least. Two seconds' rate, of the small one, says little."""


SIZE = (
    Size(recordings=200, kills=50, broker_restarts=5, outage_seconds=120, usual_share=0.7)
    if os.environ.get("KAFKA_SOAK") == "full"
    else Size(recordings=32, kills=8, broker_restarts=1, outage_seconds=3, usual_share=0.1)
)
SOAK_SECONDS = 1_800


@pytest.fixture
def topic():
    return f"test-{uuid4()}"


@pytest.fixture
def publishers(own_service):
    """Makes publishers of the service's log; ends them all."""
    made = []

    def make(servers, topic):
        made.append(PublisherProcess(own_service.data_dir, servers, topic, **own_service.where))
        return made[-1]

    yield make
    for publisher in made:
        if publisher.process is not None:
            publisher.signal(signal.SIGCONT)
            publisher.kill()


async def upload(api):
    """One recording that comes to its end quickly: its audio is none. Any refusal by the service fails the test."""
    recording = await api.upload([b"not audio", os.urandom(3_000), b"nor this"])
    assert (await api.finalize(recording, 3)).status == 200
    return recording


async def until(condition, seconds=120):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_without_kafka_all_works_and_once_it_is_set_the_log_is_published_from_its_first_event(
    own_service, kafka, topic
):
    api = (await own_service.start()).api()
    before = await upload(api)
    await api.ended(before)
    assert "tapedeck_publisher" not in (await api.call("GET", "/metrics")).body.decode()
    own_service.stop()
    own_service.settings |= {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "KAFKA_TOPIC": topic}
    await own_service.start()
    after = await upload(api)
    await api.ended(after)
    await until_published(own_service.log_url, kafka.bootstrap_servers, topic)
    seen = await assert_exactly_the_log(own_service.log_url, kafka.bootstrap_servers, topic)
    types = [message.headers["ce_type"].split(".")[2] for message in sorted(seen, key=lambda one: one.log_position)]
    assert types == ["opened", *["chunk_stored"] * 3, "finalize_requested", "failed"] * 2
    metrics = (await api.call("GET", "/metrics")).body.decode()
    assert re.search(r"^tapedeck_publisher_lag_events 0\.0$", metrics, re.MULTILINE)
    assert re.search(r"^tapedeck_publisher_transactions_total [1-9]", metrics, re.MULTILINE)


@pytest.mark.slow
async def test_a_kafka_that_cannot_be_reached_keeps_nobody_from_recording(own_service):
    own_service.settings |= {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    api = (await own_service.start()).api()
    recording = await upload(api)
    await api.ended(recording)

    def waits():
        return [line for line in own_service.log_lines() if line["message"] == "publishing waits"]

    await until(waits)
    metrics = (await api.call("GET", "/metrics")).body.decode()
    assert re.search(r"^tapedeck_publisher_lag_events [1-9]", metrics, re.MULTILINE)
    assert own_service.stop() == 0
    assert {line["because"] for line in waits()} == {"Kafka at 127.0.0.1:1 cannot be used: nothing listens there."}
    assert not any("exception" in line for line in own_service.log_lines())


@pytest.mark.slow
@pytest.mark.timeout(SOAK_SECONDS)
async def test_the_publisher_killed_at_random_moments_and_the_broker_restarted_every_event_comes_once(
    own_service, own_kafka, topic, publishers
):
    chance = random.Random(8)
    api = (await own_service.start()).api()
    publisher = publishers(own_kafka.bootstrap_servers, topic)
    restart_every = SIZE.kills // SIZE.broker_restarts
    recordings, sessions = [], 0
    for kill in range(SIZE.kills):
        publisher.start()
        uploads = [asyncio.create_task(upload(api)) for _ in range(SIZE.recordings // SIZE.kills)]
        if kill % restart_every == restart_every // 2:
            await asyncio.to_thread(chance.choice([own_kafka.kill, own_kafka.stop]))
            await asyncio.to_thread(own_kafka.start)
        if chance.random() < 0.7:  # in the middle of publishing; else while it starts, or takes over
            await until(lambda before=sessions: publisher.said("publishing") > before or publisher.process.poll())
        await asyncio.sleep(chance.uniform(0.0, 0.4))
        publisher.kill()
        sessions = publisher.said("publishing")
        recordings += await asyncio.gather(*uploads)
    for recording in recordings:
        await api.ended(recording)
    publisher.start()
    await until(lambda: publisher.said("publishing") > sessions)
    await until_published(own_service.log_url, own_kafka.bootstrap_servers, topic)
    assert publisher.stop() == 0
    seen = await assert_exactly_the_log(own_service.log_url, own_kafka.bootstrap_servers, topic)
    assert len(recordings) == SIZE.recordings
    assert sessions >= SIZE.kills // 2
    print(f"\n{len(seen)} events once; {SIZE.kills} kills, {sessions} sessions, {SIZE.broker_restarts} broker restarts")


@pytest.mark.slow
async def test_a_publisher_that_is_paused_through_a_takeover_and_woken_adds_nothing(
    own_service, kafka, topic, publishers
):
    api = (await own_service.start()).api()
    stopped, recordings = asyncio.Event(), []

    async def load():
        while not stopped.is_set():
            recordings.append(await upload(api))

    loading = asyncio.create_task(load())
    first, second = publishers(kafka.bootstrap_servers, topic), publishers(kafka.bootstrap_servers, topic)
    first.start()
    await until(lambda: first.said("publishing") == 1)
    recordings.extend([await upload(api) for _ in range(3)])
    first.signal(signal.SIGSTOP)
    second.start()
    await until(lambda: second.said("publishing") == 1)
    recordings.extend([await upload(api) for _ in range(3)])
    first.signal(signal.SIGCONT)
    await until(lambda: first.said("fenced; standing by") or first.said("standing by"))
    recordings.extend([await upload(api) for _ in range(3)])
    second.kill()
    await until(lambda: first.said("publishing") >= 2)
    stopped.set()
    await loading
    for recording in recordings:
        await api.ended(recording)
    await until_published(own_service.log_url, kafka.bootstrap_servers, topic)
    assert (first.stop(), second.stop()) == (0, 0)
    await assert_exactly_the_log(own_service.log_url, kafka.bootstrap_servers, topic)


@pytest.mark.slow
@pytest.mark.timeout(SOAK_SECONDS)
async def test_while_kafka_is_away_ingest_goes_on_and_afterwards_all_is_caught_up_in_order(
    own_service, own_kafka, topic
):
    own_service.settings |= {
        "KAFKA_BOOTSTRAP_SERVERS": own_kafka.bootstrap_servers,
        "KAFKA_TOPIC": topic,
        "MAX_CHUNKS": "1000000",
    }
    api = (await own_service.start()).api()
    recordings = [await api.create() for _ in range(4)]
    process = psutil.Process(own_service.process.pid)
    stopped, stored = asyncio.Event(), [0]

    async def load(session, recording):
        for number in range(1, 1_000_000):
            if stopped.is_set():
                return
            url = recording["chunk_upload_url_template"].replace("{part}", str(number))
            async with session.put(aiohttp.client.URL(url, encoded=True), data=bytes(2_000)) as answer:
                assert answer.status == 200
            stored[0] += 1

    async def rate(seconds, *, at_least=0):
        began, before = time.monotonic(), stored[0]
        await asyncio.sleep(seconds)
        await until(lambda: stored[0] - before >= at_least)
        return (stored[0] - before) / (time.monotonic() - began)

    async with aiohttp.ClientSession() as session:
        loads = [asyncio.create_task(load(session, recording)) for recording in recordings]
        await until(lambda: stored[0] >= 2_000, seconds=900)  # what is cached has its size by now
        memory, chunks = process.memory_info().rss, stored[0]
        usual = await rate(SIZE.outage_seconds / 4, at_least=100)
        usual_growth = (process.memory_info().rss - memory) / (stored[0] - chunks)
        memory, chunks = process.memory_info().rss, stored[0]
        await asyncio.to_thread(own_kafka.kill)
        during = await rate(SIZE.outage_seconds, at_least=100)
        grown, missed = process.memory_info().rss - memory, stored[0] - chunks
        await asyncio.to_thread(own_kafka.start)
        await rate(1)
        stopped.set()
        await asyncio.gather(*loads)
    print(
        f"\nchunks a second: {usual:.0f} before, {during:.0f} during the outage ({during / usual:.2f}); "
        f"{missed} events waited; memory {grown / MEBIBYTE:+.1f} MiB, {grown / missed:.0f} bytes an event "
        f"({usual_growth:.0f} before)"
    )
    assert during / usual > SIZE.usual_share
    # A stored chunk takes 1.7 KB with Kafka and without: state of hot recordings, recent events, the index of blobs.
    # Messages that wait would take 2 KB each on top of that.
    assert grown < 16 * MEBIBYTE + 2_500 * missed
    await until_published(own_service.log_url, own_kafka.bootstrap_servers, topic)
    await assert_exactly_the_log(own_service.log_url, own_kafka.bootstrap_servers, topic)


@pytest.mark.slow
async def test_the_trace_ids_of_a_dragon_client_are_in_the_headers(own_service, kafka, topic):
    own_service.settings |= {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "KAFKA_TOPIC": topic}
    dragon = await Dragon.connect(await own_service.start())
    stored, finalized = str(uuid4()), str(uuid4())
    announced = (await dragon.announce()).headers["x-correlation-id"]
    assert (await dragon.store(1, b"not audio", trace=stored)).status == 200
    assert (await dragon.finalize(1, trace=finalized)).status == 200
    await ended(own_service.api(), dragon.correlation_id)
    await until_published(own_service.log_url, kafka.bootstrap_servers, topic)
    seen = await assert_exactly_the_log(own_service.log_url, kafka.bootstrap_servers, topic)
    seen.sort(key=lambda one: one.log_position)
    assert [(one.headers["ce_type"].removeprefix("tapedeck."), one.headers["ce_traceid"]) for one in seen] == [
        ("ambient_session.opened.v1", announced),
        ("recording.opened.v1", stored),
        ("recording.chunk_stored.v1", stored),
        ("recording.finalize_requested.v1", finalized),
        ("recording.failed.v1", finalized),
    ]


@pytest.mark.slow
async def test_with_the_ids_of_any_message_a_consumer_gets_what_it_is_about_over_http(
    own_service, kafka, topic, publishers
):
    await own_service.start()
    api, dragon, dorsum = own_service.api(), await Dragon.connect(own_service), Dorsum.of(own_service)
    recording = await upload(api)
    await dragon.announce()
    assert (await dragon.store(1, b"not audio", 12)).status == 200
    assert (await dragon.finalize(1, 12)).status == 200
    await ended(api, dragon.correlation_id, 12)
    assert (await dorsum.send(silence(), final=True)).status == 200
    await api.ended(recording)
    removed = await upload(api)
    assert (await api.call("DELETE", f"/v1/recordings/{removed['id']}")).status == 204

    async def messages():
        """Of each subject, in order, from a publisher that begins where the last one stopped."""
        publisher = publishers(kafka.bootstrap_servers, topic).start()
        await until_published(own_service.log_url, kafka.bootstrap_servers, topic)
        publisher.stop()
        found = defaultdict(list)
        for message in await assert_exactly_the_log(own_service.log_url, kafka.bootstrap_servers, topic):
            found[message.key].append(message.form)
        return found

    await messages()
    assert (await dragon.end()).status == 200
    assert (await dorsum.send(silence(1), final=True)).status == 409
    assert (await api.call("POST", f"/v1/recordings/{recording['id']}/retry")).status == 202
    await api.ended(recording)
    found = await messages()
    of_dialect = {}
    for key, forms in found.items():
        (ids,) = {tuple(form.client_ids.items()) for form in forms}  # the same in every message
        of_dialect.setdefault((forms[0].dialect, type(forms[0]).__name__), []).append((key, dict(ids)))
    bota = dict(of_dialect["bota", "RecordingOpened"])
    assert {ids["recording_id"] for ids in bota.values()} == {recording["id"], removed["id"]}
    for ids in bota.values():
        answers = [
            await api.call("GET", f"/v1/recordings/{ids['recording_id']}"),
            await api.call("GET", f"/v1/transcriptions/{ids['transcription_id']}"),
        ]
        gone = ids["recording_id"] == removed["id"]
        assert [answer.status for answer in answers] == [404 if gone else 200] * 2
        assert gone or [answers[0].json["id"], answers[1].json["id"]] == list(ids.values())
    ((key, ids),) = of_dialect["dragon", "RecordingOpened"]
    answer = await api.call("GET", f"/v1/recordings?{urlencode(ids)}")
    assert [one["id"] for one in answer.json["data"]] == [f"rec_{UUID(key).hex}"]
    assert ids == {"correlationId": dragon.correlation_id, "recordingId": "12"}
    ((_, ids),) = of_dialect["dragon", "AmbientSessionOpened"]
    assert ids == {"correlationId": dragon.correlation_id}
    ((key, ids),) = of_dialect["dorsum", "RecordingOpened"]
    state = await dorsum.state(ids["session_id"])
    assert (state.status, state.json["task_id"]) == (200, key)


@pytest.mark.slow
async def test_kafkas_own_console_consumer_shows_the_events_with_key_and_headers(own_service, kafka, topic):
    own_service.settings |= {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "KAFKA_TOPIC": topic}
    api = (await own_service.start()).api()
    await api.ended(await upload(api))
    await until_published(own_service.log_url, kafka.bootstrap_servers, topic)
    options = "--isolation-level read_committed --from-beginning --max-messages 6 --timeout-ms 120000"
    shown = await asyncio.to_thread(
        kafka.tool,
        *["--bootstrap-server", kafka.bootstrap_servers, "--topic", topic, *options.split()],
        *[part for name in ("key", "headers") for part in ("--property", f"print.{name}=true")],
        main="org.apache.kafka.tools.consumer.ConsoleConsumer",
    )
    print(f"\n{shown}")
    lines = shown.splitlines()
    assert len(lines) == 6
    example = block("service/messages/README.md", "Try it without a Kafka of your own", "console")
    for excerpt in re.findall(r"^ce_specversion.*", example, re.MULTILINE):
        assert any(_is_excerpt(excerpt, line) for line in lines), excerpt
    for line, name in zip(lines, ["opened", *["chunk_stored"] * 3, "finalize_requested", "failed"], strict=True):
        headers, key, value = line.split("\t")
        assert f"ce_type:tapedeck.recording.{name}.v1" in headers.split(",")
        assert f"ce_subject:{key}" in headers.split(",")
        assert value.startswith(f'{{"recording_id":"{key}"')


def _is_excerpt(excerpt, line):
    """Whether the guide's line is this one but for ids, times and what was cut."""
    changing = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.]+Z")
    kept = [re.escape(part) for part in changing.sub("?", excerpt).split("…")]
    return re.fullmatch(".*".join(kept), changing.sub("?", line)) is not None
