"""The model's weights are what the data gives: the same on every run, and nothing of the data is in the repository."""

import hashlib

import pytest

from adapters.notes.note import Heading
from adapters.notes.note_model import WEIGHTS, NoteModel
from adapters.notes.quotable import quotable
from tests.guides.shell import make
from tests.left_out import skip_outside_ci
from tests.places import REPOSITORY
from tests.tools import dialogues
from tests.tools.note_model.corpus import (
    NOTES_FOLDER,
    Example,
    Turn,
    as_people_write,
    examples,
    reference_lines,
    words_alone,
)
from tests.tools.note_model.oracle import belonging, best_choice
from tests.tools.note_model.training import trained

LONG_SENTENCE_WORDS = 6
MOST_WEIGHTS_BYTES = 5_000_000
NOTE = """CHIEF COMPLAINT

Chest pain.

PHYSICAL EXAM

• Lungs: Clear.

ASSESSMENT AND PLAN

Heart disease.
We will do a blood test.
"""


def consultation(name="chest_pain", note=NOTE):
    lines = (line.partition(": ") for line in dialogues.text(name).splitlines())
    return Example(tuple(Turn(tag.lower(), said) for tag, _, said in lines), note)


def test_the_same_examples_give_the_same_weights():
    examples = [consultation()]
    first = trained(examples, steps=3)
    assert trained(examples, steps=3) == first
    assert len(first) == len(WEIGHTS.read_bytes())
    NoteModel.from_bytes(first)


def test_lines_of_a_reference_have_their_headings_and_what_is_done_is_the_plan():
    assert [(line.text, line.heading) for line in reference_lines(NOTE)] == [
        ("Chest pain.", Heading.CHIEF_COMPLAINT),
        ("• Lungs: Clear.", Heading.EXAMINATION),
        ("Heart disease.", Heading.ASSESSMENT),
        ("We will do a blood test.", Heading.PLAN),
    ]


def test_the_best_choice_takes_what_the_reference_says_and_knows_where_it_belongs():
    example = consultation()
    said = quotable(as_people_write(example))
    chosen = {said[index].text for index in best_choice(said, example.note)}
    assert {"Your lungs are clear.", "We will do a blood test today."} <= chosen
    assert not {"Please come back in one week."} & chosen
    (lungs,) = (sentence for sentence in said if sentence.text == "Your lungs are clear.")
    fits = belonging(lungs, example.lines)
    assert max(fits, key=lambda heading: fits[heading]) is Heading.EXAMINATION


def test_a_rendering_as_words_alone_has_no_punctuation_and_no_speakers():
    transcript = words_alone(consultation())
    assert not set(transcript.text) & set(".,?!")
    assert {segment.speaker for segment in transcript.segments} == {None}


def test_the_card_names_the_weights_beside_it():
    card = WEIGHTS.with_suffix(".md").read_text()
    assert f"`{hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()}`" in card
    assert WEIGHTS.stat().st_size <= MOST_WEIGHTS_BYTES


@pytest.fixture
def corpus():
    if not NOTES_FOLDER.is_dir():
        skip_outside_ci("There is no ../shared/data/notes beside this checkout.")
    return NOTES_FOLDER


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_committed_weights_are_what_the_data_gives(corpus):
    checked = make(REPOSITORY, "note-model", "ARGS=--check")
    assert checked.returncode == 0, checked.stderr
    assert "is what the data gives" in checked.stdout


@pytest.mark.slow
def test_no_sentence_of_the_data_is_in_the_weights_or_beside_them(corpus):
    """Weights are numbers of features that words were hashed to; the texts of the writer are our own."""
    ours = "\n".join(path.read_text() for path in WEIGHTS.parent.glob("*.*") if path.suffix in (".py", ".md"))
    for example in examples(corpus / "train.csv") + examples(corpus / "valid.csv"):
        for turn in example.turns:
            if len(turn.text.split()) >= LONG_SENTENCE_WORDS:
                assert turn.text not in ours
