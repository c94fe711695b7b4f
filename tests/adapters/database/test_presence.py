"""Processes of releases that are not compatible never use one database side by side."""

from contextlib import ExitStack, closing

import psycopg
import pytest
from psycopg import sql

from adapters.database import presence
from adapters.database.port import DatabaseInUse, OtherRelease, ServerAway
from adapters.database.presence import RELEASE_GROUP, Alone, Presence

END = sql.SQL("SELECT pg_terminate_backend({}, 10000)")


@pytest.fixture
def opened(database):
    """Opens presences, by default of this release, and closes them in the end."""
    opened = []

    def open_one(release_group=RELEASE_GROUP, *, url=database):
        opened.append(Presence(url, release_group=release_group))
        return opened[-1]

    yield open_one
    for each in opened:
        each.leave()


def test_those_of_one_release_group_join_each_other_and_no_other_until_all_have_left(opened):
    processes, newer = [opened(), opened()], opened(RELEASE_GROUP + 1)
    for process in processes:
        process.join()
    with pytest.raises(
        OtherRelease, match=r"A process on this database runs a release that is not compatible with this one; stop all"
    ):
        newer.join()
    processes[0].leave()
    with pytest.raises(OtherRelease):
        newer.join()
    processes[0].join()  # whoever was refused is in nobody's way
    for process in processes:
        process.leave()
    newer.join()
    with pytest.raises(OtherRelease):
        processes[0].join()


@pytest.fixture
def server(monkeypatch):
    """Makes the server appear old, or as if it had just been started."""

    class Server:
        def is_old(self):
            monkeypatch.setattr(presence, "SETTLED_SECONDS", 0)

        def is_new(self):
            monkeypatch.setattr(presence, "SETTLED_SECONDS", 1e9)

    server = Server()
    server.is_old()
    return server


@pytest.fixture
def forgotten(opened, postgres, server):
    """One that joined an old server, which has lost what it knew of it."""
    process = opened()
    process.join()
    postgres.execute(END.format(process._lock._connection.info.backend_pid))
    return process


def test_one_that_the_server_has_forgotten_is_known_again_once_it_stays(opened, forgotten):
    forgotten.stay()
    with pytest.raises(OtherRelease):
        opened(RELEASE_GROUP + 1).join()


def test_one_that_was_cut_off_goes_if_those_of_another_release_group_have_joined_meanwhile(opened, forgotten):
    newer = opened(RELEASE_GROUP + 1)
    newer.join()
    forgotten.stay()
    with pytest.raises(OtherRelease):
        forgotten.stay()
    newer.stay()


def test_one_that_was_cut_off_stays_if_it_only_sees_how_another_is_refused(opened, forgotten):
    newer = opened(RELEASE_GROUP + 1)
    for _ in range(3):
        newer._lock.take()
        forgotten.stay()
        newer.leave()
        forgotten.stay()


def test_one_that_joins_before_a_restarted_server_knows_the_others_goes_when_it_finds_them(opened, forgotten, server):
    server.is_new()
    newer = opened(RELEASE_GROUP + 1)
    newer.join()
    forgotten.stay()
    with pytest.raises(OtherRelease):
        newer.stay()
    server.is_old()
    forgotten.stay()


def test_another_database_of_the_server_is_another_service(opened, postgres, database):
    opened().join()
    other = psycopg.conninfo.make_conninfo(database, dbname="postgres")
    opened(RELEASE_GROUP + 1, url=other).join()


def test_without_an_answer_nobody_joins(opened, database):
    away = psycopg.conninfo.make_conninfo(database, port=1)
    with pytest.raises(ServerAway):
        opened(url=away).join()


@pytest.fixture
def alone(database):
    """Opens what has a database for itself, and closes it in the end."""
    with ExitStack() as opened:
        yield lambda: opened.enter_context(closing(Alone(database)))


def test_none_starts_beside_what_has_the_database_for_itself_until_that_is_closed(opened, alone, server):
    it = alone()
    assert it.check()
    for process in (opened(), opened(RELEASE_GROUP + 1)):
        with pytest.raises(DatabaseInUse):
            process.join()
        assert it.check()
    it.close()
    opened().join()


@pytest.mark.parametrize("group", [RELEASE_GROUP, RELEASE_GROUP + 1])
def test_nothing_has_the_database_for_itself_while_a_process_of_any_release_runs(opened, alone, server, group):
    process = opened(group)
    process.join()
    with pytest.raises(DatabaseInUse):
        alone().check()
    process.stay()
    process.leave()
    assert alone().check()


def test_what_has_the_database_for_itself_gives_way_to_one_that_the_server_had_forgotten(alone, forgotten):
    it = alone()
    it.check()
    forgotten.stay()
    with pytest.raises(DatabaseInUse):
        it.check()


def test_it_is_not_certain_that_nobody_runs_before_a_restarted_server_knows_who_did(alone, server):
    it = alone()
    server.is_new()
    assert not it.check()
    server.is_old()
    assert it.check()
