"""Who says which words: on made-up voices, whatever the turns."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.speech.sentences import sentences
from adapters.speech.telling_apart import told_apart
from adapters.speech.turns import with_speakers
from adapters.speech.voiceprint import DIMENSIONS, Voiceprint
from tests.adapters.speech.made_up_voices import Turn, in_one_segment, prints_of, voice, words_of

DIALOGUE: list[Turn] = [("a", 10), ("b", 8), ("a", 6), ("b", 12), ("a", 9), ("b", 7)]

turns = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 20)), min_size=1, max_size=12)


def said_by(segments) -> list[tuple[str | None, str]]:
    return [(segment.speaker, segment.text) for segment in segments]


def speaker_of_each_word(segments) -> list[str | None]:
    return [segment.speaker for segment in segments for _ in segment.words]


@settings(deadline=None, max_examples=60)
@given(turns, st.booleans(), st.data())
@pytest.mark.slow
def test_whatever_is_said_no_word_is_lost_or_moved_and_names_are_in_order_of_appearance(said, is_one_segment, data):
    words = words_of(said, ends_sentences=data.draw(st.booleans()))
    unclear = data.draw(st.sets(st.integers(0, len(said) - 1)))
    before = in_one_segment(words) if is_one_segment else sentences(words)
    named = with_speakers(before, prints_of(said, unclear=sorted(unclear)))
    assert [word for segment in named for word in segment.words] == words
    assert " ".join(segment.text for segment in named) == " ".join(word.text for word in words)
    assert all(first.start <= second.start for first, second in pairwise(named))
    speakers = list(dict.fromkeys(segment.speaker for segment in named if segment.speaker))
    assert speakers == [f"S{number}" for number in range(1, len(speakers) + 1)]
    assert len(speakers) != 1


def test_each_of_two_voices_has_its_words_and_the_first_to_speak_is_s1():
    named = with_speakers(sentences(words_of(DIALOGUE)), prints_of(DIALOGUE))
    assert [segment.speaker for segment in named] == ["S1", "S2"] * 3
    swapped = [({"a": "b", "b": "a"}[who], count) for who, count in DIALOGUE]
    assert [segment.speaker for segment in with_speakers(sentences(words_of(swapped)), prints_of(swapped))] == [
        segment.speaker for segment in named
    ]


def test_a_segment_of_two_speakers_is_cut_between_their_words():
    named = with_speakers(in_one_segment(words_of(DIALOGUE)), prints_of(DIALOGUE))
    assert [(segment.speaker, len(segment.words)) for segment in named] == [
        (f"S{1 + number % 2}", count) for number, (_, count) in enumerate(DIALOGUE)
    ]
    assert all(segment.text == " ".join(word.text for word in segment.words) for segment in named)
    assert all((segment.start, segment.end) == (segment.words[0].start, segment.words[-1].end) for segment in named)


def test_words_without_spaces_between_them_stay_so_where_a_segment_is_cut():
    words = words_of(DIALOGUE)
    whole = sentences(words, between_words="")
    named = with_speakers(whole, prints_of(DIALOGUE), between_words="")
    assert "".join(segment.text for segment in named) == "".join(word.text for word in words)


@pytest.mark.parametrize("voices", [2, 3, 4])
def test_how_many_speak_is_found(voices: int):
    said = [("abcd"[number % voices], 12) for number in range(5 * voices)]
    named = with_speakers(sentences(words_of(said)), prints_of(said))
    assert [segment.speaker for segment in named] == [f"S{1 + number % voices}" for number in range(5 * voices)]


@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_one_voice_gets_no_name(count: int):
    said = [("a", 11)] * count
    whole = sentences(words_of(said))
    assert with_speakers(whole, prints_of(said)) == whole


def test_what_sounds_like_neither_is_given_to_nobody():
    said = [*DIALOGUE, ("c", 4)]
    named = with_speakers(sentences(words_of(said)), prints_of(said, unclear=[len(said) - 1]))
    assert speaker_of_each_word(named)[-4:] == [None] * 4
    assert [segment.speaker for segment in named[:-1]] == ["S1", "S2"] * 3


def test_words_where_no_voice_was_heard_are_given_to_nobody():
    said = [*DIALOGUE, ("a", 1)]
    named = with_speakers(sentences(words_of(said)), prints_of(DIALOGUE))
    assert named[-1].speaker is None


def test_two_voices_at_once_all_the_time_are_not_told_apart():
    random = np.random.default_rng(3)
    both = [voice("a") + voice("b") + random.normal(0, 0.8 / np.sqrt(DIMENSIONS), DIMENSIONS) for _ in range(60)]
    prints = [
        Voiceprint.of(number * 2.0, number * 2.0 + 1.6, one / np.linalg.norm(one)) for number, one in enumerate(both)
    ]
    assert told_apart(prints) is None


def test_nothing_said_has_no_speakers():
    assert with_speakers([], []) == []
    assert with_speakers([], prints_of(DIALOGUE)) == []
    whole = sentences(words_of(DIALOGUE))
    assert with_speakers(whole, []) == whole


def test_segments_without_times_of_words_stay_as_they_are():
    bare = [segment.model_copy(update={"words": ()}) for segment in sentences(words_of(DIALOGUE))]
    assert with_speakers(bare, prints_of(DIALOGUE)) == bare


def test_of_many_hours_only_as_many_windows_are_compared_as_of_one(monkeypatch: pytest.MonkeyPatch):
    said = [("ab"[number % 2], 12) for number in range(60)]
    prints = prints_of(said)
    monkeypatch.setattr("adapters.speech.telling_apart._MOST_WINDOWS", 40)
    assert len(prints) > 200
    named = with_speakers(sentences(words_of(said)), prints)
    assert [segment.speaker for segment in named] == ["S1", "S2"] * 30
