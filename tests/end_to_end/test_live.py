"""Listening to a recording of the service as a process, which is killed and stopped meanwhile."""

import asyncio
import signal
from contextlib import suppress
from http import HTTPStatus
from secrets import token_hex

import aiohttp
import pytest

from adapters.keys import KeyKind
from tests.end_to_end.listening import listening
from tests.end_to_end.profile import key_store_of
from tests.end_to_end.service_process import SAMPLE, ServiceProcess, slices

CHUNKS = 5


async def heard_until_a_kill(api, recording, service, before=None):
    """Listen, and kill the service as soon as something is heard; what was heard so far."""
    async with listening(api, recording, before) as heard:
        await heard.until("segment", "progress")
        service.kill()
        with suppress(aiohttp.ClientPayloadError):  # the connection was cut
            await heard.rest()
    return heard


@pytest.mark.slow
async def test_a_listener_misses_and_doubles_nothing_however_often_the_service_is_killed(tmp_path):
    service = ServiceProcess(tmp_path / "data")
    api = (await service.start()).api()
    try:
        recording = await api.create(codec="opus")
        heard = await heard_until_a_kill(api, recording, service)
        for number, chunk in enumerate(slices(SAMPLE.read_bytes(), CHUNKS), 1):
            await service.start()
            assert (await api.put(recording, number, chunk)).status == 200
            heard = await heard_until_a_kill(api, recording, service, heard)
        await service.start()
        await api.finalize(recording, CHUNKS)
        heard = await heard_until_a_kill(api, recording, service, heard)
        await service.start()
        async with listening(api, recording, heard) as again:
            if again.status == HTTPStatus.OK:  # else it was told the end before the last kill
                await again.until("transcript")
            assert await again.rest() == []
        told = [{name: value for name, value in one.items() if name != "index"} for one in again.segments]
        assert told == (await api.transcript(recording))["segments"]
        async with listening(api, recording, again) as again:
            assert again.status == 204
    finally:
        service.kill()


@pytest.mark.slow
async def test_listeners_never_hold_up_a_stop_and_find_their_place_again(tmp_path):
    service = ServiceProcess(tmp_path / "data", {"STOP_SECONDS": "600"})
    api = (await service.start()).api()
    try:
        recording = await api.create()
        async with listening(api, recording) as heard, listening(api, recording) as who_does_not_read:
            await heard.until("progress")
            service.process.send_signal(signal.SIGTERM)
            assert await heard.rest() == []
            assert await asyncio.to_thread(service.process.wait, 60) == 0
            assert who_does_not_read.status == 200
        await service.start()
        async with listening(api, recording, heard) as again:
            assert (await again.until("progress")).data["chunks_stored"] == 0
    finally:
        service.kill()


@pytest.mark.slow
async def test_a_key_that_is_revoked_stops_listening(service):
    keys = key_store_of(service)
    made = keys.create(KeyKind.SECRET, project_id="proj_" + token_hex(8))
    api = service.api(made.token)
    recording = await api.create()
    async with listening(api, recording) as heard:
        await heard.until("progress")
        keys.revoke(made.key.id)
        keys.close()
        assert await heard.rest() == []
    async with listening(api, recording, heard) as again:
        assert again.status == 401
