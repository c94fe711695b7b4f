"""What was stitched with damage, or expired, is mended long after: over HTTP, in a service whose clock is turned."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientPayloadError

from domain.commands import RecordFailure
from domain.events import FinalizePolicy, Stage
from service.application import clock as clock_module
from service.dialects.dragon.names import external_id, recording_named, tenant_of_customer
from tests.domain.histories import finalized
from tests.end_to_end.dragon_client import SUCCESS, Dragon, development_token, error_of, ids
from tests.end_to_end.service_process import Answer, Api, short_speech
from tests.service.dialects.shelf import BROKEN, SPEECH, Shelf, bytes_of, credentials, named, retry
from tests.service.running_service import Running, TurnedClock, running_service

REASON = "Chunk 2 cannot be decoded."


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_service(tmp_path / "data", TurnedClock()) as running:
        yield running


@pytest.fixture
def shelf(running: Running) -> Shelf:
    return Shelf(running)


async def whole_answer(answer: Awaitable[Answer]) -> Answer | None:
    """None for one that was cut off, because chunks were erased meanwhile."""
    try:
        return await answer
    except ClientPayloadError:
        return None


async def audio_of(api: Api, recording: dict[str, Any]) -> bytes:
    url = (await api.get(recording, "/download-url"))["download_url"]
    return (await api.call("GET", url, key=False)).body


# --- damage


@pytest.mark.slow
async def test_a_completed_recording_names_its_damage_takes_the_right_chunk_and_is_made_anew(running, shelf):
    api, recording = running.api, named(await shelf.with_damage())
    told = {"number": 2, "reason": "damaged", "message": REASON}
    completed = await api.ended(recording)
    assert (completed["status"], completed["damage"]) == ("completed", [told])
    assert [one.get("damage") for one in (await api.get(recording, "/chunks"))["data"]] == [None, told, None]
    assert (await bytes_of(api, recording, 2)).body == BROKEN[1]

    running.turn(hours=5)  # its uploads are over
    early = await retry(api, recording)
    assert (early.status, early.error["type"]) == (409, "not_failed")
    assert "replace a damaged chunk (2) first" in early.error["message"]
    template = {"chunk_upload_url_template": (await api.get(recording, "/chunks"))["chunk_upload_url_template"]}
    other = await api.put(template, 1, b"other")
    assert (other.status, other.error["type"]) == (409, "already_finalized")
    assert (await api.put(template, 2, SPEECH[1])).status == 200
    assert (await api.get(recording))["status"] == "completed"
    assert [one.get("damage") for one in (await api.get(recording, "/chunks"))["data"]] == [None] * 3

    assert (await retry(api, recording)).status == 202
    whole = await api.ended(recording)
    assert (whole["status"], "damage" in whole) == ("completed", False)
    assert await audio_of(api, recording) == short_speech()
    assert (await api.transcript(recording))["text"]
    types = await api.event_types(recording)
    assert [types.count(twice) for twice in ("Stitched", "Transcribed")] == [2, 2]
    assert types[types.index("RetryRequested") :].count("Stitched") == 1
    assert (await retry(api, recording)).error["type"] == "not_failed"


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["segments", "file"])
async def test_bytes_that_are_refused_and_accepted_at_the_same_time_stay(tmp_path, monkeypatch, scheme):
    url = (tmp_path / "blobs").as_uri().replace("file:", f"{scheme}:", 1)
    async with running_service(tmp_path / "data", TurnedClock(), blob_url=url) as running:
        api, recording = running.api, named(its_id := await Shelf(running).with_damage())
        await api.ended(recording)
        template = {"chunk_upload_url_template": (await api.get(recording, "/chunks"))["chunk_upload_url_template"]}
        assert (await api.put(template, 2, SPEECH[1])).status == 200
        uploads, again = running.service.parts.uploads, []
        holds = uploads._holds

        async def stitching_fails_in_between(*asked):
            held = await holds(*asked)
            if not again:  # from here on, other bytes are accepted for every chunk
                await running.service.parts.lifecycle.retry(its_id)
                failure = {"stage": Stage.STITCH, "reason": "not_audio", "message": "It broke.", "attempts": 1}
                await uploads._recordings.execute(its_id, RecordFailure(at=running.clock(), edition=1, **failure))
                again.append(asyncio.create_task(api.put(template, 1, b"other")))
                await asyncio.wait(again, timeout=1)
            return held

        monkeypatch.setattr(uploads, "_holds", stitching_fails_in_between)
        assert (await api.put(template, 1, b"other")).status == 409
        accepted = await again[0]
        if accepted.status == 503:  # its bytes went with the refused ones: that is said, and sending them again helps
            accepted = await api.put(template, 1, b"other")
        assert accepted.status == 200
        assert (await bytes_of(api, recording, 1)).body == b"other"


@pytest.mark.slow
async def test_recordings_without_damage_say_nothing_of_it(running, shelf):
    recording = named(await shelf.put(uuid4(), SPEECH, finalized(3)))
    assert "damage" not in await running.api.ended(recording)
    assert all("damage" not in one for one in (await running.api.get(recording, "/chunks"))["data"])


@pytest.mark.slow
async def test_chunks_of_a_recording_with_damage_outlive_their_retention(tmp_path, monkeypatch):
    monkeypatch.setattr(clock_module, "LONGEST_SLEEP", timedelta(seconds=0.1))  # so that it sees the clock turned
    async with running_service(tmp_path / "data", TurnedClock(), chunk_retention_hours=1) as running:
        shelf, api = Shelf(running), running.api
        with_damage, whole = named(await shelf.with_damage()), named(await shelf.put(uuid4(), SPEECH, finalized(3)))
        for recording in (with_damage, whole):
            await api.ended(recording)
        running.turn(hours=2)
        async with asyncio.timeout(300):
            while (answer := await whole_answer(bytes_of(api, whole, "all"))) is None or answer.status != 410:
                await asyncio.sleep(0.05)
        assert answer.error["type"] == "chunks_erased"
        assert answer.error["message"].endswith("GET /v1/recordings/{id}/download-url gives that file.")
        template = {"chunk_upload_url_template": (await api.get(with_damage, "/chunks"))["chunk_upload_url_template"]}
        assert (await api.put(template, 2, SPEECH[1])).status == 200
        assert (await bytes_of(api, with_damage, "all")).body == short_speech()
        assert (await retry(api, with_damage)).status == 202
        assert (await api.ended(with_damage))["status"] == "completed"
        assert await audio_of(api, with_damage) == short_speech()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:It is recommended to use web.RequestKey")
async def test_dragons_clients_see_the_damage_and_mend_it_with_dragons_calls(running, shelf):
    its_credentials = credentials(running, "dragon")
    dragon = Dragon(running.settings.base_url, await development_token(its_credentials), ids(its_credentials))
    await dragon.announce()
    tenant = tenant_of_customer(its_credentials["customer_id"])
    its_id = await shelf.with_damage(
        recording_named(tenant, dragon.correlation_id, 1),
        dialect="dragon",
        tenant_id=tenant,
        external_id=external_id(dragon.correlation_id, 1),
        finalize_policy=FinalizePolicy.RECONCILE,
        codec=None,
    )
    async with asyncio.timeout(300):
        while (standing := (await dragon.chunks()).json)["status"] != "completed":
            await asyncio.sleep(0.05)
    assert standing["damage"] == [{"chunkId": 2, "reason": "damaged", "message": REASON}]
    assert [one["isDamaged"] for one in standing["chunks"]] == [False, True, False]
    assert "PUT /audio/storeChunk replaces what is damaged" in await error_of(dragon.retry(), 409)
    assert (await dragon.store(2, SPEECH[1])).body == SUCCESS
    assert (await dragon.retry()).body == SUCCESS
    async with asyncio.timeout(300):
        while (standing := (await dragon.chunks()).json)["status"] != "completed":
            await asyncio.sleep(0.05)
    assert standing["damage"] == []
    assert (await dragon.chunks("/all")).body == short_speech()
    assert await audio_of(running.api, named(its_id)) == short_speech()


# --- expiry


async def test_what_expired_before_it_was_finalized_can_be_downloaded_and_every_refusal_says_so(running):
    api = running.api
    recording = await api.upload(SPEECH[:2])
    running.turn(hours=5)
    found = await api.ended(recording)
    assert (found["status"], found["failure"]["reason"]) == ("failed", "expired")
    assert (await bytes_of(api, recording, "all")).body == SPEECH[0] + SPEECH[1]
    assert (await bytes_of(api, recording, 2)).body == SPEECH[1]
    listed = await api.get(recording, "/chunks")
    assert (listed["chunk_upload_url_template"], len(listed["data"])) == (None, 2)
    its_path, transcription = f"/v1/recordings/{recording['id']}", {"recording_id": recording["id"]}
    for answer in (
        await retry(api, recording),
        await api.finalize(recording, 2),
        await api.call("GET", f"{its_path}/download-url"),
        await api.call("POST", "/v1/transcriptions", body=transcription),
    ):
        assert answer.status == 409
        assert "/chunks/all give the stored bytes." in answer.error["message"]
    late = await api.put(recording, 3, SPEECH[2])
    assert (late.status, "GET /v1/recordings/{id}/chunks" in late.error["message"]) == (403, True)


async def test_a_file_that_is_no_audio_is_replaced_after_its_time_and_checked_against_itself(running):
    api = running.api
    recording = await api.create(streaming=False)
    its_path = f"/v1/recordings/{recording['id']}"

    async def put(body: bytes) -> bool:
        """Whether the answer to its completion suspects it."""
        asked = {"content_type": "audio/wav", "file_size_bytes": len(body)}
        offered = await api.call("POST", f"{its_path}/upload-url", body=asked)
        assert offered.status == 200, offered
        sent = await api.call("PUT", offered.json["upload_url"], body=body, key=False)
        assert sent.status == 200, sent
        sha256 = hashlib.sha256(body).hexdigest()
        completed = await api.call("POST", f"{its_path}/upload-complete", body={"content_sha256": sha256})
        assert (completed.status, completed.json["content_sha256"]) == (200, sha256)
        return "suspect_chunks" in completed.json

    assert await put(b"%PDF-1.7 This is a letter and no audio at all. " * 100)
    assert (await api.ended(recording))["failure"]["stage"] == "stitch"
    refused = await api.call("GET", f"{its_path}/download-url")
    for call in ("/chunks/all", "/upload-url", "/retry"):
        assert call in refused.error["message"]
    running.turn(hours=5)
    assert not await put(short_speech())
    assert (await retry(api, recording)).status == 202
    assert (await api.ended(recording))["status"] == "completed"
    assert await audio_of(api, recording) == short_speech()


async def test_after_its_time_a_failed_recording_gives_a_fresh_url_and_the_old_one_says_where_to_get_it(running):
    api = running.api
    recording = await api.upload([b"This is a letter and no audio at all. " * 100])
    await api.finalize(recording, 1)
    await api.ended(recording)
    running.turn(hours=5)
    late = await api.put(recording, 1, short_speech())
    assert (late.status, "GET /v1/recordings/{id}/chunks" in late.error["message"]) == (403, True)
    fresh = await api.get(recording, "/chunks")
    assert fresh["expires_at"] > recording["expires_at"]
    assert (await api.put(fresh, 1, short_speech())).status == 200
    assert (await retry(api, recording)).status == 202
    assert (await api.ended(recording))["status"] == "completed"
