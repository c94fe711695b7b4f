"""Summaries over HTTP: what is asked, what is answered to the letter, and what is left once a recording is deleted."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from adapters.keys import KeyKind
from adapters.quotas import Quota, QuotaStore
from adapters.speech.transcript import Transcript
from domain.events import NoteOrderBegun, NoteOrdered, NoteOrderFulfilled, RecordingEvent, Stage, Transcribed
from service.application import order_writing
from service.application.blob_names import blob_prefix, recording_prefix
from service.application.clock import utc_now
from service.dialects.http.json_answers import utc_text
from tests.adapters.notes.endpoint import chat_endpoint, completion
from tests.adapters.notes.test_extractive import transcript_of
from tests.domain.histories import (
    TRANSCRIBED_FACTS,
    chunk,
    deleted,
    failed,
    finalized,
    opened,
    retry_requested,
    stitched,
)
from tests.end_to_end.service_process import Answer, Api
from tests.service.dialects.bota.webhook_receiver import Receiver
from tests.service.running_service import Running, TurnedClock, running_service
from tests.tools.abuse.floods import Flood

PROJECT = "proj_summaries"
TALK = transcript_of("We have a problem, it is too slow.", "Our budget is $900.", "I will send you an offer tomorrow.")
SALES = {
    "pain_points": ["We have a problem,", "it is too slow."],
    "budget": "Our budget is $900.",
    "timeline": None,
    "next_steps": ["I will send you an offer tomorrow."],
    "sentiment": None,
    "deal_probability": None,
}
PROMPT = 'Which budget was named?\n Bitte "wörtlich" – 100 %'
SETTLED = ("completed", "failed")
KEYS = {
    "id",
    "project_id",
    "transcription_id",
    "status",
    "template_id",
    "provider",
    "custom_prompt",
    "output",
    "engine",
    "error_message",
    "started_at",
    "completed_at",
    "created_at",
    "updated_at",
}


class Desk:
    """A running service, and transcribed recordings of a project of its own that are put in its log."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.stores = running.stores
        self.api = self.caller(KeyKind.SECRET)

    def caller(self, kind: KeyKind, *, project_id: str = PROJECT, scopes: frozenset[str] = frozenset()) -> Api:
        key = self.stores.keys.create(kind, project_id=project_id, scopes=scopes)
        return Api(self.running.settings.base_url, key.token, "eu_1")

    async def put(self, *events: RecordingEvent, its_id: UUID | None = None, **opening: Any) -> UUID:
        """A recording with this history."""
        its_id = its_id or uuid4()
        begun = opened(tenant_id=PROJECT, expires_at=utc_now() + timedelta(days=1), **opening)
        await self.stores.log.append(its_id, 0, [begun, *events], trace_id=None)
        return its_id

    def transcribed(self, its_id: UUID, transcript: Transcript) -> Transcribed:
        blob = self.stores.blobs.put_bytes(blob_prefix(its_id, "transcript"), transcript.to_json())
        facts = {"blob_key": blob.key, "sha256": blob.sha256, "word_count": transcript.word_count}
        return Transcribed(**TRANSCRIBED_FACTS | facts)

    async def recording(self, transcript: Transcript = TALK, **opening: Any) -> UUID:
        its_id = uuid4()
        done = self.transcribed(its_id, transcript)
        return await self.put(chunk(1), finalized(1), stitched(), done, its_id=its_id, **opening)

    async def order(
        self, recording_id: UUID, *, api: Api | None = None, name: str | None = None, **asked: Any
    ) -> Answer:
        body = {"transcription_id": f"txn_{recording_id.hex}"} | asked
        headers = {"Idempotency-Key": name} if name else {}
        return await (api or self.api).call("POST", "/v1/summaries", body=body, headers=headers)

    async def ordered(self, recording_id: UUID, **asked: Any) -> dict[str, Any]:
        answer = await self.order(recording_id, **asked)
        assert answer.status == 201, answer
        return dict(answer.json)

    async def get(self, summary_id: str, api: Api | None = None) -> Answer:
        return await (api or self.api).call("GET", f"/v1/summaries/{summary_id}")

    async def settled(self, summary: dict[str, Any]) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while (found := (await self.get(summary["id"])).json)["status"] not in SETTLED:
                await asyncio.sleep(0.01)
        return dict(found)

    async def written(self, recording_id: UUID, **asked: Any) -> dict[str, Any]:
        return await self.settled(await self.ordered(recording_id, **asked))

    async def list(self, query: str = "", api: Api | None = None) -> dict[str, Any]:
        answer = await (api or self.api).call("GET", f"/v1/summaries{query}")
        assert answer.status == 200, answer
        return dict(answer.json)

    async def delete(self, recording_id: UUID) -> None:
        assert (await self.api.call("DELETE", f"/v1/recordings/rec_{recording_id.hex}")).status == 204

    async def until_attempted(self, webhook_id: str) -> None:
        """The first delivery's attempt is recorded, and with it when the next one is due."""
        path = f"/v1/webhooks/{webhook_id}/deliveries"
        async with asyncio.timeout(60):
            while not any(sent["attempts"] for sent in (await self.api.call("GET", path)).json["data"]):
                await asyncio.sleep(0.01)

    async def until_erased(self, recording_id: UUID) -> None:
        async with asyncio.timeout(60):
            while list(self.stores.blobs.keys(recording_prefix(recording_id))):
                await asyncio.sleep(0.01)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """The histories are old: no event comes of their chunks' retention, which would take a version that a test uses."""
    async with running_service(tmp_path / "data", TurnedClock(), chunk_retention_hours=876_000) as running:
        yield Desk(running)


