"""Histories as they really come about, for any test that needs some: hypothesis strategies that drive `decide`.

    from hypothesis import given as for_all
    from tests.domain.history_kit import histories, logs, walks

    @for_all(histories())
    def test_every_event_can_be_published(events): ...

- `histories()`: the events of one recording, from its opening on. Every one is a history that the service could have
  stored: nothing in it was put together by hand.
- `walks()`: the same with the commands that led there, also those that were refused or changed nothing.
- `session_histories()`: the same of one ambient session.
- `order_histories()`: the same of one note order.
- `logs()`: the events of several recordings, interleaved as a log has them, each with its recording and version.
- `COMMANDS`: any command, fitting or not; `openings()`: announcements of a recording with all kinds of facts.

All shrink towards few, plain events. Keyword arguments narrow what is drawn (`policies`, `most_commands`).
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from domain import commands as ask
from domain.ambient_session import AnnounceSession, EndSession, SessionCommand, decide_session, fold_session
from domain.commands import Command
from domain.errors import RecordingError
from domain.events import (
    AmbientSessionEvent,
    ErasedPart,
    FinalizePolicy,
    NoteOrderEvent,
    NoteTemplate,
    RecordingEvent,
    RecordingKind,
    SampleScale,
    Stage,
)
from domain.life import decide
from domain.note_order import (
    BeginNote,
    FailOrder,
    FulfilOrder,
    NoteOrderCommand,
    NoteOrderError,
    OrderNote,
    decide_order,
    fold_order,
)
from domain.recording import DUE_STAGE, Phase, Recording, fold, phase_of
from tests.domain.histories import (
    EXPIRY,
    NOTE_FACTS,
    ORDER_FAILURE_FACTS,
    START,
    STITCHED_FACTS,
    TRANSCRIBED_FACTS,
    damaged,
    edit_note,
    failure_facts,
    heard_facts,
    part_facts,
)

LARGEST_COUNT = 2**63 - 1
"""What a stored count can be: events are stored by a codec of 64-bit integers."""

BODIES = [b"", b"one", b"another", b"third"]
LOOKS = {b"third": "a PDF document"}
SCALES = {b"one": SampleScale.INTEGERS, b"another": SampleScale.FLOATS, b"third": SampleScale.UNITS}
MOST_CHUNKS = 6


@dataclass(frozen=True, slots=True)
class Step:
    """One command: the state that it met, and its events or what it was refused for."""

    before: Recording | None
    command: Command
    events: Sequence[RecordingEvent]
    refusal: RecordingError | None
    after: Recording | None


@dataclass(frozen=True, slots=True)
class Logged:
    """An event at its place: `version` counts within the recording, from 1."""

    recording_id: UUID
    version: int
    event: RecordingEvent


def take(before: Recording | None, command: Command) -> Step:
    """Decide `command` on `before`; a refusal is an outcome like any other."""
    try:
        events = decide(before, command)
    except RecordingError as refusal:
        return Step(before, command, [], refusal, before)
    return Step(before, command, events, None, fold(events, before))


@st.composite
def walks(
    draw: st.DrawFn, *, policies: Sequence[FinalizePolicy] = tuple(FinalizePolicy), most_commands: int = 25
) -> list[Step]:
    """Commands to one recording, one after another, the first of which opens it."""
    steps = [take(None, draw(openings(policies=policies)))]
    now = steps[0].command.at
    for _ in range(draw(st.integers(0, most_commands))):
        now += draw(PAUSES)
        command = next_command(draw, steps[-1].after)
        steps.append(take(steps[-1].after, replace(command, at=now)))
    return steps


def histories(**narrowing: Any) -> st.SearchStrategy[list[RecordingEvent]]:
    """The events of one recording, from its opening on."""
    return walks(**narrowing).map(lambda steps: [event for step in steps for event in step.events])


@st.composite
def session_histories(draw: st.DrawFn, *, most_commands: int = 8) -> list[AmbientSessionEvent]:
    """The events of one ambient session, from its opening on; it may end and open again."""
    now, session = START, None
    history: list[AmbientSessionEvent] = []
    for command in [draw(ANNOUNCEMENTS), *draw(st.lists(ANNOUNCEMENTS | ENDINGS, max_size=most_commands))]:
        history += decide_session(session, replace(command, at=now))
        session = fold_session(history)
        now += draw(PAUSES)
    return history


@st.composite
def order_histories(draw: st.DrawFn, *, most_commands: int = 4) -> list[NoteOrderEvent]:
    """The events of one note order, from its opening on."""
    now, order = START, None
    history: list[NoteOrderEvent] = []
    for command in [draw(ORDERS), *draw(st.lists(ORDER_COMMANDS, max_size=most_commands))]:
        with suppress(NoteOrderError):
            history += decide_order(order, replace(command, at=now))
        order = fold_order(history)
        now += draw(PAUSES)
    return history


@st.composite
def logs(draw: st.DrawFn, *, most_recordings: int = 4, **narrowing: Any) -> list[Logged]:
    """The events of up to `most_recordings` recordings in one order, that of each recording kept."""
    its_histories = draw(st.lists(histories(**narrowing), min_size=1, max_size=most_recordings))
    left = {UUID(int=number): list(history) for number, history in enumerate(its_histories, 1)}
    turns = draw(st.permutations([its_id for its_id, history in left.items() for _ in history]))
    versions = dict.fromkeys(left, 0)
    log = []
    for its_id in turns:
        log.append(Logged(its_id, versions[its_id] + 1, left[its_id][versions[its_id]]))
        versions[its_id] += 1
    return log


# Strategies are made once and not for every step: making one costs far more than drawing from it.

PAUSES = st.sampled_from([timedelta(0), timedelta(microseconds=1), timedelta(minutes=7), timedelta(hours=3)])
CHOICES = st.integers(0, 59)
COUNTS = st.integers(0, LARGEST_COUNT)
WORDS = st.text(max_size=8)
SHARES = st.none() | st.floats(0, 1)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))])
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=ZONES)  # noqa: DTZ001 - bounds
DIGESTS = st.sampled_from([hashlib.sha256(body).hexdigest() for body in BODIES])


def openings(*, policies: Sequence[FinalizePolicy] = tuple(FinalizePolicy)) -> st.SearchStrategy[ask.OpenRecording]:
    return st.builds(
        ask.OpenRecording,
        at=st.just(START),
        dialect=st.sampled_from(["bota", "dragon", "dorsum"]),
        tenant_id=WORDS,
        external_id=WORDS,
        kind=st.sampled_from(RecordingKind),
        finalize_policy=st.sampled_from(policies),
        max_chunks=st.integers(1, MOST_CHUNKS),
        expires_at=st.just(EXPIRY),
        codec=st.none() | WORDS,
        started_at=st.none() | MOMENTS,
        ended_at=st.none() | MOMENTS,
        estimated_duration_ms=st.none() | COUNTS,
        chunk_duration_ms=st.none() | COUNTS,
        device_id=st.none() | WORDS,
        end_user_id=st.none() | WORDS,
        details_key=st.sampled_from([None, "details-1"]),
        note_wanted=st.booleans(),
        language=st.sampled_from([None, "en"]),
        recorded_at=st.none() | MOMENTS,
        source=st.none() | WORDS,
        upload_method=st.none() | WORDS,
        recording_uuid=st.none() | WORDS,
        recording_generation=st.none() | st.integers(1, LARGEST_COUNT),
    )


ANNOUNCEMENTS: st.SearchStrategy[SessionCommand] = st.builds(
    AnnounceSession,
    at=st.just(START),
    dialect=st.just("dragon"),
    tenant_id=st.just("proj_1"),
    correlation_id=st.just("visit-1"),
    partner_id=st.just("partner-1"),
    product_id=WORDS,
    external_user_id=st.none() | WORDS,
    ehr_instance_id=st.none() | WORDS,
    details_key=st.sampled_from([None, "data-1", "data-2"]),
)
ENDINGS: st.SearchStrategy[SessionCommand] = st.just(EndSession(at=START))


def store_body(number: int, body: bytes | None, expected: int | None = None) -> ask.StoreChunk:
    """Chunk `number` with `body`, or of metadata only. `expected`: how many bytes were announced."""
    content = body or b""
    digest = hashlib.sha256(content).hexdigest()
    return ask.StoreChunk(
        at=START,
        number=number,
        blob_key=None if body is None else f"chunk-{number}-{digest}",
        size_bytes=len(content),
        sha256=digest,
        md5=hashlib.md5(content).hexdigest(),
        looks_like=LOOKS.get(content),
        expected_bytes=None if body is None else expected,
    )


def append_body(body: bytes, request: str, is_named: bool = False, is_last: bool = False) -> ask.AppendChunk:
    """The next chunk, with `body`; `request` is 64 hex digits."""
    stored = store_body(0, body)
    return ask.AppendChunk(
        at=START,
        blob_key=f"chunk-{stored.sha256}",
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
        md5=stored.md5,
        request_sha256=request,
        is_named=is_named,
        is_last=is_last,
        sample_scale=SCALES.get(body),
    )


def hear_body(number: int, body: bytes) -> ask.RecordChunkTranscribed:
    """The words of chunk `number`, if it has `body`."""
    facts = heard_facts(number, body) | {"at": START}
    return ask.RecordChunkTranscribed(**facts)


def hear_part(number: int, last_chunk: int, sound: str, replacements: int = 0) -> ask.RecordPartHeard:
    return ask.RecordPartHeard(**part_facts(number, last_chunk, sound) | {"at": START}, replacements=replacements)


def declare(total: int, duration_ms: int | None = None, md5: str | None = None) -> ask.FinalizeRecording:
    return ask.FinalizeRecording(at=START, total_chunks=total, final_duration_ms=duration_ms, checksum_md5=md5)


def request_words(language: str | None, provider: str | None = None) -> ask.RequestTranscription:
    return ask.RequestTranscription(at=START, language=language, provider=provider, language_otherwise="en")


def _with(command: type[Any], facts: dict[str, Any], **drawn: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(command, **{name: st.just(fact) for name, fact in facts.items()} | drawn)


NUMBERS = st.integers(0, MOST_CHUNKS + 1)
PARTS = st.none() | st.sampled_from(BODIES)
SIZES = st.sampled_from([None, *sorted({len(body) for body in BODIES})])
EDITIONS = st.sampled_from([0, 0, 1, 2])
DAMAGE = st.lists(st.integers(1, MOST_CHUNKS).map(damaged), max_size=2, unique=True).map(tuple)
ENDS = {
    Phase.STITCHING: _with(
        ask.RecordStitched, STITCHED_FACTS, sha256=DIGESTS, duration_ms=COUNTS, damage=DAMAGE, edition=EDITIONS
    ),
    Phase.TRANSCRIBING: _with(
        ask.RecordTranscribed, TRANSCRIBED_FACTS, confidence=st.none() | st.floats(0, 1), word_count=COUNTS
    ),
    Phase.WRITING_NOTE: _with(ask.RecordNote, NOTE_FACTS, sha256=DIGESTS, engine=WORDS, unsupported_share=SHARES),
}
FAILURES = _with(
    ask.RecordFailure,
    failure_facts(Stage.STITCH),
    stage=st.sampled_from(Stage),
    reason=WORDS,
    attempts=st.integers(1, 9),
    edition=EDITIONS,
)
EDITS = st.builds(
    edit_note, st.sampled_from("abc"), author=st.sampled_from(["dr-1", "dr-2"]), seen=st.none() | st.just([])
)
LANGUAGES = [None, "en", "en-US", "es-419", "es"]
ORDERS: st.SearchStrategy[NoteOrderCommand] = st.builds(
    lambda wish, **facts: OrderNote(**wish, **facts),
    wish=st.sampled_from([{"template": template, "prompt_key": None} for template in NoteTemplate])
    | st.sampled_from([{"template": None, "prompt_key": f"prompt-{number}"} for number in (1, 2)]),
    at=st.just(START),
    dialect=st.just("bota"),
    tenant_id=WORDS,
    recording_id=st.uuids(version=4),
    transcript_key=st.sampled_from(["transcript-1", "transcript-2"]),
    transcript_sha256=DIGESTS,
    provider=st.sampled_from([None, "gemini", "openai", "claude"]),
)
ORDER_COMMANDS: st.SearchStrategy[NoteOrderCommand] = st.one_of(
    st.just(BeginNote(at=START)),
    _with(
        FulfilOrder,
        NOTE_FACTS,
        sha256=DIGESTS,
        engine=WORDS,
        fallback_reason=st.none() | WORDS,
        unsupported_share=SHARES,
    ),
    _with(FailOrder, ORDER_FAILURE_FACTS, reason=WORDS, attempts=st.integers(1, 9)),
    ORDERS,
)
ERASINGS = st.builds(
    ask.EraseContent,
    at=st.just(START),
    part=st.sampled_from(ErasedPart),
    superseded_until=st.sampled_from([None, START, START + timedelta(minutes=7), EXPIRY]),
)
REQUESTS = st.sampled_from([letter * 64 for letter in "abc"])
COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(store_body, NUMBERS, PARTS, SIZES),
    st.builds(append_body, st.sampled_from(BODIES), REQUESTS, st.booleans(), st.booleans()),
    st.builds(hear_body, NUMBERS, st.sampled_from(BODIES)),
    st.builds(hear_part, st.integers(1, 3), st.integers(1, 3), st.sampled_from("abc"), st.integers(0, 2)),
    st.builds(declare, NUMBERS, st.sampled_from([None, 0, 9_000, LARGEST_COUNT]), st.sampled_from([None, "e" * 32])),
    *ENDS.values(),
    FAILURES,
    st.builds(request_words, st.sampled_from(LANGUAGES), st.sampled_from([None, None, "deepgram"])),
    st.sampled_from([kind(at=START) for kind in (ask.RetryRecording, ask.ExpireRecording, ask.DeleteRecording)]),
    ERASINGS,
    EDITS,
    openings(),
)
"""Any command, at any moment that the caller sets."""


def next_command(draw: st.DrawFn, recording: Recording | None) -> Command:
    """Any command; more often than not one that takes `recording` further, or else no history would get far."""
    phase, choice = phase_of(recording), draw(CHOICES)
    if recording is not None and choice % 20 == 19:
        return draw(ERASINGS)
    if recording is None or phase is Phase.DELETED or choice % 3 == 0:
        return draw(COMMANDS)
    if recording.note is not None and choice % 2:
        return draw(EDITS)
    if choice % 10 == 7 and phase is not Phase.OPEN:
        return request_words(draw(st.sampled_from(LANGUAGES)))
    return _next_fitting(draw, recording, choice)


def _next_fitting(draw: st.DrawFn, recording: Recording, choice: int) -> Command:
    phase = recording.phase
    if phase in ENDS:
        return _work(draw, recording, fails=choice % 4 == 1)
    replaceable = [number for number in recording.chunks if recording.can_replace(number)]
    if replaceable or phase is Phase.FAILED:
        return _mend(draw, replaceable, choice)
    return _next_of_the_upload(draw, recording, choice)


def _next_of_the_upload(draw: st.DrawFn, recording: Recording, choice: int) -> Command:
    is_open = recording.phase is Phase.OPEN
    total = recording.finalized.total_chunks if recording.finalized else recording.opened.max_chunks
    missing = [number for number in range(1, total + 1) if number not in recording.chunks]
    hollow = [chunk.number for chunk in recording.chunks.values() if chunk.blob_key is None and chunk.number > 1]
    if is_open and (choice % 4 == 1 or not (missing or hollow)):
        return declare(max(recording.chunks.highest, 1) if choice % 8 < 6 else total)
    if is_open and choice % 5 == 2:
        return append_body(draw(st.sampled_from(BODIES)), draw(REQUESTS), choice < 30, choice % 7 == 0)
    unheard = [chunk for chunk in recording.chunks.values() if recording.words_of(chunk) is None]
    if unheard and choice % 5 == 0:
        return replace(hear_body(unheard[0].number, b""), chunk_sha256=unheard[0].sha256)
    if recording.chunks and choice % 7 == 3:
        number = len(recording.heard) + 1
        return hear_part(number, recording.chunks.highest, draw(st.sampled_from("abc")), recording.replacements)
    if missing:
        return store_body(missing[choice % len(missing)], draw(PARTS), draw(SIZES))
    if hollow:
        return store_body(hollow[0], draw(st.sampled_from(BODIES)))
    return _again(recording)


def _work(draw: st.DrawFn, recording: Recording, *, fails: bool) -> Command:
    """What comes of work on the due stage that was begun on these very chunks."""
    phase = recording.phase
    work = replace(draw(FAILURES), stage=DUE_STAGE[phase]) if fails else draw(ENDS[phase])
    if isinstance(work, ask.RecordTranscribed):
        work = replace(work, language=recording.language_wanted or "en")
    return replace(work, edition=recording.edition)


def _mend(draw: st.DrawFn, replaceable: list[int], choice: int) -> Command:
    """Other bytes for a chunk that stitching could not use, if there is any; or a retry."""
    if replaceable and choice % 2:
        return store_body(replaceable[choice % len(replaceable)], draw(PARTS))
    return ask.RetryRecording(at=START)


def _again(recording: Recording) -> ask.OpenRecording:
    """The announcement that the recording was opened with."""
    return ask.OpenRecording(**vars(recording.opened))
