"""One recording in the console, in a real Chromium: followed, heard, read and mended by a person."""

import asyncio

import numpy as np
import pytest
import pytest_asyncio

from adapters.audio.decoding import SAMPLE_RATE, pcm_blocks
from service import sample
from tests.adapters.audio.samples import wav
from tests.end_to_end.console import DESK, opened_console
from tests.end_to_end.service_process import short_speech, slices
from tests.tools.browser import needed_chromium, running_browser

pytestmark = pytest.mark.asyncio(loop_scope="module")

WORDS = ".transcript .word"
AT = "document.querySelector('audio').currentTime"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser():
    async with running_browser(needed_chromium(), ["--autoplay-policy=no-user-gesture-required"]) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def console(browser, service):
    async with opened_console(browser, service, viewport=DESK) as console:
        yield console


@pytest.fixture(scope="module")
def finished(service):
    """A recording that is transcribed, with its transcript's document."""

    async def send():
        api = service.api()
        recording = await api.upload(slices(short_speech(), 3), name="Visit of Monday")
        await api.finalize(recording, 3)
        found = await api.ended(recording)
        document = await api.call("GET", f"/v1/transcriptions/{found['transcription_id']}?format=json")
        return found, document.json

    return asyncio.run(send())


async def opened(console, service, recording):
    await console.sign_in(service.credentials["api_key"], f"/recordings/{recording['id']}")
    return console.page


def words_of(document):
    return [word for segment in document["segments"] for word in segment["words"]]


async def test_the_words_of_a_finished_recording_are_read_and_a_click_on_one_plays_from_there(
    console, service, finished
):
    recording, document = finished
    page = await opened(console, service, recording)
    await page.locator(WORDS).first.wait_for()
    words = words_of(document)
    assert await page.locator(WORDS).all_inner_texts() == [word["text"] for word in words]
    assert len(words) > 3
    await page.locator(WORDS).nth(3).click()
    await console.until(f"{AT} >= {words[3]['start']}")
    await page.locator(f"{WORDS}.spoken").wait_for()
    await console.until("document.querySelector('audio').ended")
    assert await page.locator(f"{WORDS}.spoken").inner_text() == words[-1]["text"]


async def test_all_of_it_works_by_keyboard_and_the_words_are_one_stop(console, service, finished):
    recording, document = finished
    page = await opened(console, service, recording)
    await page.locator(WORDS).first.wait_for()
    words = words_of(document)
    assert await page.locator(".transcript [tabindex='0']").count() == 1
    await page.locator(".transcript button").first.focus()
    for _ in range(3):
        await page.keyboard.press("ArrowRight")
    assert await page.evaluate("document.activeElement.textContent") == words[2]["text"]
    assert await page.locator(".transcript [tabindex='0']").count() == 1
    await page.keyboard.press("Enter")
    await console.until(f"{AT} >= {words[2]['start']}")
    await console.until("document.querySelector('audio').ended")
    await page.locator("h1").focus()
    await page.keyboard.press("ArrowLeft")
    await console.until(f"{AT} === 0")
    await page.get_by_label("Speed").select_option("0.75")
    await page.keyboard.press("Tab")
    await page.locator("h1").focus()
    await page.keyboard.press("Space")
    await console.until(f"{AT} > 0")
    assert await page.evaluate("document.querySelector('audio').playbackRate") == 0.75


@pytest.mark.slow
async def test_words_appear_while_they_are_recognized_and_the_state_without_a_reload(console, service, api):
    with sample.audio_file() as path:
        speech = np.concatenate(list(pcm_blocks(lambda: path.open("rb"))))[: 10 * SAMPLE_RATE]
    content = wav(np.concatenate([speech, np.zeros(90 * SAMPLE_RATE, np.int16), speech]).reshape(1, -1))
    recording = await api.create(name="Being made", codec="wav")
    page = await opened(console, service, recording)
    await page.get_by_text("being recorded").wait_for()
    for number, chunk in enumerate(slices(content, 8), 1):
        assert (await api.put(recording, number, chunk)).status == 200
    await page.get_by_text("8 chunks").wait_for()
    await page.locator(".transcript .segment").first.wait_for()
    await page.get_by_text("recognized").wait_for()
    assert await page.locator(WORDS).count() == 0
    assert (await api.get(recording))["status"] == "streaming"
    await api.finalize(recording, 8)
    await page.locator(WORDS).first.wait_for()
    await page.locator(".facts").get_by_text("done").wait_for()
    await page.get_by_role("button", name="Play", exact=True).wait_for()
