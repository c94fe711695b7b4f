"""One recording in the console, in a real Chromium: followed, heard, read and mended by a person."""

import asyncio
import hashlib
import json

import numpy as np
import pytest
import pytest_asyncio

from adapters.audio.decoding import SAMPLE_RATE, pcm_blocks
from service import sample
from tests.adapters.audio.samples import wav
from tests.end_to_end.console import DESK, PHONE, opened_console
from tests.end_to_end.dorsum_client import Dorsum
from tests.end_to_end.service_process import ServiceProcess, short_speech, slices
from tests.tools.browser import needed_chromium, running_browser

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPEECH = slices(short_speech(), 3)
WORDS = ".transcript .word"
AT = "document.querySelector('audio').currentTime"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser():
    async with running_browser(needed_chromium(), ["--autoplay-policy=no-user-gesture-required"]) as browser:
        yield browser


@pytest.fixture(scope="module")
def finished(service):
    """A recording that is transcribed, with its transcript's document."""

    async def send():
        api = service.api()
        recording = await api.upload(SPEECH, name="Visit of Tuesday")
        await api.finalize(recording, 3)
        found = await api.ended(recording)
        document = await api.call("GET", f"/v1/transcriptions/{found['transcription_id']}?format=json")
        return found, document.json

    return asyncio.run(send())


@pytest.fixture(scope="module")
def damaged(service):
    """A recording whose second chunk is not what was recorded, so that it failed."""

    async def send():
        api = service.api()
        recording = await api.upload([SPEECH[0], bytes(len(SPEECH[1])), SPEECH[2]], name="Visit with a damaged chunk")
        await api.finalize(recording, 3, checksum_md5=hashlib.md5(short_speech()).hexdigest())
        return await api.ended(recording)

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
    assert await page.locator(WORDS).all_text_contents() == [word["text"] for word in words]
    assert len(words) > 3
    await page.locator(WORDS).nth(3).click()
    await console.until(f"{AT} >= {words[3]['start']}")
    await page.locator(f"{WORDS}.spoken").wait_for()
    await console.until("document.querySelector('audio').ended")
    await page.locator(f"{WORDS}.spoken", has_text=words[-1]["text"]).wait_for()


async def test_a_recording_whose_words_are_still_being_loaded_is_not_said_to_have_none(console, service, finished):
    recording, _ = finished
    page, go_on = console.page, asyncio.Event()

    async def late(route):
        await go_on.wait()
        await route.continue_()

    await page.route("**/v1/transcriptions/**", late)
    await opened(console, service, recording)
    await page.get_by_role("region", name="Transcript").get_by_text("Loading…").wait_for()
    go_on.set()
    await page.locator(WORDS).first.wait_for()


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


async def test_an_address_may_name_a_time_to_begin_at(console, service, finished):
    recording, document = finished
    word = words_of(document)[4]
    await console.sign_in(
        service.credentials["api_key"], f"/recordings/{recording['id']}?at={round(word['start'] * 1000)}"
    )
    await console.page.locator(f"{WORDS}.spoken").wait_for()
    assert await console.page.locator(f"{WORDS}.spoken").text_content() == word["text"]
    await console.until(f"Math.abs({AT} - {word['start']}) < 0.01")


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
    await page.locator(".standing").get_by_text("done").wait_for()
    await page.get_by_role("button", name="Play", exact=True).wait_for()


@pytest.mark.slow
async def test_an_operator_finds_a_failed_recording_replaces_its_damaged_chunk_tries_again_and_hears_it(
    console, service, damaged, tmp_path
):
    await console.sign_in(service.credentials["api_key"], "?status=failed")
    page = console.page
    await page.get_by_label("State").select_option("")
    await page.get_by_role("link", name="Visit with a damaged chunk").click()
    await page.get_by_role("heading", name="Why it failed").wait_for()
    await page.get_by_text(damaged["failure"]["message"]).first.wait_for()
    await page.get_by_role("button", name="Hear chunk 1").click()
    await console.until("document.querySelector('.chunks audio')?.duration > 0")
    right = tmp_path / "right.bin"
    right.write_bytes(SPEECH[1])
    async with page.expect_file_chooser() as chosen:
        await page.get_by_role("button", name="Replace chunk 2").click()
    await (await chosen.value).set_files(right)
    await page.get_by_text("Replaced: chunk 2").wait_for()
    await page.get_by_role("button", name="Try again").click()
    await page.locator(WORDS).first.wait_for()
    assert await page.get_by_role("heading", name="Why it failed").count() == 0
    await page.get_by_role("button", name="Play", exact=True).click()
    await console.until("document.querySelector('audio').ended")
    audio = await service.api().get(damaged, "/download-url")
    assert (await service.api().call("GET", audio["download_url"], key=False)).body == short_speech()


