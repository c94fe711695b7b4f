"""The main job: a recording goes all the way through, and everyone sees what happened to it."""

import asyncio
import hashlib
from contextlib import contextmanager

import aiohttp
import pytest

from adapters.keys import KeyKind
from service.sample import spoken_text
from service.sample.word_error_rate import word_error_rate
from tests.end_to_end.profile import key_store_of
from tests.end_to_end.service_process import SAMPLE, short_speech, slices
from tests.places import SHARED_DATA

SPEECH = SHARED_DATA / "speech"
needs_speech = pytest.mark.skipif(not SPEECH.is_dir(), reason="there is no ../shared/data/speech beside this checkout")


@contextmanager
def service_keys(service):
    """The running service's keys, from another process, as `tapedeck keys` has them."""
    keys = key_store_of(service)
    yield keys
    keys.close()


@pytest.mark.slow
async def test_the_sample_comes_back_as_text_and_its_history_tells_how(api):
    audio = SAMPLE.read_bytes()
    recording = await api.upload(slices(audio, 5), name="Consultation", metadata={"room": 4})
    answer = await api.finalize(recording, 5, final_duration_ms=60_000, checksum_md5=hashlib.md5(audio).hexdigest())
    assert answer.json == {
        "id": recording["id"],
        "status": "uploaded",
        "transcription_status": "queued",
        "chunks_received": 5,
        "stitching_job_id": recording["id"].replace("rec_", "job_"),
    }
    transcript = await api.transcript(recording)
    assert transcript["status"] == "completed"
    assert word_error_rate(spoken_text(), transcript["text"]) <= 0.02
    assert transcript["text"].startswith("Good morning")
    assert transcript["text"] == transcript["full_text"] == " ".join(part["text"] for part in transcript["segments"])
    assert transcript["word_count"] == len(transcript["text"].split())
    assert (transcript["provider"], transcript["engine"]) == ("whisper", "faster-whisper")
    assert 0 < transcript["confidence"] <= 1
    times = [time for part in transcript["segments"] for time in (part["start"], part["end"])]
    assert times == sorted(times)  # in order, and none overlaps another
    assert all(part["end"] - part["start"] <= 25 for part in transcript["segments"])

    found = await api.get(recording)
    assert (found["status"], found["transcription_status"]) == ("completed", "completed")
    assert (found["name"], found["metadata"]) == ("Consultation", {"room": 4})
    assert found["content_sha256"] == hashlib.sha256(audio).hexdigest()
    assert found["file_size_bytes"] == len(audio)
    assert found["mime_type"] == "audio/ogg"
    assert abs(found["duration_ms"] - transcript["duration_ms"]) <= 20
    types = ["RecordingOpened", *["ChunkStored"] * 5, "FinalizeRequested", "Stitched", "Transcribed"]
    assert await api.event_types(recording) == types


@needs_speech
@pytest.mark.parametrize(
    ("file", "words"),
    [("goforward.wav", "go forward 10 meters"), ("something.wav", "go somewhere and do something")],
)
async def test_human_speech_in_three_slices_comes_back_word_for_word(api, file, words):
    recording = await api.upload(slices((SPEECH / file).read_bytes(), 3), codec="wav")
    assert (await api.finalize(recording, 3)).status == 200
    assert word_error_rate(words, (await api.transcript(recording))["text"]) == 0


async def test_no_speech_at_all_is_a_completed_transcription_with_an_empty_text(api):
    silence = b"RIFF$\x7d\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80>\0\0\0}\0\0\x02\0\x10\0data\0}\0\0" + bytes(32_000)
    recording = await api.upload([silence], codec="wav")
    assert (await api.finalize(recording, 1)).status == 200
    transcript = await api.transcript(recording)
    assert (transcript["status"], transcript["text"], transcript["segments"]) == ("completed", "", [])
    assert (transcript["word_count"], transcript["confidence"], transcript["error"]) == (0, None, None)


