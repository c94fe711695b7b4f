"""Transcripts as files over HTTP: which one is asked for, what it holds, and that clients of before see no change."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from adapters.keys import KeyKind
from adapters.speech.plain_text import plain_text
from adapters.speech.subtitles import subrip, webvtt
from adapters.speech.transcript import Transcript, TranscriptSegment, TranscriptWord, UnrecognizedSound
from domain.events import FinalizePolicy, RecordingEvent, Stage, Transcribed
from service.application.clock import utc_now
from tests.adapters.speech.subtitle_files import read_subrip, read_webvtt
from tests.domain.histories import TRANSCRIBED_FACTS, chunk, failed, finalized, opened, stitched
from tests.end_to_end.service_process import Answer, Api
from tests.service.running_service import Running, TurnedClock, running_service

TALK = Transcript.of_segments(
    [
        TranscriptSegment(
            start=0.5,
            end=1.5,
            text="How are you?",
            speaker="S1",
            confidence=0.9,
            words=(
                TranscriptWord(start=0.5, end=0.8, text="How", confidence=0.8),
                TranscriptWord(start=0.8, end=1, text="are"),
                TranscriptWord(start=1, end=1.5, text="you?"),
            ),
        ),
        TranscriptSegment(start=4, end=5, text="Well & <good>."),
    ],
    language="en",
    engine="test",
    provider="whisper",
    duration_ms=9_000,
    unrecognized=[UnrecognizedSound(start=6, end=9, reason="no_speech")],
)
NOTHING_SAID = Transcript.of_segments([], language="en", engine="test", provider=None, duration_ms=9_000)
SUBRIP = "application/x-subrip"


class Shelf:
    """A running service, and recordings of a project of its own that are put in its log as they are wanted."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self.api = self.caller(KeyKind.SECRET)

    def caller(self, kind: KeyKind, *, project_id: str = "proj_exports", scopes: frozenset[str] = frozenset()) -> Api:
        key = self._running.stores.keys.create(kind, project_id=project_id, scopes=scopes)
        return Api(self._running.settings.base_url, key.token, "eu_1")

    async def put(self, *events: RecordingEvent, **opening: object) -> str:
        """The id of the transcription of a recording with this history."""
        its_id = uuid4()
        begun = opened(tenant_id="proj_exports", expires_at=utc_now() + timedelta(days=1), **opening)
        await self._running.stores.log.append(its_id, 0, [begun, *events], trace_id=None)
        return f"txn_{its_id.hex}"

    async def transcribed(self, transcript: Transcript, **opening: object) -> str:
        blobs = self._running.stores.blobs
        key = blobs.put_bytes("exports", transcript.to_json()).key
        done = Transcribed(**TRANSCRIBED_FACTS | {"blob_key": key, "provider": transcript.provider})
        return await self.put(chunk(1), finalized(1), stitched(), done, **opening)

    async def get(self, transcription_id: str, query: str = "", api: Api | None = None, **headers: str) -> Answer:
        path = f"/v1/transcriptions/{transcription_id}{query}"
        return await (api or self.api).call("GET", path, headers=headers)


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    async with running_service(tmp_path / "data", TurnedClock()) as running:
        yield Shelf(running)


async def test_each_format_is_a_file_of_its_own_kind(shelf: Shelf) -> None:
    its_id = await shelf.transcribed(TALK)
    for form, content_type, content in [
        ("txt", "text/plain; charset=utf-8", plain_text(TALK)),
        ("srt", f"{SUBRIP}; charset=utf-8", subrip(TALK)),
        ("vtt", "text/vtt; charset=utf-8", webvtt(TALK)),
    ]:
        answer = await shelf.get(its_id, f"?format={form}")
        assert (answer.status, answer.body.decode()) == (200, content)
        assert answer.headers["Content-Type"] == content_type
        assert answer.headers["Content-Disposition"] == f'inline; filename="{its_id}.{form}"'
        assert answer.headers["Vary"] == "Accept, Origin"
    srt, vtt = (await shelf.get(its_id, "?format=srt")).body, (await shelf.get(its_id, "?format=vtt")).body
    assert [cue.start_ms for cue in read_subrip(srt.decode())] == [500, 4000]
    assert [cue.start_ms for cue in read_webvtt(vtt.decode())] == [500, 4000]


async def test_json_has_all_that_is_known_and_no_null_in_segments_and_words(shelf: Shelf) -> None:
    answer = await shelf.get(await shelf.transcribed(TALK), "?format=json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == {
        "text": "How are you? Well & <good>.",
        "language": "en",
        "engine": "test",
        "provider": "whisper",
        "duration_ms": 9_000,
        "confidence": 0.9,
        "segments": [
            {
                "start": 0.5,
                "end": 1.5,
                "text": "How are you?",
                "confidence": 0.9,
                "speaker": "S1",
                "words": [
                    {"start": 0.5, "end": 0.8, "text": "How", "confidence": 0.8},
                    {"start": 0.8, "end": 1.0, "text": "are"},
                    {"start": 1.0, "end": 1.5, "text": "you?"},
                ],
            },
            {"start": 4.0, "end": 5.0, "text": "Well & <good>."},
        ],
        "unrecognized": [{"start": 6.0, "end": 9.0, "reason": "no_speech"}],
    }


