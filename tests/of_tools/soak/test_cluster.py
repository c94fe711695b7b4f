"""A slice of the soak of a cluster, and the parts that it is made of."""

import asyncio
import io
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

import aiohttp
import orjson
import psycopg
import pytest

from tests.guides.shell import make
from tests.places import REPOSITORY
from tests.tools.free_ports import free_port
from tests.tools.kafka.broker import KafkaBroker
from tests.tools.postgres.server import PostgresServer
from tests.tools.s3.server import S3Server
from tests.tools.soak.cluster import gathering
from tests.tools.soak.cluster.caller import Caller
from tests.tools.soak.cluster.faults import FAULTS, faults_of
from tests.tools.soak.cluster.gathering import tokens_in_tables, tokens_on_disk
from tests.tools.soak.cluster.history import History, Operation
from tests.tools.soak.cluster.members import Member
from tests.tools.soak.cluster.relay import Relay
from tests.tools.soak.cluster.speech import Engine, heard_in, marked, recorded, token_of, tokens_in

TOKEN, OTHER = "abcdefghijklmnop", "ponmlkjihgfedcba"


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_make_soak_cluster_does_as_few_faults_as_it_is_told_to(
    kafka: KafkaBroker, s3: S3Server, postgres: PostgresServer
) -> None:
    """The servers are not used: where one of them cannot run, this is left out as all tests are that need it."""
    done = make(REPOSITORY, "soak-cluster", "ARGS=--faults 5 --seed 7 --clients 4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("seed 7\n")
    assert done.stdout.splitlines()[-1].startswith("seed 7: nothing wrong; ")


def test_a_seed_gives_the_same_faults_every_time_and_a_long_run_all_of_them() -> None:
    assert faults_of(7, 100) == faults_of(7, 100) != faults_of(8, 100)
    assert {fault.name for fault in faults_of(7, len(FAULTS))} == FAULTS.keys()
    assert len(faults_of(7, 300)) == 300
    assert faults_of(7, 20) == faults_of(7, 20)


@pytest.mark.parametrize("number", range(1, 30))
def test_a_recording_is_the_same_whenever_it_is_made_and_has_its_token_in_every_slice(number: int) -> None:
    what = recorded(number, Random(number))
    assert what.bodies() == what.bodies()
    assert [len(body) for body in what.bodies()] == list(what.sizes)
    assert all(tokens_in(body) == {token_of(number)} for body in what.bodies())
    assert marked(what.token) in heard_in(b"".join(what.bodies()))


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """The port of a server that sends back what it gets, and ends when its client does."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while block := await reader.read(100):
                writer.write(block)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def relay(echo: int) -> AsyncIterator[Relay]:
    relay = await Relay(echo).open()
    yield relay
    await relay.refuse()


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def asked(self, text: bytes) -> bytes:
        self._writer.write(text)
        return await self._reader.readexactly(len(text))

    async def all_of(self, text: bytes) -> bytes:
        """What comes until the other end has nothing more to say."""
        self._writer.write(text)
        self._writer.write_eof()
        return await self._reader.read()


@asynccontextmanager
async def client_of(relay: Relay) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


CUT = (ConnectionError, asyncio.IncompleteReadError)


async def is_passed_on(relay: Relay) -> bool:
    async with client_of(relay) as client:
        return await client.asked(b"ping") == b"ping"


async def test_a_relay_passes_on_what_comes_and_that_nothing_more_will(relay: Relay) -> None:
    content = bytes(range(256)) * 4_000
    assert await is_passed_on(relay)
    async with client_of(relay) as client:
        assert await client.all_of(content) == content


async def test_connections_that_are_cut_are_reset_and_new_ones_are_accepted(relay: Relay) -> None:
    async with client_of(relay) as client:
        await client.asked(b"ping")
        relay.cut()
        with pytest.raises(CUT):
            await client.asked(b"ping")
    assert await is_passed_on(relay)


async def test_what_is_held_comes_when_all_is_calm_again(relay: Relay) -> None:
    async with client_of(relay) as client:
        await client.asked(b"ping")
        relay.hold()
        asked = asyncio.create_task(client.asked(b"pong"))
        done, _ = await asyncio.wait([asked], timeout=0.2)
        assert not done
        await relay.calm()
        assert await asked == b"pong"


async def test_a_relay_that_refuses_accepts_nobody_until_all_is_calm_again(relay: Relay) -> None:
    async with client_of(relay) as client:
        await client.asked(b"ping")
        await relay.refuse()
        with pytest.raises(CUT):
            await client.asked(b"ping")
    with pytest.raises(ConnectionError):
        await is_passed_on(relay)
    await relay.calm()
    assert await is_passed_on(relay)


async def test_a_slow_relay_passes_everything_on(relay: Relay) -> None:
    relay.slow_down()
    assert await is_passed_on(relay)


async def test_where_the_server_is_away_the_relay_resets_who_connects() -> None:
    relay = await Relay(free_port()).open()
    try:
        with pytest.raises(CUT):
            await is_passed_on(relay)
    finally:
        await relay.refuse()


async def test_a_call_that_is_cut_is_sent_once_and_noted_without_an_answer() -> None:
    came: list[bytes] = []

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.readline())
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    history = History()
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    caller = Caller(1, [url], "a key", Random(1), history)
    for operation, method in ((Operation.DELETE, "DELETE"), (Operation.PUT, "PUT"), (Operation.SHOW, "GET")):
        called = await caller.once(operation, "one", method=method, path="/v1/some", body=b"body")
        assert (called.status, called.is_acknowledged) == (None, False)
    server.close()
    assert came == [b"DELETE /v1/some HTTP/1.1\r\n", b"PUT /v1/some HTTP/1.1\r\n", b"GET /v1/some HTTP/1.1\r\n"]
    assert [call.operation for call in history.calls] == [Operation.DELETE, Operation.PUT, Operation.SHOW]


async def test_the_engine_says_which_file_it_has_heard() -> None:
    engine = await Engine().start()
    audio = b"sound" + marked(TOKEN).encode() + b"more"
    try:
        async with aiohttp.ClientSession() as session:
            form = aiohttp.FormData({"model": "whisper-1"})
            form.add_field("file", io.BytesIO(audio), filename="recording.wav")
            async with session.post(f"{engine.url}/audio/transcriptions", data=form) as answer:
                text = (await answer.json())["text"]
    finally:
        await engine.stop()
    assert text == heard_in(audio) != heard_in(audio + b".")
    assert tokens_in(text.encode()) == {TOKEN}
    assert tokens_in(f"{marked(OTHER)}{marked(TOKEN)}".encode()) == {TOKEN, OTHER}


def test_what_a_recording_has_left_is_found_in_files_also_across_blocks_that_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "_BLOCK_BYTES", 100)
    for number, before in enumerate((0, 85, 99, 100, 250)):
        (tmp_path / f"folder-{number}").mkdir()
        token = token_of(number)
        (tmp_path / f"folder-{number}" / "file").write_bytes(b"." * before + marked(token).encode() + b"." * 30)
    assert tokens_on_disk(tmp_path) == {token_of(number) for number in range(5)}
    assert tokens_on_disk(tmp_path / "folder-3") == {token_of(3)}
    assert tokens_on_disk(tmp_path / "none") == set()


def test_what_a_recording_has_left_is_found_in_tables_as_text_as_bytes_and_within_json(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("CREATE SCHEMA stored")
        connection.execute("CREATE TABLE stored.rows (number INTEGER, words TEXT, content BYTEA, facts JSONB)")
        rows = [(1, marked(TOKEN), None, None), (2, None, marked(OTHER).encode(), None)]
        rows += [(3, None, None, orjson.dumps({"name": [marked(token_of(3))]}).decode())]
        for row in rows:
            connection.execute("INSERT INTO stored.rows VALUES (%s, %s, %s, %s)", row)
    assert tokens_in_tables(database) == {TOKEN, OTHER, token_of(3)}


class Sleeper(Member):
    """A process of the cluster that does nothing."""

    def line(self) -> Sequence[str]:
        return (sys.executable, "-c", "import time; time.sleep(1_000)")


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


async def test_a_member_that_ends_is_started_again_until_it_is_asked_to_end_for_good(tmp_path: Path) -> None:
    member = Sleeper("sleeper", "none", tmp_path, {})
    member.start()
    try:
        await until(member.processes)
        first = member.processes()[0].pid
        member.send(member.processes(), signal.SIGKILL)
        await until(lambda: member.ends and member.processes() and member.processes()[0].pid != first)
        await member.restart()
        await until(lambda: member.ends.total() == 2 and member.processes())
        assert member.ends == {-signal.SIGKILL: 1, -signal.SIGTERM: 1}
        assert await member.end() == -signal.SIGTERM
        assert member.processes() == []
    finally:
        member.destroy()
