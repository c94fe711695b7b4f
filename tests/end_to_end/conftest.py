import asyncio
from secrets import token_hex

import pytest

from adapters.keys import KeyKind, KeyStore
from service.application.clock import utc_now
from tests.end_to_end.service_process import Api, ServiceProcess
from tests.end_to_end.trusted_service import trusting


@pytest.fixture(scope="session")
def service(tmp_path_factory):
    """One running service for all tests that do not harm it."""
    service = ServiceProcess(tmp_path_factory.mktemp("service") / "data")
    asyncio.run(service.start())
    yield service
    assert service.stop() == 0


@pytest.fixture(scope="session")
def trusted(tmp_path_factory):
    """One running service that trusts an issuer of the tests; who changes its allow list changes it back."""
    with trusting(tmp_path_factory.mktemp("trusted")) as trusted:
        asyncio.run(trusted.service.start())
        yield trusted


@pytest.fixture
def api(service) -> Api:
    return service.api()


@pytest.fixture
def own_service(tmp_path):
    """A service of the test's own, to be started, killed and started again by it."""
    service = ServiceProcess(tmp_path / "data")
    yield service
    service.kill()


@pytest.fixture
def new_key(service):
    """Makes keys of the running service, as `tapedeck keys create` does: kind, project_id, and what the kind needs."""
    keys = KeyStore(service.data_dir / "keys.sqlite3", clock=utc_now)
    yield lambda kind, **facts: keys.create(KeyKind(kind), **facts).token
    keys.close()


@pytest.fixture
def project(service, new_key) -> Api:
    """A secret key of a project that nobody else uses."""
    return service.api(new_key("secret", project_id=f"proj_{token_hex(8)}"))
