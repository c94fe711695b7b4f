"""A partner's client of Dragon's ambient audio: sessions, chunks and finalize in any order, progress for operators."""

import asyncio
import io
import json
import sys
import wave
from asyncio.subprocess import PIPE
from uuid import uuid4

import pytest

from adapters.event_log.opening import open_log
from adapters.event_log.reader import EventReader
from adapters.keys import KeyKind
from service.dialects.dragon.names import recording_named
from tests.end_to_end.dragon_client import SUCCESS, Dragon, ended, found, sha256, silence
from tests.end_to_end.profile import key_store_of, tables_of
from tests.end_to_end.service_process import short_speech, slices


@pytest.fixture
async def dragon(service):
    return await Dragon.connect(service)


async def test_a_session_a_placeholder_chunks_and_finalize_give_the_transcript(dragon, api):
    audio = short_speech()
    assert (await dragon.announce(externalUserId="dr-1", data='{"room": 4}')).status == 200
    answers = [await dragon.store(1, None)]
    answers += [await dragon.store(number, piece) for number, piece in enumerate(slices(audio, 4), 2)]
    answers.append(await dragon.finalize(5))
    assert {(answer.status, answer.body, answer.headers["Content-Type"]) for answer in answers} == {
        (200, SUCCESS, "application/json; charset=utf-8")
    }
    recording = await ended(api, dragon.correlation_id)
    assert (recording["status"], recording["content_sha256"]) == ("completed", sha256(audio))
    transcript = await api.call("GET", f"/v1/transcriptions/{recording['transcription_id']}")
    assert transcript.json["text"]
    types = ["RecordingOpened", *["ChunkStored"] * 5, "FinalizeRequested", "Stitched", "Transcribed"]
    assert await api.event_types(recording) == types


async def test_finalize_before_any_chunk_is_a_success_and_the_last_chunk_starts_processing(dragon, api):
    audio = silence()
    await dragon.announce()
    assert (await dragon.finalize(3)).body == SUCCESS
    for number, piece in zip((3, 2), reversed(slices(audio, 2)), strict=True):
        assert (await dragon.store(number, piece)).body == SUCCESS
    assert (await found(api, dragon.correlation_id))["status"] == "uploaded"
    assert (await dragon.store(1, None)).body == SUCCESS
    assert (await ended(api, dragon.correlation_id))["content_sha256"] == sha256(audio)


async def test_before_it_is_stitched_no_chunk_of_a_recording_is_taken_for_its_file(dragon, api):
    audio = silence()
    first, second = slices(audio, 2)
    await dragon.announce()
    await dragon.store(1, None)
    await dragon.store(2, first)
    assert (await dragon.finalize(3)).status == 200
    waiting = await api.get(await found(api, dragon.correlation_id))
    content = ("file_size_bytes", "content_sha256", "content_sha256_verified_at")
    assert [waiting[name] for name in ("status", *content)] == ["uploaded", None, None, None]
    await dragon.store(3, second)
    whole = await ended(api, dragon.correlation_id)
    stitched_at = next(
        event["at"] for event in (await api.get(whole, "/events"))["data"] if event["type"] == "Stitched"
    )
    assert [whole[name] for name in content] == [len(audio), sha256(audio), stitched_at]


async def test_while_it_takes_chunks_a_recording_is_streaming_and_no_upload_of_a_file(dragon, api):
    await dragon.announce()
    await dragon.store(1, None)
    recording = await found(api, dragon.correlation_id)
    assert recording["status"] == "streaming"
    for status, listed in (("streaming", [recording]), ("pending", [])):
        answer = await api.call("GET", f"/v1/recordings?correlation_id={dragon.correlation_id}&status={status}")
        assert answer.json["data"] == listed
    arrived = await api.get(recording, "/chunks")
    assert (arrived["status"], arrived["chunk_upload_url_template"]) == ("streaming", None)
    calls = {
        "upload-url": ({"content_type": "audio/wav", "file_size_bytes": 9}, "invalid_request"),
        "upload-complete": ({}, "invalid_request"),
        "finalize": ({"total_chunks": 1, "final_duration_ms": 1}, "not_streaming_recording"),
    }
    for call, (body, refusal) in calls.items():
        answer = await api.call("POST", f"/v1/recordings/{recording['id']}/{call}", body=body)
        assert (answer.status, answer.error["type"]) == (400, refusal)
        assert answer.error["message"] == "The recording was created over another API; upload and finalize it there."
    assert await found(api, dragon.correlation_id) == recording


