"""Recording in the console, in a real Chromium, whatever is cut, closed or killed meanwhile."""

import asyncio
import re
from base64 import b64encode
from contextlib import asynccontextmanager, suppress

import psutil
import pytest
import pytest_asyncio
from playwright.async_api import Error, async_playwright, expect

from tests.end_to_end.console import DESK, PATIENCE_MS, PHONE, Console, opened_console, watch
from tests.end_to_end.dragon_client import sha256
from tests.end_to_end.test_browser import SAID, spoken_wav, words
from tests.tools.browser import FLAGS, microphone, needed_chromium, running_browser

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
in_module = pytest_asyncio.fixture(scope="module", loop_scope="module")
expect.set_options(timeout=PATIENCE_MS)

HEARD_SECONDS = 32
LOST = "Failed to load resource|net::ERR"
"""What Chromium writes about a request that a test keeps from arriving."""


@in_module
async def speech(tmp_path_factory):
    path = tmp_path_factory.mktemp("microphone") / "speech.wav"
    path.write_bytes(spoken_wav(HEARD_SECONDS))
    return path


@in_module
async def browser(speech):
    async with running_browser(needed_chromium(), microphone(speech)) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def console(browser, service):
    """Signed in, where one records."""
    async with opened_console(browser, service, viewport=DESK) as console:
        await sign_in(console, service)
        yield console


async def sign_in(console, service):
    await console.sign_in(service.credentials["api_key"], "/record")


async def record(page, name):
    await page.get_by_role("textbox", name="Name").fill(name)
    await page.get_by_role("button", name="Record", exact=True).click()
    await expect(page.locator(".on-air-state")).to_contain_text("Recording")


async def finish(page):
    await page.get_by_role("button", name="Finish").click()


async def stored_seconds(page):
    """On the server and in the browser, as the page says; both without their fractions, so up to a second too few."""
    told = await page.locator(".whereabouts, .upload .soft").inner_text()
    return sum(60 * int(minutes) + int(seconds) for minutes, seconds in re.findall(r"(\d+):(\d\d)", told))


async def until_recorded(page, seconds):
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while await recorded_seconds(page) < seconds:
            await asyncio.sleep(0.1)


async def recorded_seconds(page):
    clock = page.locator(".clock")
    minutes, rest = (await clock.inner_text()).split(":") if await clock.count() else ("0", "0")
    return 60 * int(minutes) + int(rest)


async def until_something_is_on_the_server(page):
    await expect(page.locator(".whereabouts dd").first).not_to_contain_text("0 bytes")


async def until_what_was_left_is_shown(page):
    await page.locator(".uploads[data-restored]").wait_for(state="attached")


async def plug(page):
    """Have the page use a microphone that `unplug` takes away."""
    await page.evaluate(
        """() => {
          const devices = navigator.mediaDevices, ask = devices.getUserMedia.bind(devices);
          devices.getUserMedia = async (wanted) => (window.plugged = await ask(wanted));
        }"""
    )


async def unplug(page):
    await page.evaluate("plugged.getTracks().forEach((track) => track.stop())")
    await page.get_by_text("The microphone is gone.").wait_for()


async def leave_no_room(page, service):
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("Storage.overrideQuotaForOrigin", {"origin": service.url, "quotaSize": 1})


async def named(api, name):
    listed = (await api.call("GET", "/v1/recordings?limit=100")).json["data"]
    return [one for one in listed if one["name"] == name]


