"""The table LIFE against everything that can happen in a small world, tried out without leaving anything out.

The world has recordings of at most two chunks, two bodies for each, and two moments, before and after expiry; what is
said here of every command in every state of it is said of all its histories.
"""

import hashlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given as for_all

from domain import decisions, errors
from domain.commands import Command, EndStage, RecordFailure, RequestTranscription, RetryRecording
from domain.errors import RecordingError
from domain.events import ErasedPart, FinalizePolicy, RecordingEvent, RecordingKind, Stage
from domain.life import COMMANDS, LIFE, Nothing, To, decide
from domain.recording import Phase, Recording, evolve, phase_of
from tests.domain.histories import (
    append_chunk,
    damaged,
    delete,
    edit_note,
    erase,
    expire,
    finalize,
    open_recording,
    record_chunk_transcribed,
    record_failure,
    record_note,
    record_part_heard,
    record_stitched,
    record_transcribed,
    request_transcription,
    retry,
    store_chunk,
    store_placeholder,
)
from tests.domain.history_kit import Step, walks

EARLY, LATE = 1, 300
LATER_EDITION = 2
"""No work of this world is begun for this edition or a later one, so all of them are the same to it."""


@dataclass(frozen=True)
class Tried:
    before: Recording | None
    command: Command
    events: tuple[RecordingEvent, ...]
    refusal: RecordingError | None
    after: Recording | None


@cache
def everything() -> tuple[Tried, ...]:
    """Every command in every state that any commands lead to."""
    apart = (chunks_with_and_without_numbers(), files(), languages_asked_for(), chunks_too_large(), notes_edited())
    worlds = (alphabet(), *map(tuple, apart))
    found = [tried for world in worlds for tried in explored(world)]
    with patch.multiple(decisions, MOST_REPLACEMENTS=0, MOST_RESTARTS=1, MOST_EDITS=1):
        return (*found, *explored(tuple(changed_often()), is_counting=True))


def explored(commands: tuple[Command, ...], *, is_counting: bool = False) -> tuple[Tried, ...]:
    tried, waiting, seen = [], deque([None]), {None}
    while waiting:
        before = waiting.popleft()
        for command in commands:
            events, refusal, after = (), None, before
            try:
                events = tuple(decide(before, command))
            except RecordingError as error:
                refusal = error
            for event in events:
                after = evolve(after, event)
            tried.append(Tried(before, command, events, refusal, after))
            if events and (known := identity(after, is_counting=is_counting)) not in seen:
                seen.add(known)
                waiting.append(after)
    return tuple(tried)


@cache
def alphabet() -> tuple[Command, ...]:
    return tuple(_alphabet())


def _alphabet() -> Iterator[Command]:
    for policy, note_wanted in product(FinalizePolicy, (False, True)):
        yield open_recording(finalize_policy=policy, note_wanted=note_wanted, max_chunks=2)
    for number, minutes in product(range(4), (EARLY, LATE)):
        yield store_chunk(number, b"one", minutes=minutes)
        yield store_chunk(number, b"another", minutes=minutes)
        yield finalize(number, minutes=minutes)
    for number in range(4):
        yield store_placeholder(number)
    for request, is_named, is_last in product("ab", (False, True), (False, True)):
        yield append_chunk(b"one", request=request, is_named=is_named, is_last=is_last)
    yield append_chunk(b"another", is_named=True)
    yield append_chunk(b"one", request="c", minutes=LATE)
    yield record_chunk_transcribed(1, b"one")
    yield from (record_part_heard(1, 1), record_part_heard(1, 3))
    yield finalize(1, md5="d" * 32)
    yield from (record_failure(stage) for stage in Stage)
    yield record_stitched(damaged(1))
    for edition in (0, 1):
        yield from (record_stitched(edition=edition), record_transcribed(edition=edition), record_note(edition=edition))
    yield record_failure(Stage.TRANSCRIBE, edition=1)
    yield from (retry(), delete())
    yield from (expire(open_recording().at), expire())


