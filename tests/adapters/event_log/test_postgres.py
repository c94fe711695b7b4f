import asyncio
import logging
import os
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from adapters.event_log import log as log_module
from adapters.event_log import postgres
from adapters.event_log.log import EventLog
from adapters.event_log.port import LogFull, LogUnavailable, VersionConflict
from adapters.event_log.postgres import PostgresLogRecorder
from adapters.postgres import connections
from tests.adapters.event_log.recorder_contract import RecorderContract, append, positions
from tests.domain.histories import chunk, opened

FULL = """
CREATE FUNCTION tapedeck.no_room() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk AFTER INSERT ON tapedeck.stored_events EXECUTE FUNCTION tapedeck.no_room();
"""
ROOM = "DROP TRIGGER full_disk ON tapedeck.stored_events"
APPEND_ONE = "SELECT tapedeck.append_events_1(ARRAY[%s::uuid], '{1}', '{0}', '{1}', '{1}', '{said}', ARRAY[%b::bytea])"
LISTENERS = "SELECT pid FROM pg_stat_activity WHERE query = 'LISTEN tapedeck_log' OR query LIKE 'SELECT max(position)%'"


class TestPostgresLogRecorder(RecorderContract):
    @pytest.fixture(autouse=True)
    def _databases(self, postgres):
        self._postgres, self._of_places = postgres, {}
        yield
        for database in self._of_places.values():
            postgres.drop_database(database)

    def open(self, place):
        if place not in self._of_places:
            self._of_places[place] = self._postgres.new_database()
        return PostgresLogRecorder(self._of_places[place])


@pytest.fixture
def recorder(database):
    recorder = PostgresLogRecorder(database)
    yield recorder
    recorder.close()


def test_a_full_disk_takes_nothing_of_the_batch_and_the_log_goes_on_when_there_is_room(database, recorder):
    with psycopg.connect(database, autocommit=True) as administrator:
        administrator.execute(FULL)
        with pytest.raises(LogFull):
            recorder.insert_batch([append(uuid4(), 0), append(uuid4(), 0)])
        assert positions(recorder) == []
        administrator.execute(ROOM)
    assert recorder.insert_batch([append(uuid4(), 0)]) == [1]


def test_a_commit_that_waits_too_long_for_another_process_fails_and_later_ones_go_on(database, monkeypatch):
    monkeypatch.setattr(connections, "LOCK_SECONDS", 1)
    recorder = PostgresLogRecorder(database)
    with psycopg.connect(database) as stopped_process:
        stopped_process.execute("SELECT tapedeck.append_events_1('{}', '{}', '{}', '{}', '{}', '{}', '{}')")
        with pytest.raises(LogUnavailable, match="lock timeout"):
            recorder.insert_batch([append(uuid4(), 0)])
        stopped_process.rollback()
    assert recorder.insert_batch([append(uuid4(), 0)]) == [1]
    recorder.close()


def test_a_commit_that_waited_for_another_process_comes_after_it(database, recorder):
    with psycopg.connect(database) as other, ThreadPoolExecutor(1) as thread:
        other.execute(APPEND_ONE, (uuid4(), b"{}"))
        waiting = thread.submit(recorder.insert_batch, [append(uuid4(), 0)])
        while other.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (0,):
            assert not waiting.done()
        other.commit()
        assert waiting.result() == [2]
    assert positions(recorder) == [1, 2]


def test_a_commit_of_the_older_function_that_waited_comes_after_the_other_one(database, recorder):
    """Processes of the version before use nothing else, and this one where not all of a batch fits."""

    def committed():
        with psycopg.connect(database) as waiting:
            return waiting.execute(APPEND_ONE, (uuid4(), b"{}")).fetchone()

    recorder.insert_batch([append(uuid4(), 0)])
    with psycopg.connect(database) as other, ThreadPoolExecutor(1) as thread:
        other.execute(APPEND_ONE, (uuid4(), b"{}"))
        waiting = thread.submit(committed)
        while other.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (0,):
            assert not waiting.done()
        other.commit()
        assert waiting.result() == ([3],)
    assert positions(recorder) == [1, 2, 3]


