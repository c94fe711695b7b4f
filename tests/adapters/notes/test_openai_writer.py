"""The note writer at an OpenAI-compatible endpoint, against a real HTTP server."""

import json

import pytest

from adapters.notes.chat_endpoint import ChatEndpoint
from adapters.notes.note import NoteNotWritten, NoteUnusable, NoteWriterUnavailable, Section
from adapters.notes.openai_writer import PROMPT, OpenAINoteWriter
from tests.adapters.notes.endpoint import SECTIONS, chat_endpoint, completion
from tests.adapters.notes.test_extractive import transcript_of
from tests.tools.free_ports import free_port

KEY = "sk-very-secret"
TRANSCRIPT = transcript_of("I have had pain in my chest.", "We will do a blood test.")


@pytest.fixture
async def endpoint():
    async with chat_endpoint() as endpoint:
        yield endpoint


def writer(url, *, seconds=10.0):
    return OpenAINoteWriter(ChatEndpoint(base_url=url, model="some-model", api_key=KEY, timeout_seconds=seconds))


async def test_the_transcript_goes_out_with_the_prompt_and_temperature_0(endpoint):
    note = await writer(endpoint.url).write(TRANSCRIPT)
    ((headers, asked),) = endpoint.requests
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert (asked["model"], asked["temperature"]) == ("some-model", 0)
    assert asked["messages"] == [
        {"role": "system", "content": PROMPT},
        {"role": "user", "content": TRANSCRIPT.text},
    ]
    for section in Section:
        assert f'"{section}"' in PROMPT
        assert [sentence.text for sentence in note.sections[section]] == SECTIONS[section]
        assert all(sentence.source is None for sentence in note.sections[section])
    assert (note.engine, note.language) == ("openai", "en")


async def test_json_in_a_markdown_fence_is_taken(endpoint):
    endpoint.answers = [(200, completion(f"```json\n{json.dumps(SECTIONS)}\n```"))]
    assert len((await writer(endpoint.url).write(TRANSCRIPT)).sections[Section.PLAN]) == 2


@pytest.mark.parametrize(
    "answer",
    [
        "<html>a proxy's page</html>",
        {},
        {"choices": []},
        completion("Here is your note."),
        completion([SECTIONS]),
        completion({"subjective": ["a"], "objective": [], "assessment": []}),
        completion(SECTIONS | {"summary": ["b"]}),
        completion(SECTIONS | {"plan": "one string"}),
        completion(SECTIONS | {"plan": [5]}),
        completion(SECTIONS | {"plan": ["  "]}),
        completion({name: [] for name in SECTIONS}),
    ],
)
async def test_what_is_not_a_note_of_the_four_sections_is_not_taken(endpoint, answer):
    endpoint.answers = [(200, answer)]
    with pytest.raises(NoteUnusable) as refusal:
        await writer(endpoint.url).write(TRANSCRIPT)
    assert refusal.value.is_retryable
    assert "chest" not in str(refusal.value)


async def test_of_nothing_said_a_note_of_nothing_is_right(endpoint):
    endpoint.answers = [(200, completion({name: [] for name in SECTIONS}))]
    assert (await writer(endpoint.url).write(transcript_of())).sections == dict.fromkeys(Section, ())


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