async def test_chunk_1_may_carry_audio_and_an_empty_content_is_none(dragon, api):
    audio = silence()
    await dragon.announce()
    assert (await dragon.store(1, b"")).body == SUCCESS
    first, second = slices(audio, 2)
    assert (await dragon.store(1, first)).body == SUCCESS
    assert (await dragon.store(1, None)).body == SUCCESS  # a late placeholder takes nothing away
    await dragon.store(2, second)
    await dragon.finalize(2)
    assert (await ended(api, dragon.correlation_id))["content_sha256"] == sha256(audio)


async def test_a_session_holds_several_recordings(dragon, api):
    await dragon.announce()
    audios = {1: silence(), 2: silence(2), 7: silence(3)}
    for number, audio in audios.items():
        await dragon.store(1, audio, number)
        assert (await dragon.finalize(1, number)).body == SUCCESS
    for number, audio in audios.items():
        recording = await ended(api, dragon.correlation_id, number)
        assert recording["external_id"] == f"{dragon.correlation_id}/{number}"
        assert recording["content_sha256"] == sha256(audio)
    listed = await api.call("GET", f"/v1/recordings?correlation_id={dragon.correlation_id}")
    numbers = [recording["external_id"].rpartition("/")[2] for recording in listed.json["data"]]
    assert numbers == ["7", "2", "1"]


async def test_the_same_bytes_again_are_recorded_once_and_other_bytes_win_until_stitching(dragon, api):
    audio = silence()
    first, second = slices(audio, 2)
    await dragon.announce()
    for body in (b"wrong", first, first):
        assert (await dragon.store(1, body)).body == SUCCESS
    await dragon.store(2, second)
    for _ in range(3):
        assert (await dragon.finalize(2)).body == SUCCESS
    recording = await ended(api, dragon.correlation_id)
    assert recording["content_sha256"] == sha256(audio)
    types = ["RecordingOpened", *["ChunkStored"] * 3, "FinalizeRequested", "Stitched", "Transcribed"]
    assert await api.event_types(recording) == types
    assert (await dragon.store(1, first)).body == SUCCESS
    assert (await dragon.store(1, b"other")).status == 409
    assert (await dragon.finalize(2)).body == SUCCESS
    assert (await dragon.finalize(3)).status == 409


async def test_a_session_is_announced_again_as_an_update_and_ends_once(dragon):
    first = await dragon.announce(externalUserId="dr-1")
    again = await dragon.announce(externalUserId="dr-1")
    assert (first.status, again.status, first.body) == (200, 200, again.body)
    assert first.json == {
        "error": None,
        "correlationId": dragon.correlation_id,
        "customerId": dragon.named["customerId"],
        "partnerId": dragon.named["partnerId"],
        "productId": dragon.named["productId"],
        "externalUserId": "dr-1",
        "ehrInstanceId": None,
        "status": "active",
    }
    assert (await dragon.announce(externalUserId="dr-2", ehrInstanceId="ehr")).json["ehrInstanceId"] == "ehr"
    endings = [await dragon.end(), await dragon.end()]
    assert {(answer.status, answer.json["status"]) for answer in endings} == {(200, "ended")}
    assert (await dragon.announce()).json["status"] == "active"


async def test_after_a_sessions_end_late_chunks_are_taken_and_new_recordings_are_not(dragon, api):
    audio = silence()
    first, second = slices(audio, 2)
    await dragon.announce()
    await dragon.store(1, first)
    await dragon.end()
    assert (await dragon.store(2, second)).status == 200
    assert (await dragon.finalize(2)).status == 200
    assert (await ended(api, dragon.correlation_id))["content_sha256"] == sha256(audio)
    assert (await dragon.store(1, first, recording_id=2)).status == 404
    await dragon.announce()
    assert (await dragon.store(1, first, recording_id=2)).status == 200


