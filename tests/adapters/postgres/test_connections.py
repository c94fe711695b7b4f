import psycopg
import pytest
from psycopg import sql

from adapters.postgres.connections import Connections, connect, reason

SHOW = "SELECT current_setting(%s)"


def backend(connection):
    return connection.execute("SELECT pg_backend_pid()").fetchone()[0]


@pytest.fixture
def connections(database):
    connections = Connections(database)
    yield connections
    connections.close()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("lock_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("transaction_isolation", "read committed"),
        ("synchronous_commit", "on"),
        ("TimeZone", "UTC"),
        ("application_name", "tapedeck"),
    ],
)
def test_a_connection_is_set_up_for_commits_that_are_durable_and_locks_that_end(postgres, database, setting, value):
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    for unwanted in ("synchronous_commit TO off", "default_transaction_isolation TO 'serializable'"):
        postgres.execute(sql.SQL("ALTER DATABASE {} SET ").format(sql.Identifier(name)) + sql.SQL(unwanted))
    with connect(database) as connection:
        assert connection.execute(SHOW, [setting]).fetchone() == (value,)


def test_a_stronger_promise_of_the_server_is_kept(postgres, database):
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    postgres.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit TO remote_apply").format(sql.Identifier(name)))
    with connect(database) as connection:
        assert connection.execute(SHOW, ["synchronous_commit"]).fetchone() == ("remote_apply",)


def test_the_url_has_the_last_word_on_how_to_connect(database):
    with connect(f"{database}?application_name=mine&connect_timeout=3") as connection:
        assert connection.execute(SHOW, ["application_name"]).fetchone() == ("mine",)


def test_a_connection_is_used_again(connections):
    assert connections.run(backend) == connections.run(backend)


def test_pieces_of_work_at_once_have_a_connection_each(connections):
    def both(connection):
        return {backend(connection), connections.run(backend)}

    assert len(connections.run(both)) == 2


def test_after_an_error_in_the_work_the_connection_is_used_again(connections):
    before = connections.run(backend)
    with pytest.raises(psycopg.errors.DivisionByZero):
        connections.run(lambda connection: connection.execute("SELECT 1/0"))
    assert connections.run(backend) == before


def test_a_connection_is_not_used_again_in_the_middle_of_a_transaction(connections):
    before = connections.run(backend)
    connections.run(lambda connection: connection.execute("BEGIN"))
    assert connections.run(backend) != before


def test_what_a_lost_connection_kept_from_being_done_is_done_on_a_new_one(postgres, connections):
    before = connections.run(backend)
    postgres.execute(sql.SQL("SELECT pg_terminate_backend({}, 10000)").format(before))
    assert connections.run(backend) != before


def test_work_that_loses_a_new_connection_too_is_not_tried_for_ever(connections):
    tried = []

    def end(connection):
        tried.append(backend(connection))
        connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    connections.run(backend)
    with pytest.raises(psycopg.OperationalError):
        connections.run(end)
    assert len(tried) == 2


def test_after_the_server_was_killed_the_next_work_fails_and_once_it_is_back_all_goes_on(own_postgres):
    connections = Connections(own_postgres.new_database())
    connections.run(backend)
    own_postgres.kill()
    with pytest.raises(psycopg.OperationalError):
        connections.run(backend)
    own_postgres.start()
    assert connections.run(backend)
    connections.close()


def test_the_reason_is_one_line_without_the_password(postgres):
    with pytest.raises(psycopg.Error) as refused:
        connect(postgres.url("missing"))
    assert "\n" not in reason(refused.value)
    assert 'database "missing" does not exist' in reason(refused.value)
    assert "sesame" not in reason(refused.value)
