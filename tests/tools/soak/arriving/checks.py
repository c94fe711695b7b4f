"""What must hold of every recording in the end, whatever was done to the service meanwhile."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import pairwise
from typing import Any

from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from domain.events import (
    ChunkStored,
    Failed,
    FinalizeRequested,
    LoggedEvent,
    PartHeard,
    RecordingOpened,
    RetryRequested,
    Stitched,
    Transcribed,
)
from service.dialects.bota.identifiers import recording_id_of
from service.sample.word_error_rate import word_error_rate
from tests.end_to_end.listening import listening
from tests.end_to_end.service_process import Api, ServiceProcess
from tests.tools.soak.arriving.clients import Life

MOST_OTHER_WORDS = 0.2
"""What is heard a few seconds at a time is not always what is heard in the whole, least where speech is cut off in the
middle of a word, as here."""

_SAME_WORD_SECONDS = 1.0
"""Two hearings may time a word differently."""


async def of_answers(api: Api, life: Life, wanted: dict[str, Any]) -> AsyncIterator[str]:
    """What is wrong in what the service says of it, a sentence each. `wanted`: the transcript made in one go."""
    stored = {chunk["number"]: chunk["sha256"] for chunk in (await api.get(life.recording, "/chunks"))["data"]}
    if stored != {number: hashlib.sha256(body).hexdigest() for number, body in life.arrival.bodies.items()}:
        yield "its chunks are not those that were acknowledged"
    if (await api.finalize(life.recording, len(stored))).body != life.finalized:
        yield "finalize answers differently now"
    transcript = await api.transcript(life.recording)
    for name in ("text", "segments", "word_count", "duration_ms", "language"):
        if transcript[name] != wanted[name]:
            yield f"its {name} is not that of the transcript made in one go: {transcript[name]} {wanted[name]}"
    async with listening(api, life.recording) as fresh:
        await fresh.until("transcript")
    if [_told(segment) for segment in fresh.segments] != transcript["segments"]:
        yield "a new listener is told other segments"
    for number, listener in enumerate(life.listeners, start=1):
        other = other_words(listener.segments, transcript["text"])
        if other > MOST_OTHER_WORDS:
            told = _said(listener.segments)
            yield f"listener {number} holds other words, a share of {other:.2f}: {told} | {transcript['text']}"
        starts = [segment["start"] for segment in listener.segments]
        if any(before - after > _SAME_WORD_SECONDS for before, after in pairwise(starts)):
            yield f"listener {number} was told something late or twice: segments begin at {starts}"
        if listener.told["withdrawn"] and not life.arrival.replaces:
            yield f"from listener {number} something was taken back"


def _told(segment: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in segment.items() if name != "index"}


def other_words(segments: Sequence[dict[str, Any]], transcript: str) -> float:
    """The share of words in which what was told differs from the transcript."""
    return word_error_rate(transcript, _said(segments))


def _said(segments: Sequence[dict[str, Any]]) -> str:
    return " ".join(segment["text"] for segment in segments)


async def histories(service: ServiceProcess, lives: Sequence[Life]) -> list[list[LoggedEvent]]:
    """Of the service that has ended."""
    log = EventLog(SQLiteLogRecorder(service.data_dir / "tapedeck.sqlite3"))
    try:
        return [[each.event for each in await log.history(recording_id_of(life.recording["id"]))] for life in lives]
    finally:
        await log.close()


def of_history(life: Life, history: Sequence[LoggedEvent]) -> Iterator[str]:
    """What stands more or less often in it than it may."""
    counts = Counter(type(event) for event in history)
    wanted = {RecordingOpened: 1, FinalizeRequested: 1, Stitched: 1, Transcribed: 1}
    wanted |= {ChunkStored: len(life.arrival.puts), Failed: life.retries, RetryRequested: life.retries}
    for kind, count in wanted.items():
        if counts[kind] != count:
            yield f"{kind.__name__} stands {counts[kind]} times, not {count}"
    for part in heard_twice(history):
        yield f"part {part.number} was heard twice"


def heard_twice(history: Sequence[LoggedEvent]) -> list[PartHeard]:
    """The parts that are noted though they were known: the same sound, and no chunk under it replaced in between."""
    known: dict[int, PartHeard] = {}
    numbers: set[int] = set()
    twice = []
    for event in history:
        if isinstance(event, ChunkStored):
            if event.number in numbers:
                known = {number: part for number, part in known.items() if part.last_chunk < event.number}
            numbers.add(event.number)
        elif isinstance(event, PartHeard):
            before = known.get(event.number)
            if before is not None and before.sound_sha256 == event.sound_sha256:
                twice.append(event)
            known[event.number] = event
    return twice


def of_the_disk(service: ServiceProcess) -> Iterator[str]:
    """What has stayed there though the service has ended in order."""
    for folder in (service.data_dir / "scratch", service.data_dir / "blobs" / ".incoming"):
        if folder.exists() and (left := sorted(path.name for path in folder.iterdir())):
            yield f"{folder.name} has {len(left)} left: {', '.join(left[:5])}"
    command = [sys.executable, "-m", "service.cli", "blobs", "check"]
    checked = subprocess.run(
        command,
        env=os.environ | {"TAPEDECK_DATA_DIR": str(service.data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    if checked.returncode:
        yield f"tapedeck blobs check: {checked.stdout[-300:]}{checked.stderr[-300:]}"


def heard_ahead(history: Sequence[LoggedEvent]) -> int:
    """How many parts were heard before the recording was declared complete."""
    kinds = [type(event) for event in history]
    return kinds[: kinds.index(FinalizeRequested)].count(PartHeard)
