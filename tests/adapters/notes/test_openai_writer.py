"""The note writer at an OpenAI-compatible endpoint, against a real HTTP server."""

import json

import pytest

from adapters.notes.chat_endpoint import LARGEST_ANSWER_BYTES, ChatEndpoint
from adapters.notes.note import Note, NoteNotWritten, NoteUnusable, NoteWriterUnavailable, Section, Unsupported
from adapters.notes.openai_writer import PROMPT, OpenAINoteWriter
from tests.adapters.notes.endpoint import (
    CITED,
    CITED_AND_INVENTED,
    INVENTED,
    SAID,
    SECTIONS,
    chat_endpoint,
    completion,
    stated,
    stream,
)
from tests.adapters.notes.test_extractive import transcript_of
from tests.tools.free_ports import free_port

KEY = "sk-very-secret"
TRANSCRIPT = transcript_of(*SAID)
EMPTY = {name: [] for name in CITED}


@pytest.fixture
async def endpoint():
    async with chat_endpoint() as endpoint:
        yield endpoint


def writer(url, *, seconds=10.0, part_characters=16_000):
    endpoint = ChatEndpoint(base_url=url, model="some-model", api_key=KEY, timeout_seconds=seconds)
    return OpenAINoteWriter(endpoint, part_characters=part_characters)


def texts(note):
    return {section.value: [sentence.text for sentence in note.sections[section]] for section in Section}


async def test_the_transcript_goes_out_in_numbered_lines_with_the_prompt_and_temperature_0(endpoint):
    note = await writer(endpoint.url).write(TRANSCRIPT)
    ((headers, asked),) = endpoint.requests
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert (asked["model"], asked["temperature"]) == ("some-model", 0)
    assert asked["messages"] == [
        {"role": "system", "content": PROMPT},
        {"role": "user", "content": f"[1] {SAID[0]}\n[2] {SAID[1]}\n[3] {SAID[2]}"},
    ]
    assert all(f"`{section}`" in PROMPT for section in Section)
    assert texts(note) == SECTIONS
    assert (note.engine, note.language, note.is_worded) == ("openai", "en", True)


async def test_the_prompts_own_example_is_in_the_form_that_it_asks_for(endpoint):
    example = json.loads(PROMPT[PROMPT.rindex('{"subjective"') :])
    talk = ["a"] * 3 + ["My knee hurts when I climb stairs.", "Any swelling?", "No."]
    talk += ["a"] * 12 + ["Ice it for fifteen minutes!"]
    endpoint.answers = [(200, completion(example))]
    note = await writer(endpoint.url).write(transcript_of(*talk))
    assert [len(note.sections[section]) for section in Section] == [2, 0, 0, 1]
    assert note.unsupported == ()


async def test_each_sentence_has_the_place_and_the_time_of_the_words_that_it_cites(endpoint):
    note = await writer(endpoint.url).write(TRANSCRIPT)
    words = TRANSCRIPT.text.split()
    (pain,), (test,) = note.sections[Section.SUBJECTIVE], note.sections[Section.PLAN]
    assert " ".join(words[pain.source.from_word : pain.source.to_word]) == "pain in my chest since last night."
    assert (test.source.start, test.source.end) == (2.0, 2.9)
    assert note.unsupported_share == 0


async def test_a_statement_that_rests_on_a_question_and_its_answer_has_both_sources(endpoint):
    said = stated("No fever.", "any fever", line=1)
    said["cites"].append({"line": 2, "quote": "no"})
    endpoint.answers = [(200, completion(EMPTY | {"subjective": [said]}))]
    note = await writer(endpoint.url).write(transcript_of("Do you have any fever?", "No.", "Good, no problem."))
    (sentence,) = note.sections[Section.SUBJECTIVE]
    assert (sentence.source.from_word, sentence.source.to_word) == (3, 5)
    assert [(source.from_word, source.to_word) for source in sentence.further_sources] == [(5, 6)]


async def test_what_is_invented_is_not_in_the_sections_but_beside_them_and_counted(endpoint):
    endpoint.answers = [(200, completion(CITED_AND_INVENTED))]
    note = await writer(endpoint.url).write(TRANSCRIPT)
    assert texts(note) == SECTIONS
    (left_out,) = note.unsupported
    assert (left_out.section, left_out.text, left_out.reason) == (
        Section.ASSESSMENT,
        INVENTED,
        Unsupported.QUOTE_NOT_FOUND,
    )
    assert note.unsupported_share == 0.25
    assert Note.from_json(note.to_json()) == note


