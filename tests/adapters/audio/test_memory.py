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
from pathlib import Path
from adapters.audio.decoding import pcm_blocks
from adapters.audio.stitching import stitch
from tests.adapters.audio.samples import opener, tone, wav
from tests.tools.peak_memory import peak_bytes

small, chunk, output = opener(wav(tone(16_000))), Path(sys.argv[1]), Path(sys.argv[2])
stitch([small, small], output)
sum(len(block) for block in pcm_blocks(small))
before = peak_bytes()
result = stitch([lambda: chunk.open("rb")] * 12, output)
heard = sum(len(block) for block in pcm_blocks(lambda: chunk.open("rb")))
print(peak_bytes() - before, result.duration_ms, heard)
"""


@pytest.mark.parametrize("kind", [samples.OGG_OPUS, samples.WEBM])
def test_an_hour_in_twelve_chunks_takes_little_memory(kind: str, tmp_path: Path) -> None:
    chunk = tmp_path / "chunk"
    chunk.write_bytes(encoded(kind, tone(FIVE_MINUTES, rate=16_000), rate=16_000))
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, str(chunk), str(tmp_path / "stitched")],
        capture_output=True,
        text=True,
        check=True,
    )
    grown_bytes, duration_ms, heard = map(int, measured.stdout.split())
    assert grown_bytes < 64 * 2**20
    assert abs(duration_ms - 12 * 5 * 60 * 1000) <= 20 * 11
    assert heard == pytest.approx(FIVE_MINUTES, abs=200)
