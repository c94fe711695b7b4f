"""Collects what is there when all is calm: answers, the log, Kafka, webhooks, and what disks and tables hold."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import orjson
import psycopg
from psycopg import sql

from domain.events import LoggedEvent
from service.dialects.bota.identifiers import public_recording_id
from tests.end_to_end.publisher_process import log_of
from tests.files_on_disk import files_below
from tests.service.dialects.bota.webhook_receiver import Received
from tests.tools.kafka.reading import read_committed
from tests.tools.soak.cluster.caller import Caller
from tests.tools.soak.cluster.clients import END_USER, Made, finalize
from tests.tools.soak.cluster.endings import Ending, Place, Told
from tests.tools.soak.cluster.history import Life, Operation, sha256_of
from tests.tools.soak.cluster.speech import marked, tokens_in

_BELOW = ("", "/chunks", "/events")
_OVERLAP_BYTES = 64
"""More than a token has: one may be across two blocks."""
_ALL_WORDS = 0.8
"""Above it is the score of what has all words of a query."""
_BLOCK_BYTES = 8 * 1024 * 1024


async def ending_of(caller: Caller, life: Life, made: Made) -> Ending:
    """What can be read of it now. It is asked under another name, as these are no calls of its life."""
    statuses, bodies, found = {}, {}, await _found(caller, made)
    for below in _BELOW:
        statuses[below], bodies[below] = await _asked(caller, made.path + below)
    if not life.is_finalized or statuses[""] != 200:
        if statuses[""] == 404:
            transcription = f"/v1/transcriptions/{made.id.replace('rec_', 'txn_')}"
            statuses[transcription], _ = await _asked(caller, transcription)
        if statuses != dict.fromkeys(_BELOW, 200):
            return Ending(statuses=statuses, found=found)
        return Ending(statuses=statuses, chunks=_digests(bodies["/chunks"]))
    shown = orjson.loads(bodies[""])
    finalized = (await finalize(caller, made)).body
    if shown["status"] != "completed":
        return Ending(
            statuses=statuses, status=shown["status"], chunks=_digests(bodies["/chunks"]), finalized=finalized
        )
    statuses["transcript"], transcript = await _asked(caller, f"/v1/transcriptions/{shown['transcription_id']}")
    statuses["/download-url"], offered = await _asked(caller, f"{made.path}/download-url")
    audio = b""
    if statuses["/download-url"] == 200:
        statuses["audio"], audio = await _asked(caller, orjson.loads(offered)["download_url"])
    return Ending(
        statuses=statuses,
        found=found,
        status=shown["status"],
        chunks=_digests(bodies["/chunks"]),
        audio_sha256=sha256_of(audio),
        text=orjson.loads(transcript)["text"] if statuses["transcript"] == 200 else None,
        finalized=finalized,
    )


async def _found(caller: Caller, made: Made) -> tuple[str, ...]:
    """The recordings that have all words of the query; others are like it at best."""
    asked = {"query": marked(made.what.token), "end_user_id": END_USER}
    called = await caller.until_answered(Operation.SHOW, "", method="POST", path="/v1/recordings/search", body=asked)
    found = {each["recording_id"] for each in called.json["results"] if each["score"] > _ALL_WORDS}
    return tuple(sorted(found))


def _digests(body: bytes) -> dict[int, str]:
    return {chunk["number"]: chunk["sha256"] for chunk in orjson.loads(body)["data"]}


async def _asked(caller: Caller, path: str) -> tuple[int, bytes]:
    called = await caller.until_answered(Operation.SHOW, "", method="GET", path=path)
    assert called.status is not None
    return called.status, called.body


async def streams_of(database: str) -> tuple[list[Place], dict[str, list[LoggedEvent]]]:
    """All events in the order of a reader, and those of each recording by its public id."""
    logged = await asyncio.to_thread(log_of, database)
    streams: dict[str, list[LoggedEvent]] = {}
    for recorded in logged:
        streams.setdefault(public_recording_id(recorded.stream_id), []).append(recorded.event)
    return [Place(f"{each.stream_id}/{each.version}", each.position) for each in logged], streams


async def partitions_of(servers: str, topic: str) -> list[list[Place]]:
    partitions: dict[int, list[Place]] = {}
    for seen in await asyncio.to_thread(read_committed, servers, topic):
        partitions.setdefault(seen.partition, []).append(Place(seen.id, seen.log_position))
    return list(partitions.values())


def told_of(received: Sequence[Received], secret: str) -> list[Told]:
    return [_told(each, secret) for each in received]


def _told(received: Received, secret: str) -> Told:
    try:
        received.check_signature(secret)
    except AssertionError:
        is_right = False
    else:
        is_right = True
    data = received.body["data"]
    recording_id = data["recording_id"] if received.type.startswith("transcription.") else data["id"]
    return Told(received.body["id"], received.type, recording_id, received.raw, is_right)


def tokens_on_disk(folder: Path) -> set[str]:
    """Of all recordings that have left something in a file below it."""
    return {token for path in files_below(folder) if not path.is_socket() for token in _tokens_of(path)}


def _tokens_of(path: Path) -> set[str]:
    found: set[str] = set()
    try:
        with path.open("rb") as file:
            rest = b""
            while block := file.read(_BLOCK_BYTES):
                found |= tokens_in(rest + block)
                rest = block[-_OVERLAP_BYTES:]
    except FileNotFoundError:  # it has just been removed
        pass
    return found


def tokens_in_tables(database: str) -> set[str]:
    """Of all recordings that have left something in a row of any table."""
    found: set[str] = set()
    with psycopg.connect(database) as connection:
        for schema, table in connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall():
            rows = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, table)))
            for row in rows:
                found |= tokens_in(b"\n".join(_as_bytes(value) for value in row))
    return found


def _as_bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