@pytest.mark.slow
async def test_a_session_and_its_recordings_are_there_after_a_restart(own_service):
    dragon = await Dragon.connect(await own_service.start())
    await dragon.announce()
    await dragon.store(2, silence())
    await own_service.restart()
    assert (await dragon.store(1, None)).status == 200  # with the token from before: the issuer's key stays
    assert (await dragon.finalize(2)).status == 200
    recording = await ended(own_service.api(), dragon.correlation_id)
    assert recording["content_sha256"] == sha256(silence())


@pytest.mark.slow
async def test_without_the_check_no_session_is_needed(own_service):
    own_service.settings["AMBIENT_SESSION_REQUIRED"] = "false"
    dragon = await Dragon.connect(await own_service.start())
    assert (await dragon.store(1, silence())).status == 200
    assert (await dragon.finalize(1)).status == 200
    assert (await ended(own_service.api(), dragon.correlation_id))["status"] == "completed"


@pytest.mark.parametrize("more", [[], [{}], [{"isLast": True}]], ids=["one", "two", "two, the last named"])
async def test_a_recording_without_any_content_completes_without_words(dragon, api, more):
    await dragon.announce()
    answers = [await dragon.store(1, None), *[await dragon.store(2, None, **said) for said in more]]
    answers.append(await dragon.finalize(1 + len(more)))
    assert [(answer.status, answer.body) for answer in answers] == [(200, SUCCESS)] * len(answers)
    recording = await ended(api, dragon.correlation_id)
    assert (recording["status"], recording["duration_ms"], recording["failure"]) == ("completed", 0, None)
    transcription = (await api.call("GET", f"/v1/transcriptions/{recording['transcription_id']}")).json
    told = ("status", "text", "full_text", "word_count", "segments", "language", "error")
    assert {name: transcription[name] for name in told} == {
        "status": "completed",
        "text": "",
        "full_text": "",
        "word_count": 0,
        "segments": [],
        "language": "en",
        "error": None,
    }
    offered = (await api.call("GET", f"/v1/recordings/{recording['id']}/download-url")).json
    assert (offered["content_type"], offered["file_size_bytes"]) == ("audio/wav", 44)
    downloaded = await api.call("GET", offered["download_url"], key=False)
    with wave.open(io.BytesIO(downloaded.body)) as file:
        assert (file.getnframes(), file.getnchannels(), file.getframerate()) == (0, 1, 16_000)


async def test_a_last_chunk_without_content_ends_a_recording_that_has_audio(dragon, api):
    audio = short_speech()
    await dragon.announce()
    assert (await dragon.store(1, audio)).status == 200
    assert (await dragon.store(2, None, isLast=True)).status == 200
    assert (await dragon.finalize(2)).status == 200
    recording = await ended(api, dragon.correlation_id)
    assert (recording["status"], recording["content_sha256"]) == ("completed", sha256(audio))


async def test_the_trace_id_is_in_the_answer_the_log_and_the_events(dragon, api, service):
    await dragon.announce()
    for trace in (str(uuid4()), str(uuid4()).upper()):
        answer = await dragon.store(1, silence(), trace=trace)
        assert answer.headers["x-correlation-id"] == trace
        lines = await service.lines_of_trace(trace)
        assert [line["message"] for line in lines] == ["request"]
        assert (lines[0]["path"], lines[0]["status"]) == ("/audio/storeChunk", 200)
        its_id = recording_named(service.credentials["project_id"], dragon.correlation_id, 1)
        assert lines[0]["recording_id"] == its_id.hex
    trace = str(uuid4())
    await dragon.finalize(1, trace=trace)
    await ended(api, dragon.correlation_id)
    tenant = service.credentials["project_id"]
    assert logged_traces(service, recording_named(tenant, dragon.correlation_id, 1))[-3:] == [trace] * 3


