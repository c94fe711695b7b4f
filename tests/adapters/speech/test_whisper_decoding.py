"""What is made of what Whisper says in a window.

The stand-in says what a real model cannot be made to say at will; what the real one says is tested with the engine.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.audio.decoding import SAMPLE_RATE
from adapters.speech.joined_speech import JoinedSpeech, Speech
from adapters.speech.whisper_decoding import Decoded, decode
from adapters.speech.window_model import RecognizedWindow

Word = tuple[float, float, str]


def window(
    *words: Word,
    is_finished: bool = True,
    log_probability: float = -0.2,
    compression_ratio: float = 1.5,
    no_speech_probability: float = 0.1,
) -> RecognizedWindow:
    """What Whisper says of a window: words of one segment, each with its start and end in seconds."""
    segment = SimpleNamespace(
        words=[SimpleNamespace(start=start, end=end, word=text, probability=0.9) for start, end, text in words],
        avg_logprob=log_probability,
        compression_ratio=compression_ratio,
        no_speech_prob=no_speech_probability,
    )
    return RecognizedWindow([segment] if words else [], is_finished=is_finished)


@dataclass
class Whisper:
    """Says these windows one after another, the last one again and again."""

    windows: Sequence[RecognizedWindow]
    asked: list[dict[str, Any]] = field(default_factory=list)

    def recognize(self, _sound: Any, **options: Any) -> RecognizedWindow:
        self.asked.append(options)
        return self.windows[min(len(self.asked), len(self.windows)) - 1]


def speech(*stretches: tuple[float, float]) -> JoinedSpeech:
    """Stretches from and to these seconds of a recording."""
    return JoinedSpeech(
        Speech(round(start * SAMPLE_RATE), np.zeros(round((end - start) * SAMPLE_RATE), np.float32))
        for start, end in stretches
    )


TEN_SECONDS = speech((100, 110))


def decoded(
    *windows: RecognizedWindow, of: JoinedSpeech = TEN_SECONDS, language: str = "en", after: float = 0.0
) -> Decoded:
    return decode(Whisper(windows), of, language=language, after=after)  # type: ignore[arg-type]


def texts(found: Decoded) -> list[str]:
    return [word.text for word in found.words]


def told(found: Decoded) -> list[tuple[float, float, str]]:
    return [(each.start, each.end, each.reason) for each in found.unrecognized]


LOOP = window((0.5, 1.0, " knock"), (1.0, 1.5, " knock"), compression_ratio=5.0)
GOOD = window((0.5, 1.0, " Good"), (1.0, 1.5, " morning."))


def test_words_are_where_their_stretch_is_in_the_recording():
    found = decoded(window((0.5, 1.0, " Good"), (2.5, 3.0, " morning.")), of=speech((10, 12), (50, 52)))
    assert [(word.text, word.start, word.end) for word in found.words] == [
        ("Good", 10.5, 11.0),
        ("morning.", 50.5, 51.0),
    ]
    assert found.rest.samples == 0


def test_a_repetitive_window_is_decoded_another_way_and_the_better_is_taken():
    found = decoded(LOOP, GOOD)
    assert texts(found) == ["Good", "morning."]
    assert told(found) == []


def test_an_unlikely_window_is_decoded_in_every_way_and_the_likeliest_is_taken():
    found = decoded(
        window((0, 1, " Gout"), log_probability=-1.5),
        window((0, 1, " Good"), log_probability=-1.1),
        window((0, 1, " Goat"), log_probability=-1.3),
    )
    assert texts(found) == ["Good"]


def test_each_way_is_without_chance_and_no_two_are_alike():
    whisper = Whisper([LOOP])
    decode(whisper, TEN_SECONDS, language="en", after=0.0)  # type: ignore[arg-type]
    assert {options["temperature"] for options in whisper.asked} == {0.0}
    assert not any(options["condition_on_previous_text"] for options in whisper.asked)
    assert len(whisper.asked) > 1
    assert all(one not in whisper.asked[:number] for number, one in enumerate(whisper.asked))


def test_what_is_repetitive_in_every_way_is_left_out_and_told():
    found = decoded(LOOP)
    assert texts(found) == []
    assert told(found) == [(100.0, 110.0, "repetitive")]


def test_what_is_more_likely_invented_than_said_is_left_out_and_told():
    found = decoded(window((0, 1, " Thanks"), log_probability=-0.8, no_speech_probability=0.9))
    assert texts(found) == []
    assert told(found) == [(100.0, 110.0, "unsure")]


def test_an_unlikely_window_that_is_surely_speech_is_kept():
    assert texts(decoded(window((0, 1, " Xylophone"), log_probability=-0.8, no_speech_probability=0.1))) == [
        "Xylophone"
    ]


def test_speech_without_words_is_told():
    assert told(decoded(window())) == [(100.0, 110.0, "no_words")]


def test_of_several_stretches_only_those_without_words_are_told():
    found = decoded(GOOD, of=speech((10, 12), (50, 52), (60, 60.5)))
    assert told(found) == [(50.0, 52.0, "no_words")]


def test_a_stretch_that_is_heard_again_is_not_told_before():
    found = decoded(window((0.5, 1.0, " Good"), is_finished=False), of=speech((10, 12), (50, 55)))
    assert told(found) == []
    assert [each.interval.start for each in found.rest.stretches] == [11.0, 50.0]


def test_what_whisper_takes_apart_at_hyphens_is_one_word():
    found = decoded(window((0, 1, " room"), (1, 1.4, " 33"), (1.4, 1.5, "-"), (1.5, 1.8, "4"), (2, 3, " left")))
    assert [(word.text, word.start - 100, word.end - 100) for word in found.words] == [
        ("room", 0.0, 1.0),
        ("33-4", 1.0, pytest.approx(1.8)),
        ("left", 2.0, 3.0),
    ]


def test_a_language_without_spaces_keeps_the_words_that_are_found():
    assert texts(decoded(window((0, 1, "今天"), (1, 2, "好")), language="zh")) == ["今天", "好"]


def test_parts_without_text_are_no_words():
    assert texts(decoded(window((0, 1, " "), (1, 2, " Good"), (2, 2.1, "")))) == ["Good"]


def test_an_unfinished_window_is_heard_again_from_its_last_word_on():
    found = decoded(window((0.5, 1.0, " Good"), (1.0, 4.0, " morning."), is_finished=False))
    assert texts(found) == ["Good", "morning."]
    assert [(each.interval.start, each.interval.end) for each in found.rest.stretches] == [(104.0, 110.0)]


def test_an_unfinished_window_whose_sentence_ends_with_the_sound_is_over():
    found = decoded(window((0.5, 9.7, " morning."), is_finished=False))
    assert found.rest.samples == 0


def test_a_sentence_broken_off_where_the_sound_ends_is_heard_again_from_its_start():
    broken_off = window(
        (0.5, 3.0, " Good"), (3.0, 6.0, " morning."), (6.2, 8.0, " At"), (8.0, 9.9, " the"), is_finished=False
    )
    found = decoded(broken_off)
    assert texts(found) == ["Good", "morning."]
    assert [(each.interval.start, each.interval.end) for each in found.rest.stretches] == [(106.0, 110.0)]


def test_a_sentence_broken_off_that_began_long_ago_is_kept_as_it_is():
    found = decoded(window((0.5, 2.0, " Well."), (2.0, 9.9, " the"), is_finished=False))
    assert texts(found) == ["Well.", "the"]
    assert found.rest.samples == 0


def test_a_sound_that_never_finishes_is_still_over_some_time():
    stuck = window((0.0, 0.0, " Ah"), is_finished=False)
    rest = TEN_SECONDS
    for _ in range(100):
        if not rest.samples:
            break
        rest = decoded(stuck, of=rest).rest
    assert rest.samples == 0


def test_another_way_that_finds_nothing_does_not_take_unlikely_words_away():
    unlikely = window((1.0, 2.0, " Penicillin."), log_probability=-1.2)
    assert texts(decoded(unlikely, window(), window())) == ["Penicillin."]


def test_sound_that_is_heard_again_is_not_told_as_unrecognized():
    sound = speech((0, 2), (10, 36))
    found = decoded(window((0.5, 2.1, " Yes"), is_finished=False), of=sound)
    assert texts(found) == ["Yes"]
    assert [round(each.interval.start, 1) for each in found.rest.stretches] == [10.1]
    assert told(found) == []


def test_a_rest_of_hardly_any_sound_is_not_heard_again():
    found = decoded(window((0.0, 5.0, " weekend."), (5.0, 9.99, " At"), is_finished=False))
    assert found.rest.samples == 0 or found.rest.seconds >= 0.1


def test_words_never_begin_before_those_of_the_last_window_end():
    found = decoded(window((0.0, 0.5, " Good"), (0.5, 1.0, " morning.")), after=100.8)
    assert [(word.start, word.end) for word in found.words] == [(100.8, 100.82), (100.82, 101.0)]


times = st.floats(0, 10) | st.sampled_from([0.0, 0.02, 9.98, 10.0])
whisper_words = st.lists(st.tuples(times, times, st.sampled_from([" a", " b.", "-", "4", " ", "c?"])), max_size=12)


@given(words=whisper_words, is_finished=st.booleans(), are_two=st.booleans())
def test_whatever_is_said_words_are_in_order_and_the_rest_is_shorter(
    words: list[Word], is_finished: bool, are_two: bool
):
    sound = speech((20, 25), (80, 85)) if are_two else TEN_SECONDS
    in_order = sorted(words, key=lambda word: word[:2])
    said = [(min(start, end), max(start, end), text) for start, end, text in in_order]
    found = decoded(window(*said, is_finished=is_finished), of=sound)
    assert found.rest.samples < sound.samples
    assert all(one.end <= other.start for one, other in pairwise(found.words))
    assert all(word.start >= sound.stretches[0].interval.start for word in found.words)
