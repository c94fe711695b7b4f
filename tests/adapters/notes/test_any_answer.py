"""Whatever an endpoint answers, what a note shows has sources that hold; or there is no note, and a reason."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.notes.chat_endpoint import ChatEndpoint
from adapters.notes.compared_words import compared_words
from adapters.notes.note import Note, NoteNotWritten, NoteWriterUnavailable, Section
from adapters.notes.openai_order_writer import OpenAIOrderWriter
from adapters.notes.openai_writer import OpenAINoteWriter
from adapters.notes.orders import ByPrompt, ByTemplate, OrderedNote, Wish
from adapters.notes.templates import TEMPLATES, PartKind
from domain.events import NoteTemplate
from tests.adapters.notes.endpoint import SAID, chat_endpoint, completion, stream
from tests.adapters.notes.test_extractive import transcript_of

TALK = transcript_of(*SAID, "Take 2 tablets a day.", "No.")
WORDS = TALK.text.split()
REASONS = {"note_writer_refused", "note_writer_unavailable", "note_unusable"}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def quotes(draw: st.DrawFn) -> str:
    first = draw(st.integers(0, len(WORDS) - 3))
    return " ".join(WORDS[first : first + draw(st.integers(3, 8))])


RIGHT = st.fixed_dictionaries({"line": st.none(), "quote": quotes()})
WRONG = st.fixed_dictionaries(
    {
        "line": st.integers(-1, 7),
        "quote": quotes() | st.sampled_from(["", "no", "the patient has cancer", "your lungs are not clear"]),
    }
)
TEXTS = st.sampled_from(["Chest pain.", "2 tablets.", "3 tablets."])


def statements(cite: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({"cites": st.lists(cite, min_size=1, max_size=2), "text": TEXTS})


STATED = statements(RIGHT) | statements(RIGHT | WRONG) | TEXTS
MESS = (
    st.fixed_dictionaries(
        {"cites": st.fixed_dictionaries({"line": ANY_JSON, "quote": ANY_JSON}) | ANY_JSON, "text": ANY_JSON}
    )
    | st.text(max_size=9)
    | ANY_JSON
)
"""What is in the place of a statement."""


def notes(statement: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({section.value: st.lists(statement, max_size=4) for section in Section})


NOTES = notes(STATED) | notes(STATED) | notes(STATED | MESS) | ANY_JSON


def part_of(kind: PartKind, statement: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    match kind:
        case PartKind.SENTENCES:
            return st.lists(statement, max_size=3)
        case PartKind.TEXT:
            return st.none() | statement
    return st.none() | st.floats(0, 1)


def ordered(wish: Wish, statement: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    if isinstance(wish, ByTemplate):
        return st.fixed_dictionaries({part.name: part_of(part.kind, statement) for part in TEMPLATES[wish.template]})
    nested = st.dictionaries(st.text(max_size=4), statement, max_size=2)
    return st.dictionaries(
        st.text(max_size=4), statement | nested | st.lists(statement | nested, max_size=3), max_size=4
    )


def answered(wish: Wish) -> st.SearchStrategy[tuple[Wish, Any]]:
    content = ordered(wish, STATED) | ordered(wish, STATED) | ordered(wish, STATED | MESS) | ANY_JSON
    return st.tuples(st.just(wish), content)


ORDERS = st.one_of(*(answered(wish) for wish in (ByPrompt("Anything?"), *map(ByTemplate, NoteTemplate))))


@dataclass(frozen=True)
class Way:
    """In which an endpoint sends what its model wrote: a good one, or one of many bad ones."""

    name: str
    status: int
    seed: int

    def body(self, content: Any) -> Any:
        text = json.dumps(content)
        match self.name:
            case "streamed":
                return stream(content)
            case "fenced":
                return completion(f"Here it is:\n```json\n{text}\n```")
            case "cut off":
                return completion(text[: self.seed % (len(text) + 1)])
            case "bytes":
                return random.Random(self.seed).randbytes(self.seed % 300)
            case "bare":
                return content
        return completion(text)


WAYS = st.builds(
    Way,
    name=st.sampled_from(["plain"] * 6 + ["streamed", "fenced", "cut off", "bytes", "bare"]),
    status=st.sampled_from([200] * 12 + [201, 204, 302, 400, 401, 413, 422, 429, 500, 503]),
    seed=st.integers(0, 10**6),
)
PART_CHARACTERS = st.sampled_from([60, 16_000])
any_answer = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
async def endpoint():
    async with chat_endpoint() as endpoint:
        yield endpoint


def chat(endpoint):
    return ChatEndpoint(base_url=endpoint.url, model="m", api_key=None, timeout_seconds=60)


def assert_says_why(error: NoteNotWritten) -> None:
    assert error.reason in REASONS
    assert error.is_retryable == (error.reason != "note_writer_refused")
    assert "chest" not in str(error).lower()


def assert_holds(text: str, sources) -> None:
    """The numbers of a text are among the words of its sources, which there are."""
    assert sources
    said = [
        each for source in sources for word in WORDS[source.from_word : source.to_word] for each in compared_words(word)
    ]
    assert said
    assert "3" not in compared_words(text)
    assert "2" in said or "2" not in compared_words(text)


@any_answer
@given(NOTES, WAYS, PART_CHARACTERS)
async def test_a_note_shows_only_what_holds_or_there_is_none_and_a_reason(endpoint, content, way, part_characters):
    endpoint.answers = [(way.status, way.body(content))]
    try:
        note = await OpenAINoteWriter(chat(endpoint), part_characters=part_characters).write(TALK)
    except NoteNotWritten as error:
        assert_says_why(error)
        return
    assert way.status == 200
    assert any(note.sections.values())
    for sentence in (sentence for section in Section for sentence in note.sections[section]):
        assert_holds(sentence.text, (sentence.source, *sentence.further_sources))
    assert 0 <= note.unsupported_share < 1
    assert Note.from_json(note.to_json()) == note


def values_in(output: Any) -> list[Any]:
    if isinstance(output, dict):
        return [value for each in output.values() for value in values_in(each)]
    if isinstance(output, list):
        return [value for each in output for value in values_in(each)]
    return [] if output is None else [output]


@any_answer
@given(ORDERS, WAYS, PART_CHARACTERS)
async def test_an_ordered_note_shows_only_what_holds_or_there_is_none_and_a_reason(
    endpoint, order, way, part_characters
):
    wish, content = order
    endpoint.answers = [(way.status, way.body(content))]
    try:
        note = await OpenAIOrderWriter(chat(endpoint), part_characters=part_characters).write(TALK, wish)
    except NoteNotWritten as error:
        assert_says_why(error)
        return
    assert way.status == 200
    estimate = note.output.get("deal_probability") if isinstance(wish, ByTemplate) else None
    shown = values_in({name: value for name, value in note.output.items() if value is not estimate})
    assert len(shown) == len(note.sources) > 0
    for each in note.sources:
        value: Any = note.output
        for step in each.path:
            value = value[step]
        for piece in str(value).split(" … "):
            assert_holds(piece, each.sources)
    assert 0 <= note.unsupported_share < 1
    assert OrderedNote.from_json(note.to_json()) == note


Send = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_server(send: Send) -> AsyncIterator[str]:
    """The URL of a server that reads a request, sends what `send` does until the client goes away, and hangs up."""
    is_over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await send(writer)
            writer.close()
            await writer.wait_closed()
        except ConnectionError:
            writer.close()
        finally:
            is_over.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        await is_over.wait()


def raw_writer(url: str, seconds: float) -> OpenAINoteWriter:
    endpoint = ChatEndpoint(base_url=url, model="m", api_key=None, timeout_seconds=seconds)
    return OpenAINoteWriter(endpoint, part_characters=16_000)


OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = json.dumps(completion("{}")).encode()
HEADERS = st.sampled_from(
    [
        b"Content-Length: %d" % len(WHOLE),
        b"Content-Length: 999999",
        b"Content-Length: -1",
        b"Transfer-Encoding: chunked",
        b"Content-Encoding: gzip",
        b"Content-Encoding: deflate",
        b"Content-Type: text/event-stream",
        b"Content-Type: application/json; charset=nonsense",
        b"Content-Type: ;;;",
        b"Set-Cookie: \x00=\x01",
        b"X: " + b"x" * 70_000,
        b"no colon",
    ]
)
HEADS = st.builds(lambda headers: OK + b"".join(header + b"\r\n" for header in headers) + b"\r\n", st.lists(HEADERS))
BODY = st.sampled_from([WHOLE, WHOLE[:-9], b"data: ", b"data: {}\n\n", b"5\r\n{", b"\x1f\x8b\x08"])
RAW = st.binary(max_size=50) | st.builds(bytes.__add__, HEADS, BODY | st.binary(max_size=50))


@any_answer
@given(RAW)
async def test_bytes_that_are_no_answer_are_no_note_and_a_reason(raw):
    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    async with raw_server(send) as url:
        with pytest.raises(NoteNotWritten) as refusal:
            await raw_writer(url, 60).write(TALK)
    assert_says_why(refusal.value)


async def test_an_answer_that_trickles_in_for_too_long_is_given_up():
    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Type: text/event-stream\r\n\r\n")
        while True:
            writer.write(b": still thinking\n\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with raw_server(send) as url:
        with pytest.raises(NoteWriterUnavailable, match="did not answer in time"):
            await raw_writer(url, 0.3).write(TALK)
