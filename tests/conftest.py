"""What tests share, each for the whole run: the service as a process, real Kafka, PostgreSQL, servers of buckets."""

import asyncio
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.end_to_end.profile import IS_SCALED_OUT, scaled_out
from tests.end_to_end.service_process import ServiceProcess
from tests.left_out import left_out_without
from tests.places import REPOSITORY
from tests.tools.azure.programs import NoAzure
from tests.tools.azure.server import CREDENTIALS as AZURE_CREDENTIALS
from tests.tools.azure.server import AzureServer
from tests.tools.gcs.programs import NoGcs
from tests.tools.gcs.server import GcsServer
from tests.tools.kafka.broker import KafkaBroker
from tests.tools.kafka.jars import NoKafka
from tests.tools.postgres.certificates import Certificates, new_certificates
from tests.tools.postgres.programs import NoPostgres
from tests.tools.postgres.server import PostgresServer
from tests.tools.s3.programs import NoS3
from tests.tools.s3.server import CREDENTIALS, S3Server

settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
if os.environ.get("CI") != "true":  # there hypothesis takes a profile of its own, which is patient, too
    settings.load_profile("busy machine")


def pytest_configure() -> None:
    """What a shell runs in the background ignores Ctrl-C, and so would every process that a test starts and stops."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


LONGEST_FIRST = (
    "end_to_end/test_crash.py",
    "end_to_end/test_dorsum.py",
    "end_to_end/test_dorsum_dialogues.py",
    "end_to_end/test_kafka.py",
    "end_to_end/test_mending.py",
    "adapters/speech/test_faster_whisper_engine.py",
    "adapters/audio/test_memory.py",
    "end_to_end/test_reference.py",
    "end_to_end/test_full_disk.py",
    "end_to_end/test_real_life_files.py",
    "end_to_end/test_memory.py",
    "end_to_end/test_suspect_chunks.py",
    "end_to_end/test_postgres.py",
    "end_to_end/test_copy.py",
    "domain/test_life_table.py",
    "service/dialects/bota/test_webhooks.py",
    "guides/test_benches.py",
    "of_tools/soak/test_audio.py",
)
"""Files that take half a minute or more. Begun last, one of them would keep a single process busy to the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {REPOSITORY / "tests" / name: rank for rank, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


@pytest.fixture(scope="session", autouse=IS_SCALED_OUT)
def profile(postgres: PostgresServer, s3: S3Server, s3_credentials: None) -> Iterator[None]:
    """All services keep what they know in PostgreSQL and in a bucket, if the suite runs so."""
    with scaled_out(postgres, s3):
        yield


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """One running service for all tests that do not harm it."""
    service = ServiceProcess(tmp_path_factory.mktemp("service") / "data")
    asyncio.run(service.start())
    yield service
    assert service.stop() == 0


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[ServiceProcess]:
    """A service of the test's own, to be started, killed and started again by it."""
    service = ServiceProcess(tmp_path / "data")
    yield service
    service.kill()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A running broker that no test harms. Each test takes a topic of its own."""
    broker = open_broker(tmp_path_factory)
    yield broker.start()
    broker.stop()


@pytest.fixture(scope="session")
def breakable_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    broker = open_broker(tmp_path_factory)
    yield broker
    broker.kill()


@pytest.fixture
def own_kafka(breakable_kafka: KafkaBroker) -> KafkaBroker:
    """A running broker to be stopped, killed and started again by the test, which may leave it down."""
    return breakable_kafka if breakable_kafka.is_running else breakable_kafka.start()


def open_broker(tmp_path_factory: pytest.TempPathFactory) -> KafkaBroker:
    """Skips the test where Kafka cannot run; in CI nothing is left out."""
    with left_out_without(NoKafka, "a real Kafka"):
        return KafkaBroker(tmp_path_factory.mktemp("kafka"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running PostgreSQL that no test harms. Each test takes a `database` of its own."""
    server = open_postgres()
    yield server.start()
    server.close()


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """The URL of a new, empty database of PostgreSQL."""
    url = postgres.new_database()
    yield url
    postgres.drop_database(url)


@pytest.fixture(scope="session")
def breakable_postgres() -> Iterator[PostgresServer]:
    server = open_postgres()
    yield server
    server.close()


@pytest.fixture
def own_postgres(breakable_postgres: PostgresServer) -> PostgresServer:
    """A running PostgreSQL to be stopped, killed and started again by the test, which may leave it down."""
    return breakable_postgres if breakable_postgres.is_running else breakable_postgres.start()


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    """Those of `postgres_with_tls`."""
    return new_certificates()


@pytest.fixture(scope="session")
def postgres_with_tls(certificates: Certificates) -> Iterator[PostgresServer]:
    """A running PostgreSQL that offers TLS. Its `url` says nothing of that."""
    server = open_postgres(certificates)
    yield server.start()
    server.close()


def open_postgres(certificates: Certificates | None = None) -> PostgresServer:
    """Skips the test where PostgreSQL cannot run; in CI nothing is left out."""
    with left_out_without(NoPostgres, "a real PostgreSQL"):
        return PostgresServer(certificates=certificates)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A running S3 server that no test harms. Each test takes a `bucket` of its own."""
    server = open_s3(tmp_path_factory.mktemp("s3"))
    yield server.start()
    server.stop()


@pytest.fixture
def own_s3(tmp_path: Path) -> Iterator[S3Server]:
    """A running S3 server of the test's own, to be held, killed and started again by it."""
    server = open_s3(tmp_path / "s3")
    yield server.start()
    server.kill()


@pytest.fixture(scope="session")
def s3_credentials() -> Iterator[None]:
    """This process and those it starts may use the S3 servers of the tests."""
    with in_environment(CREDENTIALS):
        yield


@pytest.fixture
def bucket_url(s3: S3Server, s3_credentials: None) -> str:
    """The URL of a blob store in a new, empty bucket, as it is set; the folder of its index is to be added."""
    return f"{s3.new_bucket()}/tapes?endpoint={s3.endpoint}"


def open_s3(
    folder: Path, *, certificate: Path | None = None, key: Path | None = None, versions: Path | None = None
) -> S3Server:
    """Skips the test where the server cannot run; in CI nothing is left out. With a certificate it speaks TLS.

    `versions`: where its buckets keep what is deleted.
    """
    with left_out_without(NoS3, "a real S3 server"):
        return S3Server(folder, certificate=certificate, key=key, versions=versions)


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureServer]:
    """A running server of Azure's blobs that no test harms. This process and those it starts may use it."""
    server = open_azure(tmp_path_factory.mktemp("azure"))
    with in_environment(AZURE_CREDENTIALS):
        yield server.start()
    server.stop()


def open_azure(folder: Path) -> AzureServer:
    """Skips the test where the server cannot run; in CI nothing is left out."""
    with left_out_without(NoAzure, "a server of Azure's blobs"):
        return AzureServer(folder)


@pytest.fixture(scope="session")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcsServer]:
    """A running server of Google's buckets that no test harms. This process and those it starts may use it."""
    server = open_gcs(tmp_path_factory.mktemp("gcs"))
    with in_environment(server.credentials):
        yield server.start()
    server.stop()


def open_gcs(folder: Path, *, keeps_versions: bool = False) -> GcsServer:
    """Skips the test where the server cannot run; in CI nothing is left out."""
    with left_out_without(NoGcs, "a server of Google's buckets"):
        return GcsServer(folder, keeps_versions=keeps_versions)


@contextmanager
def in_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """A block in which this process, and those that it starts, have these variables."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield
