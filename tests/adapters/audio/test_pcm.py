"""Bare samples: stitched to the sample, and read again from any place."""

import io
from functools import partial

import numpy as np
import pytest

from adapters.audio.decoding import pcm_blocks
from adapters.audio.pcm import StitchedSamples, pcm_file, stitch_pcm


def chunks_of(samples, *cuts):
    parts = [part.astype("<i2").tobytes() for part in np.split(samples, cuts)]
    return [partial(io.BytesIO, part) for part in parts]


@pytest.mark.parametrize("cuts", [(), (1,), (480, 480), (0, 999), (1000,)])
def test_stitched_samples_are_the_chunks_one_after_another(tmp_path, cuts):
    samples = np.random.default_rng(0).integers(-32768, 32768, 1000).astype(np.int16)
    output = tmp_path / "audio"
    stitched = stitch_pcm(chunks_of(samples, *cuts), output)
    assert (np.concatenate(list(pcm_blocks(lambda: output.open("rb")))) == samples).all()
    assert (stitched.duration_ms, stitched.content_type, stitched.codec) == (62, "audio/wav", "pcm_s16le")
    with output.open("rb") as file:
        read = StitchedSamples(file)
        assert read.count == 1000
        assert read.between(10, 20) == samples[10:20].tobytes()
        assert read.between(990, 2000) == samples[990:].tobytes()
        assert read.between(20, 10) == b""


def test_samples_of_one_that_stand_for_full_scale_are_stitched_as_loud_as_they_are(tmp_path):
    chunks = chunks_of(np.array([1, 0, -1, 1, 0, -1, 1]), 3, 5)
    stitched = stitch_pcm(chunks, tmp_path / "audio", float_units={0, 2})
    with (tmp_path / "audio").open("rb") as file:
        found = np.frombuffer(StitchedSamples(file).between(0, 7), "<i2")
    assert found.tolist() == [32767, 0, -32768, 1, 0, -32768, 32767]
    assert stitched.chunks_md5 == stitch_pcm(chunks, tmp_path / "other").chunks_md5


def test_no_sample_at_all_is_a_file_without_sound(tmp_path):
    stitched = stitch_pcm(chunks_of(np.empty(0, np.int16)), tmp_path / "audio")
    assert stitched.duration_ms == 0
    with (tmp_path / "audio").open("rb") as file:
        assert StitchedSamples(file).count == 0


def test_an_output_that_could_not_be_finished_is_not_left_behind(tmp_path):
    def broken():
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        stitch_pcm([broken], tmp_path / "audio")
    assert not (tmp_path / "audio").exists()


def test_samples_as_a_file_are_a_wav_that_decodes_to_them():
    samples = np.arange(-100, 100, dtype=np.int16)
    blocks = list(pcm_blocks(lambda: pcm_file(samples.tobytes())))
    assert (np.concatenate(blocks) == samples).all()


def test_another_file_is_not_taken_for_stitched_samples():
    with pytest.raises(ValueError, match="not a WAV file of 16-bit samples"):
        StitchedSamples(io.BytesIO(b"RIFF"))
