"""The audio you recorded is the audio you get back."""

import hashlib

import pytest

from tests.end_to_end.service_process import short_speech, slices


async def uploaded(api, chunks, **fields):
    recording = await api.upload(chunks, **fields)
    assert (await api.finalize(recording, len(chunks))).status == 200
    await api.ended(recording)
    return recording


async def download(api, recording, **headers):
    return await api.call(
        "GET", (await api.get(recording, "/download-url"))["download_url"], key=False, headers=headers
    )


@pytest.fixture
async def stored(api):
    return await uploaded(api, slices(short_speech(), 7))


async def test_slices_come_back_byte_for_byte_as_the_file_that_was_cut(api, stored):
    offered = await api.get(stored, "/download-url")
    answer = await download(api, stored)
    assert answer.status == 200
    assert answer.body == short_speech()
    assert offered["content_type"] == answer.headers["Content-Type"] == "audio/wav"
    assert offered["file_size_bytes"] == int(answer.headers["Content-Length"]) == len(answer.body)
    assert isinstance(offered["expires_in"], int)
    assert 0 < offered["expires_in"] <= 86_400
    assert "Content-Encoding" not in answer.headers


async def test_what_is_downloaded_has_the_digest_that_the_stitched_event_says(api, stored):
    events = (await api.get(stored, "/events"))["data"]
    sha256 = next(event["data"]["sha256"] for event in events if event["type"] == "Stitched")
    answer = await download(api, stored)
    assert hashlib.sha256(answer.body).hexdigest() == sha256
    assert answer.headers["ETag"] == f'"{sha256}"'


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-0", 0, 0), ("bytes=100-299", 100, 299), ("bytes=5000-", 5000, -1), ("bytes=-100", -100, -1)],
)
async def test_a_range_is_exactly_those_bytes(api, stored, asked, first, last):
    whole = short_speech()
    size = len(whole)
    answer = await download(api, stored, Range=asked)
    start, end = first % size, last % size
    assert answer.status == 206
    assert answer.body == whole[start : end + 1]
    assert answer.headers["Content-Range"] == f"bytes {start}-{end}/{size}"


async def test_a_range_past_the_end_is_cut_or_refused(api, stored):
    size = len(short_speech())
    assert (await download(api, stored, Range=f"bytes={size - 5}-{size + 100}")).body == short_speech()[-5:]
    refused = await download(api, stored, Range=f"bytes={size}-")
    assert (refused.status, refused.headers["Content-Range"]) == (416, f"bytes */{size}")


@pytest.mark.parametrize("asked", ["bytes=5-1", "bytes=x-1", "lines=1-2", "bytes=0-1,5-6", "bytes=-"])
async def test_a_range_that_means_nothing_gives_the_whole(api, stored, asked):
    answer = await download(api, stored, Range=asked)
    assert (answer.status, len(answer.body)) == (200, len(short_speech()))


async def test_a_resumed_download_starts_over_when_the_file_is_another(api, stored):
    answer = await download(api, stored, Range="bytes=100-", **{"If-Range": '"of another file"'})
    assert (answer.status, len(answer.body)) == (200, len(short_speech()))
    etag = (await download(api, stored)).headers["ETag"]
    assert (await download(api, stored, Range="bytes=100-", **{"If-Range": etag})).status == 206


@pytest.mark.parametrize("known", ["{}", "W/{}", '"another", {}', "*"])
async def test_a_file_that_the_client_has_is_not_sent_again(api, stored, known):
    etag = (await download(api, stored)).headers["ETag"]
    assert (await download(api, stored, **{"If-None-Match": known.format(etag)})).status == 304


async def test_a_file_that_the_client_does_not_have_is_sent(api, stored):
    etag = (await download(api, stored)).headers["ETag"]
    for known in ('"another"', etag.strip('"'), '"an' + etag[1:]):
        assert (await download(api, stored, **{"If-None-Match": known})).status == 200


async def test_a_download_url_is_good_for_its_own_recording_alone(api, stored):
    other = await uploaded(api, [short_speech()])
    url = (await api.get(stored, "/download-url"))["download_url"]
    assert (await api.call("GET", url.replace(stored["id"], other["id"]), key=False)).status == 403
    assert (await api.call("GET", url.split("?")[0], key=False)).status == 403


NO_ENGINE = {
    "TRANSCRIBER": "openai",
    "TRANSCRIBER_MODEL": "none",
    "TRANSCRIBER_URL": "http://127.0.0.1:9",
    "STAGE_ATTEMPTS": "1",
}


@pytest.mark.slow
async def test_a_failed_transcription_does_not_cost_the_audio(own_service):
    own_service.settings |= NO_ENGINE
    api = (await own_service.start()).api()
    recording = await uploaded(api, slices(short_speech(), 3))
    found = await api.get(recording)
    assert (found["status"], found["failure"]["stage"]) == ("failed", "transcribe")
    assert (await download(api, recording)).body == short_speech()


@pytest.mark.slow
async def test_after_the_engine_is_back_a_retry_goes_on_from_transcription(own_service):
    own_service.settings |= NO_ENGINE
    api = (await own_service.start()).api()
    recording = await uploaded(api, slices(short_speech(), 3))
    own_service.stop()
    for name in NO_ENGINE:
        del own_service.settings[name]
    await own_service.start()
    assert (await api.call("POST", f"/v1/recordings/{recording['id']}/retry")).status == 202
    assert (await api.ended(recording))["status"] == "completed"
    types = ["FinalizeRequested", "Stitched", "Failed", "RetryRequested", "Transcribed"]
    assert (await api.event_types(recording))[4:] == types
