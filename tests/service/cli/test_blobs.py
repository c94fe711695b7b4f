"""`tapedeck blobs`: what differs is named, and what room is taken is said."""

import asyncio
from uuid import uuid4

import pytest
from click.testing import CliRunner

from adapters.blobs.segments.store import SegmentBlobStore
from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from domain.events import ChunkStored
from service.application.blob_names import blob_prefix
from service.cli import main
from service.runtime.data_dir import owned_data_dir
from tests.adapters.blobs.contract import noise, streamed
from tests.domain.histories import at, opened

SIZES = (2_000, 3_000, 300_000)


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("TAPEDECK_DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def keys(data_dir):
    return asyncio.run(fill(data_dir))


async def fill(data_dir) -> list[str]:
    """A recording with three chunks, the last one too large for a segment, and a chunk that nobody speaks of."""
    store = SegmentBlobStore(data_dir / "blobs")
    log = EventLog(SQLiteLogRecorder(data_dir / "tapedeck.sqlite3"))
    its_id, keys, events = uuid4(), [], [opened()]
    for number, size in enumerate(SIZES, 1):
        blob = await store.put(blob_prefix(its_id, f"chunk-{number}"), streamed([noise(size, number)]))
        keys.append(blob.key)
        events.append(
            ChunkStored(
                at=at(1),
                number=number,
                blob_key=blob.key,
                size_bytes=size,
                sha256=blob.sha256,
                md5=blob.md5,
                request_sha256=None,
                looks_like=None,
                sample_scale=None,
                expected_bytes=None,
            )
        )
    await store.put("orphans/", streamed([b"never acknowledged"]))
    await log.append(its_id, 0, events, trace_id=None)
    await log.close()
    await store.close()
    return keys


def tapedeck(*arguments: str):
    return CliRunner().invoke(main, list(arguments))


def test_a_sound_store_is_said_to_be_sound(keys):
    checked = tapedeck("blobs", "check")
    assert checked.exit_code == 0, checked.output
    assert "3 blobs of the log were read, 305,000 bytes; 1 more are stored." in checked.output
    assert "orphans/" in checked.output


def test_a_damaged_chunk_is_named(keys, data_dir):
    (segment,) = (data_dir / "blobs" / ".segments").glob("*.segment")
    damaged = bytearray(segment.read_bytes())
    damaged[damaged.index(noise(3_000, 2)) + 5] ^= 1
    segment.write_bytes(damaged)
    checked = tapedeck("blobs", "check")
    assert checked.exit_code == 1
    assert f"{keys[1]} is damaged" in checked.output
    assert f"{keys[1]} is not what was stored" in checked.output
    assert keys[0] not in checked.output


def test_a_missing_chunk_and_a_missing_segment_are_named(keys, data_dir):
    (data_dir / "blobs" / keys[2]).unlink()
    (segment,) = (data_dir / "blobs" / ".segments").glob("*.segment")
    segment.unlink()
    checked = tapedeck("blobs", "check")
    assert checked.exit_code == 1
    assert f"{keys[2]} is missing." in checked.output
    assert f"Segment {segment.stem} is missing, with 3 blobs." in checked.output


def test_usage_says_what_is_live_and_what_is_dead(keys, data_dir):
    shown = tapedeck("blobs", "usage").output
    assert "segments          3 blobs" in shown
    assert "files             1 blobs  live         300,000" in shown


def test_without_a_log_it_is_one_sentence(data_dir):
    failed = tapedeck("blobs", "check")
    assert failed.exit_code == 1
    assert "There is no event log" in failed.output


def test_a_store_on_local_files_cannot_be_taken_over(keys):
    failed = tapedeck("blobs", "mend", "--take-over")
    assert failed.exit_code == 1
    assert "Only a bucket can be taken over" in failed.output


def test_nothing_of_a_sound_store_is_erased_not_even_what_nobody_speaks_of(keys):
    mended = tapedeck("blobs", "mend")
    assert (mended.exit_code, mended.output) == (0, "0 blobs were erased that the log says were erased before.\n")
    assert "3 blobs of the log were read, 305,000 bytes; 1 more are stored." in tapedeck("blobs", "check").output


def test_beside_a_service_nothing_is_mended(keys, data_dir):
    with owned_data_dir(data_dir):
        failed = tapedeck("blobs", "mend")
    assert (failed.exit_code, "Another tapedeck is running on" in failed.output) == (1, True)
