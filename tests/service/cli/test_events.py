"""`events --follow`, over a service that tells what the test wants, and over a real one in a process of its own."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from secrets import token_hex

import orjson
import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from adapters.keys import KeyKind
from service.cli import main, wording
from tests.end_to_end.profile import key_store_of
from tests.places import REPOSITORY
from tests.service.recordings_server import API_KEY, RecordingsServer, refused

AT = "2026-03-01T09:00:00Z"
RECORDING_ID = "0b7a1bd2-9e35-4e0f-8f53-0f6f4d0a4f11"
PUBLIC_ID = "rec_0b7a1bd29e354e0f8f530f6f4d0a4f11"


@pytest.fixture
def connection(server: RecordingsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TAPEDECK_URL", server.url)
    monkeypatch.setenv("TAPEDECK_API_KEY", API_KEY)
    monkeypatch.setenv("TAPEDECK_DATA_DIR", str(tmp_path / "data"))


def tapedeck(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def told(position: int, its_type: str, subject: str = "recording_id", **facts: object) -> bytes:
    data = {subject: RECORDING_ID, "version": 1, **facts, "at": AT, "client_ids": {}}
    message = {"type": f"tapedeck.{its_type}.v1", "subject": RECORDING_ID, "time": AT, "data": data}
    return b"id: %d-0123abcd\ndata: %b\n\n" % (position, orjson.dumps(message))


STORED = told(4, "recording.chunk_stored", number=7, size_bytes=2048, blob_key="x", md5="y")
ENDED = told(6, "ambient_session.ended", "session_id")
DELETED = told(9, "recording.deleted")


@pytest.mark.usefixtures("connection")
def test_what_happens_is_printed_line_by_line_and_a_connection_that_breaks_is_only_a_pause(server: RecordingsServer):
    server.live = [b"retry: 1\nid: 3-0123abcd\n\n", b"retry: 1\n\n" + STORED + ENDED[:40], ENDED + DELETED]
    ran = tapedeck("events", PUBLIC_ID, "--follow")
    at = wording.local_time(wording.datetime.fromisoformat(AT))
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert ran.stdout.splitlines() == [
        f"{at}  {PUBLIC_ID}  chunk_stored        #7      2.0 KiB",
        f"{at}  {RECORDING_ID}  ambient_session.ended",
        f"{at}  {PUBLIC_ID}  deleted",
    ]
    assert server.last_event_ids == [None, "3-0123abcd", "4-0123abcd"]
    assert server.queries_seen == [{"since": "beginning", "recording_id": PUBLIC_ID}] * 3


@pytest.mark.usefixtures("connection")
def test_an_event_with_more_damaged_chunks_than_a_usual_line_has_room_for_is_told(server: RecordingsServer):
    damage = [{"number": number, "reason": "not_audio", "message": "x" * 200} for number in range(1000)]
    server.live = [b"retry: 1\n\n" + told(5, "recording.stitched", damage=damage) + DELETED]
    ran = tapedeck("events", PUBLIC_ID, "--follow", "--json")
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert [len(orjson.loads(line)["data"].get("damage", ())) for line in ran.stdout.splitlines()] == [1000, 0]


@pytest.mark.usefixtures("connection")
def test_of_all_that_happens_some_is_asked_for_until_the_key_is_refused(server: RecordingsServer):
    async def goes_on(request: web.Request) -> None:
        return None

    async def refuse(request: web.Request) -> web.Response:
        return refused(401, "unauthorized", "The key is not valid any more")

    server.next_time("GET", "/v1/events", goes_on, refuse)
    server.live = [b"retry: 1\n\n" + STORED + DELETED, b""]
    ran = tapedeck("events", "--follow", "--json", "--type", "chunk_stored", "--type", "deleted")
    assert [orjson.loads(line)["type"] for line in ran.stdout.splitlines()] == [
        "tapedeck.recording.chunk_stored.v1",
        "tapedeck.recording.deleted.v1",
    ]
    assert (ran.exit_code, ran.stderr) == (1, "Error: The service does not accept this API key (401).\n")
    types = "tapedeck.recording.chunk_stored.v1,tapedeck.recording.deleted.v1"
    assert server.queries_seen == [{"since": "now", "types": types}]


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Give the ID of a recording, or --follow for all of them."),
        ([PUBLIC_ID, "--type", "deleted"], "--type and --from-beginning go with --follow."),
        ([PUBLIC_ID, "--from-beginning"], "--type and --from-beginning go with --follow."),
        (["--follow", "--type", "x"], "x is none of opened,"),
    ],
)
def test_what_does_not_go_together_is_said(arguments: list[str], said: str):
    ran = tapedeck("events", *arguments)
    assert (ran.exit_code, said in ran.stderr) == (2, True)


@pytest.mark.usefixtures("connection")
def test_a_message_that_is_none_is_a_failure_in_one_sentence(server: RecordingsServer):
    server.live = [b"data: {}\n\n"]
    ran = tapedeck("events", "--follow")
    assert (ran.exit_code, ran.stderr) == (
        1,
        "Error: The service tells of its events in another way than this command reads.\n",
    )


async def test_all_that_happens_in_the_project_of_the_key_is_followed_until_it_is_interrupted(service):
    keys = key_store_of(service)
    made = keys.create(KeyKind.SECRET, project_id=f"proj_{token_hex(8)}")
    keys.close()
    api = service.api(made.token)
    ids = [(await api.create())["id"]]
    environment = os.environ | {"TAPEDECK_URL": api.url, "TAPEDECK_API_KEY": made.token, "PYTHONPATH": str(REPOSITORY)}
    command = (sys.executable, "-m", "service.cli", "events", "--follow", "--from-beginning", "--type", "opened")
    process = await asyncio.create_subprocess_exec(
        *command, env=environment | {"PYTHONUNBUFFERED": "1"}, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(300):
            assert ids[0] in (await process.stdout.readline()).decode()
            ids.append((await api.create())["id"])
            assert ids[1] in (await process.stdout.readline()).decode()
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 130
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