async def test_chunks_grow_so_that_they_last_as_long_as_a_recording_may(console):
    counted = await console.page.evaluate(
        """async () => {
          const { slicesOfNextChunk, fileChunkBytes } = await import("/console/recorder/chunk_plan.js");
          const chunksOf = (lengthMs, mostChunks, windowMs, sliceMs) => {
            const slices = Array.from({ length: lengthMs / sliceMs }, () => ({ milliseconds: sliceMs }));
            const sizes = [];
            for (const isEnded of [false, true]) {
              for (;;) {
                const number = sizes.length + 1;
                const size = slicesOfNextChunk(slices, { number, mostChunks, windowMs, isEnded });
                if (size === 0) break;
                sizes.push(slices.splice(0, size).length);
              }
            }
            return { sizes, left: slices.length };
          };
          const hours = 3_600_000;
          return {
            whole: chunksOf(4 * hours, 100, 4 * hours, 1_000),
            uneven: chunksOf(4 * hours, 100, 4 * hours, 1_600),
            short: chunksOf(30_000, 100, 4 * hours, 1_000),
            few: chunksOf(60_000, 7, 60_000, 1_000),
            one: chunksOf(60_000, 1, 60_000, 1_000),
            files: [fileChunkBytes(1, 100), fileChunkBytes(16 * 2 ** 30, 100), fileChunkBytes(10 * 2 ** 20, 1)],
          };
        }"""
    )
    for name, most in {"whole": 100, "uneven": 100, "few": 7, "one": 1}.items():
        assert len(counted[name]["sizes"]) <= most, name
        assert counted[name]["left"] == 0, name
    assert counted["whole"]["sizes"][0] == 4
    assert max(counted["whole"]["sizes"][:-1]) < 5 * 60
    assert len(counted["short"]["sizes"]) > 3, "words are to come while somebody speaks"
    assert sum(counted["short"]["sizes"]) == 30
    assert counted["files"] == [4 * 2**20, -(-16 * 2**30 // 100), 10 * 2**20]


@asynccontextmanager
async def own_browser(profile, speech, service):
    """A browser that keeps what pages store, also when it is killed; and its tab."""
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            profile, executable_path=needed_chromium(), args=[*FLAGS, *microphone(speech)], viewport=DESK
        )
        context.set_default_timeout(PATIENCE_MS)
        console = Console(context.pages[0], service.url, expected=[LOST])
        watch(console, console.page)
        yield console
        console.check_complaints()
        with suppress(Error):  # the test may have killed it
            await context.close()


def kill_browser(profile):
    """Its first process, with which all others end; as when a machine loses its power."""
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if f"--user-data-dir={profile}" in command and not any(part.startswith("--type=") for part in command):
            process.kill()


async def test_what_is_said_comes_back_though_the_connection_is_cut_twice_and_the_browser_killed(
    own_service, tmp_path, speech
):
    await own_service.start()
    profile = tmp_path / "profile"
    async with own_browser(profile, speech, own_service) as console:
        page = console.page
        await sign_in(console, own_service)
        await record(page, "Cut and killed")
        await until_something_is_on_the_server(page)
        await page.context.set_offline(True)
        await page.get_by_text("No connection. What is not sent yet").wait_for()
        await page.context.set_offline(False)
        await page.get_by_text("No connection. What is not sent yet").wait_for(state="hidden")
        await until_recorded(page, 16)
        kept = await stored_seconds(page)
        kill_browser(profile)
    async with own_browser(profile, speech, own_service) as console:
        page = console.page
        await sign_in(console, own_service)
        await page.get_by_role("button", name="Go on recording").wait_for()
        assert await stored_seconds(page) >= kept - 1
        await page.get_by_role("button", name="Go on recording").click()
        await until_recorded(page, kept + 2)
        own_service.kill()
        await page.get_by_text("No connection. What is not sent yet").wait_for()
        await own_service.start()
        await until_recorded(page, max(kept + 16, HEARD_SECONDS + 1))
        await finish(page)
        await page.get_by_text("All of it is on the server.").wait_for()
        api = own_service.api()
        [recording] = await named(api, "Cut and killed")
        transcript = await api.transcript(recording)
        assert words(transcript["text"]) >= SAID
        ended = await api.get(recording)
        assert "damage" not in ended
        assert ended["duration_ms"] >= 30_000
        await expect(page.locator(".said")).to_contain_text("doctor", ignore_case=True)
        await expect(page.locator(".words .state")).to_contain_text("done")
        await page.get_by_role("link", name="Open the recording").click()
        await page.wait_for_url(f"**/console/recordings/{recording['id']}")


async def test_from_the_list_it_takes_one_click_to_record_and_one_to_finish_and_a_pause_is_not_recorded(console, api):
    page = console.page
    await record(page, "Paused")
    assert await page.get_by_role("textbox", name="Name").count() == 0
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator(".on-air-state")).to_contain_text("Paused")
    at = await page.locator(".clock").inner_text()
    await page.evaluate("new Promise((resolve) => setTimeout(resolve, 2500))")
    assert await page.locator(".clock").inner_text() == at
    await page.get_by_role("button", name="Go on").click()
    await page.get_by_role("link", name="Recordings").click()
    await page.get_by_role("link", name="● Recording").click()
    await until_something_is_on_the_server(page)
    await finish(page)
    await page.get_by_text("All of it is on the server.").wait_for()
    [recording] = await named(api, "Paused")
    chunks = await api.get(recording, "/chunks")
    assert (chunks["status"], chunks["total_chunks"]) == ("uploaded", chunks["chunks_received"])


