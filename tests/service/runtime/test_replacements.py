"""What an attack by replacements leaves on the disk is gone once the retention is over."""

import asyncio
from datetime import timedelta

import aiohttp

from service.application import clock as clock_module
from service.application.blob_names import recording_prefix
from service.dialects.bota.identifiers import recording_id_of
from tests.files_on_disk import disk_bytes
from tests.service.dialects.shelf import credentials
from tests.service.running_service import TurnedClock, running_service
from tests.tools.abuse.replacements import Replacements

CHUNK_BYTES = 20_000
COUNT = 200


async def test_replaced_bytes_are_given_back_to_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(clock_module, "LONGEST_SLEEP", timedelta(seconds=0.1))
    async with running_service(tmp_path / "data", TurnedClock()) as running, aiohttp.ClientSession() as http:
        segments = running.settings.data_dir / "blobs" / ".segments"
        attack = Replacements(
            running.settings.base_url, credentials(running, "bota")["api_key"], chunk_bytes=CHUNK_BYTES
        )
        recording, template = await attack.opened(http)
        await attack.replace(http, template, COUNT)
        assert attack.outcomes == {(200, ""): COUNT}
        held, its_id = disk_bytes(segments), recording_id_of(recording)

        running.turn(hours=running.settings.chunk_retention_hours + 1)
        async with asyncio.timeout(120):
            while (await running.stores.recordings.find(its_id)).superseded:
                await asyncio.sleep(0.02)
        assert len(list(running.stores.blobs.keys(recording_prefix(its_id)))) == 1
        assert held - disk_bytes(segments) > 0.75 * COUNT * CHUNK_BYTES  # all but the blocks that records share
        erased = [event.event for event in await running.stores.log.history(its_id)][-1]
        assert (erased.part, erased.size_bytes) == ("superseded", (COUNT - 1) * CHUNK_BYTES)
