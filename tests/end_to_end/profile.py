"""Where the services of the end-to-end suite keep what they know.

Embedded: in files of the data directory. `TEST_PROFILE=scaled-out`: in a PostgreSQL database and a bucket of a real S3
server, of its own for each data directory. A service whose test says where one of the two is has it there.
"""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psycopg
import pytest

from adapters.blobs.opening import open_store
from adapters.blobs.port import BlobStore
from adapters.keys import KeyStore
from adapters.quotas import QuotaStore
from service.application.clock import utc_now
from service.runtime.places import keys_place, quotas_place
from service.runtime.settings import ServiceSettings
from tests.end_to_end.service_process import ServiceProcess
from tests.files_on_disk import content_below
from tests.tools.postgres.content import content_of_database
from tests.tools.postgres.server import PostgresServer
from tests.tools.s3.server import S3Server

PROFILE = os.environ.get("TEST_PROFILE") or "embedded"
if PROFILE not in ("embedded", "scaled-out"):
    raise ValueError(f"TEST_PROFILE is {PROFILE!r}; it must be 'embedded' or 'scaled-out'.")
IS_SCALED_OUT = PROFILE == "scaled-out"


def embedded_only(because: str) -> pytest.MarkDecorator:
    """Of a test, or of one of its cases. `because`: what it needs, and what covers the same in the other profile."""
    return pytest.mark.skipif(IS_SCALED_OUT, reason=because)


class ScaledOut:
    """Gives each data directory a database and a bucket, when its service is made first."""

    def __init__(self, postgres: PostgresServer, s3: S3Server) -> None:
        self._postgres = postgres
        self._s3 = s3
        self._settings: dict[Path, dict[str, str]] = {}

    def settings_of(self, data_dir: Path) -> dict[str, str]:
        if data_dir not in self._settings:
            self._settings[data_dir] = {
                "DATABASE_URL": self._postgres.new_database(),
                "BLOB_URL": f"{self._s3.new_bucket()}/tapes?endpoint={self._s3.endpoint}",
            }
        return self._settings[data_dir]

    def bucket_folder(self, blob_url: str) -> Path:
        """Where the S3 server keeps the objects of a bucket, each as a file."""
        return self._s3.files_of(blob_url)

    def remove(self) -> None:
        """All databases and buckets."""
        for settings in self._settings.values():
            self._postgres.drop_database(settings["DATABASE_URL"])
            self._s3.remove_bucket(settings["BLOB_URL"])


@contextmanager
def scaled_out(postgres: PostgresServer, s3: S3Server) -> Iterator[None]:
    """A block in which services are scaled out."""
    ServiceProcess.scaled_out = stores = ScaledOut(postgres, s3)
    try:
        yield
    finally:
        ServiceProcess.scaled_out = None
        stores.remove()


def in_files(data_dir: Path) -> dict[str, str]:
    """Settings of a service that is embedded, whichever profile the suite runs in."""
    return {"DATABASE_URL": f"sqlite:///{data_dir}/tapedeck.sqlite3", "BLOB_URL": f"segments://{data_dir}/blobs"}


def settings_of(service: ServiceProcess) -> ServiceSettings:
    """Those that say where it keeps what it knows."""
    where = {name.lower(): url for name, url in service.where.items()}
    return ServiceSettings(data_dir=service.data_dir, **where)


def key_store_of(service: ServiceProcess) -> KeyStore:
    """The keys of a service that may be running, as `tapedeck keys` opens them."""
    return KeyStore(keys_place(settings_of(service)), clock=utc_now)


def quota_store_of(service: ServiceProcess) -> QuotaStore:
    """The quotas of its projects, as `tapedeck quotas` opens them."""
    return QuotaStore(quotas_place(settings_of(service)))


@asynccontextmanager
async def blob_store_of(service: ServiceProcess) -> AsyncIterator[BlobStore]:
    """Its blobs, as its workers open them."""
    store = open_store(settings_of(service).blob_store_url)
    try:
        yield store
    finally:
        await store.close()


def blob_folder_of(service: ServiceProcess) -> Path:
    """The folder with all files that hold its blobs, whoever serves them."""
    if ServiceProcess.scaled_out is not None and service.has_a_bucket:
        return ServiceProcess.scaled_out.bucket_folder(service.settings["BLOB_URL"])
    return service.data_dir / "blobs"


def content_of(service: ServiceProcess) -> bytes:
    """All that is stored by it anywhere, as someone would read it who has the disks and may read the database."""
    content = content_below(service.data_dir)
    if service.has_a_bucket:
        content += content_below(blob_folder_of(service))
    if service.has_a_database:
        content += content_of_database(service.log_url)
    return content


def tables_of(service: ServiceProcess, of: str | None = None) -> bytes:
    """What all its tables hold, the log's among them; or those of one store, which is named as its file is."""
    if service.has_a_database:
        return content_of_database(service.log_url, schema=of and f"tapedeck_{of}")
    return content_below(service.data_dir, f"{of or '*'}.sqlite3*")


def backed_up_log(service: ServiceProcess) -> Callable[[], None]:
    """Gives what restores the log, and nothing else, to what it is now. The service is stopped both times."""
    if not service.has_a_database:
        file = service.data_dir / "tapedeck.sqlite3"
        backup = file.read_bytes()
        return lambda: _write(file, backup)
    with psycopg.connect(service.log_url) as connection:
        row = connection.execute("SELECT max(position) FROM tapedeck.stored_events").fetchone()
    return lambda: _cut_log(service.log_url, row)


def _write(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def _cut_log(url: str, last: tuple[int, ...] | None) -> None:
    """Without what came later, since nothing in it is ever changed."""
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM tapedeck.stored_events WHERE position > %s", last)
