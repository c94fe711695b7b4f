"""How soon after its end a recording is transcribed, with and without what is heard of it while it arrives; and how
fast several are that arrive at once.

`ARRIVING_SECONDS=3600 ARRIVING_SPEED=20 AT_ONCE_SECONDS=300 make bench ARGS=head-start` takes an hour, and twelve times
five minutes; `WORKERS=2` has two workers hear. Each of these has a smaller value without.
"""

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from adapters.audio.decoding import SAMPLE_RATE, Samples, pcm_blocks
from service import sample
from tests.adapters.audio.samples import OGG_OPUS, encoded
from tests.end_to_end.service_process import Api, ServiceProcess

SECONDS = int(os.environ.get("ARRIVING_SECONDS", "480"))
SPEED = float(os.environ.get("ARRIVING_SPEED", "8"))
SLICE_BYTES = 65_536
AT_ONCE = 12
SECONDS_OF_EACH = int(os.environ.get("AT_ONCE_SECONDS", "60"))
PATIENCE_SECONDS = 7200
SETTINGS = {"MAX_CHUNKS": "100000"} | ({"WORKERS": os.environ["WORKERS"]} if "WORKERS" in os.environ else {})


async def measure() -> None:
    long, short = speech(SECONDS), speech(SECONDS_OF_EACH)
    print(f"{SECONDS} s of speech in Ogg Opus, in slices of {SLICE_BYTES} bytes at {SPEED:g} times real time")
    after = {ahead: await arriving(long, ahead=ahead) for ahead in (True, False)}
    print(f"  ready after the head start : without it   {after[True] / after[False]:.2f}")
    await at_once(short)


def speech(seconds: int) -> bytes:
    """The sample over and over, each time a little softer or louder, as an Ogg Opus file."""
    with sample.audio_file() as path:
        said = np.concatenate(list(pcm_blocks(lambda: path.open("rb"))))
    times = -(-seconds * SAMPLE_RATE // len(said))
    loudness = np.random.default_rng(seconds).uniform(0.5, 1.0, times)
    sound: Samples = np.concatenate([(said * each).astype(np.int16) for each in loudness])
    return encoded(OGG_OPUS, sound[: seconds * SAMPLE_RATE].reshape(1, -1), rate=SAMPLE_RATE)


async def arriving(body: bytes, *, ahead: bool) -> float:
    """Seconds from the finalize request to the transcript."""
    with tempfile.TemporaryDirectory() as folder:
        service = ServiceProcess(Path(folder) / "data", SETTINGS | ({} if ahead else {"LISTENED_RECORDINGS": "0"}))
        try:
            api = (await service.start()).api()
            recording = await api.create(codec="opus")
            count = await upload(api, recording, body)
            heard = (await api.event_types(recording)).count("PartHeard")
            began = time.monotonic()
            await ready(api, recording, count)
            took = time.monotonic() - began
        finally:
            service.stop()
    name, share = "with a head start" if ahead else "without one", took / SECONDS
    print(f"  {name:<20} {heard} parts heard before its end, ready {took:.1f} s after it: {share:.3f} of its length")
    return took


async def upload(api: Api, recording: dict[str, str], body: bytes) -> int:
    """At a steady pace. Returns the number of chunks."""
    chunks = [body[start : start + SLICE_BYTES] for start in range(0, len(body), SLICE_BYTES)]
    began, pace = time.monotonic(), SECONDS / SPEED / len(chunks)
    for number, chunk in enumerate(chunks, 1):
        await asyncio.sleep(max(0.0, began + number * pace - time.monotonic()))
        answer = await api.put(recording, number, chunk)
        assert answer.status == 200, answer
    return len(chunks)


async def ready(api: Api, recording: dict[str, str], count: int) -> None:
    assert (await api.finalize(recording, count)).status == 200
    found = await api.ended(recording, seconds=PATIENCE_SECONDS)
    assert found["status"] == "completed", found


async def at_once(body: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        service = ServiceProcess(Path(folder) / "data", SETTINGS)
        try:
            api = (await service.start()).api()
            recordings = [await api.upload([body], codec="opus") for _ in range(AT_ONCE)]
            began = time.monotonic()
            await asyncio.gather(*(ready(api, each, 1) for each in recordings))
            took = time.monotonic() - began
        finally:
            service.stop()
    factor = took / (AT_ONCE * SECONDS_OF_EACH)
    print(
        f"  {AT_ONCE} recordings of {SECONDS_OF_EACH} s at once: ready after {took:.1f} s, {factor:.3f} of their length"
    )


if __name__ == "__main__":
    sys.exit(asyncio.run(measure()))