def test_positions_have_no_gap_after_a_commit_that_failed(database, recorder):
    recorder.insert_batch([append(uuid4(), 0)])
    with psycopg.connect(database, autocommit=True) as administrator:
        administrator.execute(FULL)
        with pytest.raises(LogFull):
            recorder.insert_batch([append(uuid4(), 0)])
        administrator.execute(ROOM)
    assert recorder.insert_batch([append(uuid4(), 0)]) == [2]


def test_while_the_server_is_away_the_log_says_so_and_once_it_is_back_all_goes_on(own_postgres):
    recorder, its_id = PostgresLogRecorder(own_postgres.new_database()), uuid4()
    recorder.insert_batch([append(its_id, 0)])
    own_postgres.stop()
    with pytest.raises(LogUnavailable, match=r"^The event log cannot be used: .*\.$"):
        recorder.insert_batch([append(its_id, 1)])
    with pytest.raises(LogUnavailable):
        recorder.select_events(its_id)
    own_postgres.start()
    assert recorder.insert_batch([append(its_id, 1)]) == [2]
    assert len(recorder.select_events(its_id)) == 2
    recorder.close()


def test_a_restart_of_the_server_between_two_commits_fails_neither(own_postgres):
    recorder, its_id = PostgresLogRecorder(own_postgres.new_database()), uuid4()
    recorder.insert_batch([append(its_id, 0)])
    own_postgres.stop()
    own_postgres.start()
    assert recorder.insert_batch([append(its_id, 1)]) == [2]
    recorder.close()


def lose_one_answer(monkeypatch):
    """What is asked next is done, and its answer is lost with the connection."""
    rows, lost = postgres._rows, []

    def rows_and_then_lost(connection, statement, arguments=()):
        found = rows(connection, statement, arguments)
        if not lost:
            lost.append(statement)
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return found

    monkeypatch.setattr(postgres, "_rows", rows_and_then_lost)


def test_a_commit_whose_answer_was_lost_is_found_in_the_log_and_what_conflicted_still_conflicts(recorder, monkeypatch):
    """Decided again instead, a command that succeeded would be refused: a recording deleted just now is not found."""
    contended = uuid4()
    recorder.insert_batch([append(contended, 0, state=b"earlier")])
    lose_one_answer(monkeypatch)
    its_id = uuid4()
    outcomes = recorder.insert_batch([append(its_id, 0, 2), append(contended, 0), append(its_id, 2), append(its_id, 5)])
    assert [outcomes[0], outcomes[2]] == [3, 4]
    assert [type(outcomes[1]), type(outcomes[3])] == [VersionConflict, VersionConflict]
    assert positions(recorder) == [1, 2, 3, 4]


def test_a_commit_in_which_all_fit_and_whose_answer_was_lost_is_found_in_the_log(recorder, monkeypatch):
    one, other = uuid4(), uuid4()
    lose_one_answer(monkeypatch)
    assert recorder.insert_batch([append(one, 0, 2), append(other, 0), append(one, 2)]) == [2, 3, 4]
    assert positions(recorder) == [1, 2, 3, 4]


def test_a_process_of_the_version_before_appends_to_the_same_log(database, recorder):
    """In a rolling upgrade: by the older function, also to a stream that this process has just appended to."""
    its_id = uuid4()
    recorder.insert_batch([append(its_id, 0)])
    older = "SELECT tapedeck.append_events_1(ARRAY[%s::uuid], '{1}', '{1}', '{1}', '{1}', '{said}', ARRAY[%b::bytea])"
    with psycopg.connect(database) as of_the_version_before:
        assert of_the_version_before.execute(older, (its_id, b"{}")).fetchone() == ([2],)
    conflict, fits = recorder.insert_batch([append(its_id, 1), append(uuid4(), 0)])
    assert (type(conflict), fits) == (VersionConflict, 3)
    assert recorder.insert_batch([append(its_id, 2)]) == [4]
    assert positions(recorder) == [1, 2, 3, 4]


def test_a_log_that_was_set_back_to_an_older_copy_gets_no_gap(database, recorder):
    """What this process has committed is not taken for granted once the server was another one."""
    its_id = uuid4()
    recorder.insert_batch([append(its_id, 0), append(its_id, 1)])
    with psycopg.connect(database, autocommit=True) as administrator:
        administrator.execute("DELETE FROM tapedeck.stored_events WHERE version = 2")
        administrator.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    (outcome,) = recorder.insert_batch([append(its_id, 2)])
    assert isinstance(outcome, VersionConflict)
    assert recorder.insert_batch([append(its_id, 1)]) == [2]


