"""Of a service's hosts one leads, and the others find it."""

import psycopg
import pytest
from psycopg import sql

from adapters.database import leadership
from adapters.database.leadership import Leadership, Secrets
from adapters.database.ownership import DatabaseClaim
from adapters.database.port import OtherRelease, PostgresPlace
from adapters.database.presence import RELEASE_GROUP
from adapters.postgres.connections import connect

END = sql.SQL("SELECT pg_terminate_backend({}, 10000)")


@pytest.fixture
def place(database):
    return PostgresPlace(database, "tapedeck_hosts")


@pytest.fixture
def hosts(place):
    hosts = [Leadership(place, own_url=f"http://host-{number}:8081") for number in (1, 2)]
    yield hosts
    for host in hosts:
        host.close()


def end_session_of(host, postgres):
    postgres.execute(END.format(host._lock._connection.info.backend_pid))


def test_the_first_leads_once_it_has_said_where_it_is_and_the_next_when_it_has_left(hosts):
    one, other = hosts
    assert (one.claim(), other.claim(), other.leader()) == (True, False, None)
    one.announce()
    assert (one.leader(), other.leader()) == ("http://host-1:8081",) * 2
    one.leave()
    assert (other.leader(), other.claim()) == (None, True)
    other.announce()
    assert (one.claim(), one.leader()) == (False, "http://host-2:8081")


def test_of_a_leader_that_has_gone_nobody_is_told_although_it_said_where_it_was(hosts, postgres):
    one, other = hosts
    one.claim()
    one.announce()
    end_session_of(one, postgres)
    assert other.leader() is None
    assert other.claim()
    assert other.leader() is None


def test_who_has_lost_the_lead_and_claims_it_again_says_so_again(hosts, postgres):
    one, other = hosts
    one.claim()
    one.announce()
    end_session_of(one, postgres)
    assert one.claim()
    assert other.leader() is None
    assert one.announce()
    assert other.leader() == "http://host-1:8081"


def test_who_has_claimed_the_lead_again_learns_that_another_has_led_meanwhile(hosts, postgres):
    one, other = hosts
    one.claim()
    one.announce()
    end_session_of(one, postgres)
    other.claim()
    other.announce()
    end_session_of(other, postgres)
    assert one.claim()
    assert not one.announce()
    one.leave()
    assert one.claim()
    assert one.announce()


@pytest.fixture
def newer(place):
    """A host of a release that is not compatible with that of the others."""
    newer = Leadership(place, own_url="http://newer:8081", release_group=RELEASE_GROUP + 1)
    yield newer
    newer.close()


def test_whoever_asks_for_a_leader_whose_release_is_not_compatible_learns_that_and_not_where_it_is(hosts, newer):
    hosts[0].claim()
    hosts[0].announce()
    with pytest.raises(OtherRelease, match="The host at http://host-1:8081, which leads, runs a release that is not"):
        newer.leader()
    hosts[0].leave()
    assert newer.leader() is None
    newer.claim()
    newer.announce()
    with pytest.raises(OtherRelease, match="The host at http://newer:8081, which leads, runs"):
        hosts[1].leader()


def test_a_leader_that_says_nothing_of_its_release_is_compatible(hosts, database):
    """As those before 0.2.0."""
    hosts[0].claim()
    with psycopg.connect(database) as server:
        server.execute(
            "INSERT INTO tapedeck_hosts.leader (one, url, backend) SELECT 1, 'http://first:8081', %s",
            [hosts[0]._lock.backend],
        )
    assert hosts[1].leader() == "http://first:8081"


def test_a_service_with_one_host_and_a_leader_have_the_same_claim(hosts, database):
    claim = DatabaseClaim(database)
    assert not hosts[0].claim()
    claim.close()
    assert hosts[0].claim()


def test_a_transaction_in_which_a_process_stands_still_is_ended_and_no_other(hosts, database, monkeypatch):
    monkeypatch.setattr(leadership, "STANDS_STILL_SECONDS", 0)
    with connect(database) as hanging, connect(database) as working:
        hanging.execute("BEGIN")
        working.execute("SELECT 1")
        hosts[0].end_what_hangs()
        working.execute("SELECT 1")
        with pytest.raises(psycopg.errors.AdminShutdown):
            hanging.execute("SELECT 1")


def test_secrets_are_known_once_they_are_settled_and_the_last_ones_count(place):
    secrets = Secrets(place)
    assert secrets.known() == {}
    secrets.settle({"one": b"1", "two": b"2"})
    secrets.settle({"one": b"3"})
    assert secrets.known() == {"one": b"3"}
    secrets.close()