# --- what is answered


async def test_a_summary_by_a_template_is_answered_to_the_letter_from_its_order_to_its_end(desk: Desk) -> None:
    recording_id = await desk.recording()
    now = utc_text(desk.running.clock.now)
    order = await desk.order(recording_id, template_id="tmpl_sales_call", provider="openai")
    assert order.status == 201
    summary_id = order.json["id"]
    assert order.json == {
        "id": summary_id,
        "project_id": PROJECT,
        "transcription_id": f"txn_{recording_id.hex}",
        "status": "pending",
        "template_id": "tmpl_sales_call",
        "provider": "openai",
        "custom_prompt": None,
        "output": None,
        "engine": None,
        "error_message": None,
        "started_at": None,
        "completed_at": None,
        "created_at": now,
        "updated_at": now,
    }
    assert summary_id.removeprefix("sum_").isalnum()
    assert await desk.settled(order.json) == order.json | {
        "status": "completed",
        "output": SALES,
        "engine": "extractive",
        "started_at": now,
        "completed_at": now,
    }


async def test_a_summary_by_a_prompt_gives_it_back_word_for_word_and_has_a_provider_though_none_was_asked(
    desk: Desk,
) -> None:
    summary = await desk.written(await desk.recording(), prompt=PROMPT)
    assert summary.keys() == KEYS
    assert (summary["template_id"], summary["custom_prompt"], summary["provider"]) == (None, PROMPT, "gemini")
    assert (summary["status"], summary["output"]) == ("completed", {"quotations": ["Our budget is $900."]})


@pytest.mark.parametrize(
    ("asked", "template_id", "parts"),
    [
        (
            {"template_id": "tmpl_general_notes"},
            "tmpl_general_notes",
            {"overview", "key_points", "action_items", "participants", "decisions"},
        ),
        ({"template": "sales"}, "tmpl_sales_call", SALES.keys()),
        ({"template": "clinical"}, "tmpl_clinical_soap", {"subjective", "objective", "assessment", "plan"}),
        (
            {"template_id": "tmpl_legal_memo"},
            "tmpl_legal_memo",
            {"facts", "issues", "analysis", "conclusion", "parties"},
        ),
    ],
)
async def test_each_template_has_its_parts_whichever_way_it_is_named(
    desk: Desk, asked: dict[str, str], template_id: str, parts: set[str]
) -> None:
    summary = await desk.written(await desk.recording(), **asked)
    assert (summary["template_id"], summary["output"].keys()) == (template_id, parts)


