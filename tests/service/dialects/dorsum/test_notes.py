"""A note in text stands under its headings; in JSON each sentence has its own."""

import orjson

from adapters.notes.note import Heading, Note, Section, Sentence, Source
from service.dialects.dorsum.notes import rendered
from tests.end_to_end.dorsum_client import sections_of


def sentence(text, second, heading=None, problem=None):
    source = Source(from_word=second, to_word=second + 1, start=second, end=second + 1)
    return Sentence(text=text, source=source, heading=heading, problem=problem)


NOTE = Note(
    sections={
        Section.SUBJECTIVE: (
            sentence("It hurts.", 1, Heading.CHIEF_COMPLAINT),
            sentence("I take aspirin.", 2, Heading.MEDICATIONS),
            sentence("Since Monday.", 3, Heading.HISTORY),
            sentence("Aspirin helps.", 4, Heading.MEDICATIONS),
        ),
        Section.OBJECTIVE: (),
        Section.ASSESSMENT: (sentence("It is a sprain.", 5, Heading.ASSESSMENT, "knee"),),
        Section.PLAN: (
            sentence("Come back in a week.", 6, Heading.PLAN),
            sentence("Rest it.", 7, Heading.PLAN, "knee"),
        ),
    },
    engine="extractive",
    language="en",
)


def test_in_text_what_has_one_heading_stands_together_in_the_conversations_order():
    text = rendered(NOTE, "text")
    assert text.partition("\n\n")[2] == "\n".join(
        [
            "Subjective:",
            "Chief complaint",
            "- It hurts. [00:01-00:02]",
            "History",
            "- Since Monday. [00:03-00:04]",
            "Medications",
            "- I take aspirin. [00:02-00:03]",
            "- Aspirin helps. [00:04-00:05]",
            "",
            "Objective:",
            "- (nothing in the transcript)",
            "",
            "Assessment:",
            "knee",
            "- It is a sprain. [00:05-00:06]",
            "",
            "Plan:",
            "- Come back in a week. [00:06-00:07]",
            "knee",
            "- Rest it. [00:07-00:08]",
        ]
    )
    assert sections_of(text)["Plan"] == ["Come back in a week.", "Rest it."]


def test_in_json_sentences_are_in_the_conversations_order_with_heading_and_problem():
    sections = orjson.loads(rendered(NOTE, "json"))["sections"]
    assert [one["heading"] for one in sections["subjective"]] == [
        "chief_complaint",
        "medications",
        "history",
        "medications",
    ]
    assert sections["plan"][1] == {
        "text": "Rest it.",
        "source": {"from_word": 7, "to_word": 8, "start": 7.0, "end": 8.0},
        "heading": "plan",
        "problem": "knee",
    }


def test_a_note_that_was_stored_before_there_were_headings_is_read_and_shown_without_them():
    stored = {
        "sections": {section.value: [{"text": "It hurts.", "source": None}] for section in Section},
        "engine": "openai",
        "language": "en",
    }
    text = rendered(Note.from_json(orjson.dumps(stored)), "text")
    assert "Subjective:\n- It hurts.\n" in text
