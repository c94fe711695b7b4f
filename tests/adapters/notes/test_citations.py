"""What a statement cites is looked up: its words must have been said, and its numbers must be among them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.notes.citations import FEWEST_WORDS, CitedLines
from adapters.notes.compared_words import compared_words
from adapters.notes.note import Source, Unsupported
from adapters.notes.numbered_lines import numbered_lines
from adapters.notes.said_numbers import are_all_said
from adapters.speech.transcript import Transcript, TranscriptSegment, TranscriptWord
from tests.adapters.notes.test_extractive import transcript_of

TALK = transcript_of(
    "Do you have any pain?",
    "No, not in my knee. But my chest hurts!",
    "Your blood pressure is one hundred and sixty over ninety.",
    "Take 2.5 mg twice a day; don't stop.",
    "No.",
)


def lookup(text, *cites, talk=TALK):
    return CitedLines(numbered_lines(talk), language=talk.language).lookup(text, list(cites))


def cite(line, quote):
    return {"line": line, "quote": quote}


def words_of(found, talk=TALK):
    return [" ".join(talk.text.split()[source.from_word : source.to_word]) for source in found.sources]


@pytest.mark.parametrize(
    ("line", "quote", "found"),
    [
        (2, "my chest hurts", "my chest hurts!"),
        (2, "MY CHEST, HURTS", "my chest hurts!"),
        ("2", "not in my knee - but my chest", "not in my knee. But my chest"),
        ("[2]", "[2] my chest hurts", "my chest hurts!"),
        (4, "don’t stop", "don't stop."),
        (4, "take 2.5mg", "Take 2.5 mg"),
        (2, "any pain? No, not", "any pain? No, not"),
        (1, "my chest hurts", "my chest hurts!"),
        (None, "my chest hurts", "my chest hurts!"),
        (5, "no", "No."),
        (2, "no", "No,"),
    ],
)
def test_a_quote_is_found_whatever_its_case_and_punctuation_and_wherever_it_is(line, quote, found):
    assert words_of(lookup("So.", cite(line, quote))) == [found]


@pytest.mark.parametrize(
    ("cites", "why"),
    [
        ([], Unsupported.NOT_CITED),
        (["my chest hurts"], Unsupported.NOT_CITED),
        ([cite(2, "")], Unsupported.NOT_CITED),
        ([cite(2, " … ")], Unsupported.NOT_CITED),
        ([cite(2, None)], Unsupported.NOT_CITED),
        ([cite(2, "my chest hurts")] * 9, Unsupported.NOT_CITED),
        ([cite(0, "my chest hurts")], Unsupported.LINE_UNKNOWN),
        ([cite(6, "my chest hurts")], Unsupported.LINE_UNKNOWN),
        ([cite("two", "my chest hurts")], Unsupported.LINE_UNKNOWN),
        ([cite([2], "my chest hurts")], Unsupported.LINE_UNKNOWN),
        ([cite(2, "my chest really hurts")], Unsupported.QUOTE_NOT_FOUND),
        ([cite(2, "my chest hurt")], Unsupported.QUOTE_NOT_FOUND),
        ([cite(2, "chest my hurts")], Unsupported.QUOTE_NOT_FOUND),
        ([cite(2, "my chest ... hurts at night")], Unsupported.QUOTE_NOT_FOUND),
        ([cite(4, "take 25 mg")], Unsupported.QUOTE_NOT_FOUND),
        ([cite(4, "take 2 5 mg")], Unsupported.QUOTE_NOT_FOUND),
        ([cite(3, "no")], Unsupported.QUOTE_NOT_FOUND),  # it is said elsewhere, as it is everywhere
        ([cite(1, "pain? No")], Unsupported.QUOTE_NOT_FOUND),  # so few words must all be in the line
        ([cite(2, "pain? No")], Unsupported.QUOTE_NOT_FOUND),
        ([cite(2, "my chest hurts"), cite(1, "any fever")], Unsupported.QUOTE_NOT_FOUND),
    ],
)
def test_what_is_not_there_supports_nothing_and_neither_does_what_is_there_beside_it(cites, why):
    found = lookup("So.", *cites)
    assert (found.sources, found.unsupported) == ((), why)


def test_the_speaker_that_was_copied_with_a_line_is_no_word_of_it():
    turns = [("S1", "Any fever?"), ("S2", "None at all.")]
    segments = [
        TranscriptSegment(start=second, end=second + 1, text=text, speaker=speaker)
        for second, (speaker, text) in enumerate(turns)
    ]
    talk = Transcript.of_segments(segments, language="en", engine="x", provider=None, duration_ms=2_000)
    found = lookup("No fever.", cite(2, "[2] S2: none at all"), talk=talk)
    assert words_of(found, talk) == ["None at all."]


def test_a_source_has_the_times_of_its_words_where_the_engine_gives_them():
    words = [TranscriptWord(start=at, end=at + 0.5, text=text) for at, text in enumerate(("My", "chest", "hurts."), 7)]
    segment = TranscriptSegment(start=7, end=11, text="My chest hurts.", words=tuple(words))
    talk = Transcript.of_segments([segment], language="en", engine="x", provider=None, duration_ms=11_000)
    found = lookup("So.", cite(1, "chest hurts"), talk=talk)
    assert found.sources == (Source(from_word=1, to_word=3, start=8.0, end=9.5),)


def test_scripts_without_spaces_are_cited_by_their_characters():
    talk = transcript_of("我胸口疼。 从昨天开始。", "ฉันปวดหัว", language="zh")
    assert words_of(lookup("胸痛", cite(1, "胸口疼"), talk=talk), talk) == ["我胸口疼。"]
    assert lookup("胸痛", cite(1, "胸口痛"), talk=talk).unsupported is Unsupported.QUOTE_NOT_FOUND
    assert words_of(lookup("ปวดหัว", cite(2, "ปวดหัว"), talk=talk), talk) == ["ฉันปวดหัว"]


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ("BP 160/90", "one hundred and sixty over ninety"),
        ("BP 140/90", "one forty over ninety"),
        ("BP 120/80.", "it's 120 over 80"),
        ("Temperature 98.6", "ninety-eight point six"),
        ("0.5 mg", "point five milligrams"),
        ("102 degrees", "one oh two"),
        ("For 3 days", "for three days"),
        ("for three days", "for 3 days"),
        ("3.5 weeks", "three and a half weeks"),
        ("2.5 hours", "2 and a half hours"),
        ("21 March 2026", "March twenty-first, twenty twenty-six"),
        ("the 3rd of May", "on May third"),
        ("2,105 steps", "two thousand one hundred and five steps"),
        ("1500 ml", "1,500 ml"),
        ("1,5 Liter", "1.5 Liter"),
        ("2 million", "two million"),
        ("Twice daily", "two times a day"),
        ("Once daily", "once a day"),
        ("1 tablet", "take a tablet every evening"),
        ("one tablet", "take one tablet"),
        ("No one at home is ill; one of them coughs.", "nobody is ill"),
        ("Stop once it is better.", "stop when it is better"),
        ("½ tablet", "½ tablet"),
        ("B12 is low", "your B twelve is low"),
        ("3.12.2026", "3.12.2026"),
    ],
)
def test_a_number_may_be_said_in_digits_or_in_english_words(stated, said):
    assert are_all_said(compared_words(stated), compared_words(said), is_english=True)


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ("BP 150/90", "one hundred and sixty over ninety"),
        ("BP 60", "one sixty over ninety"),
        ("5 mg", "50 mg"),
        ("5 mg", "0.5 mg"),
        ("2.5 mg", "25 mg"),
        ("two tablets", "one tablet"),
        ("one tablet a day", "two tablets a day"),
        ("Twice daily", "once a day"),
        ("Once daily", "twice a day"),
        ("seven days", "some days"),
        ("15 March", "March fifth"),
        ("3.12.2026", "3.11.2026"),
        ("Since 2019", "since twenty twenty"),
        ("½ tablet", "a tablet"),
    ],
)
def test_a_number_that_was_not_said_is_told_from_those_that_were(stated, said):
    assert not are_all_said(compared_words(stated), compared_words(said), is_english=True)


@pytest.mark.parametrize(
    "endless",
    ["7" * 1_000_001, "1." + "7" * 1_000_001, "7" * 29, "7 " * 29, "one point " + "seven " * 29],
    ids=["a million digits", "a million decimals", "29 digits", "29 single digits", "29 decimals"],
)
@pytest.mark.parametrize("more", ["", " and a half", " thousand"])
def test_a_number_of_more_digits_than_anybody_says_is_read_and_is_no_other_number(endless, more):
    words = compared_words(endless + more)
    assert not are_all_said(words, compared_words("seven one half"), is_english=True)


def test_in_other_languages_numbers_are_those_in_digits():
    assert are_all_said(["once", "5"], ["5"], is_english=False)
    assert not are_all_said(["5"], ["fünf"], is_english=False)


def test_a_number_must_be_among_the_words_that_are_quoted_not_elsewhere_in_the_line():
    assert lookup("160/90", cite(3, "one hundred and sixty over ninety")).unsupported is None
    assert lookup("160/90", cite(3, "your blood pressure is")).unsupported is Unsupported.NUMBER_NOT_CITED
    assert lookup("160/90", cite(3, "one hundred and sixty"), cite(3, "over ninety")).unsupported is None


ANY_WORD = st.sampled_from(
    ["one", "two", "twenty", "hundred", "thousand", "oh", "point", "half", "and", "a", "once", "first", "5", "2.5", "½"]
)
ANY_TEXT = st.lists(ANY_WORD | st.text(max_size=4), max_size=12).map(" ".join)


@given(ANY_TEXT, ANY_TEXT, st.booleans())
def test_what_is_stated_as_it_was_said_has_only_numbers_that_were_said(before, text, is_english):
    words = compared_words(text)
    assert are_all_said(words, words, is_english=is_english)
    assert are_all_said([], words, is_english=is_english)
    are_all_said(words, compared_words(before), is_english=is_english)  # any text is read


@given(st.lists(st.text(max_size=12), min_size=1, max_size=5), st.data())
def test_any_run_of_words_is_found_where_it_is_in_any_transcript(said, data):
    talk = transcript_of(*said)
    words = talk.text.split()
    if not words:
        return
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words) - 1))
    quote = " ".join(words[first : last + 1])
    found = lookup("", cite(None, quote), talk=talk)
    quoted = compared_words(quote)
    if len(quoted) >= FEWEST_WORDS:
        (source,) = found.sources
        there = [each for word in words[source.from_word : source.to_word] for each in compared_words(word)]
        assert " ".join(quoted) in " ".join(there)
    else:
        assert found.unsupported in (Unsupported.NOT_CITED, Unsupported.QUOTE_NOT_FOUND)
