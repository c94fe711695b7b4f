"""A service that is killed while a summary is written goes on after its restart, and the summary is written once."""

import asyncio
from uuid import UUID

import pytest

from adapters.event_log.log import EventLog
from adapters.event_log.opening import open_log
from tests.adapters.notes.endpoint import chat_endpoint, completion, stated
from tests.end_to_end.service_process import ServiceProcess, short_speech, slices

PROMPT = "What does the patient complain about?"


def cites_the_first_line(asked):
    said = asked["messages"][1]["content"].splitlines()[0]
    return 200, completion({"complaint": stated("a headache", said, line=1)})


@pytest.mark.slow
async def test_a_summary_cut_off_by_a_kill_is_written_after_the_restart_and_recorded_once(tmp_path):
    async with chat_endpoint() as endpoint:
        endpoint.answer_to = cites_the_first_line
        endpoint.hangs = True
        settings = {"NOTE_WRITER": "openai", "NOTE_WRITER_URL": endpoint.url, "NOTE_WRITER_MODEL": "m"}
        service = ServiceProcess(tmp_path / "data", settings)
        try:
            await service.start()
            api = service.api()
            recording = await api.upload(slices(short_speech(), 2), codec="wav")
            await api.finalize(recording, 2)
            transcript = await api.transcript(recording)
            asked = {"transcription_id": transcript["id"], "prompt": PROMPT}
            name = {"Idempotency-Key": "once"}
            ordered = await api.call("POST", "/v1/summaries", body=asked, headers=name)
            assert ordered.status == 201
            async with asyncio.timeout(120):
                while not endpoint.requests:
                    await asyncio.sleep(0.02)
            service.kill()
            endpoint.hangs = False
            await service.start()
            path = f"/v1/summaries/{ordered.json['id']}"
            async with asyncio.timeout(120):
                while (summary := (await api.call("GET", path)).json).get("status") != "completed":
                    await asyncio.sleep(0.05)
            assert (summary["output"], summary["custom_prompt"]) == ({"complaint": "a headache"}, PROMPT)
            again = await api.call("POST", "/v1/summaries", body=asked, headers=name)
            assert (again.status, again.json) == (201, summary)
            assert service.stop() == 0
        finally:
            service.kill()
    log = EventLog(open_log(service.log_url).recorder)
    history = await log.history(UUID(hex=summary["id"].removeprefix("sum_")))
    await log.close()
    types = [type(recorded.event).__name__ for recorded in history]
    assert types == ["NoteOrdered", "NoteOrderBegun", "NoteOrderFulfilled"]
