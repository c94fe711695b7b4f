"""The three vendors' clients in a real browser, in pages on another origin than the service's."""

import io
import json
import re
import wave
from base64 import b64encode
from contextlib import asynccontextmanager
from uuid import uuid4

import av
import orjson
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Error

from service.dialects.http.rates import NO_LIMIT
from service.sample import spoken_text
from tests.end_to_end.dorsum_client import keys_of
from tests.end_to_end.dragon_client import Dragon, ended, sha256, silence
from tests.end_to_end.service_process import SAMPLE, short_speech
from tests.places import REPOSITORY
from tests.service.running_service import TurnedClock, running_service
from tests.tools.browser import at_this_machine, microphone, needed_chromium, running_browser

pytestmark = pytest.mark.asyncio(loop_scope="module")
in_module = pytest_asyncio.fixture(scope="module", loop_scope="module")

PAGES = REPOSITORY / "tests" / "end_to_end" / "pages"
FOREIGN_HOST = "app.example"
HEARD_SECONDS = 12


@in_module
async def browser(tmp_path_factory):
    speech = tmp_path_factory.mktemp("microphone") / "speech.wav"
    speech.write_bytes(spoken_wav(HEARD_SECONDS))
    flags = [*microphone(speech), *at_this_machine(FOREIGN_HOST)]
    async with running_browser(needed_chromium(), flags) as browser:
        yield browser


@in_module
async def pages():
    """The port of a server of pages, which is none of the service's."""
    app = web.Application()
    app.router.add_static("/", PAGES)
    async with TestServer(app) as server:
        yield server.port


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser, pages):
    """A page of this machine: one that a service in development lets call."""
    async with opened(browser, f"http://localhost:{pages}/index.html") as page:
        yield page


@pytest_asyncio.fixture(loop_scope="module")
async def foreign_page(browser, pages):
    async with opened(browser, f"http://{FOREIGN_HOST}:{pages}/index.html") as page:
        yield page


@asynccontextmanager
async def opened(browser, url):
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(url)
    await page.wait_for_function("window.clients !== undefined")
    yield page
    await context.close()


def spoken_wav(seconds, rate=48_000):
    """The beginning of the sample as a microphone would hear it."""
    output = io.BytesIO()
    with av.open(SAMPLE) as sample, wave.open(output, "wb") as wav:
        wav.setparams((1, 2, rate, 0, "NONE", "NONE"))
        resampler = av.AudioResampler("s16", "mono", rate)
        for frame in sample.decode(audio=0):
            for resampled in resampler.resample(frame):
                wav.writeframes(resampled.to_ndarray().tobytes())
            if wav.tell() >= seconds * rate:
                break
    return output.getvalue()


def words(text):
    return set(re.findall(r"[a-z]+", text.lower()))


SAID = {"good", "morning", "doctor", "headache", "three", "days"}
"""Some of the words that the microphone hears."""


async def test_the_words_that_are_looked_for_are_spoken():
    assert words(spoken_text()) >= SAID


async def run(page, call, *given):
    """The answer of one of the page's clients, such as `bota.stream`."""
    return await page.evaluate(f"given => window.clients.{call}(...given)", list(given))


def of_bota(service):
    return {
        "url": service.url,
        "key": service.credentials["api_key"],
        "endUserId": service.credentials["end_user_id"],
    }


def of_dorsum(service):
    keys = keys_of(service)
    return {"url": service.url, "apiKey": keys["Api-Key"], "clientKey": keys["Client-Key"]}


def of_dragon(dragon):
    return {"url": dragon.url, "token": dragon.token, "named": dragon.named}


@pytest.mark.slow
async def test_dorsums_own_page_code_takes_a_consultation_from_the_microphone_to_the_note(service, page):
    first, last = await run(page, "dorsum.record", of_dorsum(service), 33)
    assert (first["message"], first["samples"]) == ("Chunk received successfully", 480_000)
    assert words(first["transcription"]) >= SAID
    assert (last["message"], last["samples"]) == ("Clinical note generated.", 48_000)
    assert words(last["full_transcript"]) >= SAID
    assert last["clinical_notes"]


@pytest.mark.slow
async def test_what_a_media_recorder_gives_is_streamed_while_it_records(service, api, page):
    # Once all that the microphone hears over and over, and again what it begins with: nobody knows where it is when
    # recording begins.
    streamed = await run(page, "bota.stream", of_bota(service), (HEARD_SECONDS + 2) * 1_000)
    assert streamed["whileRecording"] >= 5
    assert all(re.fullmatch(r'"[0-9a-f]{32}"', etag) for etag in streamed["etags"])
    transcript = await api.transcript(streamed)
    assert transcript["status"] == "completed"
    assert words(transcript["text"]) >= {"good", "morning"}
    recording = await api.get(streamed)
    assert (recording["name"], recording["status"]) == ("from a page", "completed")


