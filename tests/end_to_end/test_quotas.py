"""A project that takes all it can get gets its quotas and no more; another one on the same service notices nothing."""

from secrets import token_hex

import aiohttp
import pytest

from adapters.quotas import Quota
from tests.end_to_end.profile import blob_store_of, quota_store_of
from tests.end_to_end.service_process import Api, short_speech, slices
from tests.tools.abuse.floods import Flood

QUOTA_BYTES, CHUNK_BYTES = 400_000, 32 * 1024
LETTERS = 24
MOST_BYTES = QUOTA_BYTES * 11 // 10


@pytest.fixture
def hostile(service, new_key):
    """A project with quotas of its own, set beside the running service, as `tapedeck quotas set` does."""
    project_id = f"proj_{token_hex(8)}"
    quotas = quota_store_of(service)
    quotas.set_for(project_id, Quota.BYTES, QUOTA_BYTES)
    quotas.set_for(project_id, Quota.OPEN_RECORDINGS, 5)
    for quota in (Quota.WEBHOOKS, Quota.END_USERS, Quota.DEVICES):
        quotas.set_for(project_id, quota, 3)
    quotas.close()
    return Flood(service.url, new_key("secret", project_id=project_id))


async def stored_bytes(service, flood: Flood) -> int:
    """Of all that lies in the store of the recordings that a flood has opened."""
    ids = {template.split("/")[6].removeprefix("rec_") for template in flood.templates}
    size_bytes = 0
    async with blob_store_of(service) as store:
        for its_id in ids:
            for key in store.keys(f"recordings/{its_id}/"):
                with store.open(key) as blob:
                    size_bytes += len(blob.read())
    return size_bytes


async def test_a_flood_gets_its_quotas_and_no_more_and_every_refusal_is_named(service, hostile, project: Api):
    async with aiohttp.ClientSession() as http:
        await hostile.everything(http, count=LETTERS, chunk_bytes=CHUNK_BYTES)
    assert hostile.tried("recording") == {(201, ""): 5, (429, "quota_exceeded"): LETTERS - 5}
    assert hostile.tried("chunk") == {
        (200, ""): MOST_BYTES // CHUNK_BYTES,
        (507, "quota_exceeded"): 2 * LETTERS - MOST_BYTES // CHUNK_BYTES,
    }
    for what in ("webhook", "end_user", "device"):
        assert hostile.tried(what) == {(201, ""): 3, (409, "quota_exceeded"): LETTERS - 3}
    assert hostile.stored_bytes <= MOST_BYTES
    assert await stored_bytes(service, hostile) <= MOST_BYTES + 5 * 1_100  # what was said of the five recordings, too
    recording = await project.upload(slices(short_speech(), 3))
    assert (await project.finalize(recording, 3)).status == 200


async def test_a_project_with_a_quota_sees_it_in_the_metrics(service, hostile):
    async with aiohttp.ClientSession() as http:
        await hostile.recordings(http, 1)
        await hostile.chunks(http, 1, CHUNK_BYTES)
        (project_id,) = {template.split("/")[5] for template in hostile.templates}
        metrics = ""
        while f'tapedeck_project_bytes{{project="{project_id}"}} {float(CHUNK_BYTES)}' not in metrics:
            async with http.get(f"{service.url}/metrics") as answer:
                metrics = await answer.text()
    assert f'tapedeck_project_bytes_quota{{project="{project_id}"}} {float(QUOTA_BYTES)}' in metrics
    assert f'tapedeck_project_open_recordings{{project="{project_id}"}} 1.0' in metrics
    assert f'tapedeck_project_open_recordings_quota{{project="{project_id}"}} 5.0' in metrics
