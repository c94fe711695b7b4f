"""Ordered notes that quote: what fits each part, nothing that was not said, and nothing that nobody can know."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.notes.orders import MOST_OUTPUT_BYTES, ByPrompt, ByTemplate, OrderedNote
from adapters.notes.quoting_orders import MOST_QUOTED, QuotingOrderWriter, quote
from adapters.notes.templates import TEMPLATES, PartKind
from adapters.speech.transcript import Transcript, TranscriptSegment
from domain.events import NoteTemplate
from tests.adapters.notes.test_extractive import PHRASES, WORDS, spoken, transcript_of

OFFER = transcript_of(
    "Good morning.",
    "We have a problem with our old system, it is too slow.",
    "Our budget is about $20,000 per year.",
    "We need the new system by the end of March.",
    "I will send you an offer tomorrow.",
    "How many users do you have?",
    "We have forty users.",
    "We agreed to start with a pilot.",
)
DEPOSIT = transcript_of(
    "My landlord did not return the deposit after I moved out.",
    "I paid it two years ago.",
    "Under the law he has thirty days.",
    "The question is whether he may keep it for the damage.",
    "I recommend that we write a letter first.",
)


def output_of(transcript, template):
    return quote(transcript, ByTemplate(template)).output


def test_a_talk_about_an_offer_is_quoted_by_what_sales_people_ask_and_feelings_are_not_guessed():
    assert output_of(OFFER, NoteTemplate.SALES) == {
        "pain_points": ["We have a problem with our old system,", "it is too slow."],
        "budget": "Our budget is about $20,000 per year.",
        "timeline": "We need the new system by the end of March.",
        "next_steps": ["I will send you an offer tomorrow."],
        "sentiment": None,
        "deal_probability": None,
    }


def test_any_talk_has_its_key_points_what_is_to_be_done_and_what_was_decided():
    output = output_of(OFFER, NoteTemplate.GENERAL)
    assert output["decisions"] == ["We agreed to start with a pilot."]
    assert "I will send you an offer tomorrow." in output["action_items"]
    assert "Our budget is about $20,000 per year." in output["key_points"]
    assert not {"Good morning.", "How many users do you have?"} & {
        *output["key_points"],
        *output["overview"].split(" … "),
    }
    assert output["participants"] == []


def test_speakers_that_the_transcript_tells_apart_took_part():
    segments = [
        TranscriptSegment(start=second, end=second + 1, text="We need a plan.", speaker=speaker)
        for second, speaker in enumerate(("S2", "S1", "S2"))
    ]
    talk = Transcript.of_segments(segments, language="en", engine="x", provider=None, duration_ms=3_000)
    assert output_of(talk, NoteTemplate.GENERAL)["participants"] == ["S1", "S2"]


def test_a_consultation_is_quoted_by_the_four_sections():
    output = output_of(spoken("chest_pain"), NoteTemplate.CLINICAL)
    assert "I have had pain in my chest since last night." in output["subjective"]
    assert "Your lungs are clear." in output["objective"]
    assert "I think this is a problem with the blood supply of the heart." in output["assessment"]
    assert "Please come back in one week." in output["plan"]


def test_a_lawyers_talk_is_quoted_by_facts_questions_law_and_advice():
    assert output_of(DEPOSIT, NoteTemplate.LEGAL) == {
        "facts": ["I paid it two years ago."],
        "issues": ["The question is whether he may keep it for the damage."],
        "analysis": ["Under the law he has thirty days."],
        "conclusion": "I recommend that we write a letter first.",
        "parties": ["My landlord did not return the deposit after I moved out."],
    }


def test_a_prompt_gets_the_sentences_that_share_its_words_whatever_their_form():
    output = quote(OFFER, ByPrompt("Which user counts and which budgets were named?")).output
    assert output == {
        "quotations": ["Our budget is about $20,000 per year.", "How many users do you have?", "We have forty users."]
    }


def test_a_prompt_that_shares_no_word_gets_what_was_said_again_and_again():
    quoted = quote(OFFER, ByPrompt("Fasse bitte zusammen")).output["quotations"]
    assert "We have a problem with our old system," in quoted


def test_of_a_long_talk_only_so_much_is_quoted():
    long = transcript_of(*(f"We have a problem with part {number}." for number in range(5 * MOST_QUOTED)))
    assert len(output_of(long, NoteTemplate.SALES)["pain_points"]) == MOST_QUOTED
    assert len(quote(long, ByPrompt("Which problems?")).output["quotations"]) == MOST_QUOTED


@pytest.mark.parametrize("wish", [*map(ByTemplate, NoteTemplate), ByPrompt("Which problems?")])
def test_of_a_sentence_without_end_only_its_beginning_is_quoted(wish):
    """Thai has neither spaces nor full stops, and an engine may give all of it as one segment."""
    note = quote(transcript_of(*["สวัสดี" * 2_000] * 40, language="th"), wish)
    assert len(note.to_json()) < MOST_OUTPUT_BYTES
    (quoted, *_) = quote(transcript_of("so much " * 1_000), ByPrompt("How much?")).output["quotations"]
    assert quoted == ("so much " * 125).strip()


@pytest.mark.parametrize("template", NoteTemplate)
def test_in_another_language_nothing_is_sorted_by_words_and_what_was_said_is_quoted(template):
    said = ["Ich habe Kopfschmerzen.", "Bitte nehmen Sie eine Tablette."]
    output = output_of(transcript_of(*said, language="de"), template)
    assert output.pop("quotations") == said
    of_any_language = {"overview", "key_points", "participants"}
    assert not any(value for name, value in output.items() if name not in of_any_language)


WISHES = st.sampled_from([*(ByTemplate(template) for template in NoteTemplate), ByPrompt("What about the pain?")])


@given(st.lists(WORDS | PHRASES, max_size=12), WISHES, st.sampled_from(["en", "de"]))
def test_of_any_transcript_each_quotation_is_one_of_its_sentences_and_each_part_is_there(said, wish, language):
    transcript = transcript_of(*said, language=language)
    words = f" {transcript.text} "
    note = quote(transcript, wish)
    kinds = {part.name: part.kind for part in TEMPLATES[wish.template]} if isinstance(wish, ByTemplate) else {}
    assert note.output.keys() - {"quotations"} == kinds.keys()
    for name, value in note.output.items():
        if kinds.get(name, PartKind.SENTENCES) is PartKind.SENTENCES:
            assert all(f" {quoted} " in words for quoted in value)
        elif value is not None:
            assert all(f" {quoted} " in words for quoted in value.split(" … "))
    assert len(note.to_json()) < MOST_OUTPUT_BYTES
    assert OrderedNote.from_json(note.to_json()) == note


def test_the_writer_says_that_it_quotes():
    note = asyncio.run(QuotingOrderWriter().write(OFFER, ByPrompt("Which budget?")))
    assert (note.engine, note.language) == ("extractive", "en")


@pytest.mark.parametrize("wish", [*map(ByTemplate, NoteTemplate), ByPrompt("Which problems?")])
@pytest.mark.parametrize("language", ["en", "de"])
def test_a_note_says_that_it_is_quotations_and_whether_anything_was_learned_for_it(wish, language):
    about = quote(transcript_of("We have a problem.", language=language), wish).about
    assert "All sentences are quoted from the transcript." in about
    is_learned = wish == ByTemplate(NoteTemplate.CLINICAL) and language == "en"
    assert ("a model that learned" in about) is is_learned


def test_what_is_said_twice_is_quoted_once():
    talk = transcript_of("Our budget is small.", "We need it soon.", "Well, our budget is small.")
    assert output_of(talk, NoteTemplate.SALES)["budget"] == "Our budget is small."