async def test_what_cannot_be_mended_is_told_in_the_services_own_words(console, service, api):
    recording = await api.upload([b"Dear Sir or Madam, this is a letter. " * 50])
    await api.finalize(recording, 1)
    failed = await api.ended(recording)
    page = await opened(console, service, recording)
    await page.get_by_text(failed["failure"]["message"]).first.wait_for()
    await page.get_by_text("It looks like text.").wait_for()
    await page.get_by_role("button", name="Hear chunk 1").click()
    await page.get_by_text("cannot play it by itself").wait_for()
    console.expected.append("400")
    await page.get_by_label("Other bytes for chunk 1").set_input_files(
        {"name": "nothing", "mimeType": "application/octet-stream", "buffer": b""}
    )
    template = (await api.get(recording, "/chunks"))["chunk_upload_url_template"]
    refused = await api.put({"chunk_upload_url_template": template}, 1, b"")
    await page.get_by_role("alert").get_by_text(refused.error["message"]).wait_for()


@pytest.mark.slow
async def test_a_whole_file_that_failed_is_replaced_as_a_whole(console, service, api):
    recording = await api.create(streaming=False, name="The wrong file")
    upload = (await api.call("POST", f"/v1/recordings/{recording['id']}/upload-url")).json
    letter = b"Dear Sir or Madam, this is a letter. " * 50
    assert (
        await api.call("PUT", upload["upload_url"], body=letter, headers=upload["headers"], key=False)
    ).status == 200
    assert (await api.call("POST", f"/v1/recordings/{recording['id']}/upload-complete")).status == 200
    assert (await api.ended(recording))["status"] == "failed"
    page = await opened(console, service, recording)
    right = {"name": "visit.wav", "mimeType": "audio/wav", "buffer": short_speech()}
    await page.get_by_label("Other bytes for file").set_input_files(right)
    await page.get_by_text("Replaced").wait_for()
    await page.get_by_role("button", name="Try again").click()
    await page.locator(WORDS).first.wait_for()


async def test_a_click_into_the_waveform_goes_there(console, service, finished):
    page = await opened(console, service, finished[0])
    canvas = page.locator(".waveform canvas")
    await console.until("document.querySelector('.waveform canvas')?.getContext('2d').getImageData(0, 0, 1, 1)")
    size = await canvas.bounding_box()
    await canvas.click(position={"x": size["width"] / 2, "y": size["height"] / 2})
    middle = finished[0]["duration_ms"] / 2000
    await console.until(f"Math.abs({AT} - {middle}) < 0.1")


@pytest.mark.slow
async def test_an_audio_url_that_has_ended_is_renewed(console, service, finished):
    page, asked = console.page, []

    async def first_an_old_one(route):
        asked.append(route)
        answer = await route.fetch()
        link = await answer.json()
        if len(asked) == 1:
            link |= {"download_url": link["download_url"].replace("signature=", "signature=x"), "expires_in": 0}
        await route.fulfill(json=link)

    console.expected.append("403")
    await page.route("**/download-url", first_an_old_one)
    await opened(console, service, finished[0])
    await console.until("document.querySelector('audio')?.duration > 0")
    await page.get_by_role("button", name="Play", exact=True).click()
    await console.until("document.querySelector('audio').ended")


async def test_every_download_arrives(console, service, api, finished):
    recording, _ = finished
    page = await opened(console, service, recording)

    async def saved(name):
        async with page.expect_download() as download:
            await page.get_by_role("button", name=name, exact=True).click()
        one = await download.value
        return one.suggested_filename, (await one.path()).read_bytes()

    for name, form in [("Text", "txt"), ("Subtitles (SRT)", "srt"), ("Subtitles (WebVTT)", "vtt"), ("JSON", "json")]:
        answer = await api.call("GET", f"/v1/transcriptions/{recording['transcription_id']}?format={form}")
        assert await saved(name) == (f"{recording['id']}.{form}", answer.body)
    assert await saved("Audio") == (f"{recording['id']}.wav", short_speech())


