"""Where the services of the end-to-end suite keep what they know: in files, or in a PostgreSQL database each.

`TEST_PROFILE=postgresql` runs the suite in the second way.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.keys import KeyStore
from adapters.quotas import QuotaStore
from service.application.clock import utc_now
from service.runtime.places import keys_place, quotas_place
from service.runtime.settings import ServiceSettings
from tests.end_to_end.service_process import ServiceProcess
from tests.tools.postgres.server import PostgresServer

IN_POSTGRES = os.environ.get("TEST_PROFILE") == "postgresql"

of_files = pytest.mark.skipif(IN_POSTGRES, reason="it looks into a file that is a table in PostgreSQL")
"""Of a test, or of one of its cases."""


@contextmanager
def databases_of(server: PostgresServer) -> Iterator[None]:
    """A block in which each data directory's service has a database. It is dropped at the end."""
    made: dict[Path, str] = {}
    ServiceProcess.database_of = lambda data_dir: made.get(data_dir) or made.setdefault(data_dir, server.new_database())
    try:
        yield
    finally:
        ServiceProcess.database_of = None
        for url in made.values():
            server.drop_database(url)


def key_store_of(service: ServiceProcess) -> KeyStore:
    """The keys of a service that may be running, as `tapedeck keys` opens them."""
    return KeyStore(keys_place(_settings(service)), clock=utc_now)


def quota_store_of(service: ServiceProcess) -> QuotaStore:
    """The quotas of its projects, as `tapedeck quotas` opens them."""
    return QuotaStore(quotas_place(_settings(service)))


def _settings(service: ServiceProcess) -> ServiceSettings:
    return ServiceSettings(data_dir=service.data_dir, database_url=service.settings.get("DATABASE_URL"))
