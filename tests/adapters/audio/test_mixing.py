"""Channels are mixed down without one cancelling another."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.audio.decoding import SAMPLE_RATE, pcm_blocks
from adapters.audio.mixing import FRAME_SAMPLES, Samples, mixed
from service import sample
from tests.adapters.audio.samples import opener, wav
from tests.tools import dialogues

Sound = npt.NDArray[np.float64]


def voice(seconds: float = 6.0, *, begin: float = 7.0) -> Sound:
    """Somebody speaks."""
    return dialogues.samples("diabetes")[round(begin * SAMPLE_RATE) : round((begin + seconds) * SAMPLE_RATE)] * 1.0


def hertz(frequency: float, seconds: float = 6.0, *, phase: float = 0.0) -> Sound:
    return 8000 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE + phase)


def hiss(amplitude: float, seed: int, seconds: float = 6.0) -> Sound:
    return np.random.default_rng(seed).normal(0, amplitude, round(seconds * SAMPLE_RATE))


def mix(*channels: Sound, block_samples: int = SAMPLE_RATE) -> Samples:
    together = np.stack(channels).clip(-32768, 32767).astype(np.int16)
    blocks = [together[:, start : start + block_samples] for start in range(0, together.shape[1], block_samples)]
    return np.concatenate(list(mixed(blocks)))


def energies(sound: npt.NDArray[np.generic], size: int = FRAME_SAMPLES) -> Sound:
    """The mean energy of each 20 ms."""
    whole = sound[: len(sound) // size * size].astype(np.float64)
    framed: Sound = np.square(whole).reshape(-1, size).mean(axis=1)
    return framed


def above_hum(sound: npt.NDArray[np.generic]) -> Sound:
    spectrum = np.fft.rfft(sound.astype(np.float64))
    spectrum[: round(100 * len(sound) / SAMPLE_RATE)] = 0
    return np.fft.irfft(spectrum, len(sound))


SOUNDS = {
    "voice": voice(),
    "another voice": voice(begin=14.0),
    "tone": hertz(440),
    "deep tone": hertz(150),
    "shifted tone": hertz(440, phase=np.pi / 2),
    "delayed voice": np.roll(voice(), 24),
    "late voice": np.roll(voice(), 8_000),
    "hiss": hiss(2_000, 1),
    "silence": np.zeros(6 * SAMPLE_RATE),
}

channels_of_any_kind = st.lists(
    st.tuples(st.sampled_from(sorted(SOUNDS)), st.floats(0.01, 1), st.sampled_from([1, -1])), min_size=2, max_size=6
)


@settings(deadline=None, max_examples=60)
@given(channels=channels_of_any_kind)
def test_whatever_is_on_the_channels_none_cancels_another(channels: Sequence[tuple[str, float, int]]) -> None:
    sounds = [SOUNDS[name] * gain * sign for name, gain, sign in channels]
    heard = energies(mix(*sounds))
    together = sum(energies(sound) for sound in sounds)
    # A tenth of what channels without anything in common would give, half of it for a crossfade, minus rounding.
    fair = together / len(sounds) ** 2 / 20
    assert (heard >= fair - 2).all()


@settings(deadline=None, max_examples=30)
@given(
    name=st.sampled_from(["voice", "tone", "deep tone", "hiss"]),
    gain=st.floats(0.1, 1),
    turns=st.lists(st.integers(0, 6 * SAMPLE_RATE), min_size=1, max_size=5),
)
def test_a_channel_that_turns_over_midway_never_cancels_for_longer_than_a_frame(
    name: str, gain: float, turns: list[int]
) -> None:
    sound = SOUNDS[name]
    sign = np.ones(len(sound))
    for turn in turns:
        sign[turn:] *= -1
    heard = energies(mix(sound, sound * sign * gain))
    fair = energies(sound) / 4 / 20
    bad = np.flatnonzero(heard < fair - 2)
    assert set(bad) <= {turn // FRAME_SAMPLES for turn in turns}


@pytest.mark.parametrize("name", ["voice", "tone", "deep tone"])
def test_where_a_channel_turns_over_there_is_no_click(name: str) -> None:
    sound = SOUNDS[name]
    sign = np.where(np.arange(len(sound)) < 3 * SAMPLE_RATE, 1, -1)
    heard = mix(sound, sound * sign).astype(np.float64)
    assert np.abs(heard).max() <= np.abs(sound).max() + 1
    # The turning channel itself jumps once, in its file; apart from that sample nothing is steeper than the sound.
    steps = np.delete(np.abs(np.diff(heard)), 3 * SAMPLE_RATE - 1)
    assert steps.max() <= 1.1 * np.abs(np.diff(sound)).max() + 100


def test_inverted_channels_are_heard_as_one_of_them() -> None:
    assert np.abs(mix(voice(), -voice()) - voice()).max() <= 1


def test_the_sound_of_ordinary_stereo_is_the_mean_of_its_channels() -> None:
    left, right = voice(), voice(begin=14.0) * 0.7 + voice() * 0.2
    assert np.abs(mix(left, right) - (left + right.astype(np.int16)) / 2).max() <= 1


def test_inverted_channels_are_heard_through_noise_that_conceals_it() -> None:
    heard = mix(voice() + hiss(1_500, 5), -voice() + hiss(1_500, 6)).astype(float)
    after = slice(SAMPLE_RATE, None)
    assert abs(np.corrcoef(heard[after], voice()[after])[0, 1]) > 0.9


def test_channels_with_nothing_in_common_keep_all_of_their_energy() -> None:
    left, right = hiss(2_000, 1), hiss(500, 2)
    assert mix(left, right).astype(float).std() == pytest.approx(np.hypot(2_000, 500) / 2, rel=0.01)


def test_hum_and_an_offset_on_both_channels_do_not_hide_that_their_voices_cancel() -> None:
    hum = hertz(50) * 0.3 + 3_000
    heard = mix(voice() * 0.3 + hum, -voice() * 0.3 + hum)
    spoken = energies(above_hum(voice() * 0.3))
    loud = spoken > np.percentile(spoken, 50)
    assert (energies(above_hum(heard))[loud] > spoken[loud] / 2).all()


def test_an_empty_channel_costs_no_loudness() -> None:
    dither = np.random.default_rng(3).integers(-1, 2, len(voice())) * 1.0
    assert np.abs(mix(voice(), dither) - voice()).max() <= 1
    empty = np.zeros(len(voice()))
    assert np.abs(mix(empty, empty, voice(), empty, empty, empty) - voice()).max() <= 1


def test_a_channel_counts_from_when_it_first_sounds() -> None:
    late = np.where(np.arange(len(voice())) < 3 * SAMPLE_RATE, 0, voice(begin=14.0))
    heard = mix(voice(), late)
    assert np.abs(heard[: 3 * SAMPLE_RATE] - voice()[: 3 * SAMPLE_RATE]).max() <= 1
    after = slice(4 * SAMPLE_RATE, None)
    assert np.abs(heard[after] - (voice() + late.astype(np.int16))[after] / 2).max() <= 1


@settings(deadline=None, max_examples=20)
@given(block_samples=st.integers(1, 20_000), length=st.integers(0, 20_000))
def test_how_the_sound_is_cut_into_blocks_changes_nothing(block_samples: int, length: int) -> None:
    sound = voice(2.0)[:length]
    channels = (sound, -sound + hiss(100, 4)[: len(sound)])
    if length:
        assert np.array_equal(mix(*channels, block_samples=max(block_samples, length // 50)), mix(*channels))


def test_an_inverted_recording_sounds_like_the_original_when_it_is_decoded() -> None:
    with sample.audio_file() as path:
        original = np.concatenate(list(pcm_blocks(lambda: path.open("rb"))))[: 5 * SAMPLE_RATE]
    heard = np.concatenate(list(pcm_blocks(opener(wav(np.stack([original, -original]))))))
    assert np.abs(heard.astype(int) - original).max() <= 10  # what is no louder than dither may cancel


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 8, 12])
def test_any_number_of_channels_is_heard(channels: int) -> None:
    sound = np.stack([voice(2.0).astype(np.int16)] * channels)
    assert np.array_equal(np.concatenate(list(pcm_blocks(opener(wav(sound))))), sound[0])
