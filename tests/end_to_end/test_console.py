"""The console: signing in, finding one's way, and its manners, in a real Chromium."""

import subprocess
import sys

import pytest

from tests.end_to_end.console import DESK, PHONE, opened_console

pytestmark = pytest.mark.asyncio(loop_scope="module")


def new_link(service):
    made = subprocess.run(
        [sys.executable, "-m", "service.cli", "console"],
        env=service.environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return made.stdout.strip()


async def test_a_key_signs_in_for_this_tab_alone_and_signing_out_forgets_it(console, service):
    await console.sign_in(service.credentials["api_key"])
    await console.heading("Recordings").wait_for()
    await console.page.reload()
    await console.page.get_by_role("button", name="Sign out").wait_for()
    other = await console.page.context.new_page()
    await other.goto(f"{service.url}/console")
    await other.get_by_label("API key").wait_for()
    await console.page.get_by_role("button", name="Sign out").click()
    await console.page.get_by_label("API key").wait_for()
    await console.page.reload()
    await console.page.get_by_label("API key").wait_for()


async def test_a_key_that_is_none_is_told_in_words(console):
    console.expected.append("401")
    await console.open()
    await console.page.get_by_label("API key").fill("sk_live_none")
    await console.page.get_by_role("button", name="Sign in").click()
    assert await console.page.get_by_role("alert").inner_text() == "The service does not know this key."


async def test_the_link_of_a_development_machine_signs_in_with_one_click_and_only_once(console, service):
    link = new_link(service)
    await console.page.goto(link)
    await console.page.get_by_role("button", name="Sign out").wait_for()
    assert "sign-in" not in console.page.url
    assert service.credentials["api_key"] not in await console.page.content()
    await console.page.get_by_role("button", name="Sign out").click()
    console.expected.append("403")
    await console.page.goto("about:blank")
    await console.page.goto(link)
    assert "was used" in await console.page.get_by_role("alert").inner_text()


async def test_the_views_have_addresses_and_the_browsers_back_button_works(console, service, api):
    recording = await api.create(name="Visit of Monday")
    await console.sign_in(service.credentials["api_key"])
    await console.page.get_by_role("link", name="Visit of Monday").click()
    await console.page.wait_for_url(f"**/console/recordings/{recording['id']}")
    await console.heading("Visit of Monday").wait_for()
    await console.page.reload()
    await console.heading("Visit of Monday").wait_for()
    await console.page.go_back()
    await console.heading("Recordings").wait_for()
    await console.open("/nowhere")
    await console.heading("Not found").wait_for()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", [PHONE, DESK], ids=["phone", "desk"])
async def test_every_view_fits_the_window_and_keeps_nobody_out(browser, service, api, window, scheme):
    recording = await api.create(name="A name that is long, and a-word-that-is-longer-than-a-telephone-is-wide" * 2)
    async with opened_console(browser, service, viewport=window, color_scheme=scheme) as console:
        await console.open()
        await console.page.get_by_label("API key").wait_for()
        await console.check_with_axe()
        await console.sign_in(service.credentials["api_key"])
        await console.page.get_by_role("link", name="A name that is long").first.wait_for()
        await console.check_with_axe()
        await console.check_fits()
        await console.open(f"/recordings/{recording['id']}")
        await console.page.get_by_role("heading", name="A name that is long").wait_for()
        await console.check_with_axe()
        await console.check_fits()


async def test_what_a_name_says_is_text_and_never_markup(console, service, api):
    hostile = "<img src=x onerror='window.hasRun=true'><script>window.hasRun=true</script>"
    await api.create(name=hostile)
    await console.sign_in(service.credentials["api_key"])
    await console.page.get_by_role("link", name=hostile).first.click()
    await console.page.get_by_role("heading", name=hostile).wait_for()
    assert await console.page.evaluate("document.images.length") == 0
    assert await console.page.evaluate("typeof window.hasRun") == "undefined"


async def test_the_link_that_signs_in_works_in_a_tab_with_the_console_too(console, service):
    await console.open()
    await console.page.get_by_label("API key").wait_for()
    await console.page.goto(new_link(service))
    await console.page.get_by_role("button", name="Sign out").wait_for()
    assert "sign-in" not in console.page.url


async def test_skipping_to_the_content_leaves_the_view_as_it_is(console, service, new_key):
    page = console.page
    await console.sign_in(new_key("secret", project_id="proj_skipped"), "/keys")
    await page.get_by_text("New key").click()
    await page.get_by_label("everything in the project").check()
    await page.get_by_role("button", name="Make the key").click()
    await page.get_by_role("button", name="Copy").wait_for()
    await page.get_by_role("link", name="Skip to content").focus()
    await page.keyboard.press("Enter")
    await page.locator("main:focus").wait_for()
    await page.get_by_role("button", name="Copy").wait_for()
    assert page.url.endswith("/console/keys")