def chunks_with_and_without_numbers() -> Iterator[Command]:
    """A world apart, of three chunks: only there can one be missing before an appended one."""
    for policy in FinalizePolicy:
        yield open_recording(finalize_policy=policy, max_chunks=3)
    yield from (store_chunk(2), store_placeholder(2))
    yield from (finalize(2), finalize(3))
    yield from (append_chunk(b"one", is_last=is_last) for is_last in (False, True))


def chunks_too_large() -> Iterator[Command]:
    """A world apart, in which a recording may have three bytes: the same chunks as elsewhere would fit or not."""
    for note_wanted in (False, True):
        yield open_recording(finalize_policy=FinalizePolicy.RECONCILE, note_wanted=note_wanted, max_chunks=2)
    yield from (store_chunk(1, b"one"), finalize(1), finalize(2), delete())
    yield replace(store_chunk(1, b"longer"), most_bytes=3)
    yield replace(append_chunk(b"longer", request="b"), most_bytes=3)
    yield from (record_stitched(damaged(1)), record_transcribed(), record_note(), record_failure(Stage.STITCH))


def languages_asked_for() -> Iterator[Command]:
    """A world apart, of one chunk: every language asked for makes every state of its recording another one."""
    for note_wanted in (False, True):
        yield open_recording(finalize_policy=FinalizePolicy.RECONCILE, note_wanted=note_wanted, max_chunks=1)
    yield from (store_chunk(1), finalize(1))
    yield from (request_transcription("en-US"), request_transcription("de"), request_transcription(provider="deepgram"))
    for edition in (0, 1):
        yield from (record_stitched(edition=edition), record_note(edition=edition))
        yield from (record_transcribed(language, edition=edition) for language in ("en", "de"))
        yield from (record_failure(stage, edition=edition) for stage in (Stage.STITCH, Stage.TRANSCRIBE, Stage.NOTE))
    yield from (retry(), delete(), expire(), request_transcription(), erase(ErasedPart.CHUNKS))


def notes_edited() -> Iterator[Command]:
    """Another one, of one chunk: nothing but the note's words depends on them."""
    for note_wanted in (False, True):
        yield open_recording(finalize_policy=FinalizePolicy.RECONCILE, note_wanted=note_wanted, max_chunks=1)
    yield from (store_chunk(1), finalize(1), record_stitched(), record_transcribed(), record_note())
    yield from (edit_note("a"), edit_note("a", author="dr-2", seen=[]))
    yield from (record_failure(Stage.STITCH), expire(), delete())


def files() -> Iterator[Command]:
    """Another one, of recordings that are one file: only these are completed by themselves."""
    yield open_recording(kind=RecordingKind.WHOLE_FILE, max_chunks=1)
    body = b"one"
    for expected in (None, len(body), len(body) + 1):
        yield store_chunk(1, body, expected=expected)
    yield store_chunk(1, body, minutes=LATE)
    yield store_chunk(1, b"another")
    yield store_chunk(1, b"on", expected=len(body))
    yield store_placeholder(1)
    md5 = hashlib.md5(body).hexdigest()
    yield from (finalize(1, md5=md5, minutes=minutes) for minutes in (EARLY, LATE))
    yield finalize(2, minutes=LATE)
    yield from (expire(open_recording().at), expire())
    yield from (record_stitched(), record_transcribed(), record_failure(Stage.STITCH), retry(), delete())
    yield from map(erase, ErasedPart)


def changed_often() -> Iterator[Command]:
    """Where one replacement of each chunk and one retry are the most that there may be."""
    for note_wanted in (False, True):
        yield open_recording(finalize_policy=FinalizePolicy.RECONCILE, note_wanted=note_wanted, max_chunks=2)
    yield from (store_chunk(1, body) for body in (b"one", b"another"))
    yield from (store_chunk(2, b"one"), finalize(1), finalize(2))
    yield from (request_transcription("de"), request_transcription("en"), retry())
    yield from (record_stitched(damaged(1)), record_transcribed(), record_note())
    yield from (record_stitched(damaged(1), edition=1), record_transcribed(edition=1), record_note(edition=1))
    yield from (record_failure(Stage.STITCH), record_failure(Stage.STITCH, edition=1), erase(ErasedPart.SUPERSEDED))
    yield from (edit_note("a"), edit_note("b"))


