"""A chunk that cannot be audio by its first bytes is stored, and named by finalize and the status."""

from urllib.parse import urlencode

import pytest

from tests.end_to_end.dragon_client import AUDIO, SUCCESS, Dragon, found
from tests.end_to_end.service_process import SAMPLE, short_speech, slices

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"
TEXT = b"this is a shopping list, not audio " * 50
LOOKS = [{"number": 1, "looks_like": "text"}, {"number": 3, "looks_like": "a PDF document"}]


async def test_finalize_and_status_name_the_chunks_that_cannot_be_audio(api):
    recording = await api.upload([TEXT, b"\x01\x02\x03", PDF])
    assert (await api.get(recording))["suspect_chunks"] == LOOKS
    chunks = (await api.get(recording, "/chunks"))["data"]
    assert [chunk.get("looks_like") for chunk in chunks] == ["text", None, "a PDF document"]
    assert "looks_like" not in chunks[1]
    answer = await api.finalize(recording, 3)
    assert (answer.status, answer.json["suspect_chunks"]) == (200, LOOKS)
    assert (await api.ended(recording))["suspect_chunks"] == LOOKS
    listed = (await api.call("GET", "/v1/recordings?limit=100")).json["data"]
    assert [one["suspect_chunks"] for one in listed if one["id"] == recording["id"]] == [LOOKS]
    assert (await api.finalize(recording, 3)).body == answer.body


@pytest.mark.slow
async def test_other_bytes_for_the_chunk_take_the_suspicion_away(api):
    parts = slices(short_speech(), 3)
    recording = await api.upload([parts[0], PDF, parts[2]], codec="wav")
    assert (await api.get(recording))["suspect_chunks"] == [{"number": 2, "looks_like": "a PDF document"}]
    assert (await api.put(recording, 2, parts[1])).status == 200
    assert "suspect_chunks" not in await api.get(recording)
    assert "suspect_chunks" not in (await api.finalize(recording, 3)).json
    done = await api.ended(recording)
    assert (done["status"], "suspect_chunks" in done) == ("completed", False)


async def test_the_beginning_is_looked_at_however_small_the_pieces_are(api):
    async def pieces():
        for byte in TEXT:
            yield bytes([byte])

    recording = await api.create()
    assert (await api.put(recording, 1, pieces())).status == 200
    assert (await api.get(recording))["suspect_chunks"] == LOOKS[:1]


async def test_a_whole_file_that_cannot_be_audio_is_told_when_its_upload_is_complete(api):
    recording = await api.create(streaming=False)
    asked = {"content_type": "audio/wav", "file_size_bytes": len(PDF)}
    url = (await api.call("POST", f"/v1/recordings/{recording['id']}/upload-url", body=asked)).json["upload_url"]
    assert (await api.call("PUT", url, body=PDF, key=False)).status == 200
    suspects = [{"number": 1, "looks_like": "a PDF document"}]
    for _ in range(2):
        done = await api.call("POST", f"/v1/recordings/{recording['id']}/upload-complete", body={})
        assert (done.status, done.json["status"], done.json["suspect_chunks"]) == (200, "uploaded", suspects)
    assert (await api.ended(recording))["suspect_chunks"] == suspects


async def test_audio_in_slices_of_any_size_is_never_suspected(api):
    for body, codec in ((SAMPLE.read_bytes(), "opus"), (short_speech(), "wav")):
        recording = await api.upload(slices(body, 60), codec=codec)
        assert "suspect_chunks" not in await api.get(recording)
        assert "suspect_chunks" not in (await api.finalize(recording, 60)).json


@pytest.mark.slow
@pytest.mark.parametrize("chunks_first", [True, False])
async def test_dragons_finalize_names_what_had_come_by_then_and_the_status_all(service, chunks_first):
    dragon = await Dragon.connect(service)
    await dragon.announce()
    parts = slices(SAMPLE.read_bytes(), 2)

    async def store() -> None:
        for number, part in enumerate((parts[0], TEXT), 1):
            assert (await dragon.store(number, part)).body == SUCCESS

    if chunks_first:
        await store()
    answer = await dragon.finalize(2)
    expected = {"error": None} | ({"suspectChunks": [{"chunkId": 2, "looksLike": "text"}]} if chunks_first else {})
    assert (answer.status, answer.json) == (200, expected)
    if not chunks_first:
        await store()
    assert (await dragon.finalize(2)).body == answer.body
    shown = await found(service.api(), dragon.correlation_id)
    assert shown["suspect_chunks"] == [{"number": 2, "looks_like": "text"}]
    chunks = f"/audio/chunks?{AUDIO}&{urlencode(dragon.named)}&recordingId=1"
    assert (await dragon.call("GET", chunks)).json["suspectChunks"] == [{"chunkId": 2, "looksLike": "text"}]
    await service.api().ended(shown)
    assert (await dragon.store(2, parts[1])).body == SUCCESS
    assert "suspectChunks" not in (await dragon.call("GET", chunks)).json
    assert (await dragon.finalize(2)).body == answer.body