async def test_the_timeline_has_every_event_with_its_facts_and_how_the_recording_stood_after_it(
    console, service, api, finished
):
    recording, _ = finished
    page = await opened(console, service, recording)
    history = (await api.get(recording, "/events"))["data"]
    events = page.locator(".event")
    await events.last.wait_for()
    assert await events.evaluate_all("all => all.map((one) => one.dataset.type)") == [one["type"] for one in history]
    declared = page.locator(".event[data-type=FinalizeRequested]")
    await declared.locator("summary").focus()
    await page.keyboard.press("Enter")
    (event,) = [one for one in history if one["type"] == "FinalizeRequested"]
    assert event["trace_id"] in await declared.locator("dl").inner_text()
    await declared.get_by_role("button", name="Show how it stood then").click()
    await declared.locator(".then").get_by_text("received").wait_for()
    await declared.locator("summary:focus").wait_for()
    await page.locator(".standing").get_by_text("done").wait_for()


@pytest.mark.slow
async def test_a_deletion_is_asked_about_and_every_page_with_the_recording_says_that_it_is_gone(console, service, api):
    recording = await api.create(name="To be deleted")
    console.expected.append("404")  # it may ask for it once more before it knows
    page = await opened(console, service, recording)
    other = await page.context.new_page()
    await other.goto(f"{console.url}/console/recordings/{recording['id']}")
    await other.get_by_label("API key").fill(service.credentials["api_key"])
    await other.get_by_role("button", name="Sign in").click()
    await other.get_by_role("heading", name="To be deleted").first.wait_for()
    await other.locator(".event").first.wait_for()
    await page.get_by_role("button", name="Delete this recording").click()
    await page.get_by_role("dialog").get_by_text("“To be deleted”").wait_for()
    await page.get_by_role("button", name="Keep it").click()
    assert (await api.get(recording))["status"] == "streaming"
    await page.get_by_role("button", name="Delete this recording").click()
    await page.get_by_role("button", name="Delete permanently").click()
    await console.heading("Recordings").wait_for()
    await other.get_by_text("This recording was deleted.").wait_for()
    assert (await api.call("GET", f"/v1/recordings/{recording['id']}")).status == 404


async def test_a_part_that_there_is_not_is_no_deletion(console, service, finished):
    console.expected.append("404")
    error = {"type": "not_found", "code": "not_found", "message": "There are no such words."}
    await console.page.route("**/v1/transcriptions/*", lambda route: route.fulfill(status=404, json={"error": error}))
    page = await opened(console, service, finished[0])
    await page.get_by_role("alert").filter(has_text="There are no such words.").wait_for()
    await page.locator(".event").first.wait_for()


@pytest.mark.slow
async def test_each_sentence_of_a_note_is_linked_to_where_it_was_said(console, service):
    with sample.audio_file() as path:
        speech = np.concatenate(list(pcm_blocks(lambda: path.open("rb"))))[: 11 * SAMPLE_RATE]
    dorsum = Dorsum.of(service)
    final = await dorsum.send((speech * 32_767).astype(np.int16) if speech.dtype.kind == "f" else speech, final=True)
    assert final.status == 200, final
    recording = {"id": f"rec_{final.json['task_id'].replace('-', '')}"}
    note = await service.api().get(recording, "/note")
    sentence = next(one for sentences in note["sections"].values() for one in sentences if one["source"])
    page = await opened(console, service, recording)
    line = page.locator(".written li").filter(has_text=sentence["text"])
    await line.get_by_role("button", name="Hear where it was said").click()
    await console.until(f"{AT} >= {sentence['source']['start']}")
    cited = await page.locator(f"{WORDS}.cited").all_text_contents()
    assert len(cited) > 1
    assert cited[0] == sentence["text"].split()[0]


LOOKS = [{"viewport": window, "color_scheme": scheme} for window in (PHONE, DESK) for scheme in ("light", "dark")]


