"""How large the one FLAC file may be that files become which differ: what they hold decides, not what they claim."""

from pathlib import Path

import numpy as np
import pytest

from adapters.audio.reencoding import MOST_TIMES, OVERHEAD_BYTES, SPEECH_BYTES_PER_SECOND
from adapters.audio.stitching import StitchedAudio, stitch
from tests.adapters.audio import samples
from tests.adapters.audio.kinds import file_of
from tests.adapters.audio.samples import decoded, encoded, openers, tone, wav
from tests.tools.abuse.slices import costly_pair


def stitched(chunks: list[bytes], folder: Path) -> tuple[StitchedAudio, bytes]:
    output = folder / "stitched"
    result = stitch(openers(chunks), output)
    assert result.method == "reencoded"
    return result, output.read_bytes()


@pytest.mark.parametrize("seconds", [5, 20])
def test_a_short_file_of_a_costly_form_does_not_make_a_long_one_large(seconds: int, tmp_path: Path) -> None:
    chunks = costly_pair(seconds)
    result, content = stitched(chunks, tmp_path)
    assert abs(result.duration_ms - 1000 * seconds) <= 60
    came = sum(map(len, chunks))
    assert len(content) <= max(MOST_TIMES * came, (seconds + 1) * SPEECH_BYTES_PER_SECOND) + OVERHEAD_BYTES
    assert len(content) <= 20 * came


def test_what_lossy_codecs_hold_in_little_is_bounded_too(tmp_path: Path) -> None:
    noise = np.random.default_rng(2).normal(0, 3_000, (2, 10 * 48_000)).astype(np.int16)
    chunks = [encoded(samples.OGG_VORBIS, noise), encoded(samples.MP3, noise)]
    _, content = stitched([file_of("AMR"), *chunks], tmp_path)
    assert len(content) <= MOST_TIMES * sum(map(len, chunks)) + OVERHEAD_BYTES
    assert decoded(content).shape[0] == 2


def test_recordings_that_hold_much_keep_their_best_form(tmp_path: Path) -> None:
    fine = np.repeat(tone(2 * 96_000, rate=96_000), 2, axis=0)
    _, content = stitched([wav(fine, rate=96_000), file_of("MP3")], tmp_path)
    heard = decoded(content)
    assert heard.shape[0] == 2
    assert np.array_equal(heard[:, : fine.shape[1]], fine)


def test_no_channel_is_lost_where_many_become_one(tmp_path: Path) -> None:
    _, content = stitched(costly_pair(20), tmp_path)
    heard = decoded(content)
    assert heard.shape[0] == 1
    assert np.sqrt(np.mean(heard[:, 16_000:32_000].astype(float) ** 2)) > 500
