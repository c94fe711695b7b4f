"""Long recordings are stitched and decoded in memory that does not grow with their length."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.adapters.audio import samples
from tests.adapters.audio.samples import encoded, tone

FIVE_MINUTES = 5 * 60 * 16_000

# In a process of its own: the highest use of memory is a figure of a whole process.
MEASURE = """
import sys
from functools import partial
from pathlib import Path
from adapters.audio.decoding import pcm_blocks
from adapters.audio.stitching import stitch
from tests.adapters.audio.samples import opener, tone, wav
from tests.tools.peak_memory import peak_bytes

small, chunks, output = opener(wav(tone(16_000))), [Path(name) for name in sys.argv[1:3]], Path(sys.argv[3])
stitch([small, small], output)
sum(len(block) for block in pcm_blocks(small))
before = peak_bytes()
result = stitch([partial(chunk.open, "rb") for chunk in chunks] * 6, output)
heard = [sum(len(block) for block in pcm_blocks(partial(chunk.open, "rb"))) for chunk in chunks]
print(peak_bytes() - before, result.duration_ms, *heard)
"""


@pytest.mark.slow
def test_an_hour_in_twelve_chunks_takes_little_memory(tmp_path: Path) -> None:
    chunks = [tmp_path / "ogg", tmp_path / "webm"]
    for chunk, kind in zip(chunks, (samples.OGG_OPUS, samples.WEBM), strict=True):
        chunk.write_bytes(encoded(kind, tone(FIVE_MINUTES, rate=16_000), rate=16_000))
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, chunks), str(tmp_path / "stitched")],
        capture_output=True,
        text=True,
        check=True,
    )
    grown_bytes, duration_ms, *heard = map(int, measured.stdout.split())
    assert grown_bytes < 64 * 2**20
    assert abs(duration_ms - 12 * 5 * 60 * 1000) <= 20 * 11
    assert heard == [pytest.approx(FIVE_MINUTES, abs=200)] * 2


DAMAGED = """
import sys
from pathlib import Path
from adapters.audio.errors import NotAudio
from adapters.audio.stitching import stitch
from tests.adapters.audio.samples import opener, tone, wav
from tests.tools.peak_memory import peak_bytes

damaged, output = Path(sys.argv[1]), Path(sys.argv[2])
stitch([opener(wav(tone(16_000)))], output)
before = peak_bytes()
try:
    stitch([lambda: damaged.open("rb")], output)
except NotAudio as error:
    print(peak_bytes() - before, error)
"""


def test_a_small_file_that_claims_millions_of_packets_takes_little_memory(tmp_path: Path) -> None:
    fragmented = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    content = encoded("mp4 aac", tone(16_000, rate=16_000), rate=16_000, muxer_options=fragmented)
    count = content.index(b"trun") + 8
    damaged = tmp_path / "damaged.m4a"
    damaged.write_bytes(content[:count] + (1 << 26).to_bytes(4, "big") + content[count + 4 :])
    measured = subprocess.run(
        [sys.executable, "-c", DAMAGED, str(damaged), str(tmp_path / "stitched")],
        capture_output=True,
        text=True,
        check=True,
    )
    grown_bytes, _, told = measured.stdout.strip().partition(" ")
    assert int(grown_bytes) < 64 * 2**20
    assert told == "Chunk 1 is damaged: its sound cannot be read."