async def test_a_note_of_which_nothing_holds_is_no_note(endpoint):
    endpoint.answers = [(200, completion(EMPTY | {"plan": [INVENTED, stated(INVENTED, "no such words", line=1)]}))]
    with pytest.raises(NoteUnusable, match="Nothing that the note writer cites is in the transcript"):
        await writer(endpoint.url).write(TRANSCRIPT)


@pytest.mark.parametrize(
    "content",
    [
        f"```json\n{json.dumps(CITED)}\n```",
        f"Here is the note:\n\n```\n{json.dumps(CITED)}\n```\nA clinician should review it.",
        f"<think>Is {{this}} an examination?\n</think>\n\n{json.dumps(CITED, indent=2)}",
        f"Sure! {json.dumps(CITED)}",
    ],
)
async def test_json_in_a_markdown_fence_or_after_thoughts_or_an_introduction_is_taken(endpoint, content):
    endpoint.answers = [(200, completion(content))]
    assert texts(await writer(endpoint.url).write(TRANSCRIPT)) == SECTIONS


async def test_a_streamed_answer_is_as_good_as_a_whole_one_and_one_that_breaks_off_is_none(endpoint):
    endpoint.answers = [(200, stream(CITED)), (200, stream(CITED, ends=False))]
    assert texts(await writer(endpoint.url).write(TRANSCRIPT)) == SECTIONS
    with pytest.raises(NoteUnusable, match="was cut off"):
        await writer(endpoint.url).write(TRANSCRIPT)


@pytest.mark.parametrize(
    "answer",
    [
        "<html>a proxy's page</html>",
        b"\xff\xfe\x00",
        {},
        [],
        {"choices": []},
        {"choices": [7]},
        {"choices": [{"message": {"content": None, "refusal": "No."}}]},
        completion("Here is your note: the patient has chest pain."),
        completion(json.dumps(CITED)[:-20]),
        completion(json.dumps(CITED), finish_reason="length"),
        completion("[" * 5_000),
        completion('{"a":' * 5_000),
        completion({"subjective": [], "objective": [], "assessment": []}),
        completion(CITED | {"summary": []}),
        completion(CITED | {"plan": "one string"}),
        completion(CITED | {"plan": [5]}),
        completion(CITED | {"plan": [{"said": "a"}]}),
        completion(CITED | {"plan": ["  "]}),
        completion(CITED | {"plan": [stated("x" * 2_001, "we will do a blood test", line=3)]}),
        completion(CITED | {"plan": [stated("Test.", "a blood test", line=3)] * 501}),
        completion(EMPTY),
        "x" * (LARGEST_ANSWER_BYTES + 1),
    ],
    ids=range(22),
)
async def test_what_is_not_a_note_of_the_four_sections_is_not_taken(endpoint, answer):
    endpoint.answers = [(200, answer)]
    with pytest.raises(NoteUnusable) as refusal:
        await writer(endpoint.url).write(TRANSCRIPT)
    assert refusal.value.is_retryable
    assert "chest" not in str(refusal.value)


async def test_of_nothing_said_nothing_is_asked_and_a_note_of_nothing_is_right(endpoint):
    note = await writer(endpoint.url).write(transcript_of())
    assert (note.sections, note.unsupported_share) == (dict.fromkeys(Section, ()), 0)
    assert endpoint.requests == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (500, NoteWriterUnavailable),
        (503, NoteWriterUnavailable),
        (429, NoteWriterUnavailable),
        (401, NoteNotWritten),
        (404, NoteNotWritten),
        (307, NoteNotWritten),
    ],
)
async def test_failures_say_whether_another_try_is_worth_it(endpoint, status, error):
    endpoint.answers = [(status, f"no, {KEY}")]
    with pytest.raises(NoteNotWritten) as refusal:
        await writer(endpoint.url).write(TRANSCRIPT)
    assert type(refusal.value) is error
    assert refusal.value.is_retryable == (error is NoteWriterUnavailable)
    assert str(refusal.value) == f"The note writer answered {status}."


async def test_an_endpoint_that_does_not_answer_or_is_not_there_is_unavailable(endpoint):
    endpoint.hangs = True
    with pytest.raises(NoteWriterUnavailable, match="did not answer in time"):
        await writer(endpoint.url, seconds=0.2).write(TRANSCRIPT)
    with pytest.raises(NoteWriterUnavailable, match="The connection to the note writer failed"):
        await writer(f"http://127.0.0.1:{free_port()}/v1").write(TRANSCRIPT)
