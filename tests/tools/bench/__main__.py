"""`make bench`: measurements as ratios within one run, on this machine. Figures in documents come from here.

`make bench ARGS=deciding` runs one of them; without a name, all of them run.
"""

import asyncio
import sys

from tests.tools.bench import (
    beside,
    deciding,
    event_listeners,
    head_start,
    listening,
    lists,
    live_words,
    replaying,
    samples,
    searching,
    slices,
    uploading,
)

BENCHES = {
    "deciding": deciding.measure,
    "replaying": replaying.measure,
    "uploading": lambda: asyncio.run(uploading.measure()),
    "head-start": lambda: asyncio.run(head_start.measure()),
    "listening": lambda: asyncio.run(listening.measure()),
    "live-words": lambda: asyncio.run(live_words.measure()),
    "event-listeners": lambda: asyncio.run(event_listeners.measure()),
    "beside": lambda: asyncio.run(beside.measure()),
    "lists": lambda: asyncio.run(lists.measure()),
    "samples": lambda: asyncio.run(samples.measure()),
    "slices": lambda: asyncio.run(slices.measure()),
    "searching": lambda: asyncio.run(searching.measure()),
}

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHES:
        BENCHES[name]()
