"""What speech engines hear of a recording."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.audio.decoding import pcm_blocks
from adapters.audio.errors import AudioError
from tests.adapters.audio import samples
from tests.adapters.audio.samples import EVERY_FORMAT, Samples, encoded, opener, tone, wav


def heard(content: bytes, **settings: int) -> Samples:
    blocks = list(pcm_blocks(opener(content), **settings))
    return np.concatenate(blocks) if blocks else np.zeros(0, np.int16)


@pytest.mark.parametrize("kind", EVERY_FORMAT)
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_every_format_is_heard_at_16_khz(kind: str, rate: int) -> None:
    sound = heard(encoded(kind, tone(rate * 2, rate=rate), rate=rate))
    assert sound.dtype == np.int16
    assert len(sound) / 16 == pytest.approx(2000, abs=150)
    assert loudest_hertz(sound) == pytest.approx(440, abs=5)


def test_a_recording_that_is_16_khz_mono_is_heard_as_it_is() -> None:
    sound = tone(40_000, rate=16_000)
    assert np.array_equal(heard(wav(sound)), sound[0])


def test_both_channels_are_heard() -> None:
    left, right = tone(32_000, rate=16_000), tone(32_000, rate=16_000, hertz=1_000)
    either = heard(wav(np.concatenate([left, right])))
    assert np.abs(either - (left[0] / 2 + right[0] / 2)).max() < 3


def test_odd_recordings_are_heard_too() -> None:
    assert len(heard(encoded(samples.WAV_24, tone(44_100, rate=44_100, channels=2), rate=44_100))) == 16_000
    assert len(heard(wav(tone(8_000, rate=8_000), rate=8_000))) == 16_000


def test_chained_ogg_is_heard_to_its_end() -> None:
    chained = b"".join(encoded(samples.OGG_OPUS, tone(length)) for length in (48_000, 24_001, 9_999))
    assert len(heard(chained)) / 16 == pytest.approx(82_000 / 48, abs=1)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 5_000])
def test_a_live_wav_is_heard_to_its_end_whatever_its_header_says(size: int) -> None:
    sound = tone(30_000, rate=16_000)
    content = wav(sound)
    live = content[:40] + size.to_bytes(4, "little") + content[44:]
    assert np.array_equal(heard(live), sound[0])


@settings(deadline=None, max_examples=30)
@given(length=st.integers(0, 9_000), block_samples=st.integers(1, 5_000))
def test_blocks_are_of_one_size_but_for_the_last(length: int, block_samples: int) -> None:
    sizes = [len(block) for block in pcm_blocks(opener(wav(tone(length))), block_samples=block_samples)]
    assert sum(sizes) == length
    assert all(size == block_samples for size in sizes[:-1])


def test_a_damaged_stretch_costs_no_more_than_itself() -> None:
    whole = bytearray(encoded(samples.MP3, tone(48_000 * 4)))
    whole[20_000:20_400] = bytes(400)
    assert len(heard(bytes(whole))) / 16 == pytest.approx(4_000, abs=200)


@pytest.mark.parametrize("content", [b"", b"no sound", bytes(5_000), b"RIFF\0\0\0\0WAVE"])
def test_what_is_no_audio_is_an_audio_error(content: bytes) -> None:
    with pytest.raises(AudioError, match=r"^The audio is "):
        heard(content)


def loudest_hertz(sound: Samples) -> float:
    spectrum = np.abs(np.fft.rfft(sound[4_000:20_000].astype(np.float64)))
    return float(spectrum.argmax())