@pytest.mark.slow
async def test_a_file_is_put_whole_with_progress_that_the_page_can_show(service, api, page):
    audio = spoken_wav(HEARD_SECONDS)
    done = await run(page, "bota.uploadFile", of_bota(service), b64encode(audio).decode())
    assert (done["status"], done["completed"]["status"], done["size"]) == (200, "uploaded", len(audio))
    assert done["progress"][-1] == [len(audio), len(audio)]
    assert done["progress"] == sorted(done["progress"])
    assert (await api.ended(done))["content_sha256"] == sha256(audio)


@in_module
async def heard(service):
    api = service.api()
    recording = await api.upload([short_speech()], codec="wav")
    await api.finalize(recording, 1)
    await api.ended(recording)
    return recording


async def test_a_page_listens_to_a_recording_while_chunks_arrive_and_finds_its_place_again(service, api, heard, page):
    settings, recording = of_bota(service), await api.create()
    first = await run(page, "bota.listen", settings, recording["id"], "progress")
    assert [event["data"]["chunks_stored"] for event in first["events"]] == [0]
    await api.put(recording, 1, b"1")
    again = await run(page, "bota.listen", settings, recording["id"], "progress", first["events"][-1]["id"])
    assert [event["data"]["chunks_stored"] for event in again["events"]] == [1]
    whole = (await run(page, "bota.listen", settings, heard["id"], None))["events"]
    assert words(" ".join(one["data"]["text"] for one in whole if one["event"] == "segment")) >= {"good", "morning"}
    assert whole[-1]["event"] == "transcript"
    assert (await run(page, "bota.listen", settings, heard["id"], None, whole[-1]["id"]))["status"] == 204


@pytest.mark.parametrize("host", ["localhost", FOREIGN_HOST])
async def test_a_download_can_be_fetched_in_parts_from_any_page(api, heard, browser, pages, host):
    url = (await api.get(heard, "/download-url"))["download_url"]
    async with opened(browser, f"http://{host}:{pages}/index.html") as page:
        await fetched_in_parts(page, url, short_speech())


async def fetched_in_parts(page, url, whole):
    part = await run(page, "bota.call", {}, "GET", url, None, {"Range": "bytes=0-3"})
    assert (part["status"], part["text"]) == (206, "RIFF")
    readable = {name: part["headers"][name] for name in ("accept-ranges", "content-range", "content-length")}
    assert readable == {"accept-ranges": "bytes", "content-range": f"bytes 0-3/{len(whole)}", "content-length": "4"}
    etag = part["headers"]["etag"]
    assert etag == f'"{sha256(whole)}"'
    conditions = {"Range": "bytes=-4", "If-Range": etag}  # neither a simple range nor a simple header: asked before
    assert (await run(page, "bota.call", {}, "GET", url, None, conditions))["status"] == 206


async def test_the_read_api_and_its_refusals_can_be_read_by_a_page_with_a_key(service, api, heard, page):
    settings = of_bota(service)
    listed = await run(page, "bota.call", settings, "GET", "/v1/recordings?limit=100")
    assert heard["id"] in [one["id"] for one in json.loads(listed["text"])["data"]]
    assert {"x-correlation-id", "x-ratelimit-limit", "x-ratelimit-remaining"} <= set(listed["headers"])
    found = json.loads((await run(page, "bota.call", settings, "GET", f"/v1/recordings/{heard['id']}"))["text"])
    path = f"/v1/transcriptions/{found['transcription_id']}"
    transcript = json.loads((await run(page, "bota.call", settings, "GET", path))["text"])
    assert words(transcript["text"]) >= {"good", "morning"}
    versioned = {"Bota-Version": "2026-01-01", "Idempotency-Key": "1", "x-correlation-id": str(uuid4())}
    subtitles = await run(page, "bota.call", settings, "GET", f"{path}?format=srt", None, versioned)
    assert subtitles["headers"]["x-correlation-id"] == versioned["x-correlation-id"]
    for key, path, refusal in [
        ("sk_live_wrong", "/v1/recordings", (401, "unauthorized")),
        (settings["key"], "/v1/recordings/rec_none", (404, "recording_not_found")),
    ]:
        refused = await run(page, "bota.call", settings | {"key": key}, "GET", path)
        assert (refused["status"], json.loads(refused["text"])["error"]["type"]) == refusal
        assert {"x-correlation-id", "x-ratelimit-limit"} <= set(refused["headers"])


async def test_dragons_chunk_in_a_form_is_stored_from_a_page_that_can_read_the_trace_id(service, api, page):
    dragon = await Dragon.connect(service)
    audio = silence(5)
    session, *traced = await run(page, "dragon.upload", of_dragon(dragon), b64encode(audio).decode())
    assert (session["status"], len(traced)) == (200, 2)
    for answer in traced:
        assert (answer["status"], answer["text"]) == (200, '{"error":null}')
        assert answer["traceId"] == answer["askedTraceId"]
    assert (await ended(api, dragon.correlation_id))["content_sha256"] == sha256(audio)