async def test_one_records_and_finishes_with_the_keyboard_alone(console):
    buttons = console.page.get_by_role("button", name="Record", exact=True)
    await buttons.press("Enter")
    await expect(console.page.get_by_role("button", name="Finish")).to_be_focused()
    await until_recorded(console.page, 1)
    await console.page.keyboard.press("Enter")
    await console.page.get_by_text("All of it is on the server.").wait_for()
    await expect(buttons).to_be_focused()


async def test_a_microphone_can_be_chosen_by_its_name(console):
    await record(console.page, "By name")
    await until_recorded(console.page, 1)
    await finish(console.page)
    chosen = console.page.get_by_label("Microphone")
    await chosen.locator("option", has_text="Fake").first.wait_for(state="attached")
    names = await chosen.locator("option").all_inner_texts()
    await chosen.select_option(names[-1])
    await record(console.page, "By name, chosen")
    await until_recorded(console.page, 1)
    await finish(console.page)
    await expect(console.page.get_by_text("All of it is on the server.")).to_have_count(2)


async def test_a_tab_does_not_offer_what_another_one_records_and_does_once_that_is_closed(console, service, api):
    await record(console.page, "Two tabs")
    other = await console.page.context.new_page()
    second = Console(other, service.url)
    watch(second, other)
    await sign_in(second, service)
    await until_what_was_left_is_shown(other)
    await expect(other.get_by_role("button", name="Finish")).to_have_count(0)
    await until_something_is_on_the_server(console.page)
    kept = await stored_seconds(console.page)
    await console.page.close(run_before_unload=False)
    await other.get_by_role("button", name="Go on recording").wait_for()
    assert await stored_seconds(other) >= kept - 1
    await finish(other)
    await other.get_by_text("All of it is on the server.").wait_for()
    [recording] = await named(api, "Two tabs")
    assert (await api.get(recording, "/chunks"))["status"] == "uploaded"
    second.check_complaints()


async def leave_behind(console, service, name):
    """What is there when a page is closed while it records; a new tab with the sign-in form."""
    await record(console.page, name)
    await until_something_is_on_the_server(console.page)
    await console.page.close(run_before_unload=False)
    console.page = await console.page.context.new_page()
    watch(console, console.page)


