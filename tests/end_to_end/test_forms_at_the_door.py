"""A multipart form where bare bytes belong is refused at once, with a sentence that says what to send."""

import pytest

from tests.end_to_end.dorsum_client import Dorsum
from tests.end_to_end.service_process import short_speech
from tests.end_to_end.test_bad_input import put_head, send_raw

BOUNDARY = "----WebKitFormBoundaryX"
OF_BROWSERS = b'--%b\r\nContent-Disposition: form-data; name="file"; filename="r.opus"\r\n\r\n' % BOUNDARY.encode()
OF_OTHERS = (
    b'\r\n--0123456789abcdef\r\nContent-Type: audio/wav\r\nContent-Length: 9\r\ncontent-disposition:form-data;name="a"'
)


def form(content: bytes) -> bytes:
    return OF_BROWSERS + content + b"\r\n--%b--\r\n" % BOUNDARY.encode()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (f"multipart/form-data; boundary={BOUNDARY}", form(short_speech())),
        ("Multipart/Form-Data", form(short_speech())),
        ("multipart/mixed; boundary=x", b"--x\r\n\r\nbytes\r\n--x--"),
        ("multipart/form-data; boundary=x", short_speech()),
        ("audio/ogg", form(short_speech())),
        ("application/octet-stream", OF_OTHERS + b"\r\n\r\nbytes"),
        ("application/x-www-form-urlencoded", form(b"")),
        ("", form(short_speech())),
    ],
)
async def test_a_form_put_to_a_chunks_url_is_refused_and_not_stored(api, content_type, body):
    recording = await api.create()
    headers = {"Content-Type": content_type} if content_type else {}
    answer = await api.put(recording, 1, body, **headers)
    assert (answer.status, answer.error["type"]) == (415, "unsupported_media_type")
    assert "multipart form" in answer.error["message"]
    assert (await api.get(recording, "/chunks"))["data"] == []
    assert (await api.put(recording, 1, short_speech())).status == 200


async def test_a_client_that_asks_first_is_refused_before_it_sends_its_form(api):
    recording = await api.create()
    announced = (f"Content-Type: multipart/form-data; boundary={BOUNDARY}", "Expect: 100-continue")
    answer = await send_raw(api, put_head(recording, 1, 1_000_000, *announced))
    assert answer.startswith(b"HTTP/1.1 415 ")


async def test_a_form_is_noticed_however_small_its_pieces_are(api):
    async def pieces():
        for byte in form(b"bytes"):
            yield bytes([byte])

    recording = await api.create()
    assert (await api.put(recording, 1, pieces())).status == 415
    assert (await api.get(recording, "/chunks"))["data"] == []


@pytest.mark.parametrize(
    "body",
    [
        b"-",
        b"--",
        b"\r\n",
        b"--bytes\r\nthat are no form",
        b"\r\n--" + bytes(5000),
        b"--" + b"x" * 71 + OF_BROWSERS[2:],
    ],
)
@pytest.mark.parametrize("content_type", ["audio/ogg", "application/x-www-form-urlencoded", "text/plain"])
async def test_bytes_that_only_begin_a_little_like_a_form_are_stored(api, content_type, body):
    recording = await api.create()
    assert (await api.put(recording, 1, body, **{"Content-Type": content_type})).status == 200
    assert [chunk["size_bytes"] for chunk in (await api.get(recording, "/chunks"))["data"]] == [len(body)]


async def test_a_form_put_to_a_whole_files_url_is_refused(api):
    recording = await api.create(streaming=False)
    asked = {"content_type": "audio/wav", "file_size_bytes": 9}
    url = (await api.call("POST", f"/v1/recordings/{recording['id']}/upload-url", body=asked)).json["upload_url"]
    assert (await api.call("PUT", url, body=form(short_speech()), key=False)).status == 415
    done = await api.call("POST", f"/v1/recordings/{recording['id']}/upload-complete", body={})
    assert (done.status, done.error["type"]) == (425, "verification_pending")


async def test_a_form_where_json_belongs_is_told_so(api, service):
    answer = await api.call("POST", "/v1/recordings", body=form(b"bytes"))
    assert (answer.status, answer.error["type"]) == (415, "unsupported_media_type")
    assert "JSON" in answer.error["message"]
    refused = await Dorsum.of(service).post(form(b"bytes"), headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert (refused.status, refused.json["code"]) == (415, 415)
    assert "JSON" in refused.json["message"]
