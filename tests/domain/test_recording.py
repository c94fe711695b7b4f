from dataclasses import fields, replace
from uuid import UUID

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.chunks import ChunkTable
from domain.events import ChunkStored, Stage
from domain.identity import recording_id
from domain.recording import CorruptHistory, evolve, fold
from domain.upcasts import UPCASTS, UnknownEventVersion, upcast
from tests.domain.histories import (
    chunk,
    chunk_transcribed,
    failed,
    finalized,
    given,
    note_written,
    opened,
    retry_requested,
    stitched,
    transcribed,
)

LIFE = [
    opened(),
    chunk(1),
    chunk(2),
    finalized(2),
    stitched(),
    failed(Stage.TRANSCRIBE),
    retry_requested(Stage.TRANSCRIBE),
]
LIFE += [transcribed()]


def test_a_chunk_changes_the_chunks_and_leaves_every_other_field_as_it_is():
    """Its evolution is written out field by field, where a field that was added later could be forgotten."""
    whole = given(opened(), chunk(1), chunk_transcribed(1), finalized(2), stitched(), transcribed(), note_written())
    whole = replace(whole, is_mended=True, edition=3, checksum_md5="e" * 32, replacements=2, restarts=4, edit_count=1)
    for name in ("failed", "deleted", "requested", "superseded", "erased", "edits", "heard"):
        whole = replace(whole, **{name: object()})
    others = [field.name for field in fields(whole) if field.name != "chunks"]
    assert all(getattr(whole, name) is not None for name in others)
    after = evolve(whole, chunk(2))
    assert [getattr(after, name) for name in others] == [getattr(whole, name) for name in others]


def test_folding_in_two_parts_gives_the_same_as_in_one():
    for cut in range(len(LIFE) + 1):
        in_two = fold(LIFE[cut:], fold(LIFE[:cut]))
        assert in_two is not None
        assert dict(in_two.chunks) == dict(fold(LIFE).chunks)
        assert (in_two.finalized, in_two.stitched, in_two.transcribed) == (finalized(2), stitched(), transcribed())


def test_a_state_stays_as_it_was_when_it_is_evolved():
    before = given(opened(), chunk(1))
    evolve(evolve(before, chunk(2)), chunk(1, b"other"))
    assert dict(before.chunks) == {1: chunk(1)}


@pytest.mark.parametrize(("history", "misplaced"), [([chunk(1)], "ChunkStored"), ([opened()] * 2, "RecordingOpened")])
def test_a_history_that_no_decision_can_have_made_is_refused(history, misplaced):
    with pytest.raises(CorruptHistory) as refusal:
        fold(history)
    assert str(refusal.value) == f"{misplaced} cannot come here in a recording's history"


def test_the_next_chunk_of_a_history_copies_nothing_however_many_there_are(monkeypatch):
    monkeypatch.setattr(ChunkTable, "_fork", lambda _: pytest.fail("copied"))
    table = ChunkTable.of(chunk(number) for number in (1, 3, 2, 3, 1))
    assert list(table) == [1, 3, 2]


def test_a_chunk_changes_nothing_but_the_chunks():
    history = [opened(), chunk(1), finalized(1), stitched(), transcribed(), note_written()]
    recording = given(*history, failed(Stage.NOTE))
    after = evolve(recording, chunk(2))
    assert dict(after.chunks) == {1: chunk(1), 2: chunk(2)}
    for fact in ("opened", "finalized", "stitched", "transcribed", "note", "failed"):
        assert getattr(after, fact) is getattr(recording, fact) is not None


def test_every_earlier_table_still_has_the_chunk_that_stood_there_then():
    tables = [ChunkTable()]
    for body in (b"one", b"two", b"three", b"four"):
        tables.append(tables[-1].with_chunk(chunk(1, body)))
    assert [dict(table) for table in tables] == [
        {},
        *({1: chunk(1, body)} for body in (b"one", b"two", b"three", b"four")),
    ]


Steps = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8), st.binary(max_size=4)), max_size=60)


@for_all(Steps)
def test_a_chunk_table_is_a_value_however_its_futures_branch(steps):
    """Each step adds a chunk to any of the tables made so far; all of them stay what a plain dict would be."""
    tables, models = [ChunkTable()], [{}]
    for of, number, body in steps:
        origin = of % len(tables)
        added = chunk(number, body)
        tables.append(tables[origin].with_chunk(added))
        models.append(models[origin] | {number: added})
        for table, model in zip(tables, models, strict=True):
            assert dict(table) == model
            assert len(table) == len(model)
            assert table.highest == max(model, default=0)
            assert table.size_bytes == sum(stored.size_bytes for stored in model.values())
            assert [stored.number for stored in table.in_order()] == sorted(model)


Name = st.text(max_size=6)


@for_all(st.lists(Name, min_size=2, max_size=4), st.lists(Name, min_size=2, max_size=4))
def test_recordings_share_an_id_only_if_they_are_named_alike(one, other):
    assert (recording_id(*one) == recording_id(*other)) == (one == other)


def test_stored_fields_are_lifted_a_version_at_a_time(monkeypatch):
    monkeypatch.setitem(UPCASTS, ("ChunkStored", 1), lambda fields: fields | {"two": True})
    monkeypatch.setitem(UPCASTS, ("ChunkStored", 2), lambda fields: fields | {"three": fields["two"]})
    assert upcast("ChunkStored", {"one": 1}, version=1, to_version=3) == {"one": 1, "two": True, "three": True}


@pytest.mark.parametrize("version", [0, ChunkStored.VERSION, 99])
def test_a_version_that_cannot_be_lifted_is_named(version):
    with pytest.raises(UnknownEventVersion) as refusal:
        upcast("ChunkStored", {}, version=version, to_version=1)
    assert (refusal.value.name, refusal.value.version) == ("ChunkStored", version)
    assert str(refusal.value) == (
        f"The log holds ChunkStored in version {version}, which this version of tapedeck cannot read; "
        "start the version that wrote it, or a newer one."
    )


def test_a_version_of_today_is_not_touched():
    assert upcast("ChunkStored", {"one": 1}, version=1, to_version=1) == {"one": 1}


def test_a_recording_keeps_its_id_for_ever_because_logs_and_blobs_are_named_by_it():
    assert recording_id("bota", "proj_1", "a") == UUID("b5029317-18b3-50ea-bf23-b2f8be1c4155")
    assert recording_id("dragon", "", "ab", "c") == UUID("4ad6e432-7b61-5fe9-9c36-645641ff81d6")


def test_a_table_of_chunks_tells_itself_briefly():
    assert (
        repr(ChunkTable.of([chunk(1, b"one"), chunk(2, b"two"), chunk(2, b"three")])) == "ChunkTable(2 chunks, 8 bytes)"
    )


def test_a_chunk_that_is_not_in_a_table_is_named():
    with pytest.raises(KeyError) as missing:
        ChunkTable.of([chunk(1)])[2]
    assert missing.value.args == (2,)
    older = ChunkTable()
    older.with_chunk(chunk(1)).with_chunk(chunk(1, b"better"))
    with pytest.raises(KeyError) as missing:
        older[1]
    assert missing.value.args == (1,)