async def test_too_many_that_wait_are_refused_by_name_and_one_that_is_ordered_already_is_answered(desk: Desk) -> None:
    recording_id = await desk.recording()
    first = await desk.ordered(recording_id, name="first", prompt=PROMPT)
    quotas = QuotaStore(desk.running.settings.quotas_path)
    quotas.set_for(PROJECT, Quota.WAITING_NOTES, 0)
    for asked in ({"prompt": PROMPT}, {"template": "sales"}):
        refused = await desk.order(recording_id, name="another", **asked)
        assert (refused.status, refused.headers["Retry-After"]) == (429, "60")
        assert (refused.error["code"], refused.error["quota"]) == ("quota_exceeded", "waiting_notes")
    assert (await desk.ordered(recording_id, name="first", prompt=PROMPT))["id"] == first["id"]
    key = desk.stores.keys.create(KeyKind.SECRET, project_id=PROJECT)
    flood = Flood(desk.running.settings.base_url, key.token)
    async with aiohttp.ClientSession() as http:
        await flood.summaries(http, f"txn_{recording_id.hex}", 9)
    assert flood.tried("summary") == {(429, "quota_exceeded"): 9}
    quotas.set_for(PROJECT, Quota.WAITING_NOTES, 1)
    quotas.close()
    await desk.settled(first)
    await desk.running.service.usage_view.wait_for(desk.stores.log.head, seconds=30)
    assert (await desk.written(recording_id, name="another", template="sales"))["output"] == SALES


async def test_a_recording_that_came_over_another_api_is_summarized_too(desk: Desk) -> None:
    for dialect in ("dragon", "dorsum"):
        recording_id = await desk.recording(dialect=dialect, external_id="visit-1/1", device_id=None, end_user_id=None)
        assert (await desk.written(recording_id, template="sales"))["output"] == SALES


async def test_where_nothing_was_said_the_summary_fails_and_says_why(desk: Desk) -> None:
    summary = await desk.written(await desk.recording(transcript_of()), template="general")
    assert (summary["status"], summary["output"], summary["completed_at"]) == ("failed", None, None)
    assert summary["error_message"] == (
        "transcript_too_short: The transcript has no words, so there is nothing to write about."
    )


async def test_a_summary_that_breaks_again_and_again_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(order_writing, "stored", broken)
    async with running_service(tmp_path / "data", TurnedClock(), stage_attempts=1) as running:
        desk = Desk(running)
        summary = await desk.written(await desk.recording(), template="general")
        assert (summary["status"], summary["error_message"]) == (
            "failed",
            "processing_error: Writing it was tried 1 times and failed each time, last with RuntimeError.",
        )


async def test_a_summary_of_a_transcript_that_was_replaced_and_erased_fails_at_once_and_says_why(desk: Desk) -> None:
    recording_id = await desk.recording()
    await desk.stores.blobs.erase(blob_prefix(recording_id, "transcript"))
    summary = await desk.written(recording_id, template="general")
    assert summary["status"] == "failed"
    assert summary["error_message"] == (
        "processing_error: The transcript was replaced by another and erased before the note was written; "
        "order it again."
    )


# --- what is refused


@pytest.mark.parametrize(
    ("asked", "field", "sentence"),
    [
        ({}, None, "Give exactly one of template_id and prompt"),
        ({"template_id": "tmpl_sales_call", "prompt": PROMPT}, None, "Give exactly one of template_id and prompt"),
        ({"template_id": "tmpl_sales_call", "template": "sales"}, None, "Give exactly one of template_id and prompt"),
        ({"prompt": "too short"}, "prompt", "at least 10 characters"),
        ({"prompt": "x" * 10_001}, "prompt", "at most 10000 characters"),
        ({"prompt": 5}, "prompt", "valid string"),
        ({"template": "sales", "provider": "llama"}, "provider", "'gemini', 'openai' or 'claude'"),
        ({"template": "sales", "transcription_id": "rec_1"}, "transcription_id", "String should match pattern"),
        ({"template": "sales", "transcription_id": None}, "transcription_id", "valid string"),
    ],
)
async def test_what_is_wrong_with_an_order_is_said(desk: Desk, asked: Any, field: str | None, sentence: str) -> None:
    refused = await desk.order(uuid4(), **asked)
    assert (refused.status, refused.error["type"]) == (400, "invalid_request")
    assert refused.error["details"]["field"] == field
    assert sentence in refused.error["message"]


