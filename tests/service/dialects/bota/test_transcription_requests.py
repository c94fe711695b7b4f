"""Transcriptions asked for in a language and from a provider, with an engine at an endpoint that has every language."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import BodyPartReader, web

from tests.adapters.audio.samples import tone, wav
from tests.end_to_end.service_process import Answer, Api
from tests.service.running_service import Running, TurnedClock, running_service
from tests.tools.free_ports import free_port

pytestmark = pytest.mark.filterwarnings("ignore:unread_data:DeprecationWarning")

TEXTS = {"es": "Buenos días.", "en": "Good morning.", "zh": "早上好。"}


@dataclass
class Endpoint:
    """Speaks OpenAI's protocol, has some languages, and keeps which it was asked for."""

    url: str = ""
    asked: list[str] = field(default_factory=list)

    async def transcribe(self, request: web.Request) -> web.Response:
        language = ""
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            content = await part.read()
            language = bytes(content).decode() if part.name == "language" else language
        self.asked.append(language)
        if language not in TEXTS:
            return web.json_response({"error": {"message": f"language {language} is not supported"}}, status=400)
        segments = [{"start": 0.0, "end": 1.0, "text": TEXTS[language]}]
        return web.json_response({"text": TEXTS[language], "segments": segments})


@asynccontextmanager
async def endpoint() -> AsyncIterator[Endpoint]:
    started = Endpoint()
    app = web.Application()
    app.router.add_post("/v1/audio/transcriptions", started.transcribe)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        started.url = f"http://127.0.0.1:{port}/v1"
        yield started
    finally:
        await runner.cleanup()


@dataclass
class World:
    running: Running
    endpoint: Endpoint

    @property
    def api(self) -> Api:
        return self.running.api

    async def uploaded(self) -> str:
        created = await self.api.create()
        await self.api.put(created, 1, wav(tone(16_000)))
        assert (await self.api.finalize(created, 1)).status == 200
        return str(created["id"])

    async def ask(self, recording_id: str, **asked: object) -> Answer:
        return await self.api.call("POST", "/v1/transcriptions", body={"recording_id": recording_id, **asked})

    async def completed(self, recording_id: str) -> Answer:
        path = f"/v1/transcriptions/{recording_id.replace('rec_', 'txn_')}"
        while True:
            answer = await self.api.call("GET", path)
            if answer.json["status"] in ("completed", "failed"):
                return answer


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with endpoint() as started:
        engine = {"transcriber": "openai", "transcriber_url": started.url, "transcriber_model": "whisper-1"}
        async with running_service(tmp_path / "data", TurnedClock(), stage_attempts=1, **engine) as running:
            yield World(running, started)


@pytest.mark.slow
async def test_a_language_is_echoed_as_it_was_asked_for_and_reaches_the_engine(world: World) -> None:
    its_id = await world.uploaded()
    created = await world.ask(its_id, language="es-419", provider="deepgram", diarization=True)
    assert created.status == 201
    assert (created.json["language"], created.json["provider"]) == ("es-419", "deepgram")
    assert created.json["project_id"].startswith("proj_")
    while (await world.completed(its_id)).json["full_text"] != TEXTS["es"]:  # the first may have been in English
        pass
    assert world.endpoint.asked[-1] == "es"
    shown = (await world.completed(its_id)).json
    times = ("created_at", "started_at", "completed_at", "updated_at")
    assert {name: value for name, value in shown.items() if name not in times} == {
        "id": its_id.replace("rec_", "txn_"),
        "project_id": created.json["project_id"],
        "recording_id": its_id,
        "status": "completed",
        "language": "es-419",
        "provider": "deepgram",
        "engine": "openai",
        "duration_ms": 1_000,
        "text": "Buenos días.",
        "full_text": "Buenos días.",
        "segments": [{"start": 0.0, "end": 1.0, "text": "Buenos días."}],
        "word_count": 2,
        "confidence": None,
        "error": None,
    }
    assert all(shown[name] is not None for name in times)


@pytest.mark.slow
async def test_another_language_is_transcribed_anew_and_the_same_one_changes_nothing(world: World) -> None:
    its_id = await world.uploaded()
    assert (await world.completed(its_id)).json["text"] == TEXTS["en"]
    before = world.endpoint.asked.copy()
    for same in ({}, {"language": "EN"}, {"language": "en-US"}, {"language": "eng"}):
        answer = await world.ask(its_id, **same)
        assert (answer.status, answer.json["status"], answer.json["language"]) == (201, "completed", "en")
    assert world.endpoint.asked == before
    anew = await world.ask(its_id, language="zh-Hant")
    assert (anew.status, anew.json["language"]) == (201, "zh-Hant")
    assert (anew.json["status"], anew.json["full_text"]) in [("processing", None), ("completed", TEXTS["zh"])]
    assert (await world.completed(its_id)).json["text"] == TEXTS["zh"]
    assert [*before, "zh"] == world.endpoint.asked


@pytest.mark.slow
async def test_what_the_endpoint_refuses_fails_clearly_and_another_language_then_succeeds(world: World) -> None:
    its_id = await world.uploaded()
    await world.completed(its_id)
    assert (await world.ask(its_id, language="tlh")).status == 201
    failed = (await world.completed(its_id)).json
    assert (failed["status"], failed["language"]) == ("failed", "tlh")
    assert failed["error"] == "The openai engine refused the recording: it answered 400, language tlh is not supported."
    assert (await world.ask(its_id, language="es")).status == 201
    assert (await world.completed(its_id)).json["text"] == TEXTS["es"]


@pytest.mark.slow
async def test_the_older_spelling_is_the_same_with_a_body_or_without(world: World) -> None:
    its_id = await world.uploaded()
    await world.completed(its_id)
    path = f"/v1/recordings/{its_id}/transcribe"
    plain = await world.api.call("POST", path)
    asked = await world.api.call("POST", path, body={"language": "en", "diarization": False, "provider": "whisper"})
    assert (plain.status, asked.status) == (201, 201)
    assert asked.json == plain.json | {"provider": "whisper", "updated_at": asked.json["updated_at"]}
    assert asked.json == (await world.completed(its_id)).json
    streaming = await world.api.create()
    refused = await world.api.call("POST", f"/v1/recordings/{streaming['id']}/transcribe")
    assert (refused.status, refused.error["type"]) == (409, "not_ready")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"language": "en_US"}, "language"),
        ({"language": "english please"}, "language"),
        ({"language": "e"}, "language"),
        ({"language": "x" * 65}, "language"),
        ({"provider": ""}, "provider"),
        ({"provider": "p" * 65}, "provider"),
        ({"provider": "a\nb"}, "provider"),
        ({"diarization": "yes"}, "diarization"),
    ],
)
async def test_what_is_no_language_and_no_providers_name_is_refused(world: World, asked: dict, field: str) -> None:
    answer = await world.ask("rec_1", **asked)
    assert (answer.status, answer.error["details"]["field"]) == (400, field)


async def test_a_language_that_the_embedded_engine_lacks_is_refused_with_those_that_it_has(tmp_path: Path) -> None:
    async with running_service(tmp_path / "data", TurnedClock()) as running:
        world = World(running, Endpoint())
        its_id = await world.uploaded()
        refused = await world.ask(its_id, language="es-419")
        reason = "The faster-whisper engine does not understand 'es-419', only en."
        assert (refused.status, refused.error["details"]) == (400, {"field": "language", "reason": reason})
        accepted = await world.ask(its_id, language="en-GB")
        assert (accepted.status, accepted.json["language"]) == (201, "en-GB")
