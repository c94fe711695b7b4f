"""The console's keys: made, used, revoked; and what a key is shown that may not do everything."""

import pytest
from playwright.async_api import expect

from tests.end_to_end.console import EVERY_LOOK, PATIENCE_MS, opened_console

pytestmark = pytest.mark.asyncio(loop_scope="module")


def row_of(page, text):
    return page.get_by_role("row").filter(has_text=text)


async def test_a_key_is_made_works_as_its_scopes_say_and_is_revoked(console, service, key):
    page = console.page
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await console.sign_in(key)
    await page.get_by_role("navigation").get_by_role("link", name="Keys").click()
    await row_of(page, "this tab’s key").get_by_text("in force").wait_for()
    await page.get_by_text("New key").click()
    await page.get_by_label("Name").fill("a report")
    await page.get_by_label("recordings:read").check()
    await page.get_by_label("It expires").select_option("in a week")
    await page.get_by_role("button", name="Make the key").click()
    await page.get_by_role("button", name="Copy").click()
    await page.get_by_role("button", name="Copied").wait_for()
    made = service.api(await page.evaluate("navigator.clipboard.readText()"))
    assert (await made.call("GET", "/v1/recordings")).status == 200
    assert (await made.call("GET", "/v1/webhooks")).status == 403
    await page.get_by_role("button", name="Done").click()
    await console.page.locator("h1:focus").wait_for()
    await row_of(page, "a report").get_by_text("in force until").wait_for()
    await expect(row_of(page, "a report").get_by_text("recordings:read", exact=True)).to_have_count(
        1, timeout=PATIENCE_MS
    )
    await page.get_by_role("button", name="Revoke a report").click()
    await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await row_of(page, "a report").get_by_text("✕ revoked").wait_for()
    assert (await made.call("GET", "/v1/recordings")).status == 401
    assert await page.get_by_role("button", name="Revoke a report").count() == 0


async def test_a_key_for_everything_is_made_without_scopes(console, service, key):
    page = console.page
    await console.sign_in(key, "/keys")
    await page.get_by_text("New key").click()
    await page.get_by_label("everything in the project").check()
    await expect(page.locator("input[name=scopes]")).to_have_count(0, timeout=PATIENCE_MS)
    await page.get_by_role("button", name="Make the key").click()
    await page.get_by_role("button", name="Copy").wait_for()
    token = await page.get_by_label("New key", exact=True).get_by_role("textbox").input_value()
    assert (await service.api(token).call("GET", "/v1/keys")).status == 200


async def test_what_is_missing_is_told_in_the_services_own_words(console, key):
    console.expected.append("400")
    await console.sign_in(key, "/keys")
    await console.page.get_by_text("New key").click()
    await console.page.get_by_role("button", name="Make the key").click()
    told = await console.page.get_by_role("alert").inner_text()
    assert told == "scopes: A restricted key needs a scope; without one it could do nothing."


async def test_revoking_ones_own_key_is_asked_about_and_signs_out(console, service, key):
    page = console.page
    await console.sign_in(key, "/keys")
    await row_of(page, "this tab’s key").get_by_role("button").click()
    await page.get_by_text("you are signed out").wait_for()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert (await service.api(key).call("GET", "/v1/keys/current")).status == 200
    await row_of(page, "this tab’s key").get_by_role("button").click()
    await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await page.get_by_label("API key").wait_for()
    assert (await service.api(key).call("GET", "/v1/keys/current")).status == 401


@pytest.mark.slow
async def test_a_key_that_is_revoked_elsewhere_signs_the_tab_out(console, service, key):
    console.expected.append("401")
    await console.sign_in(key, "/keys")
    await row_of(console.page, "this tab’s key").wait_for()
    own = (await service.api(key).call("GET", "/v1/keys/current")).json["id"]
    await service.api(key).call("DELETE", f"/v1/keys/{own}?own=true")
    await console.page.get_by_label("API key").wait_for()


async def test_a_restricted_key_is_shown_only_what_its_scopes_allow(console, project_id, new_key):
    console.expected.append("403")
    page = console.page
    scopes = frozenset({"recordings:read", "webhooks:read"})
    await console.sign_in(new_key("restricted", project_id=project_id, scopes=scopes))
    links = page.get_by_role("navigation").get_by_role("link")
    await links.get_by_text("Webhooks").wait_for()
    shown = set(await links.all_inner_texts())
    assert {"Recordings", "Webhooks"} <= shown
    assert not {"Operations", "Keys"} & shown
    await console.open("/keys")
    told = await page.get_by_role("alert").inner_text()
    assert told == "Only a secret key of the project may do this."
    assert await page.get_by_text("New key").count() == 0


async def test_the_token_of_a_device_is_no_key_for_people(console, project_id, new_key):
    console.expected.append("403")
    token = new_key("device", project_id=project_id, device_id="dev_1", end_user_id="eu_1")
    await console.open()
    await console.page.get_by_label("API key").fill(token)
    await console.page.get_by_role("button", name="Sign in").click()
    assert "no permission" in await console.page.get_by_role("alert").inner_text()


@pytest.mark.slow
@pytest.mark.parametrize("look", EVERY_LOOK, ids=str)
async def test_keys_fit_the_window_and_keep_nobody_out(browser, service, key, look):
    api = service.api(key)
    for facts in ({"name": "a" * 100}, {"name": "a report", "expires_at": "2099-01-01T00:00:00Z"}):
        scopes = ["recordings:read", "recordings:write", "transcriptions:read", "summaries:read"]
        made = (await api.call("POST", "/v1/keys", body={"scopes": scopes} | facts)).json
    await api.call("DELETE", f"/v1/keys/{made['id']}")
    async with opened_console(browser, service, **look) as console:
        page = console.page
        await console.sign_in(key, "/keys")
        await row_of(page, "a report").get_by_text("revoked").wait_for()
        await page.get_by_text("New key").click()
        await console.check_with_axe()
        await console.check_fits()
        await page.get_by_label("everything in the project").check()
        await page.get_by_role("button", name="Make the key").click()
        await page.get_by_role("button", name="Copy").wait_for()
        await console.check_with_axe()
        await console.check_fits()
        await row_of(page, "this tab’s key").get_by_role("button").click()
        await page.get_by_role("dialog").wait_for()
        await console.check_with_axe()