async def test_a_recording_object_has_every_field_from_the_start_and_null_where_nothing_is_known(api, service):
    recording = await api.create(started_at="2025-01-13T10:00:00+02:00", device_id="dev_xyz789")
    found = await api.get(recording)
    unknown = """name duration_ms duration_seconds file_size_bytes ended_at transcription_id transcription_status
        content_sha256 content_sha256_verified_at failure uploaded_at deleted_at upload_method"""
    assert {name for name, value in found.items() if value is None} == set(unknown.split())
    assert found["started_at"] == found["recorded_at"] == "2025-01-13T08:00:00.000Z"
    assert found["project_id"] == service.credentials["project_id"]
    assert (found["device_id"], found["source"], found["status"]) == ("dev_xyz789", "device", "streaming")
    assert (found["metadata"], found["media"]) == ({}, [])


async def test_the_template_serves_every_part_without_a_key_and_answers_with_an_etag(api):
    recording = await api.create()
    assert recording["status"] == "streaming"
    assert recording["max_chunks"] == 100
    assert recording["chunk_upload_url_template"].split("?")[0].endswith("/chunk_{part}.opus")
    for part in (100, 3, 1):
        body = b"part %d" % part
        answer = await api.put(recording, part, body)
        assert answer.status == 200
        assert answer.headers["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'


async def test_a_client_that_lost_its_own_record_resumes(api):
    sample = slices(short_speech(), 4)
    recording = await api.create()
    for number in (1, 3):
        await api.put(recording, number, sample[number - 1])
    found = await api.get(recording, "/chunks")
    assert [(chunk["number"], chunk["size_bytes"], chunk["sha256"]) for chunk in found["data"]] == [
        (number, len(sample[number - 1]), hashlib.sha256(sample[number - 1]).hexdigest()) for number in (1, 3)
    ]
    assert (found["status"], found["chunks_received"], found["total_chunks"]) == ("streaming", 2, None)
    again = {"chunk_upload_url_template": found["chunk_upload_url_template"]}
    for number in (2, 4):
        assert (await api.put(again, number, sample[number - 1])).status == 200
    assert (await api.finalize(recording, 4)).status == 200
    found = await api.get(recording, "/chunks")
    assert (found["status"], found["total_chunks"], found["chunk_upload_url_template"]) == ("uploaded", 4, None)
    assert (await api.ended(recording))["status"] == "completed"


async def test_a_get_after_a_write_sees_that_write(api):
    for number in range(1, 30):
        recording = await api.create(name=f"number {number}")
        assert (await api.get(recording))["name"] == f"number {number}"
        await api.put(recording, 1, b"not audio")
        await api.finalize(recording, 1)
        assert (await api.get(recording))["status"] != "streaming"


async def test_a_create_that_is_sent_again_with_its_idempotency_key_gives_the_same_recording(api, service):
    body = {"streaming": True, "codec": "opus", "end_user_id": service.credentials["end_user_id"]}
    key = {"Idempotency-Key": "device 7, recording 12"}
    answers = await asyncio.gather(
        *(api.call("POST", "/v1/recordings", body=body, headers=key) for _ in range(10)),
    )
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body for answer in answers}) == 1
    other = await api.call("POST", "/v1/recordings", body=body | {"codec": "wav"}, headers=key)
    assert (other.status, other.error["type"]) == (409, "idempotency_conflict")
    assert (await api.create())["id"] != answers[0].json["id"]


async def test_a_device_token_fixes_device_and_end_user_and_may_upload_but_not_read(service):
    device = service.api(service.credentials["device_token"])
    recording = await device.create(device_id="dev_other", end_user_id="eu_other")
    found = await service.api().get(recording)
    assert found["device_id"] == service.credentials["device_id"]
    assert found["end_user_id"] == service.credentials["end_user_id"]
    assert (await device.put(recording, 1, b"bytes")).status == 200
    assert (await device.call("GET", f"/v1/recordings/{recording['id']}/chunks")).status == 200
    assert (await device.call("GET", f"/v1/recordings/{recording['id']}")).error["type"] == "forbidden"
    assert (await device.finalize(recording, 1)).status == 200


