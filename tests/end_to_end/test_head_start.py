"""A running service recognizes a recording before it is complete."""

import asyncio

import numpy as np
import pytest

from adapters.audio.decoding import SAMPLE_RATE, pcm_blocks
from service import sample
from tests.adapters.audio.samples import wav
from tests.end_to_end.service_process import slices

ARRIVED = ["RecordingOpened", *["ChunkStored"] * 8]


@pytest.mark.slow
async def test_what_is_whole_is_heard_before_the_recording_is_declared_complete(own_service):
    with sample.audio_file() as path:
        speech = np.concatenate(list(pcm_blocks(lambda: path.open("rb"))))[: 10 * SAMPLE_RATE]
    content = wav(np.concatenate([speech, np.zeros(90 * SAMPLE_RATE, np.int16), speech]).reshape(1, -1))
    api = (await own_service.start()).api()
    recording = await api.upload(slices(content, 8))
    async with asyncio.timeout(120):
        while "PartHeard" not in await api.event_types(recording):
            await asyncio.sleep(0.1)
    await api.finalize(recording, 8)
    assert (await api.ended(recording))["status"] == "completed"
    types = await api.event_types(recording)
    others = [name for name in types if name != "PartHeard"]
    assert others == [*ARRIVED, "FinalizeRequested", "Stitched", "Transcribed"]
    assert types.index("PartHeard") < types.index("FinalizeRequested")
