"""Bytes that were erased and are back, as from an older backup: the check names them, and mending erases them again."""

import asyncio
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from adapters.blobs.opening import open_store
from adapters.blobs.port import StoredBlob
from adapters.database.port import DatabaseInUse
from adapters.database.presence import Presence
from adapters.event_log.log import EventLog
from adapters.event_log.opening import open_log
from domain.events import ChunkStored, ErasedPart, RecordingEvent, Stage, Stitched
from service.application.blob_names import blob_prefix, made_prefix
from service.runtime import blob_mending
from service.runtime.blob_check import Finding, check_blobs
from service.runtime.blob_mending import mend_blobs, own_database
from service.runtime.settings import Settings
from tests.domain.histories import (
    STITCHED_FACTS,
    chunk,
    content_erased,
    deleted,
    expired,
    finalized,
    opened,
    retry_requested,
)

WHY = {
    "deleted": "its recording was deleted",
    "expired": "its recording expired",
    "stitched": "it is in the stitched audio",
    "superseded": "another took its place",
}


class Restored:
    """What is stored and what the log says, which need not be of the same time. No service is running."""

    def __init__(self, data_dir: Path) -> None:
        self.settings = Settings(data_dir=data_dir)

    def put(self, recording_id: UUID, kind: str, body: bytes) -> StoredBlob:
        store = open_store(self.settings.blob_store_url)
        key = store.put_bytes(blob_prefix(recording_id, kind), body).key
        asyncio.run(store.close())
        return StoredBlob(key, len(body), key[-64:], "0" * 32)

    def chunk(self, recording_id: UUID, number: int, body: bytes) -> ChunkStored:
        """Its bytes are stored; the event is for the caller to tell."""
        blob = self.put(recording_id, f"chunk-{number}", body)
        return chunk(number, body).model_copy(update={"blob_key": blob.key})

    def tell(self, recording_id: UUID, *events: RecordingEvent) -> None:
        async def append() -> None:
            log = EventLog(open_log(self.settings.log_url).recorder)
            await log.append(recording_id, 0, events, trace_id=None)
            await log.close()

        asyncio.run(append())

    def lose(self, key: str) -> None:
        async def lose() -> None:
            store = open_store(self.settings.blob_store_url)
            await store.delete(key)
            await store.close()

        asyncio.run(lose())

    @property
    def keys(self) -> set[str]:
        store = open_store(self.settings.blob_store_url)
        keys = set(store.keys(""))
        asyncio.run(store.close())
        return keys

    def check(self) -> list[Finding]:
        return list(check_blobs(self.settings))

    def mend(self) -> list[str]:
        return [each.sentence for each in mend_blobs(self.settings, take_over=False)]


@pytest.fixture
def restored(tmp_path: Path) -> Restored:
    return Restored(tmp_path / "data")


def stitched_audio(restored: Restored, recording_id: UUID) -> Stitched:
    blob = restored.put(recording_id, "audio", b"all of %s" % recording_id.bytes)
    facts = {"blob_key": blob.key, "sha256": blob.sha256, "size_bytes": blob.size_bytes}
    return Stitched(**STITCHED_FACTS | facts)


def chunks_of(restored: Restored, recording_id: UUID, *bodies: bytes) -> list[ChunkStored]:
    return [restored.chunk(recording_id, 1, body) for body in bodies]