async def test_other_projects_and_other_devices_recordings_are_as_if_they_did_not_exist(service, api):
    with service_keys(service) as keys:
        stranger = service.api(keys.create(KeyKind.SECRET, project_id="proj_other").token)
        other_device = service.api(
            keys.create(
                KeyKind.DEVICE,
                project_id=service.credentials["project_id"],
                device_id="dev_2",
                end_user_id="eu_2",
            ).token
        )
    recording = await api.upload([b"bytes"])
    for caller, below in [(stranger, ""), (stranger, "/chunks"), (stranger, "/events"), (stranger, "/download-url")]:
        answer = await caller.call("GET", f"/v1/recordings/{recording['id']}{below}")
        assert (answer.status, answer.error["type"]) == (404, "recording_not_found")
    for caller in (stranger, other_device):
        assert (await caller.finalize(recording, 1)).error["type"] == "recording_not_found"
        assert (await caller.call("GET", f"/v1/recordings/{recording['id']}/chunks")).status == 404
    assert (await stranger.call("POST", f"/v1/recordings/{recording['id']}/retry")).status == 404
    assert (await stranger.call("GET", f"/v1/transcriptions/{recording['id'].replace('rec_', 'txn_')}")).status == 404


async def test_a_restricted_key_may_do_what_its_scopes_say(service, api):
    with service_keys(service) as keys:
        project_id = service.credentials["project_id"]
        reader, writer = (
            service.api(keys.create(KeyKind.RESTRICTED, project_id=project_id, scopes=frozenset({scope})).token)
            for scope in ("recordings:read", "recordings:write")
        )
    recording = await api.upload([b"bytes"])
    await reader.get(recording)
    assert (await reader.finalize(recording, 1)).error["type"] == "forbidden"
    assert (await writer.call("GET", f"/v1/recordings/{recording['id']}")).status == 403
    assert (await writer.finalize(recording, 1)).status == 200
    txn = f"/v1/transcriptions/{recording['id'].replace('rec_', 'txn_')}"
    assert (await reader.call("GET", txn)).error["type"] == "forbidden"


async def test_a_failed_recording_is_retried_and_fails_again_for_the_same_reason(api):
    recording = await api.upload([b"not audio at all"])
    await api.finalize(recording, 1)
    await api.ended(recording)
    answer = await api.call("POST", f"/v1/recordings/{recording['id']}/retry")
    assert answer.status == 202
    await api.ended(recording)
    types = ["RecordingOpened", "ChunkStored", "FinalizeRequested", "Failed", "RetryRequested", "Failed"]
    assert await api.event_types(recording) == types


async def test_what_has_not_failed_is_not_retried(api):
    recording = await api.create()
    answer = await api.call("POST", f"/v1/recordings/{recording['id']}/retry")
    assert (answer.status, answer.error["type"]) == (409, "not_failed")


async def test_a_download_url_before_there_is_anything_to_download_says_so(api):
    recording = await api.create()
    answer = await api.call("GET", f"/v1/recordings/{recording['id']}/download-url")
    assert (answer.status, answer.error["type"]) == (409, "not_ready")


async def test_a_trace_id_is_answered_and_in_the_log_line(api, service):
    its_trace = "3f2b8a5e-0000-4000-8000-00000000abcd"
    answer = await api.call("GET", "/v1/recordings/rec_1", headers={"x-correlation-id": its_trace})
    assert answer.headers["x-correlation-id"] == its_trace
    lines = await service.lines_of_trace(its_trace)
    assert [(line["path"], line["status"]) for line in lines] == [("/v1/recordings/rec_1", 404)]


async def test_no_log_line_holds_a_key_a_signature_or_a_transcript(api, service):
    recording = await api.upload(slices(short_speech(), 2))
    await api.finalize(recording, 2)
    transcript = await api.transcript(recording)
    log = service.log_file.read_text()
    secrets = [service.credentials["api_key"], service.credentials["device_token"], "signature=", transcript["text"]]
    assert not [secret for secret in secrets if secret in log]


async def test_with_sixteen_clients_events_share_commits(api, service):
    recordings = [await api.create() for _ in range(16)]

    async def metric(name):
        text = (await api.call("GET", "/metrics")).body.decode()
        return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name))

    commits, events = await metric("tapedeck_log_commits_total"), await metric("tapedeck_log_events_total")

    async def upload(session, recording):
        for part in range(1, 41):
            url = recording["chunk_upload_url_template"].replace("{part}", str(part))
            async with session.put(aiohttp.client.URL(url, encoded=True), data=bytes(4096)) as answer:
                assert answer.status == 200

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(upload(session, recording) for recording in recordings))
    commits = await metric("tapedeck_log_commits_total") - commits
    events = await metric("tapedeck_log_events_total") - events
    assert events == 16 * 40
    assert events / commits > 1
