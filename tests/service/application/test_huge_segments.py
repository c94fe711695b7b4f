"""An engine may give a whole day as one segment: what is done with its text grows as the text, not as its square."""

import sys
from collections.abc import Callable

from adapters.notes.clauses import clauses
from adapters.search.passages import PASSAGE_CHARACTERS, passages_of
from adapters.speech.text_pieces import pieces_of
from adapters.speech.timed_words import timed_words
from adapters.speech.transcript import Transcript, TranscriptSegment, TranscriptWord
from service.dialects.bota.strict_transcripts import LONGEST_TEXT, strict


class CountedText(str):
    """Counts the characters that are copied out of it."""

    __slots__ = ()
    copied = 0

    def __getitem__(self, key):
        part = CountedText(super().__getitem__(key))
        CountedText.copied += len(part)
        return part


def transcript_of(text: str, *, has_words: bool = False) -> Transcript:
    words = [TranscriptWord(start=0, end=1, text=word) for word in text.split()] if has_words else []
    segment = TranscriptSegment(start=0, end=1_000, text=text, words=tuple(words))
    return Transcript.of_segments([segment], language="en", engine="e", provider=None, duration_ms=1_000_000)


def calls_of(function: Callable[[], object]) -> int:
    """How many functions it calls, those of the interpreter included."""
    calls = 0

    def count(_, event, __):
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(None)
    return calls


def grows_as_its_text(of_words: Callable[[int], Callable[[], object]]) -> bool:
    few, many = calls_of(of_words(100)), calls_of(of_words(1_000))
    return many <= 12 * few


def test_a_text_is_cut_into_pieces_without_copying_what_is_left_over_and_over():
    text = CountedText("word " * 20_000)
    assert "".join(pieces_of(text, longest=500)).replace(" ", "") == text.replace(" ", "")
    assert CountedText.copied <= 3 * len(text)


def test_a_search_cuts_a_huge_segment_into_passages_and_loses_no_word():
    text = "a word " * 30_000
    passages = passages_of(transcript_of(text.strip()).to_json())
    assert " ".join(one.text for one in passages).split() == text.split()
    assert max(len(one.text) for one in passages) <= PASSAGE_CHARACTERS


def test_strict_clients_get_a_huge_segment_in_pieces_and_no_word_is_lost():
    text = "a word " * 30_000
    made = strict(transcript_of(text.strip())).segments
    assert " ".join(one.text for one in made).split() == text.split()
    assert max(len(one.text) for one in made) <= LONGEST_TEXT


def test_clauses_look_at_each_word_a_few_times_however_many_commas_there_are():
    assert grows_as_its_text(lambda words: lambda: list(clauses(transcript_of("well, " * words + "end."))))


def test_clauses_of_words_without_any_end_are_found_in_one_go():
    assert grows_as_its_text(lambda words: lambda: list(clauses(transcript_of("i think it hurts " * words))))


def test_subtitles_find_each_word_in_a_huge_segment_once():
    def of(words):
        transcript = transcript_of("word " * (words - 1) + "end", has_words=True)
        return lambda: timed_words(transcript, longest_columns=42)

    assert grows_as_its_text(of)
