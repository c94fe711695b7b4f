"""Publishers that share nothing but PostgreSQL and Kafka, beside a service that takes chunks in several processes."""

import asyncio
import os
import random
from uuid import uuid4

import pytest

from tests.end_to_end.publisher_process import PublisherProcess, assert_exactly_the_log, until_published
from tests.end_to_end.service_process import ServiceProcess

ROUNDS = 3


async def upload(api):
    """One recording that comes to its end quickly: its audio is none."""
    recording = await api.upload([b"not audio", os.urandom(3_000), b"nor this"])
    assert (await api.finalize(recording, 3)).status == 200
    return recording


@pytest.mark.slow
@pytest.mark.timeout(1_800)
async def test_whichever_publisher_is_killed_another_goes_on_and_every_event_comes_once(tmp_path, database, kafka):
    chance, topic = random.Random(18), f"test-{uuid4()}"
    service = ServiceProcess(tmp_path / "data", {"DATABASE_URL": database, "API_PROCESSES": "2"})
    publishers = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        its_own = tmp_path / name / "data"
        publishers.append(PublisherProcess(its_own, kafka.bootstrap_servers, topic, DATABASE_URL=database))
    try:
        api = (await service.start()).api()
        for publisher in publishers:
            publisher.start()
        recordings = [await upload(api)]
        for _ in range(ROUNDS):
            uploads = [asyncio.create_task(upload(api)) for _ in range(4)]
            await until_published(database, kafka.bootstrap_servers, topic)
            await asyncio.sleep(chance.uniform(0, 0.4))
            killed = chance.choice(publishers)
            killed.kill()
            recordings += await asyncio.gather(*uploads)
            await until_published(database, kafka.bootstrap_servers, topic)  # by the one that is left
            killed.start()
        for recording in recordings:
            await api.ended(recording)
        await until_published(database, kafka.bootstrap_servers, topic)
        seen = await assert_exactly_the_log(database, kafka.bootstrap_servers, topic)
        assert len({message.key for message in seen}) == len(recordings) == 4 * ROUNDS + 1
        await asyncio.gather(*(publisher.begun() for publisher in publishers))
        assert [publisher.stop() for publisher in publishers] == [0, 0]
    finally:
        for publisher in publishers:
            publisher.kill()
        service.kill()
