"""Where speech is found in sound, by the real detector."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.audio.decoding import SAMPLE_RATE, Samples, pcm_blocks
from adapters.speech.voice_activity import find_speech
from service import sample
from tests.tools import dialogues

LONGEST_SAMPLES = 3_000


def turn() -> Samples:
    """The patient's first one in the talk about diabetes, 3.7 seconds from the first word to the last."""
    return dialogues.samples("diabetes")[round(7.2 * SAMPLE_RATE) : round(11.1 * SAMPLE_RATE)]


def noise(seconds: float, decibels: float) -> Samples:
    loudness = 32768 * 10 ** (decibels / 20)
    return np.random.default_rng(1).normal(0, loudness, round(seconds * SAMPLE_RATE)).astype(np.int16)


def at(seconds: float, speech: Samples, *, within: Samples) -> Samples:
    """The speech where the other sound has these seconds."""
    start = round(seconds * SAMPLE_RATE)
    mixed = within.copy()
    mixed[start : start + len(speech)] += speech
    return mixed


def rms(sound: np.ndarray) -> float:
    return float(np.sqrt(np.square(sound).mean()))


def test_speech_is_found_where_it_is():
    found = find_speech(at(5, turn(), within=noise(15, -70)))
    (stretch,) = found.speech
    assert stretch.start / SAMPLE_RATE == pytest.approx(5, abs=0.6)
    assert stretch.end / SAMPLE_RATE == pytest.approx(5 + len(turn()) / SAMPLE_RATE, abs=0.6)


@pytest.mark.parametrize("decibels", [-400, -70, -60], ids=["digital silence", "-70 dB", "-60 dB"])
def test_a_short_answer_in_a_quiet_minute_is_found_and_not_distorted(decibels: float):
    answer = turn()[: round(1.7 * SAMPLE_RATE)]
    found = find_speech(at(30, answer, within=noise(58, decibels)))
    (stretch,) = found.speech
    sound = found.sound[stretch.start : stretch.end]
    assert np.count_nonzero(np.abs(sound) >= 1) < len(sound) / 1000


@pytest.mark.parametrize("quiet_seconds", [20, 40, 55])
def test_a_short_question_after_a_long_quiet_is_found(quiet_seconds: int):
    """The detector alone has forgotten by then what a voice is."""
    with sample.audio_file() as path:
        spoken = np.concatenate(list(pcm_blocks(lambda: path.open("rb"))))
    asked = spoken[round(12.7 * SAMPLE_RATE) : round(13.8 * SAMPLE_RATE)]
    found = find_speech(at(quiet_seconds, asked, within=noise(59, -60)))
    (stretch,) = found.speech
    assert stretch.start / SAMPLE_RATE == pytest.approx(quiet_seconds, abs=0.6)


def test_soft_speech_is_as_loud_as_other_speech_when_it_is_given_on():
    found = find_speech((turn() / 100).astype(np.int16))
    (stretch,) = found.speech
    assert 0.05 < rms(found.sound[stretch.start : stretch.end]) < 0.3


def soft(speech: Samples) -> Samples:
    """40 dB softer."""
    return (speech / 100).astype(np.int16)


