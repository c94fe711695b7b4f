"""Replay from SQLite on one core: rows to checked events to states. `make bench ARGS=replaying`."""

import cProfile
import pstats
import tempfile
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import orjson

from adapters.event_log.mapper import EventMapper, VersionedEvent
from adapters.event_log.port import Append
from adapters.event_log.reader import EventReader
from adapters.event_log.snapshots import SnapshotStore
from adapters.event_log.sqlite import SQLiteLogRecorder, SQLiteSnapshotRecorder
from domain.recording import Recording, evolve
from service.application.recording_snapshots import RecordingSnapshots
from service.application.recordings import RECORDINGS
from service.runtime.collector import settle_collector
from tests.domain.histories import chunk, opened
from tests.tools.bench.figures import nanoseconds, spread

EVENTS = 20_000
LONG = UUID(int=1)
SHORT_EVENTS = 100
SAMPLES = 15


def measure() -> None:
    with tempfile.TemporaryDirectory() as folder:
        recorder = SQLiteLogRecorder(Path(folder) / "log.sqlite3")
        write(recorder)
        settle_collector()  # as the service does
        reader = EventReader(recorder)
        snapshots = RecordingSnapshots(SnapshotStore(SQLiteSnapshotRecorder(recorder)))
        state = reader.state(LONG, RECORDINGS.fold)
        snapshots.keeping(LONG, state)()
        print(f"thousand events a second on one core, {EVENTS} events, {SAMPLES} samples")
        tell("one long recording, read, checked and folded", lambda: reader.state(LONG, RECORDINGS.fold))
        tell("many recordings, in the order of the log", lambda: replay(reader, after=EVENTS))
        tell("the long one by its snapshot", lambda: snapshots.newest(LONG))
        tell("for comparison: its rows read, nothing else", lambda: recorder.select_events(LONG))
        tell("for comparison: its JSON parsed, nothing else", parsing(recorder))
        profile = cProfile.Profile()
        profile.runcall(reader.state, LONG, RECORDINGS.fold)
        print("  where the time of the long recording goes (as a profiler sees it, which slows Python's own part):")
        pstats.Stats(profile).sort_stats("tottime").print_stats(10)
        recorder.close()


def parsing(recorder: SQLiteLogRecorder) -> Callable[[], object]:
    states = [row.state for row in recorder.select_events(LONG)]

    def parse() -> None:
        for state in states:
            orjson.loads(state)

    return parse


def tell(name: str, work: Callable[[], object]) -> None:
    rates = [EVENTS * 1e6 / nanoseconds(work) for _ in range(SAMPLES)]
    print(f"  {name:<48} {spread(rates)}")


def write(recorder: SQLiteLogRecorder) -> None:
    """One recording of EVENTS events, and then as many events in recordings of SHORT_EVENTS."""
    mapper = EventMapper()
    history = [opened(max_chunks=EVENTS), *(chunk(number) for number in range(1, EVENTS))]
    for number in range(EVENTS // SHORT_EVENTS + 1):
        its_id = UUID(int=number + 1)
        events = history if its_id == LONG else history[:SHORT_EVENTS]
        stored = [
            mapper.to_stored_event(VersionedEvent(its_id, version, event, None))
            for version, event in enumerate(events, 1)
        ]
        recorder.insert_batch([Append(its_id, 0, stored)])


def replay(reader: EventReader, *, after: int) -> dict[UUID, Recording]:
    states: dict[UUID, Recording] = {}
    while page := reader.after(after):
        for recorded in page:
            states[recorded.stream_id] = evolve(states.get(recorded.stream_id), recorded.event)
        after = page[-1].position
    return states
