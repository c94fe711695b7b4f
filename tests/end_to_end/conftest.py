import asyncio
from secrets import token_hex

import pytest
import pytest_asyncio

from adapters.keys import KeyKind
from tests.end_to_end.console import DESK, opened_console
from tests.end_to_end.profile import key_store_of
from tests.end_to_end.service_process import Api
from tests.end_to_end.trusted_service import trusting
from tests.tools.browser import needed_chromium, running_browser


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


@pytest.fixture
def project_id():
    """Nobody else's."""
    return f"proj_{token_hex(8)}"


@pytest.fixture
def key(new_key, project_id) -> str:
    """A secret key of that project."""
    return new_key("secret", project_id=project_id)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser():
    async with running_browser(needed_chromium(), []) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def console(browser, service):
    """A tab in which nobody is signed in."""
    async with opened_console(browser, service, viewport=DESK) as console:
        yield console
