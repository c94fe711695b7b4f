"""The model that comes with the writer: it tells who speaks, and refuses weights that are not its own."""

import pytest

from adapters.notes.note import Heading, Section
from adapters.notes.note_model import WEIGHTS, NoteModel, clinicians, note_model
from adapters.notes.quotable import quotable
from tests.adapters.notes.test_extractive import spoken, transcript_of
from tests.adapters.notes.test_quotable import talk
from tests.tools import dialogues

FOLLOW_UP = "I want you to take one tablet twice a day, and we will repeat your labs next month."


def labelled(name):
    return talk(*((tag, said) for tag, _, said in (line.partition(": ") for line in dialogues.text(name).splitlines())))


@pytest.mark.parametrize("name", dialogues.NAMES)
def test_of_two_speakers_the_clinician_is_told_by_what_each_says(name):
    for judged in note_model().judged(quotable(labelled(name))):
        answers = judged.sentence.answer
        assert judged.is_clinicians is (judged.sentence.speaker == "Doctor"), (judged.sentence, answers)


def test_without_labels_the_sentences_near_it_in_the_same_segment_count_too():
    said = quotable(transcript_of("It hurts a lot. I am tired today. My knee is bad."))
    alone, *_ = clinicians(said, [0.0, -3.0, -3.0])
    assert alone < 0.01
    far = quotable(transcript_of("It hurts a lot.", "I am tired today.", "My knee is bad."))
    assert clinicians(far, [0.0, -3.0, -3.0])[0] == pytest.approx(0.5)


def test_each_sentence_has_a_worth_and_its_headings_share_one_whole():
    for judged in note_model().judged(quotable(spoken("diabetes"))):
        assert sum(judged.headings.values()) == pytest.approx(1)
        assert judged.headings.keys() == set(Heading)


def test_a_plan_is_worth_more_than_small_talk():
    small, plan = note_model().judged(quotable(transcript_of("I really like that film with the dog.", FOLLOW_UP)))
    assert small.worth < plan.worth
    assert max(plan.headings, key=lambda heading: plan.headings[heading]).section is Section.PLAN


def test_notes_of_longer_conversations_are_longer_but_not_by_as_much():
    usual = note_model().usual_words
    assert usual(0) == 0
    assert usual(500) < usual(1_000) < 2 * usual(500)


@pytest.mark.parametrize("content", [b"", b"\0\0", WEIGHTS.read_bytes()[:-2], WEIGHTS.read_bytes()[:-1]])
def test_other_weights_are_refused(content):
    with pytest.raises(ValueError):  # noqa: PT011 - of the array's own, or of ours
        NoteModel.from_bytes(content)
