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


@pytest.mark.parametrize("claimed", ["You are allergic to penicillin, right?", "so you are allergic to penicillin"])
def test_what_another_says_no_to_is_quoted_with_the_no(claimed):
    (quoted,) = statements(talk(("S1", claimed), ("S2", "No.")))
    assert quoted.endswith("No.")
    assert "allergic to penicillin" in quoted


def test_what_another_says_no_to_at_length_stands_in_no_note():
    answer = "No, I have never had one, but my older brother had one last year."
    quoted = statements(talk(("S1", "You've had a heart attack before, huh?"), ("S2", answer)))
    assert "heart attack" not in " ".join(quoted)
    assert "my older brother had one last year." in quoted[-1]


@pytest.mark.parametrize(
    ("turns", "quoted"),
    [
        ((("S1", "Which side?"), ("S2", "On the right.")), ["Which side? On the right."]),
        ((("S1", "Which knee?"), ("S2", "The right.")), ["Which knee? The right."]),
        ((("S1", "The pain is on the right."),), ["The pain is on the right."]),
        ((("S1", "Right knee is swollen."),), ["Right knee is swollen."]),
        ((("S1", "Great toe is red."),), ["Great toe is red."]),
        ((("S1", "Right, I have a cough."),), ["I have a cough."]),
        ((("S1", "Good, your lungs are clear, right?"),), ["your lungs are clear,"]),
        ((("S1", "How is your appetite?"), ("S2", "Good.")), ["How is your appetite? Good."]),
    ],
)
def test_a_side_or_a_judgement_is_no_filler(turns, quoted):
    assert statements(talk(*turns)) == quoted


def test_without_punctuation_each_answer_stays_with_its_own_question():
    assert statements(transcript_of("do you have any fever no any cough yes any chest pain no")) == [
        "do you have any fever no",
        "any cough yes",
        "any chest pain no",
    ]


@pytest.mark.parametrize(
    ("said", "is_quoted"),
    [
        ("Let me increase your lisinopril to 20 milligrams.", True),
        ("Let me see.", False),
        ("I'm sorry I forgot to take my insulin for two weeks.", True),
        ("I'm sorry.", False),
        ("Let's talk a little bit about my assessment and my plan.", False),
        ("Let's take 20 milligrams of it.", True),
        ("Temperature 38.", True),
        ("Lungs clear.", True),
        ("Oh nice.", False),
        ("Let's have a listen.", False),
        ("Other than during the pollen,", False),
    ],
)
def test_what_says_something_is_quoted_and_what_only_leads_to_it_is_not(said, is_quoted):
    assert bool(statements(transcript_of(said))) is is_quoted


@pytest.mark.parametrize("before", ["Um.", "Yes.", "Mm-hmm."])
def test_an_answer_after_a_hesitation_or_a_yes_is_quoted_whole(before):
    turns = talk(("S1", "Any allergies?"), ("S2", before), ("S2", "Penicillin."))
    assert statements(turns) == [f"Any allergies? {before} Penicillin."]


def test_a_title_ends_no_sentence():
    assert [said.text for said in quotable(transcript_of("Hi Mr. Jones. Dr. Lee told me to rest."))] == [
        "Hi Mr. Jones.",
        "Dr. Lee told me to rest.",
    ]


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