def identity(recording: Recording | None, *, is_counting: bool) -> Any:
    """A state without its times and, unless counts are of interest, without what only counts."""
    if recording is None:
        return None
    facts = [recording.opened, *recording.chunks.in_order(), recording.finalized, recording.stitched]
    facts += [*recording.transcribed_chunks.in_order(), recording.last_edit]
    facts += [recording.transcribed, recording.note, recording.failed, recording.deleted, recording.requested]
    known = [fact and (type(fact), *(value for name, value in vars(fact).items() if name != "at")) for fact in facts]
    counts = (recording.replacements, recording.restarts, recording.edit_count) if is_counting else ()
    facts_of_erasing = (bool(recording.superseded), recording.erased)
    return (*known, recording.is_mended, min(recording.edition, LATER_EDITION), *facts_of_erasing, *counts)


def outcomes(tried: Tried | Step) -> set[Any]:
    """What happened, in the table's words."""
    if tried.refusal is not None:
        return {type(tried.refusal)}
    if not tried.events:
        return {Nothing}
    return {(type(event), phase_of(tried.after)) for event in tried.events}


def declared(phase: Phase, command: type[Command]) -> set[Any]:
    found = set()
    for outcome in LIFE[phase][command].outcomes:
        found |= {(outcome.event, to) for to in outcome.phases} if isinstance(outcome, To) else {outcome}
    return found


def test_there_is_a_rule_for_every_command_in_every_phase():
    assert LIFE.keys() == set(Phase)
    defined = {command.__name__ for base in (Command, EndStage) for command in base.__subclasses__()}
    assert {command.__name__ for command in COMMANDS} == defined - {EndStage.__name__}
    for rules in LIFE.values():
        assert rules.keys() == set(COMMANDS)


@pytest.mark.slow
@pytest.mark.parametrize("phase", Phase)
def test_what_is_declared_of_a_phase_is_exactly_what_happens_in_it(phase):
    happened = {command: set() for command in COMMANDS}
    for tried in everything():
        if phase_of(tried.before) is phase:
            happened[type(tried.command)] |= outcomes(tried)
    assert happened == {command: declared(phase, command) for command in COMMANDS}


@pytest.mark.slow
@for_all(walks())
def test_nothing_undeclared_happens_in_any_history(steps):
    for step in steps:
        assert outcomes(step) <= declared(phase_of(step.before), type(step.command))


@pytest.mark.slow
def test_any_command_sent_again_right_away_yields_no_event():
    for tried in everything():
        if tried.events:
            try:
                assert decide(tried.after, tried.command) == []
            except RecordingError as error:
                assert type(error) in (errors.RecordingNotFound, errors.NotFailed)  # noqa: PT017 - either is right


@pytest.mark.slow
def test_a_refusal_says_why_in_one_sentence_to_a_person():
    sentences = {str(tried.refusal) for tried in everything() if tried.refusal}
    assert len(sentences) > len(RecordingError.__subclasses__())
    for sentence in sentences:
        assert sentence.endswith(".")
        assert "None" not in sentence


@pytest.mark.slow
def test_what_has_been_deleted_or_declared_stays_so_and_what_was_stitched_until_it_is_stitched_anew():
    for tried in everything():
        if tried.before is not None:
            is_made_anew = tried.before.is_mended and isinstance(tried.command, RetryRecording)
            made = () if is_made_anew else ("stitched", "transcribed", "note")
            if isinstance(tried.command, RequestTranscription) and tried.after.edition != tried.before.edition:
                made = ("stitched",)
            for fact in ("opened", "finalized", "deleted", *made):
                before = getattr(tried.before, fact)
                assert before is None or getattr(tried.after, fact) is before


@pytest.mark.slow
def test_no_work_on_chunks_that_were_replaced_since_is_taken_for_work_on_those_that_replaced_them():
    for tried in everything():
        if isinstance(tried.command, EndStage | RecordFailure) and tried.events:
            assert tried.command.edition == tried.before.edition
