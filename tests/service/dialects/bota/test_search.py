"""Searching transcripts over Bota's API."""

import asyncio
import math
import re
from datetime import timedelta
from uuid import uuid4

import pytest
import pytest_asyncio

from adapters.keys import KeyKind
from domain.events import RecordingDeleted, Stage, Transcribed
from service.application import searching
from service.application.blob_names import blob_prefix
from tests.domain.histories import START, TRANSCRIBED_FACTS, at, failed, opened, retry_requested
from tests.end_to_end.service_process import Api
from tests.service.dialects.bota.spoken import SECONDS, Spoken
from tests.service.running_service import TurnedClock, running_service

SPOKEN = ("Penicillin gives me a rash.", "Does it itch at night?", "It does, and the rash is worse then.")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory):
    """One service for all tests; each has a project of its own."""
    async with running_service(tmp_path_factory.mktemp("search") / "data", TurnedClock()) as running:
        yield running


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def spoken(running):
    return Spoken(running.stores, f"proj_{uuid4().hex}")


@pytest.fixture
def search(running, spoken):
    """The results for a query, in the tests' own project."""
    token = running.stores.keys.create(KeyKind.SECRET, project_id=spoken.project_id).token
    api = Api(running.settings.base_url, token, "eu_1")

    async def search(query, *, ids=None, **fields):
        among = {} if ids is None else {"recording_ids": [f"rec_{its_id.hex}" for its_id in ids]}
        body = {"query": query, "end_user_id": "eu_1"} | among | fields
        answer = await api.call("POST", "/v1/recordings/search", body=body)
        assert answer.status == 200, answer
        assert list(answer.json) == ["results"]
        return answer.json["results"]

    search.api = api
    return search


async def test_a_result_says_what_was_said_when_and_where(spoken, search):
    its_id = await spoken.recording(*SPOKEN, speaker="S1", started_at=START)
    (found,) = await search("PENICILLIN rash", limit=1)
    assert re.fullmatch(r"chk_[0-9a-f]{32}", found.pop("chunk_id"))
    assert 0.8 < found.pop("score") <= 1
    assert found == {
        "recording_id": f"rec_{its_id.hex}",
        "transcription_id": f"txn_{its_id.hex}",
        "chunk_text": SPOKEN[0],
        "speaker": "S1",
        "start_ms": 0,
        "end_ms": SECONDS * 1000,
        "recorded_at": "2026-01-13T10:00:00.000Z",
    }


async def test_a_speakers_name_is_as_long_as_clients_take_it(spoken, search):
    await spoken.recording(*SPOKEN, speaker="S" * 500)
    (found,) = await search("penicillin", limit=1)
    assert found["speaker"] == "S" * 128


async def test_the_best_come_first_with_ids_of_their_own_that_stay(spoken, search):
    its_id = await spoken.recording(*SPOKEN)
    await spoken.recording("A rash decision.")
    found = await search("the rash is worse")
    assert found[0]["chunk_text"] == SPOKEN[2]
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)
    assert all(math.isfinite(one["score"]) and one["score"] > 0 for one in found)
    assert len({one["chunk_id"] for one in found}) == len(found) == 3
    assert (found[0]["speaker"], found[0]["recorded_at"]) == (None, None)
    again = await search("worse", ids=[its_id])
    assert again[0]["chunk_id"] == found[0]["chunk_id"]


async def test_no_more_than_the_limit_are_answered_and_ten_without_one(spoken, search):
    await spoken.recording(*(f"well number {number}" for number in range(60)))
    assert len(await search("well")) == 10
    assert len(await search("well", limit=50)) == 50
    assert len(await search("well", limit=1)) == 1


async def test_only_the_end_user_of_ones_own_project_is_searched(running, spoken, search):
    other_project = Spoken(running.stores, f"proj_{uuid4().hex}")
    await other_project.recording(*SPOKEN)
    await spoken.recording(*SPOKEN, end_user_id="eu_2")
    await spoken.recording(*SPOKEN, end_user_id=None)
    assert await search("rash") == []
    assert len(await search("rash", end_user_id="eu_2")) == 2
    assert await search("rash", end_user_id="eu_unknown") == []


async def test_a_search_among_recordings_finds_in_these_only(spoken, search):
    one, two, three = [await spoken.recording(*SPOKEN) for _ in range(3)]
    found = await search("rash", ids=[one, three, uuid4()])
    assert {result["recording_id"] for result in found} == {f"rec_{one.hex}", f"rec_{three.hex}"}
    assert await search("rash", ids=[uuid4()]) == []
    assert await search("rash", recording_ids=["rec_ofAnotherService1"]) == []
    assert len(await search("rash", ids=[one, two, three, *(uuid4() for _ in range(497))])) == 6


async def test_an_empty_transcript_and_a_query_of_punctuation_find_nothing(spoken, search):
    await spoken.recording()
    assert await search("rash") == []
    await spoken.recording("Really?!")
    assert await search("?!") == []
    assert await search(" ") == []


async def test_what_is_deleted_is_not_found_as_soon_as_that_is_answered(spoken, search):
    doomed, kept = await spoken.recording(*SPOKEN), await spoken.recording("a rash")
    assert len(await search("rash")) == 3
    assert (await search.api.call("DELETE", f"/v1/recordings/rec_{doomed.hex}")).status == 204
    assert [result["recording_id"] for result in await search("rash")] == [f"rec_{kept.hex}"]
    assert await search("penicillin") == []


