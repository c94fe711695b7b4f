"""The console's webhooks, as who operates the service uses them, with a real receiver."""

import asyncio
from secrets import token_hex
from types import SimpleNamespace
from typing import get_args

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import expect

from adapters.keys import KeyKind
from service.dialects.bota.answers import EventType
from service.followers.webhook_delivery import DELAYS
from tests.end_to_end.console import DESK, EVERY_LOOK, PATIENCE_MS, opened_console
from tests.service.dialects.bota.webhook_receiver import receivers
from tests.service.running_service import TurnedClock, running_service

pytestmark = pytest.mark.asyncio(loop_scope="module")

ATTEMPTS = len(DELAYS) + 1
HOSTILE = "<img src=x onerror='window.hasRun=true'><script>window.hasRun=true</script>"


@pytest_asyncio.fixture(loop_scope="module")
async def receiving():
    async with receivers() as start:
        yield start


async def registered(api, receiver, events=("recording.created",)):
    answer = await api.call("POST", "/v1/webhooks", body={"url": receiver.url, "events": list(events)})
    assert answer.status == 201, answer
    return answer.json


async def says_hostile_things(_):
    return web.Response(text=HOSTILE, status=500)


async def test_a_webhook_is_registered_its_secret_shown_once_and_it_is_deleted(console, service, key, receiving):
    receiver, page = await receiving(), console.page
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await console.sign_in(key, "/webhooks")
    await page.get_by_text("There are none yet.").wait_for()
    await page.get_by_text("New webhook").click()
    await page.get_by_label("Address").fill(receiver.url)
    offered = await page.locator("input[name=events]").evaluate_all("boxes => boxes.map((box) => box.value)")
    assert set(offered) == set(get_args(EventType))
    await page.get_by_label("recording.created").check()
    await page.get_by_role("button", name="Register").click()
    await page.get_by_role("button", name="Copy").click()
    await page.get_by_role("button", name="Copied").wait_for()
    secret = await page.evaluate("navigator.clipboard.readText()")
    await page.get_by_role("link", name=receiver.url).wait_for()
    await service.api(key).create()
    (received,) = await receiver.count(1)
    received.check_signature(secret)
    await page.get_by_role("button", name="Done").click()
    await expect(page.locator(".once")).to_have_count(0, timeout=PATIENCE_MS)
    assert secret not in await page.content()
    await page.get_by_role("button", name=f"Delete {receiver.url}").click()
    await page.get_by_role("button", name="Cancel").click()
    await page.get_by_role("button", name=f"Delete {receiver.url}").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await page.get_by_text("There are none yet.").wait_for()
    assert (await service.api(key).call("GET", "/v1/webhooks")).json["data"] == []


async def test_an_address_that_the_service_refuses_is_told_in_its_own_words(console, key):
    console.expected.append("400")
    await console.sign_in(key, "/webhooks")
    await console.page.get_by_text("New webhook").click()
    await console.page.get_by_label("Address").fill("ftp://a.example")
    await console.page.get_by_role("button", name="Register").click()
    told = await console.page.get_by_role("alert").inner_text()
    assert told.startswith("url: ")


async def test_a_delivery_that_was_refused_is_looked_at_and_sent_again(console, service, key, receiving):
    receiver, page, api = await receiving(always=says_hostile_things), console.page, service.api(key)
    webhook = await registered(api, receiver)
    await console.sign_in(key, f"/webhooks/{webhook['id']}")
    await page.get_by_text("Nothing was sent yet.").wait_for()
    recording = await api.create()
    delivery = page.locator("details.delivery")
    await delivery.get_by_text("on its way").wait_for()  # without a reload
    await delivery.get_by_text("recording.created").first.click()
    await delivery.get_by_text("answered 500").first.wait_for()
    assert await delivery.locator(".attempts pre").first.inner_text() == HOSTILE
    body = delivery.locator("pre.body")
    await body.wait_for()
    assert recording["id"] in await body.inner_text()
    assert await page.evaluate("document.images.length") == 0
    assert await page.evaluate("typeof window.hasRun") == "undefined"
    receiver._always, before = 200, len(receiver.received)
    await delivery.get_by_role("button", name="Send again").click()
    received = await receiver.count(before + 1)
    assert len({one.raw for one in received}) == 1
    await delivery.get_by_text("answered 200").first.wait_for()
    await delivery.get_by_text("delivered").wait_for()


