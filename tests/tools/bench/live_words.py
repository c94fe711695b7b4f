"""How long after it was spoken a word is told as settled to who listens, and how right it is, with real people's voices
at real-time pace."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np

from adapters.audio.decoding import SAMPLE_RATE, pcm_blocks
from service.sample.word_error_rate import word_error_rate
from tests.adapters.audio.samples import OGG_OPUS, encoded, ogg_pages
from tests.end_to_end.listening import Listening, listening
from tests.end_to_end.service_process import Api, ServiceProcess
from tests.places import REPOSITORY, SHARED_DATA

SPEECH = SHARED_DATA / "speech"
Pages = list[tuple[float, bytes]]
"""A second each, as a recorder makes them, with the second of the recording at which each ends."""

NAMES = ("conversation-two-voices.wav", "conversation-sales.wav", "533-1066-*.flac")
WARM_UP_SECONDS = 10.0


async def measure() -> None:
    paths = list(chain.from_iterable(sorted(SPEECH.glob(name)) for name in NAMES))
    if not paths:
        print(f"There is no {SPEECH.relative_to(REPOSITORY.parent)} beside this checkout: nothing is measured.")
        return
    said = _spoken(path.name for path in paths)
    sound = np.concatenate([block for path in paths for block in pcm_blocks(lambda path=path: path.open("rb"))])
    pages = ogg_pages(encoded(OGG_OPUS, sound.reshape(1, -1), rate=SAMPLE_RATE))
    with tempfile.TemporaryDirectory() as folder:
        service = ServiceProcess(Path(folder) / "data", {"MAX_CHUNKS": "100000"})
        try:
            api = (await service.start()).api()
            await _listen(api, [page for page in pages if page[0] <= WARM_UP_SECONDS])  # processes load their model
            heard, delays = await _listen(api, pages)
            transcript = heard[1]
        finally:
            service.stop()
    live = word_error_rate(said, " ".join(segment["text"] for segment in heard[0].segments))
    whole = word_error_rate(said, transcript)
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{pages[-1][0]:.0f} s of people talking, a second to a chunk, at real-time pace, one listener; load {load}")
    print(
        f"  settled after it was spoken   median {np.median(delays):.1f} s   95th percentile "
        f"{np.percentile(delays, 95):.1f} s   ({len(delays)} words)"
    )
    print(f"  word error rate               told {live:.3f}   transcript {whole:.3f}   difference {live - whole:+.3f}")


def _spoken(names: Iterable[str]) -> str:
    rows = (line.split("\t") for line in (SPEECH / "natural.tsv").read_text(encoding="utf-8").splitlines())
    said = {row[0]: row[-1] for row in rows}
    return " ".join(said[name] for name in names)


async def _listen(api: Api, pages: Pages) -> tuple[tuple[Listening, str], list[float]]:
    """What was told and the transcript; and for each word, how long after it was spoken it was told."""
    recording = await api.create(codec="opus")
    async with listening(api, recording) as heard:
        began = time.monotonic()
        uploading = asyncio.create_task(_upload(api, recording, pages, began))
        delays: list[float] = []
        while (told := await heard.next()) is not None:
            if told.event == "segment":
                words, since = told.data["text"].split(), time.monotonic() - began
                begins, lasts = told.data["start"], told.data["end"] - told.data["start"]
                delays += [since - begins - lasts * (number + 1) / len(words) for number in range(len(words))]
        await uploading
    return (heard, (await api.transcript(recording))["text"]), delays


async def _upload(api: Api, recording: dict[str, str], pages: Pages, began: float) -> None:
    """Each page when its last word has been spoken."""
    for number, (ends, page) in enumerate(pages, 1):
        await asyncio.sleep(max(0.0, began + ends - time.monotonic()))
        assert (await api.put(recording, number, page)).status == 200
    await api.finalize(recording, len(pages))


if __name__ == "__main__":
    sys.exit(asyncio.run(measure()))
