"""What the bench makes: degraded speech and sounds without speech."""

import numpy as np
import pytest

from adapters.audio.decoding import SAMPLE_RATE, Samples
from tests.tools import dialogues
from tests.tools.bench.words.conditions import DEGRADED
from tests.tools.bench.words.degrading import (
    as_sound,
    in_noise,
    level,
    opus,
    pink,
    quiet,
    speech_level,
    telephone,
    white,
)
from tests.tools.bench.words.non_speech import KINDS, SECONDS, non_speech


@pytest.fixture(scope="module")
def spoken() -> Samples:
    return dialogues.samples("diabetes")[: 8 * SAMPLE_RATE]


def random() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize("condition", DEGRADED)
def test_a_condition_changes_the_sound_the_same_way_every_time(condition: str, spoken: Samples):
    others = [dialogues.samples("chest_pain"), dialogues.samples("ear_infection")]
    once, again = (DEGRADED[condition](spoken, others, random()) for _ in range(2))
    assert np.array_equal(once, again)
    assert abs(len(once) - len(spoken)) < SAMPLE_RATE // 10
    assert not np.array_equal(once[: len(spoken)], spoken[: len(once)])


def test_a_telephone_has_nothing_above_its_band_and_keeps_the_speech(spoken: Samples):
    heard = telephone(spoken)
    assert _share_above(heard, 4_000) < 0.001
    assert speech_level(as_sound(heard)) > speech_level(as_sound(spoken)) / 4  # a voice is loudest below the band


def test_opus_keeps_the_level(spoken: Samples):
    assert level(as_sound(opus(spoken))) == pytest.approx(level(as_sound(spoken)), rel=0.2)


def test_quiet_is_a_hundredth(spoken: Samples):
    assert level(as_sound(quiet(spoken))) == pytest.approx(level(as_sound(spoken)) / 100, rel=0.1)


@pytest.mark.parametrize("ratio_db", [15, 5])
@pytest.mark.parametrize("noise", [white, pink])
def test_noise_is_as_far_below_the_speech_as_asked_for(noise, ratio_db: int, spoken: Samples):  # type: ignore[no-untyped-def]
    softer = (spoken // 4).astype(np.int16)
    added = as_sound(in_noise(softer, noise(len(softer), random()), ratio_db=ratio_db)) - as_sound(softer)
    assert 20 * np.log10(speech_level(as_sound(softer)) / level(added)) == pytest.approx(ratio_db, abs=0.2)


def test_pauses_do_not_make_the_speech_softer(spoken: Samples):
    speech = as_sound(spoken)
    with_pause = np.concatenate([speech, np.zeros(len(speech) // 2)])
    assert speech_level(with_pause) == pytest.approx(speech_level(speech), rel=0.1)


def test_sounds_without_speech_last_more_than_16_minutes_in_all():
    assert len(KINDS) * SECONDS >= 16 * 60


@pytest.mark.parametrize("kind", KINDS)
def test_a_sound_without_speech_is_the_same_every_time_and_fits_its_samples(kind: str):
    made = non_speech(kind)
    assert np.array_equal(made, non_speech(kind))
    assert len(made) == SECONDS * SAMPLE_RATE
    assert np.mean(np.abs(made.astype(np.int32)) >= 32767) < 0.001
    assert kind == "digital silence" or level(as_sound(made)) > 0


def _share_above(samples: Samples, hertz: float) -> float:
    power = np.abs(np.fft.rfft(as_sound(samples))) ** 2
    return float(power[np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE) > hertz].sum() / power.sum())
