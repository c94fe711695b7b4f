"""One writing process of `make bench-scale`: says that it is ready, waits for a line, and says when it began and ended.

`python -m tests.tools.bench.scale_writer URL log|bare COMMITS EVENTS`.
"""

import sys
import time
from collections.abc import Callable, Sequence
from uuid import UUID, uuid4

from eventsourcing.persistence import StoredEvent

from adapters.event_log import postgres_arrays as arrays
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
    commit = {"log": appending, "bare": inserting}[kind](url)
    commit(appends_at(streams, 0))
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    for version in range(1, commits + 1):
        commit(appends_at(streams, version))
    print(began, time.monotonic())


def appends_at(streams: Sequence[UUID], version: int) -> list[Append]:
    """An event for each stream, which is at this version. Both kinds begin with these, and send them in one form."""
    return [Append(its_id, version, [StoredEvent(its_id, version + 1, "ChunkStored", STATE)]) for its_id in streams]


def appending(url: str) -> Callable[[Sequence[Append]], None]:
    recorder = PostgresLogRecorder(url)

    def commit(appends: Sequence[Append]) -> None:
        if not all(isinstance(outcome, int) for outcome in recorder.insert_batch(appends)):
            raise AssertionError("an append to a stream of its own conflicts")

    return commit


def inserting(url: str) -> Callable[[Sequence[Append]], None]:
    connection = connect(url)

    def commit(appends: Sequence[Append]) -> None:
        events = [stored for append in appends for stored in append.stored_events]
        columns = (
            arrays.uuids([append.stream_id for append in appends for _ in append.stored_events]),
            arrays.bigints([stored.originator_version for stored in events]),
            arrays.texts([stored.topic for stored in events]),
            arrays.byteas([stored.state for stored in events]),
        )
        connection.execute(_INSERT, columns)

    return commit


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