@pytest.mark.parametrize("look", LOOKS, ids=["phone-light", "phone-dark", "desk-light", "desk-dark"])
@pytest.mark.slow
async def test_a_recording_fits_the_window_and_keeps_nobody_out_in_any_state(browser, service, api, finished, look):
    letters = await api.upload([b"Dear Sir or Madam, this is a letter. " * 50], name="a-word-that-is-long" * 9)
    await api.finalize(letters, 1)
    await api.ended(letters)
    async with opened_console(browser, service, **look) as console:
        page = await opened(console, service, finished[0])
        await page.locator(WORDS).first.wait_for()
        await page.locator(".waveform canvas").wait_for()
        await page.locator(WORDS).first.click()
        await page.locator(f"{WORDS}.spoken").wait_for()
        await page.locator(".event summary").last.click()
        await page.get_by_role("button", name="Show how it stood then").last.click()
        await page.locator(".then").wait_for()
        await console.check_with_axe()
        await console.check_fits()
        await page.get_by_role("button", name="Delete this recording").click()
        await page.get_by_role("dialog").wait_for()
        await console.check_with_axe()
        await console.open(f"/recordings/{letters['id']}")
        await page.get_by_text("It looks like text.").wait_for()
        await page.locator(".event").last.wait_for()
        await console.check_with_axe()
        await console.check_fits()


async def test_a_key_that_may_not_read_words_is_told_so_and_sees_the_rest(console, service, finished, new_key):
    scopes = frozenset({"recordings:read"})
    key = new_key("restricted", project_id=service.credentials["project_id"], scopes=scopes)
    console.expected.append("403")
    await console.sign_in(key, f"/recordings/{finished[0]['id']}")
    page = console.page
    await page.get_by_text("This key has no permission for transcriptions:read").wait_for()
    await page.get_by_text("This key has no permission for summaries:read").wait_for()
    assert await page.get_by_role("button", name="Delete this recording").count() == 0
    await page.get_by_role("button", name="Play", exact=True).wait_for()
    await page.locator(".event").last.wait_for()


HOSTILE = "<img src=x onerror='window.hasRun=true'><script>window.hasRun=true</script>"


@pytest.mark.slow
async def test_what_was_said_and_written_is_text_and_never_markup(console, service, api):
    dorsum = Dorsum.of(service)
    final = await dorsum.send([1, 2, 3], final=True)
    edited = await dorsum.note("PUT", body={"author": "dr-1", "sections": {"plan": [{"text": HOSTILE}]}})
    assert edited.status == 200
    word = {"start": 0.0, "end": 0.5, "text": HOSTILE}
    document = {"segments": [{**word, "speaker": HOSTILE, "words": [word]}]}
    page = console.page
    await page.route(
        "**/v1/transcriptions/*",
        lambda route: route.fulfill(content_type="application/json", body=json.dumps(document)),
    )
    await opened(console, service, {"id": f"rec_{final.json['task_id'].replace('-', '')}"})
    await page.locator(".word", has_text=HOSTILE).wait_for()
    await page.locator(".speaker", has_text=HOSTILE).wait_for()
    await page.locator(".written li", has_text=HOSTILE).wait_for()
    assert await page.evaluate("document.images.length") == 0
    assert await page.evaluate("typeof window.hasRun") == "undefined"


@pytest.mark.slow
async def test_the_words_follow_what_is_spoken_until_the_reader_scrolls_away(console, service, finished):
    said = [{"start": at * 0.025, "end": at * 0.025 + 0.02, "text": f"word{at}"} for at in range(100)]
    document = {"segments": [{**word, "words": [word]} for word in said]}
    page = console.page
    await page.route(
        "**/v1/transcriptions/*",
        lambda route: route.fulfill(content_type="application/json", body=json.dumps(document)),
    )
    await opened(console, service, finished[0])
    await page.locator(WORDS).first.click()
    await console.until("document.querySelector('audio').ended")
    last = page.locator(f"{WORDS}.spoken", has_text="word99")
    await last.wait_for()
    place = "document.querySelector('.transcript').scrollTop"
    assert await page.evaluate(f"{place} > 0")
    await page.locator(".transcript").hover()
    await page.mouse.wheel(0, -100_000)
    await console.until(f"{place} === 0")
    watch = "document.querySelector('audio').addEventListener('ended', () => (window.hasEndedAgain = true))"
    await page.evaluate(watch)
    await page.locator("h1").focus()
    await page.keyboard.press("Space")
    await console.until("window.hasEndedAgain")
    await last.wait_for(state="attached")
    assert await page.evaluate(f"{place} === 0")


