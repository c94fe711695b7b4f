"""One following process of `make bench-scale`: follows the log as the service's followers do, and does nothing with it.

`python -m tests.tools.bench.scale_follower URL EVENTS`. It says that it is ready once it hears of commits, and when it
has read so many further events, what it saw. As in the service, it hears of commits by LISTEN, and then reads events
and decodes them; under load it does so only once in `SECONDS_BETWEEN_WAKES`.
"""

import asyncio
import sys
import time

from adapters.event_log.log import EventLog
from adapters.event_log.port import Heard
from adapters.event_log.postgres import PostgresLogRecorder
from tests.tools.bench.scale_marks import Followed, Mark


class NotingRecorder(PostgresLogRecorder):
    """The log in PostgreSQL. It notes what its listener is told."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.told: list[Mark] = []

    def listen(self, heard: Heard) -> None:
        def note(position: int) -> None:
            self.told.append(Mark(position, time.monotonic()))
            if len(self.told) == 1:
                print("ready", flush=True)
            heard(position)

        super().listen(note)


async def follow(url: str, events: int) -> Followed:
    """Returns when so many events have been read that came after it began."""
    recorder = NotingRecorder(url)
    log = EventLog(recorder, is_shared=True)
    read: list[Mark] = []
    last = log.head + events
    async for batch in log.follow(after=log.head):
        read.append(Mark(batch[-1].position, time.monotonic()))
        if read[-1].position >= last:
            break
    await log.close()
    return Followed(recorder.told, read)


if __name__ == "__main__":
    print(asyncio.run(follow(sys.argv[1], int(sys.argv[2]))).line())
