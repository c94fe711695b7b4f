"""Recordings that were made to cost more than they hold: in very many slices, or of files that are large as one."""

import asyncio

import pytest

from tests.end_to_end.service_process import short_speech
from tests.tools.abuse.slices import costly_pair, slices

SLICES = 100
"""Bota's most."""


async def stitched_audio(api, chunks):
    recording = await api.upload(chunks)
    assert (await api.finalize(recording, len(chunks))).status == 200
    async with asyncio.timeout(120):
        while "Stitched" not in await api.event_types(recording):
            await asyncio.sleep(0.1)
    url = (await api.get(recording, "/download-url"))["download_url"]
    audio = await api.call("GET", url, key=False)
    assert audio.status == 200
    assert (await api.call("DELETE", f"/v1/recordings/{recording['id']}")).status in (200, 204)
    return audio.body


async def test_two_small_files_become_no_large_one(api):
    pair = costly_pair(20)
    assert len(await stitched_audio(api, pair)) <= 24 * sum(map(len, pair))


@pytest.mark.slow
async def test_a_file_in_as_many_slices_as_there_may_be_is_that_file(api):
    content = short_speech()
    assert await stitched_audio(api, slices(content, SLICES)) == content