@pytest.mark.parametrize("asked", [{"template_id": "tmpl_poem"}, {"template_id": "sales"}, {"template": "poem"}])
async def test_an_unknown_template_is_not_found_and_the_refusal_names_those_that_there_are(
    desk: Desk, asked: dict[str, str]
) -> None:
    refused = await desk.order(await desk.recording(), **asked)
    assert (refused.status, refused.error["type"]) == (404, "template_not_found")
    assert "tmpl_general_notes" in refused.error["message"]


async def test_only_a_completed_transcription_of_the_own_project_can_be_summarized(desk: Desk) -> None:
    begun = [chunk(1), finalized(1)]
    for history, status, code in [
        ([chunk(1)], 404, "not_found"),
        (begun, 409, "not_ready"),
        ([*begun, failed(Stage.STITCH)], 409, "transcription_failed"),
        ([*begun, stitched(), deleted()], 404, "not_found"),
    ]:
        refused = await desk.order(await desk.put(*history, device_id=None), template="sales")
        assert (refused.status, refused.error["type"]) == (status, code), history
    recording_id = await desk.recording()
    another = desk.caller(KeyKind.SECRET, project_id="proj_another")
    assert (await desk.order(recording_id, api=another, template="sales")).status == 404
    assert (await desk.order(uuid4(), template="sales")).status == 404
    summary = await desk.ordered(recording_id, template="sales")
    for summary_id, api in [(summary["id"], another), (f"sum_{uuid4().hex}", None), ("sum_1", None)]:
        refused = await desk.get(summary_id, api)
        assert (refused.status, refused.error["message"]) == (404, "There is no such summary.")
    assert (await desk.list(api=another))["data"] == []


# --- again


async def test_the_same_order_of_one_name_is_one_summary_and_another_order_of_that_name_is_refused(desk: Desk) -> None:
    recording_id = await desk.recording()
    first = await desk.ordered(recording_id, name="once", prompt=PROMPT)
    finished = await desk.settled(first)
    assert await desk.ordered(recording_id, name="once", prompt=PROMPT) == finished
    for other in ({"prompt": PROMPT + "!"}, {"template": "sales"}, {"prompt": PROMPT, "provider": "claude"}):
        refused = await desk.order(recording_id, name="once", **other)
        assert (refused.status, refused.error["type"]) == (409, "idempotency_conflict")
    another = await desk.order(await desk.recording(), name="once", prompt=PROMPT)
    assert another.status == 409
    assert [each["id"] for each in (await desk.list())["data"]] == [first["id"]]
    prompts = list(desk.stores.blobs.keys(blob_prefix(recording_id, "prompt")))
    assert len(prompts) == 1  # nothing stays of those that were refused
    assert (await desk.get(first["id"])).json == finished


async def test_ten_equal_orders_of_one_name_at_once_are_one_summary(desk: Desk) -> None:
    recording_id = await desk.recording()
    found = await asyncio.gather(*(desk.ordered(recording_id, name="once", template="sales") for _ in range(10)))
    assert len({summary["id"] for summary in found}) == 1
    assert (await desk.settled(found[0]))["output"] == SALES


async def test_without_a_name_each_order_is_another_summary(desk: Desk) -> None:
    recording_id = await desk.recording()
    assert len({(await desk.ordered(recording_id, template="sales"))["id"] for _ in range(3)}) == 3


@pytest.mark.parametrize("name", ["x" * 256, "two words", "é"])
async def test_a_name_is_1_to_255_visible_characters(desk: Desk, name: str) -> None:
    """A header may have any bytes."""
    refused = await desk.order(await desk.recording(), name=name, template="sales")
    assert (refused.status, refused.error["details"]["field"]) == (400, "Idempotency-Key")


# --- lists