async def test_what_was_left_is_offered_to_its_project_alone_and_is_gone_once_it_is_discarded(
    console, service, api, project
):
    await leave_behind(console, service, "Left behind")
    await console.sign_in(project._token, "/record")
    await until_what_was_left_is_shown(console.page)
    await expect(console.page.get_by_role("button", name="Discard")).to_have_count(0)
    await console.page.get_by_role("button", name="Sign out").click()
    await console.sign_in(service.credentials["api_key"])
    await console.page.get_by_text("A recording in this browser is not finished.").wait_for()
    await console.page.get_by_role("link", name="Go on, finish or discard").click()
    console.page.on("dialog", lambda dialog: dialog.accept())
    await console.page.get_by_role("button", name="Discard").click()
    await console.page.get_by_role("button", name="Discard").wait_for(state="detached")
    await console.page.get_by_role("link", name="Recordings").click()
    await console.heading("Recordings").wait_for()
    assert await console.page.get_by_text("not finished").count() == 0
    await console.page.get_by_role("link", name="Record", exact=True).click()
    assert await named(api, "Left behind") == []
    await console.page.reload()
    await until_what_was_left_is_shown(console.page)
    await expect(console.page.get_by_role("button", name="Discard")).to_have_count(0)


async def test_what_the_service_has_lost_stays_in_the_browser_and_can_be_sent_anew(console, service, api):
    console.expected.append("404")
    await leave_behind(console, service, "Lost by the service")
    [first] = await named(api, "Lost by the service")
    assert (await api.call("DELETE", f"/v1/recordings/{first['id']}")).status == 204
    await sign_in(console, service)
    await console.page.get_by_text("The service has no such recording.").wait_for()
    await console.page.get_by_role("button", name="Send all of it as a new recording").click()
    await console.page.get_by_text("All of it is on the server.").wait_for()
    [second] = await named(api, "Lost by the service")
    assert second["id"] != first["id"]
    assert (await api.get(second, "/chunks"))["status"] == "uploaded"


async def test_what_one_tab_has_finished_is_not_discarded_by_another_that_shows_it_still(console, service, api):
    await leave_behind(console, service, "Finished elsewhere")
    await sign_in(console, service)
    discard = console.page.get_by_role("button", name="Discard")
    await discard.wait_for()
    other = await console.page.context.new_page()
    second = Console(other, service.url)
    watch(second, other)
    await sign_in(second, service)
    await finish(other)
    await other.get_by_text("All of it is on the server.").wait_for()
    await console.page.bring_to_front()
    console.page.on("dialog", lambda dialog: dialog.accept())
    await discard.click()
    await expect(console.page.get_by_role("alert")).to_have_text("It was finished or discarded in another tab.")
    await expect(discard).to_have_count(0)
    [recording] = await named(api, "Finished elsewhere")
    assert (await api.get(recording, "/chunks"))["status"] == "uploaded"
    second.check_complaints()


async def test_when_the_service_takes_no_more_the_page_says_why_and_sends_all_as_a_new_recording(console, api):
    console.expected.append("40[49]|410")
    page = console.page
    await record(page, "Deleted meanwhile")
    await until_something_is_on_the_server(page)
    [first] = await named(api, "Deleted meanwhile")
    assert (await api.call("DELETE", f"/v1/recordings/{first['id']}")).status == 204
    await page.get_by_role("button", name="Send all of it as a new recording").click()
    await page.get_by_text("All of it is on the server.").wait_for()
    [second] = await named(api, "Deleted meanwhile")
    assert second["id"] != first["id"]
    assert (await api.get(second, "/chunks"))["status"] == "uploaded"


async def test_when_the_microphone_is_unplugged_one_goes_on_with_another_or_finishes(console, api):
    page = console.page
    await plug(page)
    await record(page, "Unplugged")
    await until_something_is_on_the_server(page)
    await unplug(page)
    kept = await stored_seconds(page)
    await page.get_by_role("button", name="Go on recording").click()
    await until_recorded(page, kept + 2)
    await finish(page)
    await page.get_by_text("All of it is on the server.").wait_for()
    [recording] = await named(api, "Unplugged")
    assert (await api.get(recording, "/chunks"))["status"] == "uploaded"


async def test_with_no_room_in_the_browser_it_says_so_and_sends_what_it_holds_in_memory(console, service, api):
    await leave_no_room(console.page, service)
    await record(console.page, "No room")
    await console.page.get_by_text("This browser has no room left").wait_for()
    await until_something_is_on_the_server(console.page)
    await finish(console.page)
    await console.page.get_by_text("All of it is on the server.").wait_for()
    [recording] = await named(api, "No room")
    assert (await api.get(recording, "/chunks"))["status"] == "uploaded"