def bang(seconds: float) -> Samples:
    """A cough or a door: noise that is loud at once and dies away."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (noise(seconds, -12) * np.exp(-4 * time / seconds)).astype(np.int16)


def levels_of(sound: np.ndarray) -> tuple[float, float]:
    """Of the first and of the second half, without the second in the middle."""
    middle, margin = len(sound) // 2, SAMPLE_RATE // 2
    return rms(sound[: middle - margin]), rms(sound[middle + margin :])


@pytest.mark.parametrize("seconds", [0.05, 0.6, 2.0])
def test_soft_speech_after_a_bang_is_found_and_raised(seconds: float):
    quiet = np.zeros(SAMPLE_RATE, np.int16)
    found = find_speech(np.concatenate([bang(seconds), quiet, soft(turn()), quiet]))
    stretch = found.speech[-1]
    assert stretch.start / SAMPLE_RATE == pytest.approx(seconds + 1, abs=0.6)
    assert 0.02 < rms(found.sound[stretch.start : stretch.end]) < 0.3


def test_clicks_do_not_hide_soft_speech():
    clicking = soft(turn())
    clicking[:: SAMPLE_RATE // 2] = 20_000
    (stretch,) = find_speech(clicking).speech
    assert stretch.end - stretch.start > 0.8 * len(clicking)


@pytest.mark.parametrize("pause_seconds", [0.2, 2])
@pytest.mark.parametrize("is_loud_first", [True, False])
def test_speakers_of_very_different_loudness_are_found_and_given_on_alike(pause_seconds: float, is_loud_first: bool):
    one, other = (turn(), soft(turn())) if is_loud_first else (soft(turn()), turn())
    found = find_speech(np.concatenate([one, noise(pause_seconds, -80), other]))
    assert sum(stretch.end - stretch.start for stretch in found.speech) > 1.8 * len(one)
    first, second = levels_of(found.sound)
    assert 1 / 4 < first / second < 4


def test_a_soft_word_at_the_end_of_a_loud_minute_is_found():
    loud = dialogues.samples("chest_pain")[: 50 * SAMPLE_RATE]
    before = find_speech(loud).speech
    found = find_speech(np.concatenate([loud, np.zeros(2 * SAMPLE_RATE, np.int16), soft(turn())]))
    assert found.speech[-1].start > 51 * SAMPLE_RATE > before[-1].end


@pytest.mark.parametrize("seconds", [0.2, 0.4])
def test_a_single_word_in_quiet_keeps_its_form(seconds: float):
    word = turn()[SAMPLE_RATE // 4 :][: round(seconds * SAMPLE_RATE)]
    whole = at(2, word, within=noise(4, -75))
    found = find_speech(whole)
    begin = 2 * SAMPLE_RATE
    heard = found.sound[begin : begin + len(word)]
    assert np.corrcoef(heard, word)[0, 1] > 0.98


@pytest.mark.parametrize("level", [-50, -60, -70])
def test_noise_beside_loud_speech_is_not_raised_to_speech(level: float):
    spoken = np.concatenate([turn(), np.zeros(10 * SAMPLE_RATE, np.int16)])
    found = find_speech(spoken + noise(len(spoken) / SAMPLE_RATE, level))
    (stretch,) = found.speech
    assert stretch.end < len(turn()) + SAMPLE_RATE
    assert rms(found.sound[stretch.end :]) < 0.03


def test_a_pause_of_two_seconds_parts_speech_in_two():
    found = find_speech(np.concatenate([turn(), np.zeros(2 * SAMPLE_RATE, np.int16), turn()]))
    assert len(found.speech) == 2


def test_stretches_of_a_dialogue_are_in_order_apart_and_within_it():
    samples = dialogues.samples("ear_infection")[: 30 * SAMPLE_RATE]
    found = find_speech(samples)
    assert len(found.sound) == len(samples)
    assert len(found.speech) > 3
    assert found.speech[0].start >= 0
    assert found.speech[-1].end <= len(samples)
    assert all(stretch.start < stretch.end for stretch in found.speech)
    assert all(one.end < other.start for one, other in pairwise(found.speech))


def test_noise_before_speech_is_told_of_and_does_not_touch_it():
    found = find_speech(np.concatenate([noise(4, -30), np.zeros(SAMPLE_RATE, np.int16), turn()]))
    (other,) = found.other_sound
    assert (other.start, other.end / SAMPLE_RATE) == (0, pytest.approx(4, abs=0.1))
    assert other.end <= found.speech[0].start


def test_silence_has_neither_speech_nor_other_sound():
    found = find_speech(np.zeros(5 * SAMPLE_RATE, np.int16))
    assert (found.speech, found.other_sound) == ((), ())


@given(length=st.integers(0, LONGEST_SAMPLES), seed=st.integers(0, 2**32), loudest=st.integers(0, 32767))
@example(length=0, seed=0, loudest=1000)
@example(length=1, seed=0, loudest=1000)
@example(length=1, seed=0, loudest=0)
@example(length=479, seed=0, loudest=32767)
@example(length=511, seed=0, loudest=32767)
@example(length=512, seed=0, loudest=32767)
@example(length=513, seed=0, loudest=1)
@settings(max_examples=25)
def test_no_sound_is_too_short_or_too_odd(length: int, seed: int, loudest: int):
    samples = np.random.default_rng(seed).integers(-loudest - 1, loudest + 1, length).astype(np.int16)
    found = find_speech(samples)
    stretches = sorted([*found.speech, *found.other_sound], key=lambda each: each.start)
    assert len(found.sound) == length
    assert np.isfinite(found.sound).all()
    assert all(0 <= each.start < each.end <= length for each in stretches)
    assert all(one.end <= other.start for one, other in pairwise(stretches))
