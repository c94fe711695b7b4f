"""The client: a bad network and a restarting service cost time, never a chunk."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from aiohttp import web

from service.application.retry import RetryPolicy
from service.client import ApiError, ClientFailure, CorruptDownload, FileChanged, RecordingsClient, Unreachable
from service.client.attempts import Attempts, retry_after
from service.client.download import download
from service.client.slices import CutFile, cut
from service.client.upload import Upload, settled
from tests.service.recordings_server import API_KEY, RecordingsServer, answer_with, drop_connection

SIX_TRIES = RetryPolicy(timedelta(seconds=1), 2, timedelta(seconds=60), timedelta(minutes=5), attempts=6, jitter=0)


class Pauses:
    """A clock that only sleeping moves; `during_the_first` happens in the first pause."""

    def __init__(self, during_the_first: Callable[[], None] | None = None) -> None:
        self.slept: list[float] = []
        self._during_the_first = during_the_first

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self._during_the_first is not None:
            happens, self._during_the_first = self._during_the_first, None
            await asyncio.to_thread(happens)

    def monotonic(self) -> float:
        return sum(self.slept)


def client_of(
    server: RecordingsServer, pauses: Pauses | None = None, api_key: str = API_KEY
) -> AbstractAsyncContextManager[RecordingsClient]:
    clock = pauses or Pauses()
    attempts = Attempts(SIX_TRIES, sleep=clock.sleep, monotonic=clock.monotonic, random=Random(1))
    return RecordingsClient.connected(server.url, api_key, attempts)


async def uploaded(client: RecordingsClient, file: CutFile, *, parallel: int = 3) -> str:
    created = await client.create(
        codec="wav",
        end_user_id="eu_1",
        started_at=datetime(2026, 3, 1, 9, tzinfo=UTC),
        estimated_duration_ms=1000,
        chunk_duration_ms=100,
    )
    template = created.chunk_upload_url_template
    upload = Upload(client, created.id, file, template, parallel=parallel, on_stored=lambda _piece: None)
    await upload.send(file.slices)
    await upload.finalize(1000)
    return created.id


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def content() -> bytes:
    return Random(3).randbytes(10_000)


@pytest.fixture
def file(tmp_path: Path, content: bytes) -> CutFile:
    path = tmp_path / "speech.wav"
    path.write_bytes(content)
    return cut(path, 1024, 100)


async def test_slices_put_together_are_the_file(server: RecordingsServer, file: CutFile, content: bytes):
    async with client_of(server) as client:
        await uploaded(client, file)
    assert server.only.audio == content
    assert len(server.only.chunks) == 10
    assert server.only.finalized == {"total_chunks": 10, "final_duration_ms": 1000, "checksum_md5": file.md5}


async def test_no_more_chunks_are_sent_at_once_than_asked_for(server: RecordingsServer, file: CutFile):
    async with client_of(server) as client:
        await uploaded(client, file, parallel=2)
    assert server.most_puts_at_once <= 2


async def test_500s_dropped_connections_and_a_busy_service_are_tried_again(
    server: RecordingsServer, file: CutFile, content: bytes
):
    server.next_time("POST", "/v1/recordings", drop_connection, answer_with(500))
    server.next_time("PUT", "chunk_2.opus", answer_with(503), drop_connection, answer_with(507))
    server.next_time("POST", "/finalize", answer_with(408), answer_with(425))
    async with client_of(server) as client:
        await uploaded(client, file)
    assert server.only.audio == content
    assert server.count("PUT", "chunk_2.opus") == 4


async def test_creating_again_after_a_lost_answer_opens_one_recording(server: RecordingsServer, file: CutFile):
    async def lose_the_answer(request):
        await server._create(request)
        request.transport.abort()

    server.next_time("POST", "/v1/recordings", lose_the_answer)
    async with client_of(server) as client:
        await uploaded(client, file)
    assert len(server.recordings) == 1


async def test_a_service_that_is_down_and_comes_back_is_only_a_pause(
    server: RecordingsServer, file: CutFile, content: bytes
):
    server.stop()
    pauses = Pauses(during_the_first=server.start)
    async with client_of(server, pauses) as client:
        await uploaded(client, file)
    assert server.only.audio == content
    assert len(pauses.slept) == 1


async def test_a_service_that_dies_in_the_middle_of_an_upload_gets_every_chunk(
    server: RecordingsServer, file: CutFile, content: bytes
):
    server.next_time("PUT", "chunk_5.opus", server.restart_in_the_middle())
    server.next_time("POST", "/finalize", server.restart_in_the_middle())
    async with RecordingsClient.connected(server.url, API_KEY) as client:
        await uploaded(client, file)
    assert server.only.audio == content


async def test_the_service_says_when_to_come_back_and_is_heeded(server: RecordingsServer, file: CutFile):
    server.next_time("PUT", "chunk_1.opus", answer_with(429, Retry_After="17"))
    pauses = Pauses()
    async with client_of(server, pauses) as client:
        await uploaded(client, file)
    assert pauses.slept == [17.0]


async def test_a_service_that_wants_more_patience_than_there_is_gets_its_refusal_shown(server: RecordingsServer):
    server.next_time("GET", "/v1/recordings/rec_1", answer_with(429, Retry_After="3600"))
    pauses = Pauses()
    async with client_of(server, pauses) as client:
        with pytest.raises(ApiError, match="429"):
            await client.recording("rec_1")
    assert pauses.slept == []


async def test_a_service_that_never_answers_is_given_up_in_one_sentence(server: RecordingsServer):
    server.stop()
    pauses = Pauses()
    async with client_of(server, pauses) as client:
        with pytest.raises(Unreachable, match=r"^http://127\.0\.0\.1:\d+ did not answer .*connection refused\)\.$"):
            await client.recording("rec_1")
    assert pauses.slept == [1, 2, 4, 8, 16]


async def test_patience_counts_the_time_that_tries_take(server: RecordingsServer):
    server.stop()
    pauses = Pauses()
    policy = RetryPolicy(timedelta(seconds=1), 2, timedelta(seconds=60), timedelta(seconds=100), jitter=0)
    times = iter(range(0, 10_000, 45))
    attempts = Attempts(policy, sleep=pauses.sleep, monotonic=lambda: float(next(times)))
    async with RecordingsClient.connected(server.url, API_KEY, attempts) as client:
        with pytest.raises(Unreachable, match="3 times"):
            await client.recording("rec_1")


async def test_a_refusal_is_not_tried_again(server: RecordingsServer):
    async with client_of(server) as client:
        with pytest.raises(ApiError) as refusal:
            await client.recording("rec_none")
    assert (refusal.value.status, refusal.value.type) == (404, "recording_not_found")
    assert str(refusal.value) == "There is no such recording (404 recording_not_found)."
    assert len(server.seen) == 1


async def test_a_wrong_key_is_named_as_such_and_never_shown(server: RecordingsServer):
    async with client_of(server, api_key="sk_test_wrong") as client:
        with pytest.raises(ApiError, match="does not accept this API key") as refusal:
            await client.recording("rec_1")
    assert "sk_test_wrong" not in str(refusal.value)


async def test_something_else_at_that_address_is_not_taken_for_the_service(server: RecordingsServer):
    async def web_page(_request):
        return web.Response(text="<h1>It works!</h1>")

    server.next_time("GET", "/v1/recordings/rec_1", web_page)
    async with client_of(server) as client:
        with pytest.raises(ClientFailure, match="is it a tapedeck service"):
            await client.recording("rec_1")


async def test_chunks_that_the_service_misses_are_sent_again(server: RecordingsServer, file: CutFile, content: bytes):
    server.lose_once = {7, 10}
    async with client_of(server) as client:
        await uploaded(client, file)
    assert server.only.audio == content
    assert server.count("PUT", "chunk_7.opus") == 2
    assert server.count("PUT", "chunk_8.opus") == 1


async def test_a_chunk_that_is_damaged_on_the_way_is_sent_again(
    server: RecordingsServer, file: CutFile, content: bytes
):
    server.damage_once = {4}
    async with client_of(server) as client:
        await uploaded(client, file)
    assert server.only.audio == content
    assert server.count("PUT", "chunk_4.opus") == 2


async def test_an_expired_template_is_replaced_by_a_fresh_one(server: RecordingsServer, file: CutFile, content: bytes):
    server.template_signature = "signature=expired"
    async with client_of(server) as client:
        await uploaded(client, file)
    assert server.only.audio == content


async def test_no_key_is_sent_with_a_signed_address(server: RecordingsServer, file: CutFile):
    async with client_of(server) as client:
        await uploaded(client, file)
    for (method, _), headers in zip(server.seen, server.headers_seen, strict=True):
        assert ("Authorization" in headers) == (method != "PUT")


async def test_a_file_that_is_written_to_meanwhile_is_not_sent_as_a_mixture(server: RecordingsServer, file: CutFile):
    file.path.write_bytes(b"something else entirely" * 500)
    async with client_of(server) as client:
        with pytest.raises(FileChanged):
            await uploaded(client, file)


async def test_waiting_ends_when_the_transcript_is_there_and_tells_of_every_stage(
    server: RecordingsServer, file: CutFile
):
    seen: list[str] = []
    async with client_of(server) as client:
        recording_id = await uploaded(client, file)
        done = await settled(client, recording_id, SIX_TRIES, lambda news: seen.append(news.status))
    assert done.is_settled
    assert seen == ["processing", "completed"]


async def test_a_download_goes_on_where_it_broke_off(server: RecordingsServer, tmp_path: Path):
    source, target = tmp_path / "long.wav", tmp_path / "back.wav"
    content = Random(5).randbytes(1_000_000)
    source.write_bytes(content)
    async with client_of(server) as client:
        recording_id = await uploaded(client, cut(source, 100_000, 100))
        recording = await settled(client, recording_id, SIX_TRIES, lambda _news: None)
        server.next_time("GET", "/download/", server.break_off_after(600_000))
        await download(client, recording, target, lambda _arrived, _total: None)
    assert target.read_bytes() == content
    (resumed,) = [headers["Range"] for headers in server.headers_seen if "Range" in headers]
    assert 0 < int(resumed.removeprefix("bytes=").removesuffix("-")) <= 600_000
    assert files_in(tmp_path) == ["back.wav", "long.wav"]


async def test_a_download_with_other_bytes_is_thrown_away(server: RecordingsServer, file: CutFile, tmp_path: Path):
    target = tmp_path / "back.wav"
    async with client_of(server) as client:
        recording = await settled(client, await uploaded(client, file), SIX_TRIES, lambda _news: None)
        server.only.chunks[3] = bytes(1024)
        with pytest.raises(CorruptDownload):
            await download(client, recording, target, lambda _arrived, _total: None)
    assert files_in(tmp_path) == ["speech.wav"]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("5", 5), (" 0 ", 0), ("soon", None), ("-1", None), ("Sun, 01 Mar 2026 09:00:30 GMT", 30)],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: int | None):
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert retry_after(header, now=lambda: datetime(2026, 3, 1, 9, tzinfo=UTC)) == expected
