"""Clients that are not ours: Node's own fetch, and curl, with only the base URL changed."""

import asyncio
import io
import json
import subprocess
from pathlib import Path
from uuid import uuid4

import av
import pytest

from tests.end_to_end.dragon_client import AUDIO, SESSIONS, dragon_credentials, ended, ids, sha256
from tests.end_to_end.service_process import short_speech
from tests.left_out import needed

PARTNER = Path(__file__).with_name("dragon_partner.mjs")
CHUNK_BYTES = 64 * 1024
PLAYED = "plays a partner's client"


async def output(*command: str, folder: Path | None = None) -> str:
    """What a client printed, while the service goes on."""
    ran = await asyncio.to_thread(subprocess.run, command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, ""), ran
    return ran.stdout


def short_opus() -> bytes:
    """The short speech as an Ogg Opus file, in several slices: at the highest rate there is."""
    output = io.BytesIO()
    with av.open(io.BytesIO(short_speech())) as wav, av.open(output, "w", "ogg") as ogg:
        stream = ogg.add_stream("libopus", rate=16_000)
        stream.bit_rate = 256_000
        for frame in (*wav.decode(audio=0), None):
            ogg.mux(stream.encode(frame))
    return output.getvalue()


@pytest.mark.parametrize("backwards", [False, True], ids=["in order", "backwards"])
async def test_nodes_own_fetch_form_data_and_blob_get_to_a_transcript(service, api, tmp_path, backwards):
    node = needed("node", PLAYED)
    audio = short_speech()
    (tmp_path / "recording").write_bytes(audio)
    correlation_id = f"node-{uuid4()}"
    settings = {
        "baseUrl": service.url,
        "dragon": dragon_credentials(service),
        "file": str(tmp_path / "recording"),
        "correlationId": correlation_id,
        "backwards": backwards,
    }
    said = (await output(node, str(PARTNER), json.dumps(settings))).splitlines()
    slices = -(-len(audio) // CHUNK_BYTES)
    assert said[0].startswith("200 {")
    assert said[1:] == ['200 {"error":null}'] * (slices + 2)
    recording = await ended(api, correlation_id)
    assert recording["content_sha256"] == sha256(audio)
    text = (await api.call("GET", f"/v1/transcriptions/{recording['transcription_id']}")).json["text"]
    assert text.startswith("Good morning")


@pytest.mark.slow
async def test_curl_gets_an_opus_file_to_a_transcript(service, api, tmp_path):
    curl, credentials = needed("curl", PLAYED), dragon_credentials(service)
    audio, named = short_opus(), ids(credentials) | {"correlationId": f"curl-{uuid4()}"}

    async def answer(*arguments: str) -> str:
        return await output(curl, "-sS", "--fail-with-body", *arguments, folder=tmp_path)

    client = f"{credentials['client_id']}:{credentials['client_secret']}"
    granted = await answer("-u", client, "-d", "grant_type=client_credentials", credentials["token_url"])
    authorized = ("-H", f"Authorization: Bearer {json.loads(granted)['access_token']}")
    traced = (*authorized, "-H", f"x-correlation-id: {uuid4()}")
    session = json.loads(
        await answer(
            *authorized, "-X", "PUT", "--json", json.dumps(named), f"{service.url}/ambient-sessions?{SESSIONS}"
        )
    )
    assert session["correlationId"] == named["correlationId"]

    url = f"{service.url}/audio/storeChunk?{AUDIO}&customerId={named['customerId']}"
    pieces = [audio[start : start + CHUNK_BYTES] for start in range(0, len(audio), CHUNK_BYTES)]
    for number, piece in enumerate([None, *pieces], 1):
        metadata = json.dumps(named | {"recordingId": 1, "chunkId": number})
        form = ["-F", f"metadata={metadata};type=application/json"]
        if piece is not None:
            (tmp_path / "chunk.bin").write_bytes(piece)
            form += ["-F", "content=@chunk.bin"]
        assert await answer(*traced, "-X", "PUT", *form, url) == '{"error":null}'
    declared = json.dumps(named | {"recordingId": 1, "totalChunks": len(pieces) + 1})
    finalize = f"{service.url}/audio/finalizeUpload?{AUDIO}"
    assert await answer(*traced, "--json", declared, finalize) == '{"error":null}'
    assert len(pieces) > 1
    recording = await ended(api, named["correlationId"])
    assert (recording["status"], recording["content_sha256"]) == ("completed", sha256(audio))
    assert recording["mime_type"] == "audio/ogg"
    text = (await api.call("GET", f"/v1/transcriptions/{recording['transcription_id']}")).json["text"]
    assert text.startswith("Good morning")


async def test_a_large_chunk_from_curl_which_asks_before_it_sends_is_taken(service, api, tmp_path):
    curl, credentials = needed("curl", PLAYED), dragon_credentials(service)
    named = ids(credentials) | {"correlationId": f"curl-{uuid4()}", "recordingId": 1, "chunkId": 1}
    (tmp_path / "chunk.bin").write_bytes(bytes(5_000_000))
    granted = await output(
        curl, "-sS", "-d", f"grant_type=client_credentials&client_id={credentials['client_id']}", "--data-urlencode",
        f"client_secret={credentials['client_secret']}", credentials["token_url"],
    )  # fmt: skip
    said = await output(
        curl, "-sS", "-X", "PUT", "-H", f"Authorization: Bearer {json.loads(granted)['access_token']}",
        "-H", f"x-correlation-id: {uuid4()}", "-H", "Expect: 100-continue",
        "-F", f"metadata={json.dumps(named | {'skipAmbientSessionExistence': True})}", "-F", "content=@chunk.bin",
        f"{service.url}/audio/storeChunk?{AUDIO}", folder=tmp_path,
    )  # fmt: skip
    assert said == '{"error":null}'
