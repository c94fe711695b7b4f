"""A transcript as text that is read, not watched."""

from hypothesis import given

from adapters.speech.plain_text import plain_text
from adapters.speech.transcript import Transcript
from tests.adapters.speech.spoken import said, transcript_of, transcripts


def test_sentences_flow_and_a_long_pause_begins_a_paragraph() -> None:
    assert plain_text(said("One.", ("Two.", 3.1), "Three.")) == "One. Two.\n\nThree.\n"


def test_each_turn_of_a_speaker_is_a_paragraph_whatever_the_pauses() -> None:
    talk = said(("How are you?", 5), "Tell me.", "Well.", speakers=("S1", "S1", "S2"))
    assert plain_text(talk) == "S1: How are you? Tell me.\n\nS2: Well.\n"


def test_one_speaker_alone_is_not_named() -> None:
    assert plain_text(said("One.", "Two.", speakers=("S1", "S1"))) == "One. Two.\n"


def test_nothing_said_is_an_empty_text() -> None:
    assert plain_text(transcript_of([])) == ""


@given(transcripts())
def test_a_text_ends_its_last_line_and_has_no_line_without_words(transcript: Transcript) -> None:
    text = plain_text(transcript)
    assert text == "" or text.endswith("\n")
    assert all(line.strip() for line in text.removesuffix("\n").split("\n\n")) or text == ""
    assert "\n\n\n" not in text