@pytest.mark.slow
async def test_all_that_failed_is_sent_again_to_a_receiver_that_is_back(browser, tmp_path, receiving):
    receiver = await receiving(always=says_hostile_things)
    async with running_service(tmp_path / "data", TurnedClock()) as service:
        webhook = await registered(service.api, receiver)
        for _ in range(2):
            await service.api.create()
        for attempt in range(1, ATTEMPTS + 1):
            await until_attempted(service, webhook, attempt)
            service.turn(hours=9)
        async with opened_console(browser, SimpleNamespace(url=service.api.url), viewport=DESK) as console:
            page, own = console.page, (await service.api.call("GET", "/v1/keys/current")).json
            token = service.stores.keys.create(KeyKind.SECRET, project_id=own["project_id"]).token
            await console.sign_in(token, "/webhooks")
            await page.get_by_text("failing since").wait_for()
            await page.get_by_role("link", name=receiver.url).click()
            failed, delivered = page.get_by_text("✕ failed"), page.get_by_text("● delivered")
            await expect(failed).to_have_count(2, timeout=PATIENCE_MS)
            receiver._always = 200
            await page.get_by_role("button", name="Send all that failed again").click()
            await expect(delivered).to_have_count(2, timeout=PATIENCE_MS)
            await page.get_by_text("● active").wait_for()
    assert len({one.raw for one in receiver.received}) == 2


async def until_attempted(service, webhook, times):
    """Both deliveries, so often."""
    async with asyncio.timeout(240):
        counts = []
        while counts != [times] * 2:
            await asyncio.sleep(0.01)
            answer = await service.api.call("GET", f"/v1/webhooks/{webhook['id']}/deliveries")
            counts = [len(delivery["attempts"]) for delivery in answer.json["data"]]


async def test_who_may_only_read_webhooks_changes_none(console, service, new_key, receiving):
    project_id = f"proj_{token_hex(8)}"
    receiver, page = await receiving(), console.page
    webhook = await registered(service.api(new_key("secret", project_id=project_id)), receiver)
    await console.sign_in(
        new_key("restricted", project_id=project_id, scopes=frozenset({"webhooks:read"})), "/webhooks"
    )
    await page.get_by_role("navigation").get_by_role("link", name="Webhooks").wait_for()
    shown = set(await page.get_by_role("navigation").get_by_role("link").all_inner_texts())
    assert not {"Recordings", "Operations", "Keys"} & shown
    await page.get_by_role("link", name=receiver.url).click()
    await page.wait_for_url(f"**/webhooks/{webhook['id']}")
    await page.get_by_text("Nothing was sent yet.").wait_for()
    assert await page.get_by_role("main").get_by_role("button").count() == 0
    assert await page.get_by_text("New webhook").count() == 0


@pytest.mark.slow
@pytest.mark.parametrize("look", EVERY_LOOK, ids=str)
async def test_webhooks_fit_the_window_and_keep_nobody_out(browser, service, key, receiving, look):
    receiver, api = await receiving(always=says_hostile_things), service.api(key)
    webhook = await registered(api, receiver, get_args(EventType))
    await api.create()
    async with opened_console(browser, service, **look) as console:
        page = console.page
        await console.sign_in(key, "/webhooks")
        await page.get_by_role("link", name=receiver.url).wait_for()
        await page.get_by_text("New webhook").click()
        await console.check_with_axe()
        await console.check_fits()
        await page.get_by_role("button", name=f"Delete {receiver.url}").click()
        await page.get_by_role("dialog").wait_for()
        await console.check_with_axe()
        await page.keyboard.press("Escape")
        await page.get_by_role("link", name=receiver.url).click()
        await page.wait_for_url(f"**/webhooks/{webhook['id']}")
        await page.locator("details.delivery summary").click()
        await page.get_by_text("answered 500").first.wait_for()
        await page.locator("pre.body").wait_for()
        await console.check_with_axe()
        await console.check_fits()
