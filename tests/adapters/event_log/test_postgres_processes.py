"""Several processes write to one log in PostgreSQL, and another one follows it."""

import asyncio
import subprocess
import sys
import threading

import pytest
from eventsourcing.persistence import Notification

from adapters.event_log.postgres import PostgresLogRecorder
from tests.places import REPOSITORY

WRITERS = ("one", "two", "three")


class Writer:
    """A running `postgres_writer`, and what it was acknowledged so far: contents by position."""

    def __init__(self, url: str, name: str, commits: int, answer_seconds: float) -> None:
        self.acknowledged: dict[int, str] = {}
        self.failures = 0
        arguments = (url, name, str(commits), str(answer_seconds))
        command = [sys.executable, "-m", "tests.adapters.event_log.postgres_writer", *arguments]
        self._process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        for line in self._process.stdout:
            position, content = line.strip().split(" ", 1)
            if int(position):
                self.acknowledged[int(position)] = content
            else:
                self.failures += 1

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll()

    def ended(self) -> int:
        """Its exit status, once it has ended and all that it said is read."""
        status = self._process.wait()
        self._reading.join()
        self._process.stdout.close()
        return status

    def kill(self) -> None:
        self._process.kill()
        self.ended()


@pytest.fixture
def start():
    started: list[Writer] = []

    def start(url: str, commits: int, answer_seconds: float = 15) -> list[Writer]:
        PostgresLogRecorder(url).close()
        started.extend(Writer(url, name, commits, answer_seconds) for name in WRITERS)
        return started

    yield start
    for writer in started:
        writer.kill()


def read_on(recorder: PostgresLogRecorder, found: list[Notification]) -> bool:
    """Read what is after the last one: as a follower in another process does, at any moment. Whether there was any."""
    more = recorder.select_notifications(found[-1].id if found else 0, 100, inclusive_of_start=False)
    found += more
    return bool(more)


def whole_log(database: str) -> list[Notification]:
    recorder, found = PostgresLogRecorder(database), []
    while read_on(recorder, found):
        pass
    recorder.close()
    return found


def assert_in_the_log(writers: list[Writer], found: list[Notification]) -> None:
    assert [notification.id for notification in found] == list(range(1, len(found) + 1))
    contents = {notification.id: notification.state.decode() for notification in found}
    assert len(set(contents.values())) == len(contents), "something is in the log twice"
    for writer in writers:
        assert {position: contents[position] for position in writer.acknowledged} == writer.acknowledged
    versions: dict[object, int] = {}
    for notification in found:
        assert notification.originator_version == versions.get(notification.originator_id, 0) + 1
        versions[notification.originator_id] = notification.originator_version


def test_a_reader_beside_several_writers_misses_nothing_and_finds_each_event_where_it_was_acknowledged(database, start):
    writers, found = start(database, 60), []
    recorder = PostgresLogRecorder(database)
    while any(writer.status is None for writer in writers):
        read_on(recorder, found)
    assert [writer.ended() for writer in writers] == [0, 0, 0]
    while read_on(recorder, found):
        pass
    recorder.close()
    assert_in_the_log(writers, found)
    assert len(found) == sum(len(writer.acknowledged) for writer in writers)


@pytest.mark.slow
async def test_what_was_acknowledged_outlives_any_kill_of_the_server(own_postgres, start):
    database = own_postgres.new_database()
    writers = start(database, 60)
    for killed_after in (20, 160, 300):
        while sum(len(writer.acknowledged) for writer in writers) < killed_after:
            assert all(writer.status in (None, 0) for writer in writers)
            await asyncio.sleep(0.005)
        own_postgres.kill()
        own_postgres.start()
    assert [writer.ended() for writer in writers] == [0, 0, 0]
    assert_in_the_log(writers, whole_log(database))


@pytest.mark.slow
async def test_a_server_that_is_stopped_and_goes_on_loses_and_doubles_nothing(own_postgres, start):
    """Each writer is told that the log is unavailable. What it tried then is in the log once, or not at all."""
    database = own_postgres.new_database()
    writers = start(f"{database}?connect_timeout=2", 60, answer_seconds=0.5)
    for stopped_after in (20, 200):
        while sum(len(writer.acknowledged) for writer in writers) < stopped_after:
            assert all(writer.status in (None, 0) for writer in writers)
            await asyncio.sleep(0.005)
        failures = {writer: writer.failures for writer in writers if writer.status is None}
        with own_postgres.stopped_in_its_tracks():
            while any(writer.failures == before and writer.status is None for writer, before in failures.items()):
                await asyncio.sleep(0.005)
    assert [writer.ended() for writer in writers] == [0, 0, 0]
    assert_in_the_log(writers, whole_log(database))