@asynccontextmanager
async def service_for(origins, folder):
    """A service of the test's own, which lets pages of these origins call."""
    async with running_service(folder / "data", TurnedClock(), cors_origins=origins) as running:
        yield AsSeen(running)


class AsSeen:
    """What the pages' settings are made from."""

    def __init__(self, running):
        self.running = running
        self.url = running.settings.base_url
        self.data_dir = running.settings.data_dir

    @property
    def credentials(self):
        return orjson.loads((self.data_dir / "dev-credentials.json").read_bytes())["bota"]


ONE_SECOND = [0] * 16_000


async def test_a_page_of_an_origin_that_is_not_named_is_refused_and_nothing_is_stored(tmp_path, page):
    async with service_for("https://named.example", tmp_path) as service:
        bota, dorsum = of_bota(service), of_dorsum(service)
        dragon = of_dragon(await Dragon.connect(service))
        recording = await service.running.api.create(codec="wav")
        of_recording = f"/v1/recordings/{recording['id']}"
        written = service.running.stores.log.head
        audio = b64encode(short_speech()).decode()
        for call, *given in [
            ("dorsum.record", dorsum, 1),
            ("dorsum.sendAudioChunk", dorsum, ONE_SECOND, str(uuid4()), True),
            ("bota.stream", bota, 500),
            ("bota.uploadFile", bota, audio),
            ("dragon.upload", dragon, audio),
            ("bota.call", bota, "GET", "/v1/recordings"),
            ("bota.call", bota, "GET", of_recording),
            ("bota.call", bota, "GET", f"{of_recording}/chunks"),
            ("bota.call", bota, "POST", f"{of_recording}/finalize", {"total_chunks": 1, "final_duration_ms": 1}),
            ("bota.call", bota, "POST", "/v1/recordings", {"end_user_id": bota["endUserId"]}),
            ("bota.call", bota, "DELETE", of_recording),
            ("bota.call", {"url": bota["url"]}, "GET", "/health"),
            ("bota.call", {"url": bota["url"]}, "GET", "/v1/recordings"),
        ]:
            with pytest.raises(Error, match="TypeError: Failed to fetch"):
                await run(page, call, *given)
        assert service.running.stores.log.head == written
        assert (await service.running.api.get(recording, "/chunks"))["chunks_received"] == 0
        signed = recording["chunk_upload_url_template"].replace("{part}", "1")
        assert (await run(page, "bota.call", {}, "PUT", signed, {"any": "bytes"}))["status"] == 200
        forged = await run(page, "bota.call", {}, "PUT", f"{signed}x", {"any": "bytes"})
        assert (forged["status"], json.loads(forged["text"])["error"]["type"]) == (403, "forbidden")


async def test_a_page_that_is_not_of_this_machine_is_refused_in_development(service, foreign_page):
    with pytest.raises(Error, match="TypeError: Failed to fetch"):
        await run(foreign_page, "bota.call", of_bota(service), "GET", "/v1/recordings")


async def test_with_a_star_any_page_may_call_and_read(tmp_path, page, foreign_page):
    async with service_for("*", tmp_path) as service:
        for asking in (page, foreign_page):
            answer = await run(asking, "bota.call", of_bota(service), "GET", "/v1/recordings")
            assert (answer["status"], answer["headers"]["x-ratelimit-limit"]) == (200, str(NO_LIMIT))


async def test_a_named_page_may_call_and_its_neighbour_may_not(tmp_path, pages, page, foreign_page):
    async with service_for(f"http://{FOREIGN_HOST}:{pages}", tmp_path) as service:
        settings = of_bota(service)
        assert (await run(foreign_page, "bota.call", settings, "GET", "/v1/recordings"))["status"] == 200
        with pytest.raises(Error, match="TypeError: Failed to fetch"):
            await run(page, "bota.call", settings, "GET", "/v1/recordings")


@pytest.mark.parametrize(
    ("operation", "needs"),
    [
        ("GET /v1/recordings", "Needs a key, in the header Authorization: Bearer …. Scope: recordings:read."),
        ("GET /health", "Needs no key."),
        ("PUT /audio/storeChunk", "Needs a token, in the header Authorization: Bearer …."),
        (
            "POST /api/consultations/transcribe",
            "Needs keys, in the headers Api-Key and Client-Key. Scope: consultations:write.",
        ),
    ],
)
async def test_the_reference_says_what_a_call_needs_and_where_to_put_it(service, browser, operation, needs):
    page = await browser.new_page()
    await page.goto(f"{service.url}/docs")
    shown = page.locator(f'details[data-words^="{operation.lower()} "] > div > p').first
    assert ((await shown.text_content()) or "").strip() == needs
    assert await page.get_by_text("A server-to-server token of an issuer on the allow list").count() == 1
    await page.close()
