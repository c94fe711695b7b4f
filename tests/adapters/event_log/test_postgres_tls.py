"""TLS and credentials, from the URL and from libpq's environment variables."""

from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

from adapters.event_log.port import LogUnavailable
from adapters.event_log.postgres import PostgresLogRecorder
from tests.adapters.event_log.recorder_contract import append
from tests.tools.postgres.certificates import new_certificates
from tests.tools.postgres.server import PASSWORD, USER

IS_ENCRYPTED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


@pytest.fixture
def url(postgres_with_tls):
    url = postgres_with_tls.new_database()
    yield url
    postgres_with_tls.drop_database(url)


@pytest.fixture
def authority(tmp_path, certificates):
    return saved(tmp_path, certificates)


def saved(folder, certificates):
    path = folder / "authority.pem"
    path.write_bytes(certificates.authority)
    return path


def assert_is_used_encrypted(url):
    recorder = PostgresLogRecorder(url)
    assert recorder.insert_batch([append(uuid4(), 0)]) == [1]
    assert recorder.connections.run(lambda connection: connection.execute(IS_ENCRYPTED).fetchone()) == (True,)
    recorder.close()


def test_a_server_whose_certificate_is_right_is_used(url, authority):
    assert_is_used_encrypted(f"{url}?sslmode=verify-full&sslrootcert={authority}")


def test_a_server_whose_certificate_somebody_else_signed_is_refused(url, tmp_path):
    others = saved(tmp_path, new_certificates())
    with pytest.raises(LogUnavailable, match="certificate verify failed"):
        PostgresLogRecorder(f"{url}?sslmode=verify-full&sslrootcert={others}")


def test_a_server_whose_certificate_is_for_another_host_is_refused(url, authority):
    elsewhere = url.replace("@127.0.0.1:", "@localhost:")
    with pytest.raises(LogUnavailable, match='does not match host name "localhost"'):
        PostgresLogRecorder(f"{elsewhere}?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={authority}")


def test_a_server_without_tls_is_refused_if_it_is_required(database):
    with pytest.raises(LogUnavailable, match="does not support SSL"):
        PostgresLogRecorder(f"{database}?sslmode=require")


def test_credentials_and_tls_may_come_from_the_environment(url, authority, monkeypatch):
    parts = urlsplit(url)
    without_credentials = f"postgresql://{parts.hostname}:{parts.port}{parts.path}"
    with pytest.raises(LogUnavailable):
        PostgresLogRecorder(without_credentials)
    given = {"PGUSER": USER, "PGPASSWORD": PASSWORD, "PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(authority)}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert_is_used_encrypted(without_credentials)


def test_a_wrong_password_is_refused_without_showing_it(url):
    with pytest.raises(LogUnavailable, match="password authentication failed") as refused:
        PostgresLogRecorder(url.replace("open%20sesame", "open%20barley"))
    assert isinstance(refused.value.__cause__, psycopg.OperationalError)
    assert "barley" not in f"{refused.value} {refused.value.__cause__}"
