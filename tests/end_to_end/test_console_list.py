"""The console's list of recordings: it shows what happens as it happens, and any number of recordings."""

import asyncio
import re
from datetime import timedelta
from uuid import uuid4

import pytest

from adapters.event_log.log import EventLog
from adapters.event_log.opening import open_log
from service.application.clock import utc_now
from tests.domain.histories import opened
from tests.end_to_end.console import DESK, PATIENCE_MS, PHONE, opened_console
from tests.end_to_end.service_process import SAMPLE, short_speech

pytestmark = pytest.mark.asyncio(loop_scope="module")

MANY = 10_000
AT_ONCE = 250


@pytest.fixture
def project(service, key):
    return service.api(key)


def row(console, name):
    return console.page.get_by_role("row").filter(has_text=name)


@pytest.mark.slow
async def test_a_recording_appears_and_its_state_changes_while_someone_looks(console, project, key):
    await console.sign_in(key)
    await console.page.get_by_text("There are none yet.").wait_for()
    recording = await project.create(name="Visit of Monday", codec="wav")
    await row(console, "Visit of Monday").filter(has_text="being recorded").wait_for()
    await project.put(recording, 1, short_speech())
    await project.finalize(recording, 1)
    await row(console, "Visit of Monday").filter(has_text="done").wait_for()
    await project.call("DELETE", f"/v1/recordings/{recording['id']}")
    await row(console, "Visit of Monday").wait_for(state="detached")


@pytest.mark.slow
async def test_the_list_is_filtered_by_state_and_end_user_and_the_filter_is_in_the_address(console, project, key):
    failed = await project.upload([b"no audio"], name="Broken", end_user_id="eu_1")
    await project.finalize(failed, 1)
    await project.ended(failed)
    await project.create(name="Open", end_user_id="eu_2")
    await console.sign_in(key)
    await row(console, "Open").wait_for()
    await console.page.get_by_label("State").select_option(label="failed")
    await row(console, "Open").wait_for(state="detached")
    await row(console, "Broken").wait_for()
    assert console.page.url.endswith("?status=failed")
    await console.page.reload()
    await row(console, "Broken").wait_for()
    await console.page.get_by_label("End user").fill("eu_2")
    await console.page.get_by_label("End user").press("Enter")
    await console.page.get_by_text("No recording is like this.").wait_for()
    await console.page.get_by_role("button", name="Show all").click()
    await row(console, "Open").wait_for()


@pytest.mark.slow
async def test_what_comes_to_have_a_state_comes_into_the_list_of_that_state(console, project, key):
    await console.sign_in(key)
    await console.page.get_by_label("State").select_option(label="failed")
    await console.page.get_by_text("No recording is like this.").wait_for()
    recording = await project.upload([b"no audio"], name="Broken")
    await project.finalize(recording, 1)
    await row(console, "Broken").filter(has_text="failed").wait_for()


@pytest.mark.slow
async def test_a_lost_connection_is_told_and_nothing_is_missed(console, project, key):
    console.expected += ["ERR_INTERNET_DISCONNECTED", "Failed to load resource", "ERR_"]
    await console.sign_in(key)
    recording = await project.create(name="Visit of Monday")
    await row(console, "Visit of Monday").wait_for()
    await console.page.context.set_offline(True)
    lost = console.page.locator(".note").filter(has_text="The service cannot be reached")
    await lost.wait_for()
    await project.create(name="Visit of Tuesday")
    await project.call("DELETE", f"/v1/recordings/{recording['id']}")
    await console.page.context.set_offline(False)
    await row(console, "Visit of Tuesday").wait_for()
    await row(console, "Visit of Monday").wait_for(state="detached")
    await lost.wait_for(state="detached")


@pytest.mark.slow
async def test_a_list_that_is_behind_is_told_and_read_again(console, project, key):
    page, is_behind = console.page, True

    async def answer(route):
        if is_behind:
            error = {"type": "busy", "code": "busy", "message": "The status view is behind; try again."}
            await route.fulfill(status=503, json={"error": error})
        else:
            await route.continue_()

    await page.route(re.compile(r"/v1/recordings\?"), answer)
    for name in ("Visit of Monday", "Visit of Tuesday"):
        is_behind = True
        await project.create(name=name)
        if name == "Visit of Monday":
            await console.sign_in(key)
        await page.get_by_role("alert").filter(has_text="is behind; try again").wait_for()
        is_behind = False
        await row(console, name).wait_for()
        await page.get_by_role("alert").wait_for(state="detached")