async def test_summaries_are_listed_by_page_newest_first_of_the_project_or_of_one_transcription(desk: Desk) -> None:
    one, other = await desk.recording(), await desk.recording()
    ids = []
    for number in range(5):
        desk.running.turn(seconds=1)
        ids.insert(0, (await desk.ordered(one if number % 2 else other, template="sales"))["id"])
    assert [each["id"] for each in (await desk.list())["data"]] == ids
    of_one = await desk.list(f"?transcription_id=txn_{one.hex}")
    assert ([each["id"] for each in of_one["data"]], of_one["has_more"], of_one["next_cursor"]) == (
        ids[1::2],
        False,
        None,
    )
    first = await desk.list("?limit=2")
    await desk.ordered(one, template="sales")  # a list that grows repeats nothing
    second = await desk.list(f"?limit=2&cursor={first['next_cursor']}")
    third = await desk.list(f"?limit=2&cursor={second['next_cursor']}")
    pages = [[each["id"] for each in page["data"]] for page in (first, second, third)]
    assert pages == [ids[:2], ids[2:4], ids[4:]]
    assert (third["has_more"], third["next_cursor"]) == (False, None)
    assert (await desk.list(f"?transcription_id=txn_{uuid4().hex}"))["data"] == []
    assert (await desk.list("?transcription_id=txn_1"))["data"] == []


async def test_a_cursor_of_another_list_is_refused(desk: Desk) -> None:
    for _ in range(2):
        await desk.recording()
    transcriptions = (await desk.api.call("GET", "/v1/transcriptions?limit=1")).json
    for cursor in (transcriptions["next_cursor"], "x", "%C3%A9"):
        refused = await desk.api.call("GET", f"/v1/summaries?cursor={cursor}")
        assert (refused.status, refused.error["details"]["field"]) == (400, "cursor")


async def test_a_page_of_large_summaries_ends_before_clients_would_refuse_it(tmp_path: Path) -> None:
    async with (
        chat_endpoint() as endpoint,
        running_service(tmp_path / "data", TurnedClock(), **by(endpoint.url)) as running,
    ):
        endpoint.answers = [(200, completion({"all": "x" * 250_000}))]
        desk = Desk(running)
        recording_id = await desk.recording()
        ids = {(await desk.written(recording_id, prompt=PROMPT))["id"] for _ in range(5)}
        seen, query = [], ""
        while query is not None:
            answer = await desk.api.call("GET", f"/v1/summaries{query}")
            assert len(answer.body) < 1_048_576
            seen += [each["id"] for each in answer.json["data"]]
            query = f"?cursor={answer.json['next_cursor']}" if answer.json["has_more"] else None
        assert (len(seen), set(seen)) == (5, ids)


async def test_a_page_of_summaries_with_prompts_of_control_characters_is_no_larger(desk: Desk) -> None:
    """Each of them takes six bytes in JSON."""
    recording_id = await desk.recording()
    for _ in range(20):
        await desk.ordered(recording_id, prompt="\1" * 10_000)
    answer = await desk.api.call("GET", "/v1/summaries?limit=100")
    assert len(answer.body) < 1_048_576
    assert answer.json["has_more"]


# --- a language model


def by(url: str) -> dict[str, Any]:
    return {"note_writer": "openai", "note_writer_url": url, "note_writer_model": "m", "note_writer_attempts": 2}


async def test_a_language_model_gets_the_prompt_and_its_answer_is_the_summary(tmp_path: Path) -> None:
    async with (
        chat_endpoint() as endpoint,
        running_service(tmp_path / "data", TurnedClock(), **by(endpoint.url)) as running,
    ):
        endpoint.answers = [(503, {}), (200, completion({"budget_usd": 900}))]
        desk = Desk(running)
        summary = await desk.written(await desk.recording(), prompt=PROMPT, provider="claude")
        assert (summary["output"], summary["engine"], summary["provider"]) == ({"budget_usd": 900}, "openai", "claude")
        assert summary.keys() == KEYS
        assert [PROMPT in asked["messages"][0]["content"] for _, asked in endpoint.requests] == [True, True]


async def test_where_a_language_model_fails_the_summary_is_quotations_and_says_so(tmp_path: Path) -> None:
    async with (
        chat_endpoint() as endpoint,
        running_service(tmp_path / "data", TurnedClock(), **by(endpoint.url)) as running,
    ):
        endpoint.answers = [(200, completion("nonsense"))]
        summary = await Desk(running).written(await Desk(running).recording(), template="sales")
        assert (summary["output"], summary["engine"], summary["status"]) == (SALES, "extractive", "completed")
        assert summary["fallback_reason"] == "note_unusable"
        assert len(endpoint.requests) == 2


# --- deletion


