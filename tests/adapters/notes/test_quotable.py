"""What can be quoted: whole statements without the words around them, and short answers with their question."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.notes.quotable import quotable
from adapters.speech.transcript import Transcript, TranscriptSegment
from tests.adapters.notes.test_extractive import PHRASES, WORDS, transcript_of


def talk(*turns):
    """Turns with their speakers: ("S1", "Any fever?")."""
    segments = [
        TranscriptSegment(start=float(second), end=second + 0.9, text=text, speaker=speaker)
        for second, (speaker, text) in enumerate(turns)
    ]
    return Transcript.of_segments(segments, language="en", engine="x", provider=None, duration_ms=len(turns) * 1000)


def statements(transcript):
    return [sentence.text for sentence in quotable(transcript) if sentence.is_statement]


@pytest.mark.parametrize("answer", ["No.", "Um, no.", "no", "Not really.", "Yes, a little."])
def test_a_short_answer_is_quoted_with_its_question(answer):
    assert statements(talk(("S1", "Any fever?"), ("S2", answer))) == [f"Any fever? {answer}"]
    assert statements(transcript_of("Any fever?", answer)) == [f"Any fever? {answer}"]


def test_the_source_of_a_pair_is_from_the_questions_first_word_to_the_answers_last():
    (pair,) = quotable(talk(("S1", "Okay, any fever? Any chills?"), ("S2", "No. ")))
    assert pair.text == "any fever? Any chills? No."
    assert (pair.source.from_word, pair.source.to_word) == (1, 6)
    assert (pair.source.start, pair.source.end) == (0.0, 1.9)


def test_a_long_answer_stands_alone_and_knows_its_question():
    said = quotable(
        talk(("S1", "Where does it hurt?"), ("S2", "It hurts in my left knee when I walk down the stairs."))
    )
    assert statements(talk(("S1", "Where does it hurt?"), ("S2", said[-1].text))) == [said[-1].text]
    assert said[-1].question == ("where", "does", "it", "hurt")


@pytest.mark.parametrize(
    "said", ["Do you smoke?", "Good morning, doctor.", "How are you today?", "Um, okay.", "I went to the"]
)
def test_questions_alone_courtesies_fillers_and_halves_are_no_statements(said):
    assert statements(transcript_of(said)) == []


def test_an_answer_that_is_a_whole_sentence_stands_alone():
    assert statements(talk(("S2", "What should we do?"), ("S1", "We will do a test."))) == ["We will do a test."]


def test_a_tag_makes_no_question_of_a_statement():
    assert statements(transcript_of("I want you to rest for a week, okay?")) == ["I want you to rest for a week,"]


def test_fillers_around_a_statement_are_left_out():
    assert statements(transcript_of("Um, well, you know, my knee hurts a lot, okay.")) == ["my knee hurts a lot,"]


def test_what_introduces_a_statement_stays_with_it():
    assert statements(transcript_of("On your lung exam, I hear fine crackles.")) == [
        "On your lung exam, I hear fine crackles."
    ]


def test_a_sentence_that_an_engine_cut_in_two_segments_is_one():
    (sentence,) = quotable(transcript_of("I have had pain in", "my chest since last night."))
    assert sentence.text == "I have had pain in my chest since last night."
    assert (sentence.source.start, sentence.source.end) == (0.0, 1.9)


def test_a_run_of_words_without_any_end_is_cut():
    assert all(len(text.split()) <= 60 for text in statements(transcript_of("pain " * 500)))


@given(
    st.lists(st.tuples(st.sampled_from([None, "S1", "S2"]), WORDS | PHRASES | st.just("any fever ? no")), max_size=8)
)
def test_of_any_transcript_every_sentence_is_a_run_of_its_words_and_no_word_is_in_two(turns):
    transcript = talk(*((speaker, text.strip()) for speaker, text in turns if text.strip()))
    words, end = transcript.text.split(), 0
    for sentence in quotable(transcript):
        source = sentence.source
        assert words[source.from_word : source.to_word] == sentence.text.split()
        assert end <= source.from_word < source.to_word
        end = source.to_word
        assert source.start < source.end