async def test_what_is_made_anew_is_found_by_its_new_words_only(spoken, search):
    its_id = await spoken.recording(*SPOKEN)
    before = await search("rash")
    await spoken.heard_again(its_id)
    assert await search("rash") == []
    await spoken.heard_again(its_id, "Something else was said about a rash.")
    (after,) = await search("rash")
    assert after["chunk_text"].startswith("Something else")
    assert after["chunk_id"] not in {result["chunk_id"] for result in before}
    assert await search("penicillin") == []


async def test_a_note_that_is_written_anew_changes_nothing_of_what_was_said(running, spoken, search):
    its_id = await spoken.recording(*SPOKEN)
    history = [failed(Stage.NOTE), retry_requested(Stage.NOTE)]
    await running.stores.log.append(its_id, 5, history, trace_id=None)
    assert len(await search("rash")) == 2


async def test_a_recording_is_as_old_as_its_client_says(spoken, search):
    await spoken.recording("said long ago", started_at=START, recorded_at=START - timedelta(days=365))
    (found,) = await search("said")
    assert found["recorded_at"] == "2025-01-13T10:00:00.000Z"


async def test_what_is_deleted_before_it_could_be_indexed_is_passed_over(running, spoken, search):
    its_id = await spoken.recording(*SPOKEN)
    history = await running.stores.log.history(its_id)
    await running.stores.blobs.delete(history[-1].event.blob_key)
    another = await spoken.recording("a rash")
    await running.stores.log.append(its_id, len(history), [RecordingDeleted(at=at(7))], trace_id=None)
    assert [result["recording_id"] for result in await search("rash")] == [f"rec_{another.hex}"]


async def test_a_transcript_erased_while_it_is_searched_is_left_out_and_the_next_best_take_its_place(
    running, spoken, search
):
    kept = await spoken.recording("a rash")
    erased = await spoken.recording("a rash")
    assert len(await search("rash")) == 2
    (last,) = (await running.stores.log.history(erased))[-1:]
    await running.stores.blobs.delete(last.event.blob_key)
    assert [result["recording_id"] for result in await search("rash", limit=1)] == [f"rec_{kept.hex}"]


async def test_a_transcript_that_cannot_be_read_is_not_found_and_delays_no_other(running, spoken, search, caplog):
    bad, good = uuid4(), Spoken(running.stores, spoken.project_id)
    blob = await asyncio.to_thread(running.stores.blobs.put_bytes, blob_prefix(bad, "transcript"), b"[]")
    facts = {"blob_key": blob.key, "sha256": blob.sha256, "size_bytes": blob.size_bytes}
    history = [opened(tenant_id=spoken.project_id), Transcribed(**TRANSCRIBED_FACTS | facts)]
    await running.stores.log.append(bad, 0, history, trace_id=None)
    its_id = await good.recording("a rash")
    assert [result["recording_id"] for result in await search("rash")] == [f"rec_{its_id.hex}"]
    assert "a transcript cannot be indexed" in caplog.text


RIGHT = {"query": "rash", "end_user_id": "eu_1"}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"query": None}, "query"),
        ({"query": ""}, "query"),
        ({"query": "x" * 1_001}, "query"),
        ({"query": "😀" * 501}, "query"),
        ({"query": 5}, "query"),
        ({"end_user_id": "dev_1"}, "end_user_id"),
        ({"end_user_id": None}, "end_user_id"),
        ({"limit": 0}, "limit"),
        ({"limit": 51}, "limit"),
        ({"limit": "8"}, "limit"),
        ({"limit": 8.5}, "limit"),
        ({"recording_ids": []}, "recording_ids"),
        ({"recording_ids": ["rec_1", "rec_1"]}, "recording_ids"),
        ({"recording_ids": [f"rec_{number}" for number in range(501)]}, "recording_ids"),
        ({"recording_ids": ["txn_1"]}, "recording_ids.0"),
    ],
)
async def test_a_wrong_request_is_refused_by_the_name_of_the_field(search, wrong, field):
    answer = await search.api.call("POST", "/v1/recordings/search", body=RIGHT | wrong)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "invalid_request", field)


@pytest.mark.parametrize("missing", RIGHT)
async def test_query_and_end_user_are_required(search, missing):
    body = {name: value for name, value in RIGHT.items() if name != missing}
    answer = await search.api.call("POST", "/v1/recordings/search", body=body)
    assert (answer.status, answer.error["param"]) == (400, missing)


@pytest.mark.parametrize("query", ["x" * 1_000, "😀" * 500, "é" * 1_000, " ".join("abcdefghij" * 50)])
async def test_a_query_may_be_as_long_as_javascript_counts_a_thousand(search, query):
    assert await search(query) == []


async def test_a_search_that_would_miss_what_was_answered_before_is_refused_for_now(
    running, spoken, search, monkeypatch
):
    async def too_late(_, *, seconds):
        raise TimeoutError

    await spoken.recording(*SPOKEN)
    monkeypatch.setattr(running.service.search_follower, "wait_for", too_late)
    answer = await search.api.call_once("POST", "/v1/recordings/search", body=RIGHT)
    assert (answer.status, answer.error["code"], answer.headers["Retry-After"]) == (503, "busy", "1")
    assert answer.error["message"] == "The search index is behind; try again."
    assert (await search.api.call("GET", "/v1/recordings")).status == 200
    assert searching.VIEW_SECONDS < 10