async def test_accept_chooses_where_no_format_is_given_and_a_format_wins(shelf: Shelf) -> None:
    its_id = await shelf.transcribed(TALK)
    for accept, kind in [
        ("text/plain", "text/plain"),
        (SUBRIP, SUBRIP),
        ("application/srt", SUBRIP),
        ("text/srt", SUBRIP),
        ("text/vtt, application/json;q=0.5", "text/vtt"),
        ("text/vtt;q=0.5, text/plain;q=0.7", "text/plain"),
    ]:
        answer = await shelf.get(its_id, Accept=accept)
        assert (answer.status, answer.headers["Content-Type"]) == (200, f"{kind}; charset=utf-8"), accept
    both = await shelf.get(its_id, "?format=srt", Accept="text/vtt")
    assert both.headers["Content-Type"].startswith(SUBRIP)


async def test_clients_that_ask_for_json_or_for_nothing_known_get_botas_object_as_before(shelf: Shelf) -> None:
    its_id = await shelf.transcribed(TALK)
    listed = (await shelf.api.call("GET", "/v1/transcriptions")).json["data"]
    as_before = (await shelf.get(its_id)).body
    accepted = ("*/*", "application/json", "application/json, text/plain, */*", "image/png", "text/html, */*;q=0.1", "")
    for accept in accepted:
        answer = await shelf.get(its_id, Accept=accept)
        assert (answer.status, answer.body) == (200, as_before), accept
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        assert answer.headers["Vary"] == "Accept, Origin"
    assert [answer.json] == listed
    assert answer.json["segments"][1] == {
        "start": 4.0,
        "end": 5.0,
        "text": "Well & <good>.",
    }


async def test_a_format_that_there_is_not_is_refused_with_those_that_there_are(shelf: Shelf) -> None:
    answer = await shelf.get(await shelf.transcribed(TALK), "?format=docx")
    assert (answer.status, answer.error["type"]) == (400, "invalid_request")
    assert answer.error["message"] == "format: Input should be 'txt', 'srt', 'vtt' or 'json', not 'docx'."


async def test_nothing_said_is_an_empty_text_and_subtitles_without_cues(shelf: Shelf) -> None:
    its_id = await shelf.transcribed(NOTHING_SAID)
    bodies = {form: (await shelf.get(its_id, f"?format={form}")).body for form in ("txt", "srt", "vtt")}
    assert bodies == {"txt": b"", "srt": b"", "vtt": b"WEBVTT\n"}
    assert (await shelf.get(its_id, "?format=json")).json["segments"] == []


async def test_what_is_not_transcribed_yet_is_not_ready_as_a_file(shelf: Shelf) -> None:
    waiting = await shelf.put(finalized(2, received=0), finalize_policy=FinalizePolicy.RECONCILE)
    for answer in [await shelf.get(waiting, "?format=json"), await shelf.get(waiting, Accept="text/vtt")]:
        assert (answer.status, answer.error["type"]) == (409, "not_ready")
        assert answer.error["message"] == (
            "The transcription is not completed yet; ask for it again when its status is completed."
        )
    assert (await shelf.get(waiting)).json["status"] == "pending"


async def test_what_failed_says_that_and_why(shelf: Shelf) -> None:
    broken = await shelf.put(chunk(1), finalized(1), failed(Stage.STITCH))
    answer = await shelf.get(broken, "?format=srt")
    assert (answer.status, answer.error["type"]) == (409, "transcription_failed")
    told = "The transcription failed: Chunk 1 is not audio. GET /v1/recordings/{id}/chunks/{number} and GET "
    assert answer.error["message"].startswith(told)
    assert answer.error["message"].endswith("POST /v1/recordings/{id}/retry then tries again.")
    assert (await shelf.get(broken)).json["status"] == "failed"


async def test_files_need_the_scope_and_the_project_that_the_object_needs(shelf: Shelf) -> None:
    its_id = await shelf.transcribed(TALK)
    unfinished = await shelf.put()
    for scope, status in [("transcriptions:read", 200), ("recordings:read", 403)]:
        restricted = shelf.caller(KeyKind.RESTRICTED, scopes=frozenset({scope}))
        assert (await shelf.get(its_id, "?format=srt", restricted)).status == status
    for answer in [
        await shelf.get(its_id, "?format=srt", shelf.caller(KeyKind.SECRET, project_id="proj_other")),
        await shelf.get(f"txn_{UUID(int=1).hex}", "?format=srt"),
        await shelf.get(unfinished, "?format=srt"),
    ]:
        assert (answer.status, answer.error["type"]) == (404, "not_found")


@pytest.mark.parametrize("dialect", ["bota", "dragon", "dorsum"])
async def test_recordings_of_every_dialect_have_files(shelf: Shelf, dialect: str) -> None:
    its_id = await shelf.transcribed(TALK, dialect=dialect, external_id="visit-1/1")
    assert (await shelf.get(its_id, "?format=txt")).body.decode() == plain_text(TALK)