async def test_with_no_room_what_is_held_in_memory_outlives_the_microphone_and_who_was_signed_in(console, service, api):
    page = console.page
    await leave_no_room(page, service)
    await plug(page)
    await record(page, "No room, unplugged")
    await page.get_by_text("This browser has no room left").wait_for()
    await until_recorded(page, 6)
    await unplug(page)
    kept = await stored_seconds(page)
    assert kept >= 4
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_label("API key").fill(service.credentials["api_key"])
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("link", name="Go on, finish or discard").click()
    assert await stored_seconds(page) >= kept - 1
    await finish(page)
    await page.get_by_text("All of it is on the server.").wait_for()
    [recording] = await named(api, "No room, unplugged")
    assert (await api.get(recording, "/chunks"))["status"] == "uploaded"


async def test_without_leave_to_use_the_microphone_the_page_says_what_helps(service):
    flags = ["--use-fake-device-for-media-stream", "--deny-permission-prompts"]
    async with (
        running_browser(needed_chromium(), flags) as browser,
        opened_console(browser, service, viewport=PHONE) as console,
    ):
        await sign_in(console, service)
        await console.page.get_by_role("button", name="Record", exact=True).click()
        await expect(console.page.get_by_role("alert")).to_contain_text("Allow it in the browser's settings")
        await console.check_with_axe()


def silent_wav(seconds):
    """A file of more than one chunk that is soon transcribed."""
    speech = spoken_wav(1)
    size = 96_000 * seconds
    return speech[:4] + (size + 36).to_bytes(4, "little") + speech[8:40] + size.to_bytes(4, "little") + bytes(size)


async def drop(page, **files):
    """Files, dropped where they are to be."""
    given = [[name.replace("_", "."), b64encode(content).decode()] for name, content in files.items()]
    dropped = await page.evaluate_handle(
        """given => {
          const dropped = new DataTransfer();
          for (const [name, text] of given)
            dropped.items.add(new File([Uint8Array.from(atob(text), (one) => one.charCodeAt(0))], name));
          return dropped;
        }""",
        given,
    )
    await page.get_by_role("region", name="Files").dispatch_event("drop", {"dataTransfer": dropped})


async def test_files_that_are_dropped_are_sent_in_turn_and_go_on_after_a_reload(console, api):
    console.expected.append(LOST)
    page = console.page
    page.on("dialog", lambda dialog: dialog.accept())
    long, short = silent_wav(60), silent_wav(2)
    await page.route("**/chunk_2.*", lambda route: route.abort())
    await drop(page, long_wav=long, short_wav=short)
    await page.get_by_text("No connection. What is not sent yet").wait_for()
    await expect(page.get_by_role("progressbar")).to_have_count(2)
    await page.reload()
    await page.get_by_text("No connection. What is not sent yet").wait_for()
    await page.unroute("**/chunk_2.*")
    await expect(page.get_by_text("All of it is on the server.")).to_have_count(2)
    for name, content in [("long.wav", long), ("short.wav", short)]:
        [recording] = await named(api, name)
        chunks = await api.get(recording, "/chunks")
        assert chunks["status"] == "uploaded"
        cut = [content[start : start + 4 * 2**20] for start in range(0, len(content), 4 * 2**20)]
        assert [chunk["sha256"] for chunk in chunks["data"]] == [sha256(part) for part in cut]


