"""The console's figures for who operates the service: what waits, what is stored, how far the followers are."""

import pytest
from playwright.async_api import expect

from tests.end_to_end.console import EVERY_LOOK, PATIENCE_MS, opened_console

pytestmark = pytest.mark.asyncio(loop_scope="module")


def figure(page, table, row):
    """The first figure in a row of the section with this heading."""
    section = page.locator("section").filter(has=page.get_by_role("heading", name=table))
    return section.get_by_role("row").filter(has_text=row).get_by_role("cell").first


async def shows(locator, text):
    await expect(locator).to_have_text(text, timeout=PATIENCE_MS)


@pytest.mark.slow
async def test_the_figures_follow_what_happens_without_a_reload(console, service, key):
    page, api = console.page, service.api(key)
    await console.sign_in(key)
    await page.get_by_role("navigation").get_by_role("link", name="Operations").click()
    open_ones = figure(page, "Recordings that are not done", "being recorded")
    await shows(open_ones, "0")
    await shows(figure(page, "Store", "Recordings that are open"), "0")
    recording = await api.create()
    await shows(open_ones, "1")
    await shows(figure(page, "Store", "Recordings that are open"), "1")
    await api.put(recording, 1, b"no audio")
    await api.finalize(recording, 1)
    await shows(figure(page, "Recordings that are not done", "failed"), "1")
    await shows(open_ones, "0")
    await page.get_by_text("up to date").first.wait_for()
    await page.get_by_role("link", name="failed").click()
    await page.get_by_role("link", name="Recording of").wait_for()


async def test_another_projects_work_is_in_no_figure(console, service, key, project):
    await project.create()
    await console.sign_in(key, "/operations")
    await shows(figure(console.page, "Recordings that are not done", "being recorded"), "0")
    await shows(figure(console.page, "Store", "Recordings that are open"), "0")
    await console.page.get_by_text("0 begun in the last hour").wait_for()


@pytest.mark.slow
async def test_a_service_that_is_away_is_said_and_asked_again(console, service, key):
    console.expected.append("ERR_")
    page = console.page
    await console.sign_in(key, "/operations")
    await shows(figure(page, "Store", "Recordings that are open"), "0")
    await page.context.set_offline(True)
    await page.get_by_text("cannot be reached").wait_for()
    await page.context.set_offline(False)
    await service.api(key).create()
    await shows(figure(page, "Store", "Recordings that are open"), "1")
    await expect(page.get_by_role("alert")).to_have_count(0, timeout=PATIENCE_MS)


async def test_a_key_without_the_scope_is_told_so(console, new_key, project_id):
    console.expected.append("403")
    await console.sign_in(
        new_key("restricted", project_id=project_id, scopes=frozenset({"webhooks:read"})), "/operations"
    )
    assert "operations:read" in await console.page.get_by_role("alert").inner_text()


@pytest.mark.slow
@pytest.mark.parametrize("look", EVERY_LOOK, ids=str)
async def test_operations_fit_the_window_and_keep_nobody_out(browser, service, key, look):
    await service.api(key).create()
    async with opened_console(browser, service, **look) as console:
        await console.sign_in(key, "/operations")
        await shows(figure(console.page, "Recordings that are not done", "being recorded"), "1")
        await console.check_with_axe()
        await console.check_fits()
