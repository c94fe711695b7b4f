"""Transcripts that are too long for a language model's context: asked about in parts, and one note of all of them."""

import re

import pytest

from adapters.notes.note import NoteNotWritten, NoteUnusable, NoteWriterUnavailable, Section, Unsupported
from adapters.notes.numbered_lines import numbered_lines, transcript_in_parts, written_out
from adapters.speech.transcript import Transcript, TranscriptSegment
from tests.adapters.notes.endpoint import chat_endpoint, completion, stated
from tests.adapters.notes.test_extractive import transcript_of
from tests.adapters.notes.test_openai_writer import EMPTY, texts, writer

BUDGET = 1_000
DAYS = [f"On day {day} the pain was {day} of 100, and I took a tablet." for day in range(1, 61)]
LONG = transcript_of(*DAYS)


@pytest.fixture
async def endpoint():
    async with chat_endpoint() as endpoint:
        yield endpoint


def lines_of(asked):
    return [(int(number), said) for number, said in re.findall(r"\[(\d+)\] (.*)", asked["messages"][1]["content"])]


def a_statement_a_line(asked):
    """And two that every part has: one that holds everywhere, and one that is invented."""
    said = [stated(f"Pain {line} of 100 on day {line}.", text, line=line) for line, text in lines_of(asked)]
    common = [stated("Took a tablet.", "I took a tablet"), stated("It may be cancer.", "this may be cancer")]
    return 200, completion(EMPTY | {"subjective": [*said, *common]})


async def test_every_word_goes_out_once_in_requests_within_the_budget_and_the_note_is_of_all_in_order(endpoint):
    endpoint.answer_to = a_statement_a_line
    note = await writer(endpoint.url, part_characters=BUDGET).write(LONG)
    materials = [asked["messages"][1]["content"] for _, asked in endpoint.requests]
    assert len(materials) > 3
    assert all(len(material) <= BUDGET for material in materials)
    sent = sorted(line for _, asked in endpoint.requests for line in lines_of(asked))
    assert sent == list(enumerate(DAYS, 1))
    said = [text for text in texts(note)["subjective"] if text != "Took a tablet."]
    assert said == [f"Pain {day} of 100 on day {day}." for day in range(1, 61)]
    words = LONG.text.split()
    last = note.sections[Section.SUBJECTIVE][-1].source
    assert words[last.from_word : last.to_word] == DAYS[-1].split()


async def test_what_several_parts_say_alike_is_in_the_note_once_and_counted_once(endpoint):
    endpoint.answer_to = a_statement_a_line
    note = await writer(endpoint.url, part_characters=BUDGET).write(LONG)
    assert texts(note)["subjective"].count("Took a tablet.") == 1
    assert [one.text for one in note.unsupported] == ["It may be cancer."]
    assert note.unsupported_share == round(1 / 62, 4)


async def test_a_line_of_another_part_cannot_be_cited(endpoint):
    def cites_the_first_line(asked):
        text = "It is day 1." if lines_of(asked)[0][0] == 1 else "It was day 1."
        return 200, completion(EMPTY | {"plan": [stated(text, "on day 1 the pain", line=1)]})

    endpoint.answer_to = cites_the_first_line
    note = await writer(endpoint.url, part_characters=BUDGET).write(LONG)
    assert texts(note)["plan"] == ["It is day 1."]
    assert [(one.text, one.reason) for one in note.unsupported] == [("It was day 1.", Unsupported.LINE_UNKNOWN)]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((503, {}), NoteWriterUnavailable),
        ((200, completion("nonsense")), NoteUnusable),
        ((401, {}), NoteNotWritten),
    ],
)
async def test_a_part_that_fails_fails_the_note(endpoint, answer, error):
    def answer_to(asked):
        return answer if lines_of(asked)[0][0] > 20 else a_statement_a_line(asked)

    endpoint.answer_to = answer_to
    with pytest.raises(NoteNotWritten) as refusal:
        await writer(endpoint.url, part_characters=BUDGET).write(LONG)
    assert type(refusal.value) is error


async def test_all_parts_together_have_the_time_of_one_note(endpoint):
    endpoint.hangs = True
    with pytest.raises(NoteWriterUnavailable, match="did not answer in time"):
        await writer(endpoint.url, seconds=0.2, part_characters=BUDGET).write(LONG)


def spoken(*turns):
    segments = [
        TranscriptSegment(start=float(second), end=second + 1.0, text=text, speaker=speaker)
        for second, (speaker, text) in enumerate(turns)
    ]
    return Transcript.of_segments(segments, language="en", engine="x", provider=None, duration_ms=len(turns) * 1_000)


def test_a_part_ends_where_a_turn_does_and_only_a_turn_too_long_for_a_part_is_cut():
    turns = [("S1", "Any pain?"), ("S2", "Yes, here."), ("S2", "And here."), ("S1", "Since when?"), ("S2", "Monday.")]
    parts = transcript_in_parts(spoken(*turns), 60)
    assert [written_out(part) for part in parts] == [
        "[1] S1: Any pain?\n[2] S2: Yes, here.\n[3] S2: And here.",
        "[4] S1: Since when?\n[5] S2: Monday.",
    ]
    parts = transcript_in_parts(spoken(*turns), 20)
    assert [line.number for part in parts for line in part] == [1, 2, 3, 4, 5]
    assert len(parts) == 5


def test_what_was_said_in_one_breath_is_cut_into_lines_at_the_ends_of_sentences():
    sentence = "word " * 24 + "end."
    lines = numbered_lines(transcript_of(" ".join([sentence] * 9), "word " * 300))
    assert [len(line.words) for line in lines] == [75, 75, 75, 120, 120, 60]
    assert [line.from_word for line in lines] == [0, 75, 150, 225, 345, 465]
    assert [line.begins_turn for line in lines] == [True, False, False, False, False, False]
