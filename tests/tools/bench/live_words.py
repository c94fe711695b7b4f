"""How long after it was spoken a word is told as settled to who listens, and how right it is, with real people's voices
at real-time pace."""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np

from adapters.audio.decoding import SAMPLE_RATE, pcm_blocks
from service.sample.word_error_rate import word_error_rate
from tests.adapters.audio.samples import OGG_OPUS, encoded
from tests.end_to_end.listening import Listening, listening
from tests.end_to_end.service_process import Api, ServiceProcess
from tests.places import REPOSITORY, SHARED_DATA

SPEECH = SHARED_DATA / "speech"
NAMES = ("conversation-two-voices.wav", "conversation-sales.wav", "533-1066-*.flac")
CHUNK_SECONDS = 1.0


async def measure() -> None:
    paths = list(chain.from_iterable(sorted(SPEECH.glob(name)) for name in NAMES))
    if not paths:
        print(f"There is no {SPEECH.relative_to(REPOSITORY.parent)} beside this checkout: nothing is measured.")
        return
    said = _spoken(path.name for path in paths)
    sound = np.concatenate([block for path in paths for block in pcm_blocks(lambda path=path: path.open("rb"))])
    body, seconds = encoded(OGG_OPUS, sound.reshape(1, -1), rate=SAMPLE_RATE), len(sound) / SAMPLE_RATE
    with tempfile.TemporaryDirectory() as folder:
        service = ServiceProcess(Path(folder) / "data", {"MAX_CHUNKS": "100000"})
        try:
            api = (await service.start()).api()
            await _listen(api, body[: len(body) // 10], seconds / 10)  # processes start, and load their model
            heard, delays = await _listen(api, body, seconds)
            transcript = heard[1]
        finally:
            service.stop()
    live = word_error_rate(said, " ".join(segment["text"] for segment in heard[0].segments))
    whole = word_error_rate(said, transcript)
    print(f"{seconds:.0f} s of people talking, in chunks of {CHUNK_SECONDS:g} s at real-time pace, one listener")
    print(
        f"  settled after it was spoken   median {np.median(delays):.1f} s   95th percentile "
        f"{np.percentile(delays, 95):.1f} s   ({len(delays)} words)"
    )
    print(f"  word error rate               told {live:.3f}   transcript {whole:.3f}   difference {live - whole:+.3f}")


def _spoken(names: Iterable[str]) -> str:
    rows = (line.split("\t") for line in (SPEECH / "natural.tsv").read_text(encoding="utf-8").splitlines())
    said = {row[0]: row[-1] for row in rows}
    return " ".join(said[name] for name in names)


async def _listen(api: Api, body: bytes, seconds: float) -> tuple[tuple[Listening, str], list[float]]:
    """What was told and the transcript; and for each word, how long after it was spoken it was told. A chunk is sent
    when its last word has been spoken."""
    recording = await api.create(codec="opus")
    async with listening(api, recording) as heard:
        began = time.monotonic()
        uploading = asyncio.create_task(_upload(api, recording, body, seconds, began))
        delays: list[float] = []
        while (told := await heard.next()) is not None:
            if told.event == "segment":
                words, since = told.data["text"].split(), time.monotonic() - began
                begins, lasts = told.data["start"], told.data["end"] - told.data["start"]
                delays += [since - begins - lasts * (number + 1) / len(words) for number in range(len(words))]
        await uploading
    return (heard, (await api.transcript(recording))["text"]), delays


async def _upload(api: Api, recording: dict[str, str], body: bytes, seconds: float, began: float) -> None:
    count = max(1, round(seconds / CHUNK_SECONDS))
    size = -(-len(body) // count)
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    for number, chunk in enumerate(chunks, 1):
        await asyncio.sleep(max(0.0, began + number * CHUNK_SECONDS - time.monotonic()))
        assert (await api.put(recording, number, chunk)).status == 200
    await api.finalize(recording, len(chunks))


if __name__ == "__main__":
    sys.exit(asyncio.run(measure()))
