"""What is quoted: the worthiest first, nothing twice, as much as usual, and no section left empty without need."""

from adapters.notes.choosing import SHORTEST_NOTE_WORDS, chosen
from adapters.notes.headings import headings_of, problems_of
from adapters.notes.note import Heading, Section
from adapters.notes.note_model import HEADINGS, Judged
from adapters.notes.quotable import quotable
from tests.adapters.notes.test_extractive import transcript_of


def judged(*sentences):
    """Each a text, its worth and its heading; a clinician says it unless it stands in the first section."""
    said = quotable(transcript_of(*(text for text, _, _ in sentences)))
    assert [one.text for one in said] == [text for text, _, _ in sentences]
    return [
        Judged(
            one,
            0.1 if heading.section is Section.SUBJECTIVE else 0.9,
            worth,
            {each: 0.91 if each is heading else 0.01 for each in HEADINGS},
        )
        for one, (_, worth, heading) in zip(said, sentences, strict=True)
    ]


def long(number):
    return " ".join(f"w{number}x{word}" for word in range(40)) + "."


def test_the_worthiest_are_taken_until_the_note_is_as_long_as_usual():
    many = judged(*((long(number), float(number), Heading.HISTORY) for number in range(20)))
    assert list(chosen(many, 400)) == list(range(10, 20))
    assert len(chosen(many, 0)) == round(SHORTEST_NOTE_WORDS / 40)


def test_what_is_worth_too_little_is_left_out_however_short_the_note():
    few = judged(("My knee hurts.", 1.0, Heading.HISTORY), ("The weather is nice.", -5.0, Heading.HISTORY))
    assert list(chosen(few, 400)) == [0]


def test_what_was_said_is_not_quoted_again_in_the_same_words():
    twice = judged(*[("My knee hurts.", 1.0, Heading.HISTORY)] * 3)
    assert len(chosen(twice, 400)) == 1


def test_a_section_has_what_is_worth_little_rather_than_nothing():
    history = [(long(number), float(number), Heading.HISTORY) for number in range(20)]
    for worth, sections in ((-4.0, {Section.SUBJECTIVE, Section.OBJECTIVE}), (-5.0, {Section.SUBJECTIVE})):
        said = judged(*history, ("Your knee is red.", worth, Heading.EXAMINATION))
        assert set(chosen(said, 100).values()) == sections


def test_words_say_what_is_a_medicine_or_an_allergy_and_the_first_complaint_is_the_chief_one():
    said = judged(
        ("I have had a cough since Monday.", 1.0, Heading.HISTORY),
        ("I take lisinopril every morning.", 1.0, Heading.HISTORY),
        ("I am allergic to penicillin.", 1.0, Heading.HISTORY),
        ("It gets worse at night.", 1.0, Heading.HISTORY),
    )
    headings = headings_of(said, chosen(said, 400))
    assert list(headings.values()) == [
        Heading.CHIEF_COMPLAINT,
        Heading.MEDICATIONS,
        Heading.ALLERGIES,
        Heading.HISTORY,
    ]


def test_a_problem_stands_until_the_clinician_names_another_in_the_conversations_words():
    said = judged(
        ("For your first problem, your high blood pressure, I think it is stable.", 1.0, Heading.ASSESSMENT),
        ("We will continue the tablets.", 1.0, Heading.PLAN),
        ("I walk every day.", 1.0, Heading.HISTORY),
        ("For your diabetes we will repeat the test.", 1.0, Heading.PLAN),
        ("Come back in a month.", 1.0, Heading.PLAN),
    )
    assert problems_of(said) == ["high blood pressure", "high blood pressure", None, "diabetes", "diabetes"]


def test_a_problem_is_named_up_to_a_comma_wherever_an_engine_puts_it():
    for said in ("For your asthma , obesity and age matter .", "For your asthma, obesity and age matter."):
        assert problems_of(judged((said, 1.0, Heading.PLAN))) == ["asthma"]


def test_a_plan_for_no_problem_in_particular_has_none():
    said = judged(("Come back in a month for the next visit.", 1.0, Heading.PLAN))
    assert problems_of(said) == [None]
