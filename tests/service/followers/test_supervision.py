import asyncio
import logging
from random import Random

import pytest

from adapters.blobs.port import StorageUnavailable
from adapters.event_log.log import EventLog
from adapters.event_log.port import LogUnavailable
from adapters.event_log.postgres import PostgresLogRecorder
from service.followers.supervision import Supervision

FOLLOWERS = 14


@pytest.fixture
async def log(own_postgres):
    log = EventLog(PostgresLogRecorder(own_postgres.new_database()))
    yield log
    await log.close()


async def cancelled(tasks):
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_while_the_log_is_away_one_line_says_so_for_all_followers_and_then_all_go_on(own_postgres, log, caplog):
    caplog.set_level(logging.INFO)
    runs, failures = [0] * FOLLOWERS, [0] * FOLLOWERS

    def follower(number):
        async def run():
            runs[number] += 1
            try:
                async for _ in log.follow(after=0):
                    pass
            except LogUnavailable:
                failures[number] += 1
                raise

        return run

    supervision = Supervision(log, Random(1))
    tasks = [
        asyncio.create_task(supervision.keep_running(f"follower {number}", follower(number)))
        for number in range(FOLLOWERS)
    ]
    while not all(runs):
        await asyncio.sleep(0.01)
    own_postgres.stop()
    while not all(failures):
        await asyncio.sleep(0.01)
    own_postgres.start()
    while not all(begun > 1 for begun in runs):
        await asyncio.sleep(0.01)
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "followers wait for the event log"),
        ("INFO", "the event log answers; followers go on"),
    ]
    assert caplog.records[0].because.startswith("The event log cannot be used: ")
    await cancelled(tasks)


async def test_a_follower_that_breaks_is_logged_with_its_name_and_starts_again(log, caplog):
    tried = []

    async def run():
        tried.append(True)
        raise ZeroDivisionError

    task = asyncio.create_task(Supervision(log, Random(1)).keep_running("the one", run))
    while len(tried) < 2:
        await asyncio.sleep(0.01)
    await cancelled([task])
    (record, *_) = caplog.records
    assert (record.follower, record.exc_info[0]) == ("the one", ZeroDivisionError)


async def test_a_follower_for_which_the_bucket_is_away_says_so_in_a_sentence_and_starts_again(log, caplog):
    tried = []

    async def run():
        tried.append(True)
        raise StorageUnavailable("the bucket is away")

    task = asyncio.create_task(Supervision(log, Random(1)).keep_running("eraser", run))
    async with asyncio.timeout(60):
        while len(tried) < 2:
            await asyncio.sleep(0.01)
    await cancelled([task])
    record = caplog.records[0]
    assert (record.levelname, record.message, record.follower) == (
        "WARNING",
        "follower waits for the blob storage",
        "eraser",
    )
    assert "the bucket is away" in record.because
    assert record.exc_info is None
