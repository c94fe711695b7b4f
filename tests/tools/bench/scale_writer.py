"""One writing process of `make bench-scale`: says that it is ready, waits for a line, and says when it began and ended.

`python -m tests.tools.bench.scale_writer URL log|bare COMMITS EVENTS`.
"""

import sys
import time
from collections.abc import Callable
from uuid import UUID, uuid4

from eventsourcing.persistence import StoredEvent

from adapters.event_log.port import Append
from adapters.event_log.postgres import PostgresLogRecorder
from adapters.postgres.connections import connect

BARE_TABLE = """
CREATE TABLE bare (
    position  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream_id uuid   NOT NULL,
    version   bigint NOT NULL,
    topic     text   NOT NULL,
    state     bytea  NOT NULL,
    UNIQUE (stream_id, version)
)
"""
_INSERT = """
INSERT INTO bare (stream_id, version, topic, state)
SELECT * FROM unnest(%b::uuid[], %b::bigint[], %b::text[], %b::bytea[])
"""
STATE = b'{"at":"2026-01-01T00:00:00Z","number":1,"blob_key":"' + b"0123456789abcdef" * 14 + b'","size_bytes":65536}'


def main(url: str, kind: str, commits: int, events: int) -> None:
    streams = [uuid4() for _ in range(events)]
    commit = {"log": appending, "bare": inserting}[kind](url, streams)
    commit(0)
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    for version in range(1, commits + 1):
        commit(version)
    print(began, time.monotonic())


def appending(url: str, streams: list[UUID]) -> Callable[[int], None]:
    recorder = PostgresLogRecorder(url)

    def commit(version: int) -> None:
        outcomes = recorder.insert_batch(
            [Append(its_id, version, [StoredEvent(its_id, version + 1, "ChunkStored", STATE)]) for its_id in streams]
        )
        if not all(isinstance(outcome, int) for outcome in outcomes):
            raise AssertionError("an append to a stream of its own conflicts")

    return commit


def inserting(url: str, streams: list[UUID]) -> Callable[[int], None]:
    connection, count = connect(url), len(streams)

    def commit(version: int) -> None:
        connection.execute(_INSERT, (streams, [version + 1] * count, ["ChunkStored"] * count, [STATE] * count))

    return commit


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
