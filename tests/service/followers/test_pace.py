"""When a transcript will be ready: only what was measured, and nothing where too little was."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from adapters.event_log.sqlite import SQLiteLogRecorder
from domain.events import Failed, Stage, Stitched, Transcribed
from service.followers.pace import PaceFollower
from tests.domain.histories import part_heard

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
DIGEST = "0" * 64


@pytest.fixture
async def pace(tmp_path):
    log = EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3"))
    yield PaceFollower(log, clock=lambda: NOW)
    await log.close()


def stitched(at, audio_ms):
    blob = {"blob_key": "audio", "size_bytes": 1, "sha256": DIGEST}
    how = {"content_type": "audio/wav", "codec": "pcm", "method": "whole", "chunk_count": 1, "chunks_md5": "0" * 32}
    return Stitched(at=at, duration_ms=audio_ms, damage=(), **blob, **how)


def transcribed(at, audio_ms):
    blob = {"blob_key": "words", "size_bytes": 1, "sha256": DIGEST}
    how = {"language": "en", "engine": "x", "provider": None, "word_count": 1, "segment_count": 1, "confidence": None}
    return Transcribed(at=at, duration_ms=audio_ms, **blob, **how)


def measure(pace, *, audio_ms, seconds, ended=NOW, before=(), in_between=()):
    its_id = uuid4()
    work = (stitched(ended - timedelta(seconds=seconds), audio_ms), *in_between, transcribed(ended, audio_ms))
    for version, event in enumerate((*before, *work), 1):
        pace.measure(RecordedEvent(0, its_id, version, event, None))


def in_seconds(pace, audio_ms, begun_at=NOW):
    ready_at = pace.ready_at(begun_at, audio_ms)
    return None if ready_at is None else (ready_at - NOW).total_seconds()


async def test_nothing_is_said_before_enough_was_measured(pace):
    for _ in range(2):
        measure(pace, audio_ms=60_000, seconds=6)
        assert in_seconds(pace, 60_000) is None
    measure(pace, audio_ms=60_000, seconds=6)
    assert in_seconds(pace, 60_000) == 6


async def test_it_is_the_median_and_counts_from_when_recognition_could_begin(pace):
    for seconds in (1, 6, 600):
        measure(pace, audio_ms=60_000, seconds=seconds)
    assert in_seconds(pace, 120_000) == 12
    assert in_seconds(pace, 120_000, NOW - timedelta(seconds=5)) == 7


async def test_what_is_of_another_length_says_nothing_nor_what_was_long_ago(pace):
    for _ in range(3):
        measure(pace, audio_ms=60_000, seconds=6)
        measure(pace, audio_ms=3_600_000, seconds=300, ended=NOW - timedelta(hours=2))
    assert in_seconds(pace, 10_000) is None
    assert in_seconds(pace, 250_000) is None
    assert in_seconds(pace, 3_600_000) is None


async def test_a_moment_that_has_passed_is_not_told(pace):
    for _ in range(3):
        measure(pace, audio_ms=60_000, seconds=6)
    assert in_seconds(pace, 60_000, NOW - timedelta(seconds=7)) is None


async def test_what_was_heard_while_it_was_uploaded_took_no_time_afterwards(pace):
    for _ in range(3):
        measure(pace, audio_ms=110_000, seconds=3, before=(part_heard(1, 1), part_heard(2, 2)))  # 50 s each
    assert in_seconds(pace, 10_000) == 3
    assert in_seconds(pace, 110_000) is None


async def test_what_failed_meanwhile_is_no_measure(pace):
    failed = Failed(at=NOW, stage=Stage.TRANSCRIBE, reason="x", message="X.", attempts=1)
    for _ in range(3):
        measure(pace, audio_ms=60_000, seconds=6, in_between=(failed,))
    assert in_seconds(pace, 60_000) is None
