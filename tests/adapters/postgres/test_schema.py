import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from adapters.postgres.connections import ANSWER_SECONDS, connect
from adapters.postgres.schema import bring_up_to_date, steps_done

FIRST = "CREATE TABLE tapedeck.things (name text); INSERT INTO tapedeck.things VALUES ('first')"
SECOND = "INSERT INTO tapedeck.things VALUES ('second')"
BROKEN = "INSERT INTO tapedeck.nothing VALUES (1)"


def things(connection):
    return [name for (name,) in connection.execute("SELECT name FROM tapedeck.things").fetchall()]


def test_each_step_is_done_once_and_in_order(database):
    with connect(database) as connection:
        assert steps_done(connection, "things") == 0
        bring_up_to_date(connection, "things", [FIRST])
        bring_up_to_date(connection, "things", [FIRST])
        assert things(connection) == ["first"]
        bring_up_to_date(connection, "things", [FIRST, SECOND])
        assert things(connection) == ["first", "second"]
        assert steps_done(connection, "things") == 2


def test_an_older_version_leaves_a_newer_schema_as_it_is(database):
    with connect(database) as connection:
        bring_up_to_date(connection, "things", [FIRST, SECOND])
        bring_up_to_date(connection, "things", [FIRST])
        assert things(connection) == ["first", "second"]


def test_the_parts_have_steps_of_their_own(database):
    with connect(database) as connection:
        bring_up_to_date(connection, "things", [FIRST])
        bring_up_to_date(connection, "others", ["CREATE TABLE tapedeck.others (name text)"])
        assert (steps_done(connection, "things"), steps_done(connection, "others")) == (1, 1)


def test_if_one_step_fails_none_is_done(database):
    with connect(database) as connection:
        with pytest.raises(psycopg.errors.UndefinedTable):
            bring_up_to_date(connection, "things", [FIRST, BROKEN])
        assert steps_done(connection, "things") == 0
        assert connection.answer_seconds == ANSWER_SECONDS  # it is used again
        bring_up_to_date(connection, "things", [FIRST])
        assert things(connection) == ["first"]


def test_of_many_that_start_together_one_does_the_steps(database):
    ready = threading.Barrier(6)

    def start(_):
        with connect(database) as connection:
            ready.wait()
            bring_up_to_date(connection, "things", [FIRST, SECOND])

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(start, range(6)))
    with connect(database) as connection:
        assert things(connection) == ["first", "second"]
