"""What must hold of every history, whatever was asked in whatever order. `test_state_machine` has the many writers."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.event_log.mapper import EventMapper, VersionedEvent
from domain.commands import Command, RetryRecording
from domain.errors import ChunkMismatch, RecordingError
from domain.events import EVENT_TYPES, FinalizePolicy, Stage, Stitched, TranscriptionRequested
from domain.life import decide
from domain.recording import Phase, Recording, evolve, fold
from domain.snapshots import Snapshot, restore, take_snapshot
from tests.domain.histories import (
    chunk,
    damaged,
    deleted,
    failed,
    finalized,
    given,
    note_written,
    opened,
    retry_requested,
    stitched,
    transcribed,
    transcription_requested,
)
from tests.domain.history_kit import BODIES, declare, histories, openings, store_body, take, walks

LOG_OF_ONE = UUID(int=1)


@for_all(walks())
def test_folding_any_prefix_gives_the_state_there_was_then(steps):
    history = []
    for step in steps:
        assert fold(history) == step.before
        history += step.events
        assert fold(history) == step.after


@for_all(histories(), st.data())
def test_folding_in_one_go_in_parts_twice_or_through_a_snapshot_is_the_same(history, data):
    at_once = fold(history)
    cut = data.draw(st.integers(1, len(history)))
    first = fold(history[:cut])
    assert fold(history[cut:], first) == at_once
    assert fold(history[cut:], first) == at_once, "the state was changed by what was folded onto it"
    restored = through_a_snapshot(first)
    assert restored == first
    assert list(restored.chunks) == list(first.chunks)
    assert (restored.chunks.size_bytes, restored.chunks.highest) == (first.chunks.size_bytes, first.chunks.highest)
    resumed = fold(history[cut:], restored)
    assert resumed == at_once
    assert (resumed.phase, resumed.due_stage) == (at_once.phase, at_once.due_stage)


def through_a_snapshot(recording: Recording) -> Recording:
    return restore(Snapshot.model_validate_json(take_snapshot(recording).model_dump_json()))


@for_all(walks())
def test_any_command_sent_again_right_away_yields_no_event(steps):
    for step in steps:
        again = take(step.after, replace(step.command, at=step.command.at + timedelta(seconds=1)))
        assert again.events == []


@for_all(histories())
def test_every_event_survives_storing_and_reading_back(history):
    mapper = EventMapper()
    for version, event in enumerate(history, 1):
        stored = mapper.to_stored_event(VersionedEvent(LOG_OF_ONE, version, event, "trace"))
        read = mapper.to_recorded_event(stored, position=7)
        assert read.event == event
        assert (read.stream_id, read.version, read.position, read.trace_id) == (LOG_OF_ONE, version, 7, "trace")


@for_all(histories())
def test_no_history_makes_evolve_raise_and_stitching_happens_at_most_once_over_all_that_was_declared(history):
    recording = None
    for event in history:
        if isinstance(event, Stitched):
            assert sorted(recording.chunks) == list(range(1, recording.finalized.total_chunks + 1))
            assert recording.stitched is None
        recording = evolve(recording, event)


@for_all(walks())
def test_a_recording_leaves_its_end_only_for_chunks_that_were_replaced_or_for_another_language(steps):
    for step in steps:
        if step.before is not None and step.before.phase in (Phase.COMPLETED, Phase.EXPIRED, Phase.DELETED):
            is_made_anew = step.before.is_mended and isinstance(step.command, RetryRecording)
            after = (Phase.STITCHING,) if is_made_anew else (step.before.phase, Phase.DELETED)
            if any(isinstance(event, TranscriptionRequested) and event.is_anew for event in step.events):
                assert step.before.phase is Phase.COMPLETED
                after = (Phase.TRANSCRIBING,)
            assert step.after.phase in after


@st.composite
def uploads(draw: st.DrawFn) -> list[Command]:
    """Every chunk of a recording, each with its own body, or at the ends metadata only, some of them more than once;
    shuffled."""
    total = draw(st.integers(1, 6))
    bodies = [
        draw(st.sampled_from(BODIES) if 1 < number < total else st.none() | st.sampled_from(BODIES))
        for number in range(1, total + 1)
    ]
    chunks = [store_body(number, body) for number, body in enumerate(bodies, 1)]
    repeated = draw(st.lists(st.sampled_from(chunks), max_size=4))
    return draw(st.permutations([*chunks, *repeated, declare(total), declare(total)]))


@for_all(openings(policies=[FinalizePolicy.RECONCILE]), uploads(), st.randoms(use_true_random=False))
def test_reconcile_ends_in_the_same_state_whatever_the_order_of_uploads_and_finalize(opening, commands, random):
    opening = replace(opening, max_chunks=6)
    other_order = random.sample(commands, len(commands))
    one, other = play(opening, commands), play(opening, other_order)
    assert same(one) == same(other)
    assert one.phase is Phase.STITCHING


@for_all(openings(policies=[FinalizePolicy.REJECT]), uploads(), st.randoms(use_true_random=False))
def test_reject_ends_in_the_same_state_when_a_refused_finalize_is_sent_again_at_the_end(opening, commands, random):
    opening = replace(opening, max_chunks=6)
    finalize = next(command for command in commands if hasattr(command, "total_chunks"))
    one = play(opening, [*commands, finalize])
    other = play(opening, [*random.sample(commands, len(commands)), finalize])
    assert same(one) == same(other)
    assert one.phase is Phase.STITCHING


def play(opening: Command, commands: list[Command]) -> Recording:
    """The state after all commands; the only refusal there may be is of a finalize while chunks are missing."""
    recording = fold(decide(None, opening))
    for command in commands:
        step = take(recording, command)
        assert step.refusal is None or isinstance(step.refusal, ChunkMismatch)
        recording = step.after
    return recording


def same(recording: Recording) -> object:
    """What must not depend on the order: all but when things came, and what was there at finalize."""
    finalized = recording.finalized.model_dump(exclude={"at", "chunks_received", "suspect_chunks"})
    chunks = [chunk.model_dump(exclude={"at"}) for chunk in recording.chunks.in_order()]
    return recording.opened, chunks, finalized, recording.chunks.size_bytes, recording.phase


@for_all(walks())
def test_what_is_refused_leaves_everything_as_it_was(steps):
    for step in steps:
        if step.refusal is not None:
            assert isinstance(step.refusal, RecordingError)
            assert step.after is step.before


@pytest.mark.parametrize("length", range(1, 7))
def test_a_snapshot_keeps_that_chunks_were_replaced(length):
    mended = [opened(), chunk(1), finalized(1), stitched(damaged(1)), chunk(1, b"right"), retry_requested(Stage.STITCH)]
    assert through_a_snapshot(given(*mended[:length])) == given(*mended[:length])


@pytest.mark.parametrize("length", range(1, 11))
def test_a_snapshot_keeps_every_fact(length):
    asked = transcription_requested("en", "whisper")
    history = [opened(note_wanted=True), asked, chunk(1), finalized(1), stitched(), transcribed()]
    history = [*history, failed(Stage.NOTE), retry_requested(Stage.NOTE), note_written(), deleted()][:length]
    assert through_a_snapshot(given(*history)) == given(*history)


@pytest.mark.parametrize("change", [{"format": 2}, {"event_versions": {}}, {"later": True}, {"opened": None}])
def test_a_snapshot_of_another_format_or_of_other_events_is_not_read(change):
    snapshot = take_snapshot(given(opened(), chunk(1))).model_dump(mode="json")
    assert Snapshot.model_validate(snapshot) == take_snapshot(given(opened(), chunk(1)))
    with pytest.raises(ValidationError):
        Snapshot.model_validate(snapshot | change)


def test_a_snapshot_from_before_an_event_changed_is_not_read(monkeypatch):
    stored = take_snapshot(given(opened(), chunk(1))).model_dump_json()
    monkeypatch.setattr(EVENT_TYPES["ChunkStored"], "VERSION", EVENT_TYPES["ChunkStored"].VERSION + 1)
    with pytest.raises(ValidationError, match=r"error, the snapshot holds events in versions other than today's \["):
        Snapshot.model_validate_json(stored)
