"""Evolve, decide and load by snapshot with 10, 1 000 and 10 000 chunks: no cost may grow with the number of chunks.

Every sample has about the same number of steps at each size, and the sizes take turns, so that other load affects them
all. The best samples of each size are compared: the others were disturbed.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from domain.commands import Command
from domain.events import ChunkStored
from domain.life import decide
from domain.recording import Recording, fold
from domain.snapshots import Snapshot, restore, take_snapshot
from tests.domain.histories import chunk, finalize, opened, store_chunk
from tests.tools.bench.figures import nanoseconds

SIZES = (10, 1_000, 10_000)
STEPS = 1_000
SAMPLES = 25
NUMBERS = range(1, 2 * max(SIZES) + 1)
CHUNKS: list[ChunkStored] = []
COMMANDS: list[Command] = []

Sample = Callable[[int], float]
"""Nanoseconds per step with that many chunks."""


def measure() -> None:
    CHUNKS[:] = map(chunk, NUMBERS)
    COMMANDS[:] = map(store_chunk, NUMBERS)
    print(f"ns per step with {', '.join(map(str, SIZES))} chunks; best of {SAMPLES} samples of {STEPS} steps")
    rows: dict[str, Sample] = {
        "evolve with one more chunk": evolving,
        "decide a new chunk": lambda size: deciding(size, COMMANDS[size : size + STEPS]),
        "decide a recent chunk again": lambda size: deciding(size, again(size)),
        "decide other bytes for that chunk": lambda size: deciding(size, again(size, sha256="f" * 64)),
        "decide finalize": lambda size: deciding(size, [finalize(size)] * STEPS),
        "load by snapshot, a chunk": loading,
    }
    for name, sample in rows.items():
        best = dict.fromkeys(SIZES, float("inf"))
        for _ in range(SAMPLES):
            for size in SIZES:
                best[size] = min(best[size], sample(size))
        figures = "".join(f"{best[size]:9.0f}" for size in SIZES)
        print(f"  {name:<32}{figures}   last : first {best[SIZES[-1]] / best[SIZES[0]]:.2f}")
    CHUNKS.clear()  # forty thousand objects would slow down garbage collection in the benches after this one
    COMMANDS.clear()


def evolving(size: int) -> float:
    """Recordings grow to twice their size, so that the occasional cost of growing is included in proportion."""
    recordings = [recording_of(size) for _ in range(max(SIZES) // size)]
    events = CHUNKS[size : 2 * size]

    def grow() -> None:
        for recording in recordings:
            fold(events, recording)

    return nanoseconds(grow) / (len(recordings) * size)


def deciding(size: int, commands: list[Command]) -> float:
    recording = recording_of(size)

    def decide_all() -> None:
        for command in commands:
            decide(recording, command)

    return nanoseconds(decide_all) / len(commands)


def again(size: int, **changes: Any) -> list[Command]:
    """The last few chunks: an old one among ten thousand is no more work, but is not in the processor's cache."""
    return [replace(COMMANDS[size - 1 - step % SIZES[0]], **changes) for step in range(STEPS)]


def loading(size: int) -> float:
    stored = take_snapshot(recording_of(size)).model_dump_json()
    times = max(STEPS // size, 1)

    def load() -> None:
        for _ in range(times):
            restore(Snapshot.model_validate_json(stored))

    return nanoseconds(load) / (times * size)


def recording_of(size: int) -> Recording:
    recording = fold([opened(max_chunks=len(NUMBERS)), *CHUNKS[:size]])
    assert recording is not None
    return recording