async def test_a_tab_that_nobody_sees_holds_no_connection_and_misses_nothing(console, project, key):
    page = console.page
    recording = await project.create(name="Visit of Monday")
    await console.sign_in(key)
    await row(console, "Visit of Monday").wait_for()
    async with page.expect_event("requestfailed", lambda request: "/v1/events" in request.url):
        await console.hide()
    await project.create(name="Visit of Tuesday")
    await project.call("DELETE", f"/v1/recordings/{recording['id']}")
    await console.hide(False)
    await row(console, "Visit of Tuesday").wait_for()
    await row(console, "Visit of Monday").wait_for(state="detached")


@pytest.mark.slow
async def test_a_list_of_ten_thousand_scrolls_to_its_end(console, service, project, key):
    project_id = (await project.get(await project.create()))["project_id"]
    oldest = await many_opened(service, project_id, MANY - 1)
    await console.sign_in(key)
    await console.page.get_by_text("so far").wait_for()
    end = console.page.locator(f'a[href$="rec_{oldest.hex}"]')
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while not await end.count():
            await console.page.keyboard.press("End")
            await asyncio.sleep(0.02)
    await console.page.get_by_text(f"{MANY:,} recordings").wait_for()
    assert await console.page.get_by_role("row").count() < 100
    await end.click()
    await console.page.wait_for_url(f"**/rec_{oldest.hex}")


async def many_opened(service, project_id, count):
    """The oldest of so many recordings, of which the log is told as another process of the service would tell it."""
    log = EventLog(open_log(service.log_url).recorder)
    now, ids, waiting = utc_now(), [uuid4() for _ in range(count)], []
    for number, its_id in enumerate(ids, 1):
        facts = {"tenant_id": project_id, "external_id": its_id.hex, "at": now - timedelta(minutes=number)}
        appended = log.append(its_id, 0, [opened(**facts, expires_at=now + timedelta(hours=1))], trace_id=None)
        waiting.append(asyncio.ensure_future(appended))
        if len(waiting) == AT_ONCE:
            await asyncio.gather(*waiting)
            waiting.clear()
    await asyncio.gather(*waiting)
    await log.close()
    return ids[-1]


@pytest.mark.slow
async def test_what_was_said_is_found_and_leads_to_its_place(console, project, key):
    recording = await project.upload([SAMPLE.read_bytes()], end_user_id="eu_found")
    await project.finalize(recording, 1, final_duration_ms=62_000)
    await project.ended(recording)
    await console.sign_in(key)
    await console.page.get_by_role("link", name="Search").click()
    await console.page.get_by_label("Words").fill("headaches")
    await console.page.get_by_label("End user").fill("eu_found")
    await console.page.get_by_role("button", name="Search").click()
    passage = console.page.get_by_role("listitem").first
    assert "headache" in (await passage.inner_text()).lower()
    await console.check_with_axe()
    await console.page.reload()
    await passage.get_by_role("link").click()
    await console.page.wait_for_url(f"**/recordings/{recording['id']}?at=*")
    await console.open("/search?query=zebra&end_user_id=eu_found")
    await console.page.get_by_text("Nothing was found.").wait_for()


async def test_a_search_that_is_behind_is_made_again(console, key):
    refusals = [{"type": "busy", "code": "busy", "message": "The search index is behind; try again."}]

    async def answer(route):
        if refusals:
            await route.fulfill(status=503, json={"error": refusals.pop()})
        else:
            await route.continue_()

    await console.page.route("**/v1/recordings/search", answer)
    await console.sign_in(key, "/search?query=zebra&end_user_id=eu_1")
    await console.page.get_by_text("Nothing was found.").wait_for()
    assert refusals == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", [PHONE, DESK], ids=["phone", "desk"])
async def test_the_list_fits_the_window_and_keeps_nobody_out(browser, service, window, scheme):
    for number in range(30):
        name = f"Visit {number} of someone with a name that is long, on a Monday in November"
        await service.api().create(name=name)
    async with opened_console(browser, service, viewport=window, color_scheme=scheme) as console:
        await console.sign_in(service.credentials["api_key"])
        await row(console, "Visit 29").wait_for()
        await console.check_with_axe()
        await console.check_fits()