async def test_a_file_that_has_no_room_in_the_browser_is_never_completed_without_its_rest(console, api):
    console.expected.append(LOST)
    page = console.page
    page.on("dialog", lambda dialog: dialog.accept())
    await page.evaluate(
        """() => {
          const put = IDBObjectStore.prototype.put;
          IDBObjectStore.prototype.put = function (value) {
            if (this.name === "files") throw new DOMException("There is no room.", "QuotaExceededError");
            return put.call(this, value);
          };
        }"""
    )
    await page.route("**/chunk_2.*", lambda route: route.abort())
    await drop(page, large_wav=silent_wav(60))
    await page.get_by_text("This browser has no room to keep it").wait_for()
    await page.get_by_text("No connection. What is not sent yet").wait_for()
    await page.reload()
    await until_what_was_left_is_shown(page)
    await expect(page.locator(".upload")).to_have_count(0)
    [recording] = await named(api, "large.wav")
    assert (await api.get(recording, "/chunks"))["status"] != "uploaded"


async def test_what_the_service_refuses_is_left_out_only_once_the_person_says_yes(console, api):
    console.expected.append("409")
    page, asked = console.page, []
    await page.route("**/chunk_2.*", lambda route: route.fulfill(status=409, json={"error": {"message": "No more."}}))
    await drop(page, refused_wav=silent_wav(60))
    finish_short = page.get_by_role("button", name="Finish with what is on the server")

    async def answer(dialog):
        asked.append(dialog.message)
        await (dialog.accept() if len(asked) > 1 else dialog.dismiss())

    page.on("dialog", answer)
    await finish_short.click()
    await finish_short.click()
    await page.get_by_text("What was on the server is kept; the rest was left out.").wait_for()
    assert len(asked) == 2
    assert "is left out and deleted here" in asked[0]
    [recording] = await named(api, "refused.wav")
    assert (await api.get(recording, "/chunks"))["total_chunks"] == 1


async def test_when_the_key_is_revoked_the_page_says_that_the_recording_stopped_and_keeps_it(console, service, api):
    console.expected.append("40[13]")
    page = console.page
    scopes = {"scopes": ["recordings:read", "recordings:write"]}
    made = (await api.call("POST", "/v1/keys", body=scopes)).json
    await page.get_by_role("button", name="Sign out").click()
    await console.sign_in(made["token"], "/record")
    await record(page, "Revoked meanwhile")
    await until_something_is_on_the_server(page)
    await api.call("DELETE", f"/v1/keys/{made['id']}")
    await page.get_by_text("The recording has stopped; what was recorded is kept in this browser.").wait_for()
    await sign_in(console, service)
    await finish(page)
    await page.get_by_text("All of it is on the server.").wait_for()


async def test_an_empty_file_is_refused_in_words(console):
    await drop(console.page, nothing_wav=b"")
    await expect(console.page.get_by_role("alert")).to_have_text("nothing.wav is empty.")


ONE_WAY = ((PHONE, "light"), (DESK, "dark"))
THE_OTHER = ((PHONE, "dark"), (DESK, "light"))


async def check_manners(console, seen):
    for window, scheme in seen:
        await console.page.set_viewport_size(window)
        await console.page.emulate_media(color_scheme=scheme)
        await console.check_with_axe()
        await console.check_fits()


async def test_every_state_fits_the_window_and_keeps_nobody_out(console, service):
    await console.page.get_by_role("button", name="Record", exact=True).wait_for()
    await check_manners(console, ONE_WAY)
    await record(console.page, "A name that is long, and a-word-that-is-longer-than-a-telephone-is-wide" * 2)
    await until_something_is_on_the_server(console.page)
    await check_manners(console, ONE_WAY + THE_OTHER)
    await console.page.get_by_role("link", name="Recordings").click()
    await console.page.get_by_role("complementary", name="Recording").wait_for()
    await check_manners(console, THE_OTHER)
    await console.page.close(run_before_unload=False)
    console.page = await console.page.context.new_page()
    watch(console, console.page)
    await sign_in(console, service)
    await console.page.get_by_role("button", name="Go on recording").wait_for()
    await check_manners(console, ONE_WAY)
    await finish(console.page)
    await console.page.get_by_text("All of it is on the server.").wait_for()
    await check_manners(console, THE_OTHER)
