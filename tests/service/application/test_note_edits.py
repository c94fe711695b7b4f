"""Edits over a real log and a real store: what is kept of what an author sends, and what a refusal leaves behind."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from adapters.blobs.opening import open_store
from adapters.blobs.port import BlobStore
from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.notes.note import Note, Section, Sentence, Source
from domain.errors import NoteChanged, RecordingNotFound
from domain.events import NoteWritten
from service.application.blob_names import made_prefix
from service.application.clock import utc_now
from service.application.keyed_locks import KeyedLocks
from service.application.note_edits import Edit, Notes
from service.application.recordings import Recordings
from tests.domain.histories import (
    NOTE_FACTS,
    chunk,
    deleted,
    finalized,
    opened,
    stitched,
    transcribed,
    transcription_requested,
)
from tests.tools.simulation.no_quotas import NO_QUOTAS

QUOTED = Sentence(text="My head hurts.", source=Source(from_word=0, to_word=3, start=0.0, end=1.5))
ELSEWHERE = Source(from_word=7, to_word=9, start=3.0, end=4.0)
DRAFT = Note(sections=dict.fromkeys(Section, ()) | {Section.SUBJECTIVE: (QUOTED,)}, engine="extractive", language="en")


@dataclass
class Written:
    """A recording with the draft as its note, and two processes that may edit it."""

    its_id: UUID
    blobs: BlobStore
    one: Notes
    other: Notes
    log: EventLog

    def keys(self) -> list[str]:
        return [key for key in self.blobs.keys(f"recordings/{self.its_id.hex}/") if "/edited-note-" in key]


@pytest.fixture
async def written(tmp_path):
    blobs = open_store(f"segments://{tmp_path}/blobs")
    logs = [EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3")) for _ in range(2)]
    its_id = uuid4()
    stored = blobs.put_bytes(made_prefix(its_id, "note", 0), DRAFT.to_json())
    facts = {"blob_key": stored.key, "size_bytes": stored.size_bytes, "sha256": stored.sha256}
    note = NoteWritten(**NOTE_FACTS | facts)
    history = [opened(note_wanted=True), chunk(1), finalized(1), stitched(), transcribed(), note]
    await logs[0].append(its_id, 0, history, trace_id=None)
    one, other = (Notes(Recordings(log), blobs, quotas=NO_QUOTAS, settling=KeyedLocks(), clock=utc_now) for log in logs)
    yield Written(its_id, blobs, one, other, logs[0])
    for log in logs:
        await log.close()
    await blobs.close()


def edit(*sentences: Sentence, seen: str | None = None) -> Edit:
    its = frozenset({seen}) if seen is not None else None
    return Edit(sections={Section.SUBJECTIVE: sentences}, author="dr-1", key_id="key1", seen=its)


async def test_a_sentence_keeps_its_source_where_the_writer_quoted_these_words_and_nowhere_else(written):
    sent = [
        QUOTED,
        QUOTED.model_copy(update={"text": "My arm hurts."}),
        QUOTED.model_copy(update={"source": ELSEWHERE}),
    ]
    shown = await written.one.edit(written.its_id, edit(*sent))
    kept = shown.note.sections[Section.SUBJECTIVE]
    assert [(sentence.text, sentence.source) for sentence in kept] == [
        ("My head hurts.", QUOTED.source),
        ("My arm hurts.", None),
        ("My head hurts.", None),
    ]
    assert (shown.note.engine, shown.note.language) == ("extractive", "en")


async def test_what_one_process_stored_is_read_by_another_that_knew_the_note_before(written):
    before = await written.other.now(await written.other.recording(written.its_id))
    stored = await written.one.edit(written.its_id, edit(Sentence(text="Better.", source=None)))
    read = await written.other.now(await written.other.recording(written.its_id))
    assert (before.version.number, read) == (0, stored)
    with pytest.raises(NoteChanged):
        await written.other.edit(written.its_id, edit(QUOTED, seen=before.version.name))


async def test_a_note_that_is_made_anew_during_an_edit_vouches_for_it_in_place_of_the_old_one(written, tmp_path):
    spoken = QUOTED.model_copy(update={"text": "Mein Kopf schmerzt."})
    anew = DRAFT.model_copy(update={"language": "de", "sections": DRAFT.sections | {Section.SUBJECTIVE: (spoken,)}})
    stored = written.blobs.put_bytes(made_prefix(written.its_id, "note", 1), anew.to_json())
    facts = {"blob_key": stored.key, "size_bytes": stored.size_bytes, "sha256": stored.sha256}
    history = [transcription_requested("de", is_anew=True), transcribed(), NoteWritten(**NOTE_FACTS | facts)]

    async def make_anew():
        log = EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3"))
        await log.append(written.its_id, 6, history, trace_id=None)
        await log.close()

    def clock():
        """Told when the words are ready to be stored."""
        if history:
            with ThreadPoolExecutor(1) as another_process:
                another_process.submit(asyncio.run, make_anew()).result()
            history.clear()
        return utc_now()

    log = EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3"))
    notes = Notes(Recordings(log), written.blobs, quotas=NO_QUOTAS, settling=KeyedLocks(), clock=clock)
    shown = await notes.edit(written.its_id, edit(QUOTED, spoken))
    await log.close()
    assert [sentence.source for sentence in shown.note.sections[Section.SUBJECTIVE]] == [None, spoken.source]
    assert shown.note.language == "de"
    assert len(written.keys()) == 1


async def test_a_refused_edit_leaves_no_words_and_takes_none_of_an_accepted_one(written):
    kept = Sentence(text="Kept.", source=None)
    await written.one.edit(written.its_id, edit(kept))
    await written.one.edit(written.its_id, edit(Sentence(text="Newer.", source=None)))
    accepted = written.keys()
    for sentence in (kept, Sentence(text="Refused.", source=None)):
        with pytest.raises(NoteChanged):
            await written.one.edit(written.its_id, edit(sentence, seen="0-of-before"))
    assert written.keys() == accepted
    assert len(accepted) == 2


async def test_nothing_is_stored_for_a_recording_that_another_process_has_deleted(written):
    await written.other.recording(written.its_id)
    await written.log.append(written.its_id, 6, [deleted()], trace_id=None)
    with pytest.raises(RecordingNotFound):
        await written.other.edit(written.its_id, edit(QUOTED))
    assert written.keys() == []