@pytest.mark.slow
async def test_hours_of_words_are_drawn_once_and_one_of_them_is_marked(console, service, finished):
    words = [{"start": at * 0.4, "end": at * 0.4 + 0.3, "text": f"word{at}"} for at in range(30_000)]
    segments = [
        {"start": ten[0]["start"], "end": ten[-1]["end"], "text": " ".join(one["text"] for one in ten), "words": ten}
        for ten in (words[first : first + 10] for first in range(0, len(words), 10))
    ]
    page = console.page
    await page.route(
        "**/v1/transcriptions/*",
        lambda route: route.fulfill(content_type="application/json", body=json.dumps({"segments": segments})),
    )
    await opened(console, service, finished[0])
    await page.locator(".word", has_text="word29999").wait_for(state="attached")
    assert await page.locator(WORDS).count() == len(words)
    await console.until("document.querySelectorAll(\".transcript [tabindex='0']\").length === 1")
    await page.locator(WORDS).nth(4).click()
    await page.locator(f"{WORDS}.spoken").wait_for()
    await console.until("document.querySelector('audio').ended")
    await page.locator(f"{WORDS}.spoken", has_text="word7").wait_for()
    assert await page.locator(f"{WORDS}.spoken").count() == 1


async def test_words_are_found_in_their_text_and_in_time_whatever_their_order(console):
    await console.open()
    found = await console.page.evaluate(
        """async () => {
          const { Beginnings, piecesOf } = await import("/console/views/recording/words.js");
          const word = (text, start) => ({ text, start, end: start + 1 });
          const told = ({ text, start }) => [text, start ?? null];
          const texts = (segment) => piecesOf({ start: 5, end: 9, ...segment }).map(told);
          const times = new Beginnings([word("b", 2), word("a", 1), word("c", 3)]);
          return {
            spaced: texts({ text: "Yes, I do.", words: [word("Yes,", 5), word("I", 6), word("do.", 7)] }),
            unspaced: texts({ text: "頭が痛い。", words: [word("頭", 5), word("痛い", 6)] }),
            unknown: texts({ text: "Other", words: [word("Word", 5)] }),
            wordless: texts({ text: "Hm" }),
            at: [0.5, 1, 2.9, 99].map((seconds) => times.at(seconds)?.text ?? null),
            between: times.between(2, 3).map((one) => one.text),
            none: new Beginnings([]).at(1),
          };
        }"""
    )
    assert found == {
        "spaced": [["Yes,", 5], [" ", None], ["I", 6], [" ", None], ["do.", 7]],
        "unspaced": [["頭", 5], ["が", None], ["痛い", 6], ["。", None]],
        "unknown": [["Other", 5]],
        "wordless": [["Hm", 5]],
        "at": [None, "a", "b", "c"],
        "between": ["b"],
        "none": None,
    }


async def test_a_tab_that_nobody_sees_holds_no_connection_and_is_true_again_once_it_is_seen(console, service, api):
    recording = await api.create(name="Far away")
    followed = []
    console.page.on("request", lambda request: followed.append(request.url) if "/v1/events" in request.url else None)
    page = await opened(console, service, recording)
    await page.locator(".event").first.wait_for()
    async with page.expect_event("requestfailed", lambda request: "/v1/events" in request.url):
        await console.hide()
    assert (await api.put(recording, 1, SPEECH[0])).status == 200
    before = len(followed)
    await console.hide(False)
    await page.get_by_text("Chunk 1 stored").wait_for()
    assert len(followed) > before


@pytest.mark.slow
async def test_a_lost_connection_is_said_and_taken_up_again(browser, tmp_path):
    own = ServiceProcess(tmp_path / "data")
    try:
        await own.start()
        recording = await own.api().create(name="Far away")
        async with opened_console(browser, own, viewport=DESK) as console:
            page = await opened(console, own, recording)
            await page.get_by_role("heading", name="Far away").first.wait_for()
            console.expected += ["net::ERR_", "503"]
            own.kill()
            await page.get_by_text("The connection is lost").wait_for()
            await own.start()
            await page.get_by_text("The connection is lost").wait_for(state="detached")
            assert (await own.api().put(recording, 1, SPEECH[0])).status == 200
            await page.get_by_text("Chunk 1 stored").wait_for()
    finally:
        own.kill()
