import asyncio
from secrets import token_hex

import pytest

from adapters.keys import KeyKind
from tests.end_to_end.profile import key_store_of
from tests.end_to_end.service_process import Api
from tests.end_to_end.trusted_service import trusting


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
def new_key(service):
    """Makes keys of the running service, as `tapedeck keys create` does: kind, project_id, and what the kind needs."""
    keys = key_store_of(service)
    yield lambda kind, **facts: keys.create(KeyKind(kind), **facts).token
    keys.close()


@pytest.fixture
def project(service, new_key) -> Api:
    """A secret key of a project that nobody else uses."""
    return service.api(new_key("secret", project_id=f"proj_{token_hex(8)}"))
