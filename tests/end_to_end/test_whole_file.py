"""A recording that is uploaded as one file: the same recording with one chunk, verified by the service."""

import hashlib

import pytest

from tests.end_to_end.service_process import short_speech

ASKED = {"content_type": "audio/wav", "file_size_bytes": 12_345}


async def created(api, **fields):
    return await api.create(streaming=False, source="api_upload", upload_method="import", **fields)


async def post(api, recording, below, body=None):
    return await api.call("POST", f"/v1/recordings/{recording['id']}/{below}", body={} if body is None else body)


async def put(api, recording, body):
    offered = (await post(api, recording, "upload-url", ASKED)).json
    return await api.call("PUT", offered["upload_url"], body=body, headers=offered["headers"], key=False)


async def test_a_file_goes_up_whole_and_comes_back_as_text_and_byte_for_byte(project):
    audio = short_speech()
    sha256 = hashlib.sha256(audio).hexdigest()
    recording = await created(project, name="Visit", metadata={"room": 4})
    assert recording == await project.get(recording)
    assert (recording["status"], recording["source"], recording["device_id"]) == ("pending", "api_upload", None)
    assert (recording["name"], recording["metadata"]) == ("Visit", {"room": 4})

    offered = await post(project, recording, "upload-url", ASKED)
    assert offered.status == 200
    assert offered.json.keys() == {
        "media_id",
        "upload_url",
        "upload_token",
        "content_type",
        "headers",
        "expires_at",
    }
    assert offered.json["content_type"] == offered.json["headers"]["Content-Type"] == "audio/wav"
    assert (await put(project, recording, audio)).status == 200
    assert (await project.get(recording))["status"] == "pending"

    said = {"content_sha256": sha256.upper(), "file_size_bytes": len(audio)}
    completed = await post(project, recording, "upload-complete", said)
    assert completed.status == 200
    answer = completed.json
    assert (answer["status"], answer["transcription_status"]) == ("uploaded", "queued")
    assert (answer["content_sha256"], answer["file_size_bytes"]) == (sha256, len(audio))
    assert answer["content_sha256_verified_at"] == answer["uploaded_at"] is not None

    found = await project.get(recording)
    assert (found["content_sha256"], found["file_size_bytes"]) == (sha256, len(audio))
    transcript = await project.transcript(recording)
    assert transcript["status"] == "completed"
    assert transcript["text"]
    download = await project.get(recording, "/download-url")
    assert (await project.call("GET", download["download_url"], key=False)).body == audio
    done = await project.get(recording)
    assert (done["status"], done["mime_type"]) == ("completed", "audio/wav")
    assert (done["content_sha256"], done["content_sha256_verified_at"]) == (sha256, answer["uploaded_at"])
    assert (await post(project, recording, "upload-complete", said)).body == completed.body
    types = ["RecordingOpened", "ChunkStored", "FinalizeRequested", "Stitched", "Transcribed"]
    assert await project.event_types(recording) == types


async def test_completing_before_the_file_is_there_is_too_early(project):
    recording = await created(project)
    early = await post(project, recording, "upload-complete")
    assert (early.status, early.error["type"]) == (425, "verification_pending")
    assert early.headers["Retry-After"]
    assert (await put(project, recording, b"bytes")).status == 200
    assert (await post(project, recording, "upload-complete")).status == 200


@pytest.mark.parametrize("said", [{"content_sha256": "0" * 64}, {"file_size_bytes": 4}])
async def test_what_differs_from_what_arrived_is_refused_and_the_file_can_be_sent_again(project, said):
    recording = await created(project)
    await put(project, recording, b"bytes cut short on the way")
    answer = await post(project, recording, "upload-complete", said)
    assert (answer.status, answer.error["type"]) == (409, "integrity_failure")
    assert (await project.get(recording))["status"] == "pending"
    assert await project.event_types(recording) == ["RecordingOpened", "ChunkStored"]
    assert (await put(project, recording, short_speech())).status == 200
    sha256 = hashlib.sha256(short_speech()).hexdigest()
    assert (await post(project, recording, "upload-complete", {"content_sha256": sha256})).status == 200
    late = await post(project, recording, "upload-complete", said)
    assert (late.status, late.error["type"]) == (409, "integrity_failure")


async def test_each_way_of_uploading_is_for_its_own_kind_of_recording(project):
    streaming, whole = await project.create(), await created(project)
    for below, body in [("upload-url", ASKED), ("upload-complete", {})]:
        answer = await post(project, streaming, below, body)
        assert (answer.status, answer.error["type"]) == (400, "invalid_request")
    answer = await project.finalize(whole, 1)
    assert (answer.status, answer.error["type"]) == (400, "not_streaming_recording")
    chunks = await project.get(whole, "/chunks")
    assert (chunks["status"], chunks["chunk_upload_url_template"], chunks["max_chunks"]) == ("pending", None, 1)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"content_type": "audio", "file_size_bytes": 1}, "content_type"),
        ({"content_type": "audio/wav\r\nX: 1", "file_size_bytes": 1}, "content_type"),
        ({"content_type": "audio/wav; codecs=a b"}, "content_type"),
        ({"content_type": "image/png", "file_size_bytes": 1}, "content_type"),
        ({"content_type": "audio/wav", "file_size_bytes": 0}, "file_size_bytes"),
        ({"content_type": "audio/wav", "file_size_bytes": "0"}, "file_size_bytes"),
        ({"content_type": "audio/wav", "file_size_bytes": "1e3"}, "file_size_bytes"),
        ({"type": "image"}, "type"),
        ({"type": "video", "content_type": "video/mp4"}, "type"),
        ({"captured_at": "yesterday"}, "captured_at"),
        ({"content_type": "audio/wav", "file_size_bytes": 10**12}, "file_size_bytes"),
    ],
)
async def test_an_upload_url_is_given_for_what_can_be_uploaded(project, body, field):
    answer = await post(project, await created(project), "upload-url", body)
    assert (answer.status, answer.error["details"]["field"]) == (400, field)
