"""The console in a real Firefox: one walk through all of it, since what each view does is tested in Chromium."""

import hashlib

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.end_to_end.console import DESK, PATIENCE_MS, PHONE
from tests.end_to_end.service_process import short_speech
from tests.end_to_end.test_console_record import (
    finish,
    record,
    stored_seconds,
    until_recorded,
    until_something_is_on_the_server,
)
from tests.tools.firefox import needed_firefox, running_firefox

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
expect.set_options(timeout=PATIENCE_MS)

LONG_ENOUGH_TO_BE_QUIET = 8
NAME = "Through a cut and a reload"
PLAYER = "document.querySelector('audio')"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser():
    async with running_firefox(needed_firefox()) as browser:
        yield browser


async def looks_right(console):
    for window in (PHONE, DESK):
        await console.page.set_viewport_size(window)
        await console.check_fits()


async def test_a_person_records_through_a_cut_and_a_reload_and_hears_it(console, service):
    page = console.page
    page.on("dialog", lambda dialog: dialog.accept())
    await console.sign_in(service.credentials["api_key"], "/record")
    await record(page, NAME)
    await until_something_is_on_the_server(page)
    await page.context.set_offline(True)
    await page.get_by_text("No connection. What is not sent yet").wait_for()
    await page.context.set_offline(False)
    await page.get_by_text("No connection. What is not sent yet").wait_for(state="hidden")
    await until_recorded(page, LONG_ENOUGH_TO_BE_QUIET)
    await expect(page.get_by_text("Nothing is heard.")).to_have_count(0)
    await looks_right(console)
    kept = await stored_seconds(page)
    await page.reload()
    await page.get_by_role("button", name="Go on recording").wait_for()
    assert await stored_seconds(page) >= kept - 1
    await page.get_by_role("button", name="Go on recording").click()
    await until_recorded(page, kept + 2)
    await finish(page)
    await page.get_by_text("All of it is on the server.").wait_for()
    await page.get_by_role("link", name="Recordings", exact=True).click()
    made = page.get_by_role("row").filter(has_text=NAME)
    await made.locator(".state", has_text="done").wait_for()  # without a reload
    await looks_right(console)
    await made.get_by_role("link").click()
    await page.get_by_role("button", name="Play", exact=True).click()
    await console.until(f"{PLAYER}.ended")
    await page.locator(".waveform canvas").wait_for()
    await expect(page.get_by_text("cannot")).to_have_count(0)
    await looks_right(console)


async def test_a_click_on_a_word_plays_from_there(console, service, api):
    recording = await api.upload([short_speech()], name="Read in Firefox")
    await api.finalize(recording, 1)
    document = await api.call(
        "GET", f"/v1/transcriptions/{(await api.ended(recording))['transcription_id']}?format=json"
    )
    words = [word for segment in document.json["segments"] for word in segment["words"]]
    page = console.page
    await console.sign_in(service.credentials["api_key"], f"/recordings/{recording['id']}")
    shown = page.locator(".transcript .word")
    await shown.nth(3).click()
    await console.until(f"{PLAYER}.currentTime >= {words[3]['start']}")
    await console.until(f"{PLAYER}.ended")
    await page.locator(".transcript .word.spoken", has_text=words[-1]["text"]).wait_for()
    await console.check_with_axe()


async def test_a_chunk_of_a_recording_that_failed_is_heard(console, service, api):
    recording = await api.upload([short_speech()], name="Damaged")
    await api.finalize(recording, 1, checksum_md5=hashlib.md5(b"other bytes").hexdigest())
    await api.ended(recording)
    page = console.page
    await console.sign_in(service.credentials["api_key"], f"/recordings/{recording['id']}")
    await page.get_by_role("button", name="Hear chunk 1").click()
    await page.locator(".chunks audio").wait_for()
    await console.until("document.querySelector('.chunks audio')?.ended")
    await looks_right(console)


async def test_every_other_view_is_drawn(console, service):
    page = console.page
    await console.sign_in(service.credentials["api_key"], "/operations")
    await page.get_by_text("up to date").first.wait_for()
    await looks_right(console)
    for view, what in {"Webhooks": "New webhook", "Keys": "New key"}.items():
        await page.get_by_role("navigation").get_by_role("link", name=view).click()
        await page.locator("summary", has_text=what).click()
        await looks_right(console)
    await page.get_by_role("link", name="Sessions").click()
    await page.get_by_label("State").wait_for()
    await looks_right(console)
    await page.get_by_role("link", name="Search").click()
    await page.get_by_role("searchbox").wait_for()
    await looks_right(console)
