"""A process that appends to streams of its own and one that all share, and prints what was acknowledged.

`python -m tests.adapters.event_log.postgres_writer URL NAME COMMITS SECONDS`: SECONDS are how long it waits for an
answer. A line is an event's position and content. While the server is away it says `0 unavailable` and tries again,
with new content each time: nobody knows whether an append that failed is in the log.
"""

import sys
import time
from itertools import count
from uuid import NAMESPACE_URL, uuid5

from eventsourcing.persistence import StoredEvent

from adapters.event_log.port import Append, LogUnavailable
from adapters.event_log.postgres import PostgresLogRecorder
from adapters.postgres import connections

SHARED = uuid5(NAMESPACE_URL, "shared")


def main(url: str, name: str, commits: int) -> None:
    recorder = _as_soon_as_possible(lambda: PostgresLogRecorder(url))
    streams = [uuid5(NAMESPACE_URL, f"{name} {number}") for number in range(3)] + [SHARED]
    versions = dict.fromkeys(streams, 0)
    numbers, acknowledged = count(1), 0
    while acknowledged < commits:
        appends = [
            Append(stream, version, [StoredEvent(stream, version + 1, "Said", f"{name} {next(numbers)}".encode())])
            for stream, version in versions.items()
        ]
        try:
            positions = recorder.insert_batch(appends)
        except LogUnavailable:
            print(0, "unavailable", flush=True)
            versions = _as_soon_as_possible(lambda: {stream: len(recorder.select_events(stream)) for stream in streams})
            continue
        for append, position in zip(appends, positions, strict=True):
            if isinstance(position, int):
                print(position, append.stored_events[0].state.decode(), flush=True)
                versions[append.stream_id] += 1
            else:
                versions[append.stream_id] = _as_soon_as_possible(
                    lambda stream=append.stream_id: len(recorder.select_events(stream))
                )
        acknowledged += 1
    recorder.close()


def _as_soon_as_possible(work):
    """What `work` returns, once the server is back."""
    while True:
        try:
            return work()
        except LogUnavailable:
            print(0, "unavailable", flush=True)
            time.sleep(0.02)


if __name__ == "__main__":
    connections.ANSWER_SECONDS = float(sys.argv[4])
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