async def test_of_a_deleted_recording_no_summary_is_left_and_neither_prompt_nor_note(desk: Desk) -> None:
    recording_id, kept_id = await desk.recording(), await desk.recording()
    summary = await desk.written(recording_id, prompt=PROMPT)
    kept = await desk.written(kept_id, prompt=PROMPT)
    await desk.delete(recording_id)
    assert (await desk.get(summary["id"])).status == 404
    assert (await desk.list())["data"] == [kept]
    assert (await desk.list(f"?transcription_id=txn_{recording_id.hex}"))["data"] == []
    await desk.until_erased(recording_id)
    assert (await desk.get(kept["id"])).json == kept
    history = [each.event for each in await desk.stores.log.history(UUID(hex=summary["id"].removeprefix("sum_")))]
    assert [type(event) for event in history] == [NoteOrdered, NoteOrderBegun, NoteOrderFulfilled]
    stored = "".join(event.model_dump_json() for event in history)
    assert not any(said in stored for said in ("Which budget", "Our budget", "$900"))


async def test_a_summary_that_is_being_written_while_its_recording_is_deleted_leaves_nothing(tmp_path: Path) -> None:
    async with (
        chat_endpoint() as endpoint,
        running_service(tmp_path / "data", TurnedClock(), **by(endpoint.url)) as running,
    ):
        endpoint.hangs = True
        endpoint.answers = [(200, completion({"budget_usd": 900}))]
        desk = Desk(running)
        recording_id = await desk.recording()
        summary = await desk.ordered(recording_id, prompt=PROMPT)
        async with asyncio.timeout(60):
            while not endpoint.requests:
                await asyncio.sleep(0.01)
        assert (await desk.get(summary["id"])).json["status"] == "processing"
        await desk.delete(recording_id)
        await desk.until_erased(recording_id)
        async with asyncio.timeout(60):  # the work is over, though the model has not answered
            while desk.stores.positions.load("note_order") < desk.stores.log.head:
                await asyncio.sleep(0.01)
        order_id = UUID(hex=summary["id"].removeprefix("sum_"))
        written = [type(recorded.event) for recorded in await desk.stores.log.history(order_id)]
        assert written == [NoteOrdered, NoteOrderBegun]
        endpoint.closing.set()
        await desk.until_erased(recording_id)
        assert (await desk.get(summary["id"])).status == 404
        assert (await desk.list())["data"] == []


async def test_a_summary_stays_about_the_transcript_that_it_was_made_from(desk: Desk) -> None:
    recording_id = await desk.recording()
    before = await desk.written(recording_id, template="sales")
    anew = transcript_of("Our budget is $700.")
    more = [retry_requested(Stage.STITCH), stitched(), desk.transcribed(recording_id, anew)]
    await desk.stores.log.append(recording_id, 5, more, trace_id=None)
    assert (await desk.get(before["id"])).json == before
    after = await desk.written(recording_id, template="sales")
    assert after["output"]["budget"] == "Our budget is $700."


# --- webhooks


async def test_subscribers_are_told_when_a_summary_is_begun_and_when_it_ends_and_get_no_content(desk: Desk) -> None:
    receiver = await Receiver(503).start()
    try:
        events = ["summary.started", "summary.completed", "summary.failed"]
        made = await desk.api.call("POST", "/v1/webhooks", body={"url": receiver.url, "events": events})
        assert made.status == 201
        completed = await desk.written(await desk.recording(), prompt=PROMPT)
        await desk.until_attempted(made.json["id"])
        desk.running.turn(minutes=2)  # the first attempt was refused
        refused, started, ended = await receiver.count(3)
        assert refused.raw == started.raw
        assert [started.type, ended.type] == ["summary.started", "summary.completed"]
        facts = {name: value for name, value in completed.items() if name not in ("output", "custom_prompt")}
        assert ended.body["data"] == facts
        assert started.body["data"] == facts | {"status": "processing", "engine": None, "completed_at": None}
        failing = await desk.written(await desk.recording(transcript_of()), template="general")
        *_, told = await receiver.count(5)
        assert (told.type, told.body["data"]["id"]) == ("summary.failed", failing["id"])
        assert told.body["data"]["error_message"] == failing["error_message"]
        for each in receiver.received:
            each.check_signature(made.json["secret"])
            assert PROMPT.encode() not in each.raw
            assert b"$900" not in each.raw
    finally:
        await receiver.stop()
