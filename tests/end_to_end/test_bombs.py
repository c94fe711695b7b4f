"""Small files that hold days of sound: refused by name, or worked through without anybody else waiting for them."""

import asyncio

import pytest

from adapters.keys import KeyKind
from tests.end_to_end.profile import key_store_of
from tests.end_to_end.service_process import short_speech
from tests.tools.abuse.bombs import flac_bomb


async def uploaded(api, content):
    recording = await api.upload([content])
    assert (await api.finalize(recording, 1)).status == 200
    return recording


async def test_a_bomb_fails_by_name_and_keeps_its_chunk(api):
    bomb = await uploaded(api, flac_bomb(0.1, claims_hours=150))
    failed = await api.ended(bomb)
    assert (failed["failure"]["stage"], failed["failure"]["reason"]) == ("stitch", "recording_too_long")
    assert (await api.event_types(bomb))[2:] == ["FinalizeRequested", "Failed"]
    assert (await api.get(bomb, "/chunks"))["chunks_received"] == 1


@pytest.mark.slow
async def test_another_projects_recording_waits_for_no_bomb_and_a_deleted_bomb_ends(own_service):
    own_service.settings |= {"WORKERS": "1"}
    await own_service.start()
    keys = key_store_of(own_service)
    hostile = own_service.api()
    honest = own_service.api(keys.create(KeyKind("secret"), project_id="proj_honest").token)
    keys.close()
    bombs = [await uploaded(hostile, content) for content in [flac_bomb(12)] * 3]
    async with asyncio.timeout(200):
        while "Stitched" not in await hostile.event_types(bombs[0]):
            await asyncio.sleep(0.1)
    minute = await uploaded(honest, short_speech())
    assert (await honest.ended(minute))["status"] == "completed"
    assert {(await hostile.get(bomb))["status"] for bomb in bombs} <= {"uploaded", "processing"}
    busy = {worker.pid for worker in own_service.workers()}
    for bomb in bombs:
        assert (await hostile.call("DELETE", f"/v1/recordings/{bomb['id']}")).status in (200, 204)
    async with asyncio.timeout(60):
        while busy <= {worker.pid for worker in own_service.workers()}:
            await asyncio.sleep(0.1)
    another = await uploaded(hostile, short_speech())
    assert (await hostile.ended(another))["status"] == "completed"
