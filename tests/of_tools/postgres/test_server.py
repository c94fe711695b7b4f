"""The PostgreSQL server that the tests set up."""

import shutil
import stat
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests import conftest
from tests.tools.postgres import programs, server
from tests.tools.postgres.programs import NoPostgres

MAKE = sql.SQL("CREATE TABLE kept (number integer)")
ADD = sql.SQL("INSERT INTO kept VALUES (1)")
COUNT = sql.SQL("SELECT count(*) FROM kept")


def test_each_database_is_a_new_one(postgres, database):
    with psycopg.connect(database) as connection:
        connection.execute(MAKE)
    other = postgres.new_database()
    with psycopg.connect(other) as connection, pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute(COUNT)
    postgres.drop_database(other)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(other)


def test_a_password_is_asked_for(postgres):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url().replace(server.PASSWORD.replace(" ", "%20"), "another"))


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_was_committed_is_there_after_the_server_ended_and_started_again(own_postgres, end):
    with psycopg.connect(own_postgres.new_database()) as connection:
        database = connection.info.dbname
        connection.execute(MAKE)
        connection.commit()
        connection.execute(ADD)
        connection.commit()
        connection.execute(ADD)
        getattr(own_postgres, end)()
        assert not own_postgres.is_running
        with pytest.raises(psycopg.OperationalError):
            connection.execute(ADD)
    own_postgres.start()
    assert own_postgres.execute(COUNT, database) == [(1,)]


def test_nobody_else_can_look_into_its_folder(own_postgres):
    assert stat.S_IMODE(own_postgres._folder.stat().st_mode) == 0o700


def test_programs_that_only_root_can_read_are_copied(postgres, monkeypatch, tmp_path):
    """A checkout may lie in a directory that is closed to others, such as root's home."""
    found, site = programs.installation(), tmp_path / "closed"
    closed = site / found.parent.name / found.name
    shutil.copytree(found, closed)
    if (libraries := found.parent.with_name(f"{found.parent.name}.libs")).is_dir():
        shutil.copytree(libraries, site / libraries.name)
    site.chmod(0o700)
    monkeypatch.setattr(server, "installation", lambda **_: closed)
    started = server.PostgresServer()
    try:
        assert started.start().execute(sql.SQL("SELECT 1")) == [(1,)]
    finally:
        started.close()


@pytest.mark.parametrize("in_ci", [True, False])
def test_without_postgresql_tests_are_skipped_and_say_why_but_in_ci_they_fail(monkeypatch, in_ci):
    monkeypatch.setenv("CI", "true" if in_ci else "")
    monkeypatch.setattr(programs, "_from_the_wheel", lambda: Path("/nowhere"))
    monkeypatch.setattr(programs, "_from_debian", lambda: None)
    monkeypatch.setattr(programs, "_from_the_path", lambda: None)
    with pytest.raises(NoPostgres if in_ci else pytest.skip.Exception, match="install the Python package"):
        conftest.open_postgres()
