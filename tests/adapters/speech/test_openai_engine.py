"""The engine at an OpenAI-compatible endpoint, against a real HTTP server of the test's own."""

import asyncio
import pickle
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from aiohttp import BodyPartReader, web

from adapters.speech.opening import EngineSpec, build_engine
from adapters.speech.port import EngineRefused, EngineUnavailable, SpeechEngine, SpeechError
from tests.adapters.audio import samples
from tests.adapters.audio.samples import decoded, decoded_samples, encoded, opener, tone, wav
from tests.adapters.speech.calls import call, speakers

# aiohttp's own reader of multipart bodies uses what aiohttp itself deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:unread_data:DeprecationWarning")

KEY = "sk-very-secret"
TWO_SEGMENTS = {
    "text": " Good morning. How are you?",
    "language": "english",
    "segments": [
        {"id": 0, "start": 0.0, "end": 1.25, "text": " Good morning.", "avg_logprob": -0.1},
        {"id": 1, "start": 1.5, "end": 2.5, "text": " How are you?", "avg_logprob": -0.7},
        {"id": 2, "start": 2.5, "end": 2.5, "text": " ", "avg_logprob": -3.0},
    ],
}


@dataclass
class Endpoint:
    """Answers as told and keeps what it was sent."""

    url: str = ""
    status: int = 200
    answer: Any = field(default_factory=lambda: TWO_SEGMENTS)
    hangs: bool = False
    requests: list[dict[str, Any]] = field(default_factory=list)
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    async def transcriptions(self, request: web.Request) -> web.StreamResponse:
        sent: dict[str, Any] = {"headers": dict(request.headers)}
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            assert part.name is not None
            sent[part.name] = await part.read()
            if part.name == "file":
                sent["filename"] = part.filename
        self.requests.append(sent)
        if self.hangs:
            await self.closing.wait()
        if isinstance(self.answer, str):
            return web.Response(text=self.answer, status=self.status, headers={"Location": "http://127.0.0.1:1/"})
        return web.json_response(self.answer, status=self.status)

    def engine(self, **settings: Any) -> SpeechEngine:
        # build_engine keeps engines by their spec, and each test's endpoint has a port of its own.
        return build_engine(EngineSpec(kind="openai", base_url=self.url, api_key=KEY, **settings))


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """Served from a thread: the engine runs synchronously, as it does in a worker process."""
    served = Endpoint()
    loop = asyncio.new_event_loop()
    app = web.Application(client_max_size=100 << 20)
    app.router.add_post("/v1/audio/transcriptions", served.transcriptions)
    runner = web.AppRunner(app, shutdown_timeout=0)

    async def start() -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        served.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"

    loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield served
    loop.call_soon_threadsafe(served.closing.set)
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_segments_come_back_with_their_times_and_confidence(endpoint: Endpoint) -> None:
    transcript = endpoint.engine(model="whisper-large-v3").transcribe(opener(wav(tone(48_000))), language="en-US")
    assert transcript.text == "Good morning. How are you?"
    assert [(segment.start, segment.end) for segment in transcript.segments] == [(0.0, 1.25), (1.5, 2.5)]
    assert transcript.segments[0].confidence == pytest.approx(0.905, abs=0.001)
    assert (transcript.engine, transcript.provider, transcript.duration_ms) == ("openai", "whisper", 3_000)


def test_a_recording_within_the_limit_is_sent_as_it_is(endpoint: Endpoint) -> None:
    recording = encoded(samples.OGG_OPUS, tone(48_000))
    endpoint.engine(model="some-model").transcribe(opener(recording), language="en-US")
    (sent,) = endpoint.requests
    assert sent["file"] == recording
    assert sent["filename"] == "recording.ogg"
    assert (sent["model"], sent["language"], sent["response_format"]) == (b"some-model", b"en", b"verbose_json")
    assert sent["timestamp_granularities[]"] == b"segment"
    assert sent["headers"]["Authorization"] == f"Bearer {KEY}"


def test_a_recording_over_the_limit_goes_in_pieces_whose_times_add_up(endpoint: Endpoint) -> None:
    endpoint.answer = {"text": "a piece"}
    limit = 40_000
    transcript = endpoint.engine(largest_upload_bytes=limit).transcribe(
        opener(wav(tone(16_000 * 30, rate=16_000))), language="en"
    )
    assert len(endpoint.requests) > 2
    assert all(len(sent["file"]) <= limit for sent in endpoint.requests)
    assert sum(decoded_samples(sent["file"]) for sent in endpoint.requests) / 48_000 == pytest.approx(30, abs=0.1)
    assert transcript.text == " ".join(["a piece"] * len(endpoint.requests))
    assert transcript.segments[0].start == 0
    assert transcript.segments[-1].end == 30
    for earlier, later in zip(transcript.segments, transcript.segments[1:], strict=False):
        assert later.start == earlier.end
    assert transcript.duration_ms == 30_000