def test_what_the_log_says_was_erased_is_named_and_erased_again_and_all_else_stays(restored: Restored) -> None:
    gone, late, whole, mended, remade, alive, unknown = (uuid4() for _ in range(7))
    first = restored.chunk(gone, 1, b"of a deleted one")
    restored.tell(gone, opened(), first, deleted())
    unrecorded = restored.put(gone, "prompt-1", b"of an order of the deleted one").key
    came_late = restored.chunk(late, 1, b"of an expired one")
    details = restored.put(late, "details", b"what was said of it")
    restored.tell(
        late, opened(details_key=details.key), came_late, expired(), content_erased(ErasedPart.EVERYTHING, 17)
    )
    in_the_audio, audio = restored.chunk(whole, 1, b"stitched"), stitched_audio(restored, whole)
    restored.tell(whole, opened(), in_the_audio, finalized(1), audio, content_erased(ErasedPart.CHUNKS, 8))
    replaced, again = chunks_of(restored, mended, b"replaced", b"in use again")
    kept_for_now, newer = (restored.chunk(mended, 2, body) for body in (b"replaced later", b"by this"))
    restored.tell(
        mended,
        opened(),
        *(again, replaced, again),
        content_erased(ErasedPart.SUPERSEDED, 20, until=300),
        *(kept_for_now, newer),
    )
    damaged, right, old_audio = *chunks_of(restored, remade, b"damaged", b"right"), stitched_audio(restored, remade)
    made_late = restored.put(remade, "transcript", b"of the damaged chunk, made too late to be recorded").key
    restored.tell(
        remade,
        *(opened(), damaged, finalized(1), old_audio, right, retry_requested(Stage.STITCH)),
        content_erased(ErasedPart.SUPERSEDED, 20, until=300),
    )
    in_use, replaced_now = restored.chunk(alive, 1, b"new"), restored.chunk(alive, 1, b"old")
    restored.tell(alive, opened(), replaced_now, in_use)
    stray = restored.put(alive, "chunk-2", b"that nobody was told of").key
    foreign = restored.put(unknown, "chunk-1", b"of a recording that is not in the log").key

    back = {
        str(first.blob_key): "deleted",
        unrecorded: "deleted",
        str(came_late.blob_key): "expired",
        details.key: "expired",
        str(in_the_audio.blob_key): "stitched",
        old_audio.blob_key: "superseded",
        made_late: "superseded",
    }
    before, found = restored.keys, restored.check()
    said = {each.sentence for each in found if not each.is_loss}
    assert said >= {f"{key} is stored, though it was erased: {WHY[why]}." for key, why in back.items()}
    assert said >= {f"{key} is stored, but the log does not refer to it." for key in (stray, foreign)}
    kept = {
        f"{each.blob_key} is stored, though it was erased: {WHY['superseded']}. A client may have sent it again since, "
        "so it is kept."
        for each in (replaced, damaged)
    }
    assert said >= kept
    assert "7 of the stored blobs were erased before: `tapedeck blobs mend` erases them again." in said
    assert [each.sentence for each in found if each.is_loss] == []
    assert found[-1].sentence.endswith("; 4 more are stored.")
    assert sorted(restored.mend()) == sorted(f"{key} was erased: {WHY[why]}." for key, why in back.items())
    assert restored.keys == before - back.keys()
    assert restored.mend() == []
    assert {each.sentence for each in restored.check() if "erased" in each.sentence} == kept


def test_the_chunks_of_a_recording_whose_audio_is_not_there_are_held_back_until_it_is_deleted(
    restored: Restored,
) -> None:
    its_id = uuid4()
    came_back, audio = restored.chunk(its_id, 1, b"all that is left"), stitched_audio(restored, its_id)
    history = opened(), came_back, finalized(1), audio, content_erased(ErasedPart.CHUNKS, 16)
    restored.tell(its_id, *history)
    restored.lose(audio.blob_key)
    found = restored.check()
    assert [each.sentence for each in found if each.is_loss] == [f"{audio.blob_key} is missing."]
    assert found[1].sentence == (
        f"{came_back.blob_key} is stored, though it was erased: {WHY['stitched']}. It may be all that is left of its "
        "recording, which lacks other bytes, so it is kept."
    )
    assert restored.mend() == []
    assert restored.keys == {came_back.blob_key}


def test_chunks_that_nobody_has_erased_are_missed_also_after_they_were_stitched(restored: Restored) -> None:
    its_id = uuid4()
    lost, audio = restored.chunk(its_id, 1, b"stitched"), stitched_audio(restored, its_id)
    restored.tell(its_id, opened(), lost, finalized(1), audio)
    restored.lose(str(lost.blob_key))
    assert [each.sentence for each in restored.check() if each.is_loss] == [f"{lost.blob_key} is missing."]


def test_what_was_made_before_and_is_made_again_is_not_erased(restored: Restored) -> None:
    """Its key is the same if the bytes are, and the log named it as erased before."""
    its_id = uuid4()
    audio = stitched_audio(restored, its_id)
    assert audio.blob_key.startswith(made_prefix(its_id, "audio", 0))
    one = restored.chunk(its_id, 1, b"stitched twice")
    from_then_on = content_erased(ErasedPart.SUPERSEDED, 26, until=300)
    restored.tell(its_id, opened(), one, finalized(1), audio, retry_requested(Stage.STITCH), from_then_on, audio)
    before = restored.keys
    assert restored.mend() == []
    assert restored.keys == before


def test_with_the_log_in_postgresql_nothing_starts_while_something_is_mended(database: str) -> None:
    process = Presence(database)
    with own_database(database) as until_alone:
        with pytest.raises(DatabaseInUse):
            process.join()
        until_alone()
    process.join()
    with pytest.raises(DatabaseInUse), own_database(database):
        pass
    process.leave()


def test_mending_that_ends_halfway_is_finished_by_the_next(restored: Restored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_mending, "BLOBS_AT_ONCE", 1)
    gone = uuid4()
    chunks = [restored.chunk(gone, number, b"chunk %d" % number) for number in range(1, 4)]
    restored.tell(gone, opened(), *chunks, deleted())
    mending = mend_blobs(restored.settings, take_over=False)
    assert next(mending).was_erased
    mending.close()  # type: ignore[attr-defined] - it is a generator
    assert len(restored.keys) == 2
    assert len(restored.mend()) == 2
    assert restored.keys == set()
