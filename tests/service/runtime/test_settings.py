"""A setting that no service can work with is refused at the start, in one line that names it."""

from typing import get_args

import pytest

from service.runtime.settings import BadSettings, Settings, load_settings
from tests.service.running_service import TurnedClock, running_service

NUMERIC = [
    name
    for name, field in Settings.model_fields.items()
    if {int, float} & {field.annotation, *(getattr(each, "__origin__", each) for each in get_args(field.annotation))}
]
BYTES = 1 << 50


@pytest.mark.parametrize("value", ["1e300", "1e400", "nan", "inf", "-inf", "-1", "9" * 23])
@pytest.mark.parametrize("name", NUMERIC)
def test_a_number_out_of_all_proportion_is_refused_in_one_line(monkeypatch, name, value):
    setting = f"TAPEDECK_{name.upper()}"
    monkeypatch.setenv(setting, value)
    with pytest.raises(BadSettings) as refused:
        load_settings()
    assert str(refused.value).startswith(setting)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("worker_memory_bytes", BYTES),
        ("held_bytes", BYTES),
        ("quota_bytes", 10**18 - 1),
        ("chunk_retention_hours", 876_000),
        ("expired_retention_hours", 876_000),
        ("requests_per_minute", 2**31 - 1),
    ],
)
def test_the_largest_value_is_accepted_and_the_next_is_not(name, most):
    assert getattr(load_settings(**{name: most}), name) == most
    with pytest.raises(BadSettings, match=f"less than or equal to {most}"):
        load_settings(**{name: most + 1})


async def test_with_the_largest_values_the_service_opens_and_stores_chunks(tmp_path):
    largest = {
        "worker_memory_bytes": BYTES,
        "max_chunk_bytes": BYTES,
        "max_recording_bytes": BYTES,
        "held_bytes": BYTES,
        "max_header_bytes": 1 << 20,
        "chunk_seconds": 86_400,
        "json_seconds": 86_400,
        "quota_bytes": 10**18 - 1,
        "quota_open_recordings": 10**18 - 1,
        "chunk_retention_hours": 876_000,
        "expired_retention_hours": 876_000,
        "requests_per_minute": 2**31 - 1,
    }
    async with running_service(tmp_path, TurnedClock(), **largest) as running:
        recording = await running.api.create()
        assert (await running.api.put(recording, 1, b"audio")).status == 200


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://x:99999", "must have a port from 1 to 65535, or none"),
        ("https://x:0", "must have a port from 1 to 65535, or none"),
        ("https://x:http", "must have a port from 1 to 65535, or none"),
        ("https://me@x", "must have no user, query or fragment"),
        ("https://x?a=b", "must have no user, query or fragment"),
        ("https://x?", "must have no user, query or fragment"),
        ("https://x#a", "must have no user, query or fragment"),
        ("ftp://x", "must be an http:// or https:// address"),
        ("https://", "must be an http:// or https:// address"),
    ],
)
def test_a_public_address_that_no_url_can_begin_with_is_refused(url, problem):
    with pytest.raises(BadSettings) as refused:
        load_settings(public_url=url)
    assert str(refused.value) == f"TAPEDECK_PUBLIC_URL is {url!r}, which cannot be used: {problem}."


def test_a_public_address_may_have_a_port_and_a_path():
    assert load_settings(public_url="https://x:65535/deck/").base_url == "https://x:65535/deck"


def test_an_engine_s_address_may_have_a_user_but_no_query():
    assert load_settings(transcriber_url="https://me:secret@x/v1/").transcriber_url == "https://me:secret@x/v1"
    with pytest.raises(BadSettings, match="must have no query or fragment"):
        load_settings(transcriber_url="https://x/v1?a=b")


@pytest.mark.parametrize(
    ("host", "operations_host"),
    [
        ("127.0.0.1", None),
        ("localhost", None),
        ("0.0.0.0", None),
        ("10.0.0.1", "0.0.0.0"),
        ("10.0.0.1", "10.0.0.1"),
        ("::", "::1"),
    ],
)
def test_two_ports_of_one_address_must_differ(host, operations_host):
    own = {"host": host, "operations_host": operations_host, "public_url": "https://x", "port": 8080}
    with pytest.raises(BadSettings) as refused:
        load_settings(**own, operations_port=8080)
    assert str(refused.value) == "TAPEDECK_PORT and TAPEDECK_OPERATIONS_PORT are both 8080: they must differ."
    assert load_settings(**own, operations_port=8081).operations_port == 8081


@pytest.mark.parametrize(("host", "operations_host"), [("10.0.0.1", None), ("::", None), ("::1", "0.0.0.0")])
def test_two_addresses_may_have_one_port(host, operations_host):
    own = {"host": host, "operations_host": operations_host, "public_url": "https://x", "port": 8080}
    assert load_settings(**own, operations_port=8080).operations_port == 8080