def test_a_format_that_endpoints_do_not_take_is_sent_as_opus(endpoint: Endpoint) -> None:
    endpoint.engine().transcribe(opener(encoded(samples.ADTS, tone(48_000))), language="en")
    (sent,) = endpoint.requests
    assert sent["filename"] == "piece.ogg"
    assert sent["file"].startswith(b"OggS")


def test_stereo_that_any_player_mixes_well_is_sent_as_it_is(endpoint: Endpoint) -> None:
    recording = encoded(samples.OGG_OPUS, tone(48_000, channels=2))
    endpoint.engine().transcribe(opener(recording), language="en")
    (sent,) = endpoint.requests
    assert sent["file"] == recording


def test_channels_that_would_cancel_are_mixed_before_they_are_sent(endpoint: Endpoint) -> None:
    sound = tone(48_000, rate=16_000)
    endpoint.engine().transcribe(opener(wav(np.concatenate([sound, -sound]))), language="en")
    (sent,) = endpoint.requests
    heard = decoded(sent["file"])
    assert len(heard) == 1
    assert heard.astype(float).std() > sound.std() / 2


def test_each_side_of_a_call_is_sent_by_itself_and_its_segments_are_named(endpoint: Endpoint) -> None:
    transcript = endpoint.engine().transcribe(opener(wav(call("headache", 12.0))), language="en")
    doctor, patient = (decoded(sent["file"])[0].astype(float) for sent in endpoint.requests)
    says = [sound != 0 for sound in speakers("headache", 12.0)]
    for heard, own, other in ((doctor, *says), (patient, *reversed(says))):
        loudness = heard[: len(heard) // 3 * 3 : 3][: len(own)]  # Opus decodes at 48 kHz
        assert loudness[own[: len(loudness)]].std() > 30 * loudness[other[: len(loudness)]].std()
    assert [(segment.speaker, segment.start) for segment in transcript.segments] == [
        ("S1", 0.0),
        ("S2", 0.0),
        ("S1", 1.5),
        ("S2", 1.5),
    ]
    assert transcript.duration_ms == 12_000


def test_an_answer_of_text_alone_is_one_segment(endpoint: Endpoint) -> None:
    endpoint.answer = {"text": "hello there"}
    transcript = endpoint.engine().transcribe(opener(wav(tone(16_000))), language="en")
    (segment,) = transcript.segments
    assert (segment.start, segment.end, segment.text, segment.confidence) == (0.0, 1.0, "hello there", None)


def test_no_speech_is_an_empty_transcript(endpoint: Endpoint) -> None:
    endpoint.answer = {"text": "", "segments": []}
    transcript = endpoint.engine().transcribe(opener(wav(tone(16_000))), language="en")
    assert (transcript.text, transcript.segments) == ("", ())


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (500, {"error": {"message": "oops"}}, EngineUnavailable),
        (503, "down for repairs", EngineUnavailable),
        (429, {"error": {"message": "slow down"}}, EngineUnavailable),
        (200, "<html>a proxy's page</html>", EngineUnavailable),
        (200, {"text": "a", "segments": [{"start": "x"}]}, EngineUnavailable),
        (400, {"error": {"message": "bad file"}}, EngineRefused),
        (401, {"error": {"message": f"Incorrect key {KEY}."}}, EngineRefused),
        (413, {"error": "too large"}, EngineRefused),
        (307, "elsewhere", EngineRefused),
    ],
)
def test_failures_say_whether_another_try_is_worth_it(
    status: int, answer: object, error: type[SpeechError], endpoint: Endpoint
) -> None:
    endpoint.status, endpoint.answer = status, answer
    with pytest.raises(error, match=r"^The openai engine ") as caught:
        endpoint.engine().transcribe(opener(wav(tone(16_000))), language="en")
    assert caught.value.is_retryable == (error is EngineUnavailable)
    assert len(endpoint.requests) == 1
    assert KEY not in f"{caught.value!r} {caught.value}"
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301


def test_an_endpoint_that_does_not_answer_is_given_up(endpoint: Endpoint) -> None:
    endpoint.hangs = True
    with pytest.raises(EngineUnavailable, match="did not answer in time"):
        endpoint.engine(timeout_seconds=0.3).transcribe(opener(wav(tone(16_000))), language="en")


def test_an_endpoint_that_is_not_there_is_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        with pytest.raises(EngineUnavailable, match="the connection failed"):
            build_engine(EngineSpec(kind="openai", base_url=url)).transcribe(
                opener(wav(np.zeros((1, 1_600), np.int16))), language="en"
            )


def test_the_key_is_never_shown() -> None:
    assert KEY not in repr(EngineSpec(kind="openai", base_url="http://127.0.0.1", api_key=KEY))
