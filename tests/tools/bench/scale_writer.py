"""One writing process of `make bench-scale`: says that it is ready, waits for a line, and says what it has committed.

`python -m tests.tools.bench.scale_writer URL log|followed|bare COMMITS EVENTS SECONDS`: a commit begins so many seconds
after the one before it began, or as soon as that has ended; with 0, always then. `followed` is the log with events that
a follower can decode; they are larger.
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID, uuid4

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import StoredEvent

from adapters.event_log import postgres_arrays as arrays
from adapters.event_log.mapper import EventMapper, VersionedEvent
from adapters.event_log.port import Append
from adapters.event_log.postgres import PostgresLogRecorder
from adapters.postgres.connections import connect
from tests.domain.histories import chunk
from tests.tools.bench.scale_marks import Mark, Written

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


@dataclass(frozen=True, slots=True)
class Kind:
    """`writes`: opens a database, and gives what commits there, and returns the position of the last event."""

    writes: Callable[[str], Callable[[Sequence[Append]], int]]
    state: bytes


def main(url: str, kind: Kind, commits: int, events: int, seconds_a_commit: float) -> None:
    streams = [uuid4() for _ in range(events)]
    commit = kind.writes(url)
    commit(appends_at(streams, 0, kind.state))
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    marks = []
    for version in range(1, commits + 1):
        appends = appends_at(streams, version, kind.state)
        if (early := began + (version - 1) * seconds_a_commit - time.monotonic()) > 0:
            time.sleep(early)
        marks.append(Mark(commit(appends), time.monotonic()))
    print(Written(began, time.monotonic(), marks).line())


def appends_at(streams: Sequence[UUID], version: int, state: bytes) -> list[Append]:
    """An event for each stream, which is at this version. All kinds begin with these, and send them in one form."""
    return [Append(its_id, version, [StoredEvent(its_id, version + 1, "ChunkStored", state)]) for its_id in streams]


def appending(url: str) -> Callable[[Sequence[Append]], int]:
    recorder = PostgresLogRecorder(url)

    def commit(appends: Sequence[Append]) -> int:
        *_, last = outcomes = recorder.insert_batch(appends)
        if not all(isinstance(outcome, int) for outcome in outcomes):
            raise AssertionError("an append to a stream of its own conflicts")
        return cast("int", last)

    return commit


def inserting(url: str) -> Callable[[Sequence[Append]], int]:
    connection = connect(url)

    def commit(appends: Sequence[Append]) -> int:
        events = [stored for append in appends for stored in append.stored_events]
        columns = (
            arrays.uuids([append.stream_id for append in appends for _ in append.stored_events]),
            arrays.bigints([stored.originator_version for stored in events]),
            arrays.texts([stored.topic for stored in events]),
            arrays.byteas([stored.state for stored in events]),
        )
        connection.execute(_INSERT, columns)
        return 0

    return commit


def readable_state() -> bytes:
    """That of an event which who follows the log can decode."""
    event = cast("DomainEventProtocol[UUID]", VersionedEvent(uuid4(), 1, chunk(1), trace_id=None))
    return EventMapper().to_stored_event(event).state


KINDS = {
    "log": Kind(appending, STATE),
    "followed": Kind(appending, readable_state()),
    "bare": Kind(inserting, STATE),
}


if __name__ == "__main__":
    main(sys.argv[1], KINDS[sys.argv[2]], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
