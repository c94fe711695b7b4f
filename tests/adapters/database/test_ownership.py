"""A database belongs to one service at a time, until that ends in whichever way."""

import subprocess
import sys

import psycopg
import pytest
from psycopg import sql

from adapters.database import ownership
from adapters.database.ownership import DatabaseClaim
from adapters.database.port import DatabaseInUse, ServerAway
from adapters.postgres import connections
from adapters.postgres.connections import Connection
from tests.places import REPOSITORY

HOLDER = """
import sys, time
from adapters.database.ownership import DatabaseClaim
DatabaseClaim(sys.argv[1])
print("claimed", flush=True)
time.sleep(600)
"""


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(ownership, "CLAIM_SECONDS", 0)


def test_a_second_claim_is_refused_in_one_sentence_without_the_password(database, monkeypatch):
    first = DatabaseClaim(database)
    with monkeypatch.context() as impatient:
        impatient.setattr(ownership, "CLAIM_SECONDS", 0)
        with pytest.raises(DatabaseInUse, match=r"^Another tapedeck is running on postgresql://127.0.0.1") as refused:
            DatabaseClaim(database)
    assert "sesame" not in str(refused.value)
    first.close()
    DatabaseClaim(database).close()


def test_databases_of_one_server_are_claimed_each_on_its_own(postgres, database):
    other = postgres.new_database()
    for claim in (DatabaseClaim(database), DatabaseClaim(other)):
        claim.close()
    postgres.drop_database(other)


def test_what_a_killed_process_had_claimed_is_free(database):
    command = [sys.executable, "-c", HOLDER, database]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "claimed\n"
        holder.kill()
    DatabaseClaim(database).close()


def test_a_lost_connection_claims_again_unless_another_was_faster(postgres, database, impatient):
    end = sql.SQL("SELECT pg_terminate_backend({}, 10000)")
    first = DatabaseClaim(database)
    first.renew()
    postgres.execute(end.format(first._lock._connection.info.backend_pid))
    first.renew()
    with pytest.raises(DatabaseInUse):
        DatabaseClaim(database)
    postgres.execute(end.format(first._lock._connection.info.backend_pid))
    second = DatabaseClaim(database)
    with pytest.raises(DatabaseInUse):
        first.renew()
    its_process = second._lock._connection.info.backend_pid
    second.close()
    postgres.execute(end.format(its_process))  # returns once it has ended, as it is about to
    first.renew()
    first.close()


def test_a_claim_whose_answer_was_lost_is_not_taken_for_another_service_s(postgres, database, impatient, monkeypatch):
    stalled = []

    class Stalled(Connection):
        """To a server that goes on with what it was asked for, and answers too late."""

        def execute(self, query, *arguments, **options):
            done = super().execute(query, *arguments, **options)
            if "pg_try_advisory_lock" in query:
                raise psycopg.OperationalError("no answer within 15 seconds")
            return done

        def close(self):
            """The server has not noticed yet."""
            stalled.append(self)

    claim = DatabaseClaim(database)
    postgres.execute(sql.SQL("SELECT pg_terminate_backend({}, 10000)").format(claim._lock._connection.info.backend_pid))
    with monkeypatch.context() as while_it_stalls:
        while_it_stalls.setattr(connections, "Connection", Stalled)
        with pytest.raises(ServerAway):
            claim.renew()
    claim.renew()
    with pytest.raises(DatabaseInUse):
        DatabaseClaim(database)
    claim.close()
    for connection in stalled:
        Connection.close(connection)


@pytest.mark.slow
def test_while_the_server_is_away_the_claim_says_so_and_afterwards_it_is_held(own_postgres, impatient):
    database = own_postgres.new_database()
    claim = DatabaseClaim(database)
    own_postgres.kill()
    with pytest.raises(ServerAway):
        claim.renew()
    own_postgres.start()
    claim.renew()
    with pytest.raises(DatabaseInUse):
        DatabaseClaim(database)
    claim.close()