@pytest.mark.parametrize(
    ("given", "least"),
    [
        ({}, "33554432, twice TAPEDECK_DORSUM_BODY_BYTES"),
        ({"max_json_bytes": 32 << 20}, "67108864, twice TAPEDECK_MAX_JSON_BYTES"),
        ({"max_json_bytes": 1024, "dorsum_body_bytes": 1024}, "1048576"),
    ],
)
def test_room_for_too_few_bodies_is_refused_with_the_size_that_is_enough(given, least):
    with pytest.raises(BadSettings) as refused:
        load_settings(held_bytes=1, **given)
    assert str(refused.value) == f"TAPEDECK_HELD_BYTES=1 is too small: it must be at least {least}."
    enough = int(least.split(",")[0])
    assert load_settings(held_bytes=enough, **given).held_bytes == enough


def test_a_database_url_that_cannot_be_used_is_not_shown_since_it_may_have_a_password(monkeypatch):
    monkeypatch.setenv("TAPEDECK_DATABASE_URL", "postgresql://tapedeck:secret@host")
    with pytest.raises(BadSettings) as refused:
        load_settings()
    assert str(refused.value) == (
        "TAPEDECK_DATABASE_URL cannot be used: must be sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/DATABASE."
    )


def test_the_settings_as_text_have_no_password():
    assert "secret" not in repr(load_settings(database_url="postgresql://tapedeck:secret@host/log"))


@pytest.mark.parametrize(
    ("others", "because"),
    [
        ({"requests_per_minute": 100}, "one process counts requests"),
        ({"data_dir": "/" + 100 * "x"}, "a socket's path has at most 107 bytes"),
    ],
)
def test_what_cannot_be_had_with_several_processes_is_refused_in_one_line(others, because):
    load_settings(api_processes=1, **others)
    with pytest.raises(BadSettings) as refused:
        load_settings(api_processes=2, **others)
    assert "TAPEDECK_API_PROCESSES above 1" in str(refused.value)
    assert because in str(refused.value)
    assert "\n" not in str(refused.value)


ONE_OF_HOSTS = {
    "peer_url": "http://10.0.0.1:8081",
    "database_url": "postgresql://tapedeck:secret@host/log",
    "blob_url": "s3://bucket/tapes",
    "public_url": "https://x",
}


@pytest.mark.parametrize(
    ("others", "because"),
    [
        (
            {"database_url": None},
            "needs TAPEDECK_DATABASE_URL=postgresql://… and a TAPEDECK_BLOB_URL with s3://, gs:// or az://, which all",
        ),
        (
            {"blob_url": None},
            "needs TAPEDECK_DATABASE_URL=postgresql://… and a TAPEDECK_BLOB_URL with s3://, gs:// or az://, which all",
        ),
        ({"public_url": None}, "needs TAPEDECK_PUBLIC_URL, the address at which clients reach any of the hosts"),
        ({"development": True}, "is not for development: there, the hosts would have different credentials"),
        (
            {"peer_url": "https://10.0.0.1:8081"},
            "with https:// needs TAPEDECK_PEER_TLS_CERT and TAPEDECK_PEER_TLS_KEY, or TAPEDECK_TLS_CERT and",
        ),
        (
            {"peer_tls_cert": "a", "peer_tls_key": "b"},
            "TAPEDECK_PEER_TLS_CERT has no effect without a TAPEDECK_PEER_URL",
        ),
        ({"peer_url": "http://10.0.0.1"}, "must be http://HOST:PORT or https://HOST:PORT"),
        ({"peer_url": "http://10.0.0.1:8081/deck"}, "must be http://HOST:PORT or https://HOST:PORT"),
        ({"peer_url": "10.0.0.1:8081"}, "must be http://HOST:PORT or https://HOST:PORT"),
        ({"port": 8081}, "needs a port of its own"),
        ({"requests_per_minute": 100}, "cannot be had with TAPEDECK_REQUESTS_PER_MINUTE"),
    ],
)
def test_what_one_of_several_hosts_needs_and_cannot_have_is_said_in_one_line(others, because):
    assert load_settings(**ONE_OF_HOSTS).peer_url == "http://10.0.0.1:8081"
    with pytest.raises(BadSettings) as refused:
        load_settings(**(ONE_OF_HOSTS | others))
    assert "TAPEDECK_PEER_URL" in str(refused.value)
    assert because in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "certificate",
    [{"tls_cert": "a", "tls_key": "b"}, {"peer_tls_cert": "a", "peer_tls_key": "b"}],
)
def test_hosts_show_one_another_a_certificate_of_their_own_or_that_for_clients(certificate):
    https = ONE_OF_HOSTS | {"peer_url": "https://10.0.0.1:8081"}
    assert load_settings(**https, **certificate).hosts_use_tls
    for name in certificate:
        with pytest.raises(
            BadSettings, match=r"_TLS_CERT and TAPEDECK_(PEER_)?TLS_KEY go together: set both or neither"
        ):
            load_settings(**https, **{name: "a"})


def test_hosts_can_trust_an_authority_before_they_use_tls():
    assert not load_settings(**ONE_OF_HOSTS, peer_tls_ca="a").hosts_use_tls
