"""The speech sample and its measure."""

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import sample
from service.cli.audio_file import duration_ms
from service.sample.word_error_rate import word_error_rate

words = st.lists(st.sampled_from(["pain", "head", "no", "fever", "it's"]), max_size=8)


def test_the_sample_is_small_and_a_consultation_long():
    with sample.audio_file() as path:
        assert path.stat().st_size <= 300_000
        assert 40_000 <= duration_ms(path) <= 90_000


def test_the_sample_is_mono_opus_in_ogg():
    with sample.audio_file() as path, av.open(str(path)) as container:
        assert container.format.name == "ogg"
        assert container.streams.audio[0].codec_context.name in ("opus", "libopus")
        assert container.streams.audio[0].channels == 1


def test_two_speakers_take_turns():
    speakers = [line.split(":")[0] for line in sample.spoken_text().splitlines()]
    assert speakers == ["Doctor", "Patient"] * (len(speakers) // 2) + ["Doctor"] * (len(speakers) % 2)


def test_what_was_heard_exactly_has_no_errors():
    assert word_error_rate("Doctor: Good morning.\nPatient: I can't sleep!", "good morning i can\u2019t sleep") == 0.0


@pytest.mark.parametrize(
    ("heard", "errors"),
    [("the head hurts", 0), ("the bed hurts", 1), ("the hurts", 1), ("well the head hurts", 1), ("", 3), ("a b", 3)],
)
def test_each_wrong_missing_or_invented_word_counts_once(heard: str, errors: int):
    assert word_error_rate("The head hurts.", heard) == pytest.approx(errors / 3)


@given(words, words)
def test_it_is_an_edit_distance(said: list[str], heard: list[str]):
    there = word_error_rate(" ".join(said), " ".join(heard)) * max(len(said), 1)
    back = word_error_rate(" ".join(heard), " ".join(said)) * max(len(heard), 1)
    assert there == pytest.approx(back)
    assert abs(len(said) - len(heard)) <= there + 1e-9
    assert there <= max(len(said), len(heard)) + 1e-9
    assert (there == 0) == (said == heard)
