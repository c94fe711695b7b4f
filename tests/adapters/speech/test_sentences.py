"""Words become segments: sentences, or what was said in one breath."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.speech.sentences import BREATH_SECONDS, sentences
from adapters.speech.transcript import TranscriptSegment, TranscriptWord
from tests.adapters.speech.spoken import plain_words, strange_words

LONGEST_SECONDS = 20


def words(*texts: str, seconds: float = 0.4, pause: float = 0.1) -> list[TranscriptWord]:
    """Words of equal length with equal pauses between them."""
    step = seconds + pause
    return [
        TranscriptWord(start=round(step * number, 3), end=round(step * number + seconds, 3), text=text)
        for number, text in enumerate(texts)
    ]


def texts(segments: list[TranscriptSegment]) -> list[str]:
    return [segment.text for segment in segments]


@st.composite
def spoken(draw: st.DrawFn) -> list[TranscriptWord]:
    """Words in order, none overlapping, each at least 20 ms long as those of the engine are."""
    made, time = [], 0.0
    for _ in range(draw(st.integers(0, 30))):
        time += draw(st.sampled_from([0, 0, 0.1, 0.5, 0.79, 0.8, 3]))
        end = time + draw(st.sampled_from([0.02, 0.1, 0.4, 2, 9]))
        ending = draw(st.sampled_from(["", "", ",", ".", "?", "!", '."', "…", "。"]))
        text = draw(plain_words | strange_words) + ending
        made.append(TranscriptWord(start=round(time, 3), end=round(end, 3), text=text))
        time = end
    return made


@given(said=spoken(), between=st.sampled_from([" ", ""]))
def test_every_word_is_in_one_segment_and_their_order_stays(said: list[TranscriptWord], between: str):
    made = sentences(said, between_words=between)
    assert [word for segment in made for word in segment.words] == said


@given(said=spoken())
def test_a_segment_lasts_from_its_first_word_to_its_last_and_overlaps_no_other(said: list[TranscriptWord]):
    made = sentences(said)
    assert all((segment.start, segment.end) == (segment.words[0].start, segment.words[-1].end) for segment in made)
    assert all(one.end <= other.start for one, other in pairwise(made))


@given(said=spoken())
def test_a_segment_is_never_long_unless_one_word_is(said: list[TranscriptWord]):
    made = sentences(said)
    assert all(segment.end - segment.start <= LONGEST_SECONDS or len(segment.words) == 1 for segment in made)


@given(said=spoken())
def test_no_segment_has_a_breath_inside(said: list[TranscriptWord]):
    made = sentences(said)
    pauses = [other.start - one.end for segment in made for one, other in pairwise(segment.words)]
    assert all(pause < BREATH_SECONDS for pause in pauses)


@pytest.mark.parametrize("ending", [".", "?", "!", "…", '."', ".”", "?)"])
def test_a_sentence_ends_a_segment(ending: str):
    assert texts(sentences(words("Good", f"morning{ending}", "Sit", "down"))) == [f"Good morning{ending}", "Sit down"]


@pytest.mark.parametrize("title", ["Mr.", "Mrs.", "Dr.", "Prof.", "J.", "approx.", "e.g."])
def test_an_abbreviation_ends_no_segment(title: str):
    assert texts(sentences(words("See", title, "Miller", "today."))) == [f"See {title} Miller today."]


def test_i_is_a_word_and_no_initial():
    assert texts(sentences(words("So", "am", "I.", "Thanks."))) == ["So am I.", "Thanks."]


def test_a_comma_ends_no_short_segment():
    assert len(sentences(words("Yes,", "doctor,", "I", "do"))) == 1


def test_a_breath_ends_a_segment_without_any_punctuation():
    assert texts(sentences(words("well", "then", pause=0.79))) == ["well then"]
    assert texts(sentences(words("well", "then", pause=0.81))) == ["well", "then"]


def test_a_sentence_without_end_is_cut_at_a_comma_rather_than_amid_its_words():
    made = sentences(words(*["and", "then", "again,"] * 20))
    assert len(made) > 1
    assert all(segment.text.endswith("again,") for segment in made)


def test_a_sentence_without_end_or_comma_is_cut_all_the_same():
    made = sentences(words(*["on"] * 200))
    assert len(made) > 4
    assert max(segment.end - segment.start for segment in made) <= LONGEST_SECONDS


def test_a_language_without_spaces_is_joined_without():
    assert texts(sentences(words("今天", "好。", "你", "呢？"), between_words="")) == ["今天好。", "你呢？"]


def test_a_segment_is_as_sure_as_its_words_are():
    sure, unsure, unknown = (
        TranscriptWord(start=number, end=number + 0.5, text="so", confidence=confidence)
        for number, confidence in enumerate([0.9, 0.5, None])
    )
    assert [segment.confidence for segment in sentences([sure, unsure], between_words=" ")] == [0.7]
    assert [segment.confidence for segment in sentences([unknown])] == [None]


def test_no_words_make_no_segments():
    assert sentences([]) == []