def logged_traces(service, its_id):
    recorder = open_log(service.log_url).recorder
    traces = [recorded.trace_id for recorded in EventReader(recorder).history(its_id)]
    recorder.close()
    return traces


async def test_nothing_of_what_a_partner_says_about_an_encounter_is_in_the_log_or_its_lines(dragon, service):
    said = f"Mrs. {uuid4().hex}"
    assert (await dragon.announce(data=json.dumps({"patient": said}))).status == 200
    for content in (service.log_file.read_bytes(), tables_of(service)):
        assert said.encode() not in content
        assert dragon.token.encode() not in content


@pytest.mark.slow
async def test_the_command_line_takes_the_clients_own_ids(dragon, service):
    await dragon.announce()
    await dragon.store(1, short_speech(), 3)
    await dragon.finalize(1, 3)
    await ended(service.api(), dragon.correlation_id, 3)
    environment = service.environment | {"TAPEDECK_URL": service.url}

    async def said(*arguments):
        command = (sys.executable, "-m", "service.cli", *arguments)
        ran = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, env=environment)
        output, error = await ran.communicate()
        return ran.returncode, output.decode(), error.decode()

    name = f"{dragon.correlation_id}/3"
    shown = await said("show", "--json", name)
    assert json.loads(shown[1])["external_id"] == name
    assert "Good morning" in (await said("transcript", name))[1]
    assert "FinalizeRequested" in (await said("events", name))[1]
    missing = await said("show", f"{dragon.correlation_id}/4")
    assert missing[0] == 1
    assert f"no recording 4 in session {dragon.correlation_id}" in missing[2]


async def test_the_projects_lists_hold_these_recordings_too_and_are_cut_by_their_names(dragon, api):
    await dragon.announce()
    for number in (1, 2, 11):
        await dragon.store(1, silence(), number)
    await dragon.finalize(1, 2)
    await ended(api, dragon.correlation_id, 2)
    own = await api.create()
    newest = (await api.call("GET", "/v1/recordings?limit=4")).json["data"]
    names = [f"{dragon.correlation_id}/{number}" for number in (11, 2, 1)]
    assert [recording.get("external_id") for recording in newest] == [None, *names]
    assert newest[0] == await api.get(own)
    assert newest[0].keys() == newest[1].keys() - {"dialect", "external_id"}
    assert {recording["dialect"] for recording in newest[1:]} == {"dragon"}
    transcribed = (await api.call("GET", "/v1/transcriptions?limit=1")).json["data"]
    assert [one["recording_id"] for one in transcribed] == [newest[2]["id"]]

    async def listed(query):
        answer = await api.call("GET", f"/v1/recordings?{query}")
        assert answer.status == 200, answer
        return [recording["external_id"] for recording in answer.json["data"]], answer.json["next_cursor"]

    asked = f"correlation_id={dragon.correlation_id}"
    assert await listed(asked) == (names, None)
    first, cursor = await listed(f"{asked}&limit=2")
    assert (first, await listed(f"{asked}&limit=2&cursor={cursor}")) == (names[:2], (names[2:], None))
    assert await listed(f"{asked}&status=completed") == (names[1:2], None)
    assert await listed(f"{asked}&recording_id=1") == (names[2:], None)
    assert await listed(f"{asked[:-1]}&recording_id=1") == ([], None)
    assert await listed(f"correlationId={dragon.correlation_id}&recordingId=11") == (names[:1], None)
    alone = await api.call("GET", "/v1/recordings?recording_id=1")
    assert (alone.status, alone.error["message"].split(":")[0]) == (400, "recording_id")


async def test_a_key_of_another_project_finds_nothing(dragon, api, service):
    await dragon.announce()
    await dragon.store(1, silence())
    assert await found(api, dragon.correlation_id) is not None
    assert (await api.call("GET", "/v1/recordings?correlation_id=x&recording_id=0")).status == 400
    keys = key_store_of(service)
    other = keys.create(KeyKind.SECRET, project_id="proj_other")
    keys.close()
    assert await found(service.api(other.token), dragon.correlation_id) is None