async def test_a_follower_is_woken_by_the_commits_of_other_processes(database, monkeypatch):
    monkeypatch.setattr(log_module, "FOREIGN_COMMIT_CHECK_SECONDS", 3_600)
    one, other = EventLog(PostgresLogRecorder(database)), EventLog(PostgresLogRecorder(database))
    following, its_id = other.follow(after=0), uuid4()
    await one.append(its_id, 0, [opened()], trace_id=None)
    first = await anext(following)
    second = asyncio.ensure_future(anext(following))
    await one.append(its_id, 1, [chunk(1), chunk(2)], trace_id=None)
    assert [recorded.position for recorded in first + await second] == [1, 2, 3]
    assert other.head == 3
    await one.close()
    await other.close()


@pytest.fixture
async def heard(recorder):
    """What the recorder hears, from its first connection on."""
    heard, loop = asyncio.Queue(), asyncio.get_running_loop()
    recorder.listen(lambda position: loop.call_soon_threadsafe(heard.put_nowait, position))
    assert await heard.get() == 0
    return heard


@pytest.mark.parametrize("payload", ["", "no number", str(2**70), "-1"])
async def test_what_others_notify_is_not_believed_and_stops_nobody_from_hearing(database, heard, recorder, payload):
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("SELECT pg_notify('tapedeck_log', %s)", [payload])
        assert await heard.get() == 0
    recorder.insert_batch([append(uuid4(), 0, 2)])
    assert await heard.get() == 2


def lose_listeners(server):
    for (pid,) in server.execute(sql.SQL(LISTENERS)):
        server.execute(sql.SQL("SELECT pg_terminate_backend({}, 10000)").format(pid))


async def test_whoever_listens_hears_again_after_the_connection_was_lost_also_of_what_was_missed(
    postgres, database, heard, caplog
):
    """Without a word: whoever uses the log says so if it is away."""
    caplog.set_level(logging.INFO)
    lose_listeners(postgres)
    writer = PostgresLogRecorder(database)
    writer.insert_batch([append(uuid4(), 0, 5)])
    while await heard.get() != 5:
        pass
    writer.close()
    assert caplog.text == ""


async def test_whoever_cannot_listen_though_the_server_is_there_says_so_and_that_he_hears_again(
    postgres, database, heard, caplog
):
    caplog.set_level(logging.INFO)
    with psycopg.connect(database, autocommit=True) as administrator:
        administrator.execute("ALTER TABLE tapedeck.stored_events RENAME TO elsewhere")
        lose_listeners(postgres)
        while "cannot hear of the event log's commits" not in caplog.text:
            await asyncio.sleep(0.01)
        administrator.execute("ALTER TABLE tapedeck.elsewhere RENAME TO stored_events")
    assert await heard.get() == 0
    while "hears of the event log's commits again" not in caplog.text:
        await asyncio.sleep(0.01)
    assert len(caplog.records) == 2


@pytest.fixture
def many_files():
    """As in a service with more than a thousand clients."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    with Path(os.devnull).open() as file:
        copies = [os.dup(file.fileno()) for _ in range(1_100)]
    yield
    for copy in copies:
        os.close(copy)
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_commits_are_heard_of_however_many_files_are_open(many_files, recorder, heard):
    recorder.insert_batch([append(uuid4(), 0, 2)])
    async with asyncio.timeout(60):
        while await heard.get() != 2:
            pass


async def test_only_one_may_listen(recorder):
    recorder.listen(lambda _: None)
    with pytest.raises(ValueError, match="listens"):
        recorder.listen(lambda _: None)


async def test_its_own_commits_are_read_from_memory_although_it_hears_of_them(database, monkeypatch):
    monkeypatch.setattr(log_module, "FOREIGN_COMMIT_CHECK_SECONDS", 3_600)
    log = EventLog(PostgresLogRecorder(database))
    reads = []
    monkeypatch.setattr(log._reader, "after", lambda after, limit: reads.append((after, limit)) or [])
    following = asyncio.ensure_future(anext(log.follow(after=0)))
    await asyncio.sleep(0)
    await log.append(uuid4(), 0, [opened(), chunk(1)], trace_id=None)
    assert [recorded.position for recorded in await following] == [1, 2]
    assert reads == []
    await log.close()
