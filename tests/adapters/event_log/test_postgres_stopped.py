"""A server of the log that gives no answer: stopped, waiting for something, or behind a network that was cut."""

from contextlib import contextmanager
from unittest.mock import patch
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from adapters.event_log.port import LogUnavailable
from adapters.event_log.postgres import PostgresLogRecorder
from adapters.postgres import connections
from tests.adapters.event_log.recorder_contract import append, positions

APPEND_NOTHING = "SELECT tapedeck.append_events_1('{}', '{}', '{}', '{}', '{}', '{}', '{}')"


def opened(database):
    return PostgresLogRecorder(f"{database}?connect_timeout=2")


@contextmanager
def little_patience(recorder):
    """A block in which no answer is waited for long. What must succeed is outside: the machine may be busy."""
    with patch.object(connections, "ANSWER_SECONDS", 0.5):
        for connection in recorder.connections._idle:
            connection.answer_seconds = 0.5
        yield


def test_a_server_that_is_stopped_is_unavailable_and_once_it_goes_on_the_log_does(own_postgres):
    recorder, its_id = opened(own_postgres.new_database()), uuid4()
    recorder.insert_batch([append(its_id, 0)])
    with little_patience(recorder), own_postgres.stopped_in_its_tracks():
        with pytest.raises(LogUnavailable):
            recorder.insert_batch([append(its_id, 1, state=b"first")])
        with pytest.raises(LogUnavailable):
            recorder.select_events(its_id)
    after_the_pause = until_available(lambda: recorder.select_events(its_id))
    taken = [event.originator_version for event in after_the_pause]
    assert taken in ([1], [1, 2])
    assert recorder.insert_batch([append(its_id, len(taken))]) == [len(taken) + 1]
    recorder.close()


def until_available(work):
    """What it returns: connecting took so long that for a moment nobody tries again."""
    while True:
        try:
            return work()
        except LogUnavailable:
            continue


def test_a_commit_that_was_given_up_does_not_come_to_be_after_the_log_was_read(database):
    recorder, its_id = opened(database), uuid4()
    with psycopg.connect(database) as other:
        other.execute(APPEND_NOTHING)  # and so it holds the lock
        with little_patience(recorder), pytest.raises(LogUnavailable, match=r"no answer within 0\.5 seconds"):
            recorder.insert_batch([append(its_id, 0)])
        assert recorder.select_events(its_id) == []
        assert other.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (1,)
        other.commit()
    assert positions(recorder) == []
    assert recorder.insert_batch([append(its_id, 0)]) == [1]
    recorder.close()


def test_while_one_process_of_the_server_s_hangs_with_a_commit_nobody_is_told_what_became_of_it(
    own_postgres, monkeypatch
):
    monkeypatch.setattr(connections, "END_SECONDS", 0.2)
    recorder, its_id = opened(own_postgres.new_database()), uuid4()
    recorder.insert_batch([append(its_id, 0)])
    with own_postgres.stopped_in_its_tracks(serving(recorder)):
        with little_patience(recorder), pytest.raises(LogUnavailable):
            recorder.insert_batch([append(its_id, 1)])
        with pytest.raises(LogUnavailable, match="still runs on the server"):
            recorder.select_events(its_id)
    assert len(until_available(lambda: recorder.select_events(its_id))) == 1
    assert recorder.insert_batch([append(its_id, 1)]) == [2]
    recorder.close()


def serving(recorder):
    """The server's process that the recorder's connection is to."""
    return recorder.connections.run(lambda connection: connection.info.backend_pid)


def test_a_commit_that_is_not_where_the_server_s_settings_want_it_is_not_acknowledged(own_postgres):
    recorder, its_id = opened(own_postgres.new_database()), uuid4()
    recorder.insert_batch([append(its_id, 0)])
    with_standbys(own_postgres, "one that is away")
    try:
        with little_patience(recorder), pytest.raises(LogUnavailable, match="no answer within"):
            recorder.insert_batch([append(its_id, 1)])
    finally:
        with_standbys(own_postgres, "")
    assert len(recorder.select_events(its_id)) == 2
    assert recorder.insert_batch([append(its_id, 2)]) == [3]
    recorder.close()


def with_standbys(server, names):
    """A commit then waits until these have it."""
    server.execute(
        sql.SQL("ALTER SYSTEM SET synchronous_standby_names TO {}").format(sql.Literal(names and f'"{names}"'))
    )
    server.execute(sql.SQL("SELECT pg_reload_conf()"))
    wanted = [(f'"{names}"' if names else "",)]
    while server.execute(sql.SQL("SHOW synchronous_standby_names")) != wanted:
        pass
