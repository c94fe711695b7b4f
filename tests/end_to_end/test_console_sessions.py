"""The console's ambient sessions, as who operates the service sees a Dragon client record in one."""

import pytest
from playwright.async_api import expect

from tests.end_to_end.console import EVERY_LOOK, PATIENCE_MS, opened_console
from tests.end_to_end.dragon_client import Dragon, found, silence

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOSTILE = "<img src=x onerror='window.hasRun=true'><script>window.hasRun=true</script>"


def row_of(page, name):
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


async def shows(locator, text):
    await expect(locator).to_contain_text(text, timeout=PATIENCE_MS)


@pytest.mark.slow
async def test_a_session_and_its_recordings_are_followed_without_a_reload(console, service):
    page, api, dragon = console.page, service.api(), await Dragon.connect(service)
    await console.sign_in(service.credentials["api_key"])
    await page.get_by_role("navigation").get_by_role("link", name="Sessions").click()
    await console.heading("Sessions").wait_for()
    await dragon.announce(externalUserId=HOSTILE)
    row = row_of(page, dragon.correlation_id)
    await shows(row, "open")
    await shows(row, "0 recordings")
    await dragon.store(1, silence())
    await shows(row, "1 recording")
    await row.get_by_role("link").click()
    await console.heading("Session").wait_for()
    assert await page.get_by_role("definition").filter(has_text="<img").inner_text() == HOSTILE
    assert await page.evaluate("document.images.length") == 0
    assert await page.evaluate("typeof window.hasRun") == "undefined"
    recording = row_of(page, "Recording 1")
    await shows(recording, "being recorded")
    await dragon.finalize(1)
    await shows(recording, "done")
    await dragon.end()
    await shows(page.get_by_role("main"), "ended")
    its_id = (await found(api, dragon.correlation_id))["id"]
    await recording.get_by_role("link").click()
    await page.get_by_role("heading", level=1, name="Recording of").wait_for()
    assert page.url.endswith(f"/console/recordings/{its_id}")
    await page.go_back()
    await recording.wait_for()
    assert (await api.call("DELETE", f"/v1/recordings/{its_id}")).status == 204
    await page.get_by_text("There are none in this session.").wait_for()
    await page.get_by_role("link", name="All sessions").click()
    await shows(row, "ended")
    await shows(row, "0 recordings")
    await page.get_by_label("State").select_option("open")
    await expect(row).to_have_count(0, timeout=PATIENCE_MS)
    await page.get_by_label("State").select_option("ended")
    await row.wait_for()


TOLD_OF_THE_USER = """async ([key, visit]) => {
  const { Api } = await import("/console/api.js");
  const ended = new AbortController();
  const found = new Promise((resolve, reject) => {
    const onEvent = ({ data }) => JSON.parse(data).data.correlation_id === visit && resolve(JSON.parse(data));
    const path = "/v1/events?since=beginning&types=tapedeck.ambient_session.opened.v1";
    new Api(key, {}).follow(path, { signal: ended.signal, onEvent }).catch(reject);
  });
  const told = await found;
  ended.abort();
  return told.data.external_user_id;
}"""


async def test_an_event_with_characters_that_some_take_for_the_end_of_a_line_is_told(console, service):
    key, dragon, hers = service.credentials["api_key"], await Dragon.connect(service), "a\u2028b\u2029c\u0085d: e"
    await dragon.announce(externalUserId=hers)
    await console.sign_in(key, "/sessions")
    await row_of(console.page, dragon.correlation_id).wait_for()
    assert await console.page.evaluate(TOLD_OF_THE_USER, [key, dragon.correlation_id]) == hers


async def test_who_has_no_sessions_or_may_see_none_is_told_so(console, new_key, key, project_id):
    console.expected += ["403", "404"]
    page = console.page
    await console.sign_in(key, "/sessions")
    await page.get_by_text("There are none yet").wait_for()
    await console.open(f"/sessions/ses_{'0' * 32}")
    await shows(page.get_by_role("alert"), "There is no such ambient session.")
    await page.get_by_role("button", name="Sign out").click()
    scopes = frozenset({"webhooks:read"})
    await console.sign_in(new_key("restricted", project_id=project_id, scopes=scopes), "/sessions")
    await shows(page.get_by_role("alert"), "recordings:read")
    await page.get_by_role("navigation").get_by_role("link", name="Webhooks").wait_for()
    await expect(page.get_by_role("navigation").get_by_role("link", name="Sessions")).to_have_count(0)


@pytest.mark.slow
async def test_sessions_fit_the_window_and_keep_nobody_out(browser, service):
    dragon = await Dragon.connect(service, f"visit-{'a' * 122}")
    await dragon.announce(externalUserId="b" * 512)
    await dragon.store(1, silence())
    for look in EVERY_LOOK:
        async with opened_console(browser, service, **look) as console:
            await console.sign_in(service.credentials["api_key"], "/sessions")
            row = row_of(console.page, dragon.correlation_id)
            await shows(row, "1 recording")
            await console.check_with_axe()
            await console.check_fits()
            await row.get_by_role("link").click()
            await row_of(console.page, "Recording 1").wait_for()
            await console.check_with_axe()
            await console.check_fits()
