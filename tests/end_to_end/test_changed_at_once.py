"""What an operator changes beside the service holds for every request that is begun after that, however many are under
way on other connections."""

import asyncio
from collections.abc import Callable
from itertools import count
from secrets import token_hex

import aiohttp
import pytest

from adapters.keys import KeyKind
from adapters.quotas import Quota
from tests.end_to_end.profile import key_store_of, quota_store_of
from tests.end_to_end.service_process import Api

UPLOADERS = 16


@pytest.fixture
def keys(service):
    keys = key_store_of(service)
    yield keys
    keys.close()


@pytest.fixture
def quotas(service):
    quotas = quota_store_of(service)
    yield quotas
    quotas.close()


async def statuses_after(change: Callable[[], object], api: Api) -> list[int]:
    """What each of many connections is answered first of all that it asks after the change."""
    template = (await api.create())["chunk_upload_url_template"]
    numbers, in_flight, changed = count(1), 0, False
    all_in_flight = asyncio.Event()

    async def upload(http: aiohttp.ClientSession) -> int:
        nonlocal in_flight
        is_first = True
        while True:
            is_after, number = changed, next(numbers)
            url = aiohttp.client.URL(template.replace("{part}", str(number)), encoded=True)
            async with http.put(url, data=b"%d" % number) as answer:
                if is_after:
                    return answer.status
                assert changed or answer.status == 200
            in_flight += is_first
            is_first = False
            if in_flight == UPLOADERS:
                all_in_flight.set()
            await all_in_flight.wait()  # so that no quick one uses up the recording's numbers meanwhile

    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
        uploaders = [group.create_task(upload(http)) for _ in range(UPLOADERS)]
        await all_in_flight.wait()
        change()
        changed = True
    return [uploader.result() for uploader in uploaders]


async def test_a_key_that_is_revoked_while_many_upload_with_its_url_is_refused_to_all_of_them(service, keys):
    made = keys.create(KeyKind.SECRET, project_id=f"proj_{token_hex(8)}")
    assert await statuses_after(lambda: keys.revoke(made.key.id), service.api(made.token)) == [403] * UPLOADERS


async def test_a_quota_that_is_set_while_many_upload_holds_for_all_of_them(service, keys, quotas):
    project_id = f"proj_{token_hex(8)}"
    made = keys.create(KeyKind.SECRET, project_id=project_id)
    lowered = await statuses_after(lambda: quotas.set_for(project_id, Quota.BYTES, 1), service.api(made.token))
    assert lowered == [507] * UPLOADERS
