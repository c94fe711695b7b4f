"""Which stretches of a recording are listened to for a voice, and what is kept of them."""

import numpy as np
import pytest
from pydantic import ValidationError

from adapters.audio.decoding import SAMPLE_RATE, pcm_blocks
from adapters.speech.joined_speech import Speech
from adapters.speech.voice_activity import Sound, find_speech
from adapters.speech.voice_encoder import VoiceEncoder
from adapters.speech.voiceprint import DIMENSIONS, Voiceprint, embeddings_of
from adapters.speech.voiceprints import voiceprints
from service import sample


@pytest.fixture(scope="module")
def encoder() -> VoiceEncoder:
    return VoiceEncoder.installed()


@pytest.fixture(scope="module")
def speech() -> list[Speech]:
    """The first turns of the consultation: the doctor's, and then the patient's."""
    with sample.audio_file() as path:
        sound = np.concatenate(list(pcm_blocks(lambda: path.open("rb"))))[: 11 * SAMPLE_RATE]
    found = find_speech(sound)
    return [Speech(stretch.start, found.sound[stretch.start : stretch.end]) for stretch in found.speech]


def buzz(seconds: float) -> Sound:
    """As loud as speech, all the time."""
    return np.random.default_rng(5).normal(0, 0.1, round(seconds * SAMPLE_RATE)).astype(np.float32)


def test_speech_is_covered_by_windows_of_at_most_a_second_and_a_half(encoder: VoiceEncoder, speech: list[Speech]):
    prints = voiceprints(encoder, speech)
    assert len(prints) >= 8
    assert all(0.4 <= round(one.end - one.start, 3) <= 1.6 for one in prints)
    assert [one.start for one in prints] == sorted(one.start for one in prints)
    assert all(any(one.start >= each.interval.start for each in speech) for one in prints)
    assert prints[-1].end <= speech[-1].interval.end + 0.02
    lengths = np.linalg.norm(embeddings_of(prints), axis=1)
    assert np.allclose(lengths, 1, atol=0.01)


@pytest.mark.slow
def test_a_stretch_is_heard_alike_whatever_is_heard_before_it(encoder: VoiceEncoder):
    first, second = Speech(0, buzz(2.0)), Speech(90_000, buzz(3.1))
    together = voiceprints(encoder, [first, second])
    apart = [*voiceprints(encoder, [first]), *voiceprints(encoder, [second])]
    assert [(one.start, one.end) for one in together] == [(one.start, one.end) for one in apart]
    assert np.allclose(embeddings_of(together), embeddings_of(apart), atol=0.01)


def test_pauses_are_not_listened_to(encoder: VoiceEncoder):
    sound = np.concatenate([buzz(1.0), np.zeros(SAMPLE_RATE, np.float32), buzz(1.0)])
    first, second = voiceprints(encoder, [Speech(0, sound)])
    assert (first.start, second.end) == pytest.approx((0, 3), abs=0.1)
    assert (first.end, second.start) == pytest.approx((1, 2), abs=0.1)


def test_a_voice_is_the_same_louder(encoder: VoiceEncoder):
    softer = voiceprints(encoder, [Speech(0, buzz(1.6) / 8)])
    assert np.allclose(embeddings_of(softer), embeddings_of(voiceprints(encoder, [Speech(0, buzz(1.6))])), atol=0.01)


@pytest.mark.parametrize(
    "sound", [buzz(0), buzz(0.2), np.zeros(SAMPLE_RATE, np.float32)], ids=["none", "short", "still"]
)
def test_what_is_too_short_or_silent_has_no_voice(encoder: VoiceEncoder, sound: Sound):
    prints = voiceprints(encoder, [Speech(0, sound)])
    assert all(np.isfinite(embeddings_of(prints)).ravel())
    assert voiceprints(encoder, []) == []
    assert len(sound) == SAMPLE_RATE or prints == []


def test_what_is_kept_is_small_and_comes_back_as_it_was():
    numbers = np.linspace(-1, 1, DIMENSIONS).astype(np.float16)
    kept = Voiceprint.of(1.0004, 2.6, numbers)
    stored = kept.model_dump_json()
    assert len(stored) < 750
    assert Voiceprint.model_validate_json(stored) == kept
    assert (kept.start, kept.end) == (1.0, 2.6)
    assert np.array_equal(embeddings_of([kept])[0], numbers)
    assert embeddings_of([]).shape == (0, DIMENSIONS)
    with pytest.raises(ValidationError):
        Voiceprint(start=0, end=1, embedding="AAAA")
