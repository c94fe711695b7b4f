"""Many recordings, several writers with stale memories, workers that finish late or twice, and a naive model beside.

SOAK_EXAMPLES sets how many runs there are; `make soak` runs twenty thousand.
"""

import hashlib
import os
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from adapters.event_log.mapper import EventMapper, VersionedEvent
from domain import commands as ask
from domain.commands import Command
from domain.errors import RecordingError
from domain.events import (
    Damage,
    FinalizePolicy,
    RecordingEvent,
    RecordingKind,
    RetryRequested,
    Stage,
    Stitched,
    TranscriptionRequested,
)
from domain.life import decide
from domain.recording import Recording, evolve, fold
from domain.snapshots import Snapshot, restore, take_snapshot
from tests.domain.histories import EXPIRY, NOTE_FACTS, START, STITCHED_FACTS, TRANSCRIBED_FACTS, opening
from tests.domain.history_kit import (
    BODIES,
    COMMANDS,
    DAMAGE,
    EDITS,
    ERASINGS,
    LANGUAGES,
    SIZES,
    append_body,
    declare,
    hear_body,
    request_words,
    store_body,
)
from tests.domain.naive_model import NOTHING, NaiveDeck, due, is_complete

WRITERS = 2
RECORDINGS = 3
FURTHEST = 5


class Conflict(Exception):
    """The append was decided on a state that is not the newest."""


class MemoryLog:
    """Events as they are stored; an append at any version but the newest is refused."""

    def __init__(self) -> None:
        self._mapper = EventMapper()
        self._stored = {its_id: [] for its_id in range(RECORDINGS)}

    def append(self, its_id: int, expected_version: int, events: list[RecordingEvent]) -> None:
        stored = self._stored[its_id]
        if len(stored) != expected_version:
            raise Conflict
        for version, event in enumerate(events, expected_version + 1):
            stored.append(self._mapper.to_stored_event(VersionedEvent(UUID(int=its_id), version, event, None)))

    def history(self, its_id: int, *, after: int = 0) -> list[RecordingEvent]:
        return [self._mapper.to_recorded_event(row, position=0).event for row in self._stored[its_id][after:]]

    def version(self, its_id: int) -> int:
        return len(self._stored[its_id])


class Writer:
    """One process: it remembers each recording as it last saw it, and decides on that."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self.seen: dict[int, tuple[int, Recording | None]] = dict.fromkeys(range(RECORDINGS), (0, None))

    def execute(self, its_id: int, command: Command) -> list[RecordingEvent]:
        """Decide and append; again on the newest state when another writer was faster."""
        try:
            return self._execute(its_id, command)
        except Conflict:
            self.reload(its_id)
            return self._execute(its_id, command)

    def _execute(self, its_id: int, command: Command) -> list[RecordingEvent]:
        version, recording = self.seen[its_id]
        try:
            events = decide(recording, command)
        except RecordingError:
            self._check_newest(its_id)
            raise
        if not events:
            self._check_newest(its_id)
        self._log.append(its_id, version, events)
        self.seen[its_id] = (version + len(events), fold(events, recording))
        return events

    def _check_newest(self, its_id: int) -> None:
        if self.seen[its_id][0] != self._log.version(its_id):
            raise Conflict

    def reload(self, its_id: int, snapshot_at: int = 0) -> None:
        """Forget, and fold what is in the log: from a snapshot of version `snapshot_at`, if there is one."""
        history = self._log.history(its_id)
        begun = None
        if 0 < snapshot_at <= len(history):
            stored = take_snapshot(fold(history[:snapshot_at])).model_dump_json()
            begun = restore(Snapshot.model_validate_json(stored))
        else:
            snapshot_at = 0
        self.seen[its_id] = (len(history), fold(self._log.history(its_id, after=snapshot_at), begun))


writers = st.integers(0, WRITERS - 1)
ids = st.integers(0, RECORDINGS - 1)


class RecordingMachine(RuleBasedStateMachine):
    sent = Bundle("sent")

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.log = MemoryLog()
        self.writers = [Writer(self.log) for _ in range(WRITERS)]
        self.model = NaiveDeck()
        self.states: dict[int, list[Recording | None]] = {its_id: [None] for its_id in range(RECORDINGS)}
        self.work: list[tuple[int, Command]] = []
        self.stitched: dict[int, int] = dict.fromkeys(range(RECORDINGS), 0)
        self.never_stitched: dict[int, int] = dict.fromkeys(range(RECORDINGS), 0)
        self.other_languages: dict[int, int] = dict.fromkeys(range(RECORDINGS), 0)

    def tell(self, writer: int, its_id: int, command: Command) -> Command:
        """Have a writer execute `command`, and hold what comes of it against the model and the promises."""
        command = replace(command, at=self.now)
        expected = self.model.ask(its_id, command)
        try:
            events = self.writers[writer].execute(its_id, command)
        except RecordingError as refusal:
            assert type(refusal).__name__ == expected  # noqa: PT017 - whether it is refused is the model's to say
            return command
        assert [type(event).__name__ for event in events] == ([] if expected == NOTHING else expected.split())
        for event in events:
            self.count_editions_never_stitched(its_id, event)
            self.states[its_id].append(evolve(self.states[its_id][-1], event))
            if isinstance(event, Stitched):
                self.check_stitched(its_id, event)
        if events:
            self.check_again_yields_nothing(its_id, command)
            self.check_like_the_model(its_id)
        return command

    def check_stitched(self, its_id: int, event: Stitched) -> None:
        self.stitched[its_id] += 1
        not_stitched_anew = self.never_stitched[its_id] + self.other_languages[its_id]
        assert self.stitched[its_id] == 1 + self.model.recordings[its_id]["edition"] - not_stitched_anew
        declared, chunks = self.model.recordings[its_id]["declared"], self.model.recordings[its_id]["chunks"]
        assert sorted(chunks) == list(range(1, declared[0] + 1))
        assert event.chunk_count == declared[0]
        assert event.chunks_md5 == over(chunks)

    def count_editions_never_stitched(self, its_id: int, event: RecordingEvent) -> None:
        before = self.states[its_id][-1]
        if isinstance(event, RetryRequested) and before.stitched is None and before.is_mended:
            self.never_stitched[its_id] += 1
        if isinstance(event, TranscriptionRequested) and event.is_anew:
            self.other_languages[its_id] += 1

    def check_again_yields_nothing(self, its_id: int, command: Command) -> None:
        with suppress(RecordingError):
            assert decide(self.states[its_id][-1], command) == []

    def check_like_the_model(self, its_id: int) -> None:
        recording, model = self.states[its_id][-1], self.model.recordings[its_id]
        assert bodies(recording) == model["chunks"]
        assert (recording.due_stage and recording.due_stage.value) == due(model)
        assert (recording.finalized is not None) == bool(model["declared"])
        assert recording.language_wanted == model["language"]
        assert recording.provider_wanted == model["provider"]
        assert [each.at for each in recording.superseded.values()] == model["superseded"]
        assert recording.keeps_chunks is not model["erased"]
        assert [(edit.sha256, edit.author) for edit in recording.edits.in_order()] == model["edits"]
        if recording.note is not None:
            assert recording.note_version == model["note_version"]
        assert {number: words.chunk_sha256 for number, words in recording.transcribed_chunks.items()} == model["heard"]

    @initialize(
        target=sent,
        policies=st.lists(st.sampled_from(FinalizePolicy), min_size=RECORDINGS, max_size=RECORDINGS),
        kind=st.sampled_from([RecordingKind.STREAMED, RecordingKind.WHOLE_FILE]),
        max_chunks=st.integers(1, 5),
        note_wanted=st.booleans(),
        progress=st.lists(st.integers(0, FURTHEST), min_size=RECORDINGS, max_size=RECORDINGS),
    )
    def announce(
        self,
        policies: list[FinalizePolicy],
        kind: RecordingKind,
        max_chunks: int,
        note_wanted: bool,
        progress: list[int],
    ) -> object:
        """Each recording has come some way when the run begins, or few runs would see the later stages."""
        self.max_chunks = max_chunks
        facts = {"kind": kind, "max_chunks": max_chunks, "note_wanted": note_wanted}
        commands = [ask.OpenRecording(**opening(finalize_policy=policy, **facts)) for policy in policies]
        for its_id, command in enumerate(commands):
            self.tell(0, its_id, command)
            steps = [self.store_all_that_is_missing, self.declare_all, *[self.do_what_is_due] * 3]
            for step in steps[: progress[its_id]]:
                step(writer=0, its_id=its_id)
        return multiple(*commands)

    @rule(
        target=sent,
        writer=writers,
        its_id=ids,
        number=st.integers(0, 5),
        body=st.sampled_from([None, *BODIES]),
        expected=SIZES,
    )
    def store(self, writer: int, its_id: int, number: int, body: bytes | None, expected: int | None) -> Command:
        return self.tell(writer, its_id, store_body(number + 1, body, expected))

    @rule(writer=writers, its_id=ids, body=st.sampled_from(BODIES), expected=SIZES, completes=st.booleans())
    def store_a_file_and_let_its_time_pass(
        self, writer: int, its_id: int, body: bytes, expected: int | None, *, completes: bool
    ) -> None:
        """As a client does that deletes its copy then, and completes late or never."""
        self.tell(writer, its_id, store_body(1, body, expected))
        self.now += EXPIRY - START
        if completes:
            md5 = hashlib.md5(body).hexdigest()
            self.tell(writer, its_id, ask.FinalizeRecording(at=self.now, total_chunks=1, checksum_md5=md5))
        self.tell(writer, its_id, ask.ExpireRecording(at=self.now))

    @rule(
        target=sent,
        writer=writers,
        its_id=ids,
        body=st.sampled_from(BODIES),
        request=st.tuples(st.sampled_from([letter * 64 for letter in "abc"]), st.booleans()),
        is_last=st.sampled_from([False] * 4 + [True]),
    )
    def append(self, writer: int, its_id: int, body: bytes, request: tuple[str, bool], *, is_last: bool) -> Command:
        return self.tell(writer, its_id, append_body(body, *request, is_last=is_last))

    @rule(target=sent, writer=writers, its_id=ids, number=st.integers(0, 5), body=st.sampled_from(BODIES))
    def hear(self, writer: int, its_id: int, number: int, body: bytes) -> Command:
        return self.tell(writer, its_id, hear_body(number + 1, body))

    @rule(writer=writers, its_id=ids)
    def store_all_that_is_missing(self, writer: int, its_id: int) -> None:
        for number in range(self.max_chunks, 0, -1):
            if self.model.recordings[its_id]["chunks"].get(number) is None:
                self.tell(writer, its_id, store_body(number, b"one"))

    @rule(writer=writers, its_id=ids)
    def declare_all(self, writer: int, its_id: int) -> None:
        self.tell(writer, its_id, declare(self.max_chunks))

    @rule(writer=writers, its_id=ids)
    def do_what_is_due(self, writer: int, its_id: int) -> None:
        begun = len(self.work)
        self.begin_work(writer=writer, its_id=its_id)
        for work in self.work[begun:]:
            self.tell(writer, *work)

    @rule(target=sent, writer=writers, its_id=ids, less=st.integers(0, 2))
    def finalize(self, writer: int, its_id: int, less: int) -> Command:
        return self.tell(writer, its_id, declare(self.max_chunks - less))

    @rule(target=sent, writer=writers, its_id=ids, command=COMMANDS)
    def ask_for_anything(self, writer: int, its_id: int, command: Command) -> Command:
        if isinstance(command, ask.RecordStitched):  # only a worker that has read chunks can know their number
            return self.tell(writer, its_id, declare(1))
        return self.tell(writer, its_id, command)

    @rule(writer=writers, its_id=ids, command=sent)
    def send_again(self, writer: int, its_id: int, command: Command) -> None:
        self.tell(writer, its_id, command)

    @rule(writer=writers, its_id=ids, number=st.integers(1, 5), body=st.sampled_from(BODIES))
    def replace_a_damaged_chunk(self, writer: int, its_id: int, number: int, body: bytes) -> None:
        damaged_ones = self.model.recordings[its_id]["damaged"]
        self.tell(writer, its_id, store_body(damaged_ones[0] if damaged_ones else number, body))
        self.tell(writer, its_id, ask.RetryRecording(at=self.now))

    @rule(writer=writers, its_id=ids, damage=DAMAGE)
    def begin_work(self, writer: int, its_id: int, damage: tuple[Damage, ...] = ()) -> None:
        """A worker reads the recording, as this writer last saw it, and does what it finds due."""
        recording = self.writers[writer].seen[its_id][1]
        match recording and recording.due_stage:
            case Stage.STITCH:
                chunks = bodies(recording)
                facts = STITCHED_FACTS | {"chunk_count": len(chunks), "chunks_md5": over(chunks), "damage": damage}
                self.work.append((its_id, ask.RecordStitched(**facts, edition=recording.edition)))
            case Stage.TRANSCRIBE:
                facts = TRANSCRIBED_FACTS | {"language": recording.language_wanted or "en"}
                self.work.append((its_id, ask.RecordTranscribed(**facts, edition=recording.edition)))
            case Stage.NOTE:
                self.work.append((its_id, ask.RecordNote(**NOTE_FACTS, edition=recording.edition)))

    @rule(target=sent, writer=writers, its_id=ids, language=st.sampled_from(LANGUAGES))
    def request_a_language(self, writer: int, its_id: int, language: str | None) -> Command:
        return self.tell(writer, its_id, request_words(language))

    @rule(target=sent, writer=writers, its_id=ids, command=EDITS, has_seen=st.booleans())
    def edit_the_note(self, writer: int, its_id: int, command: ask.EditNote, *, has_seen: bool) -> Command:
        """With the version that this writer last saw, which another may have changed since."""
        recording = self.writers[writer].seen[its_id][1]
        seen = frozenset({recording.note_version}) if recording is not None and has_seen else None
        return self.tell(writer, its_id, replace(command, seen=seen))

    @rule(target=sent, writer=writers, its_id=ids, command=ERASINGS, is_all=st.booleans())
    def erase(self, writer: int, its_id: int, command: ask.EraseContent, *, is_all: bool) -> Command:
        return self.tell(writer, its_id, replace(command, superseded_until=None) if is_all else command)

    @rule(writer=writers, which=st.integers(0, 9))
    def end_work(self, writer: int, which: int) -> None:
        """At any time later, perhaps never, perhaps more than once."""
        if self.work:
            self.tell(writer, *self.work[which % len(self.work)])

    @rule(writer=writers, its_id=ids)
    def fail_what_is_due_and_retry(self, writer: int, its_id: int) -> None:
        stage = due(self.model.recordings[its_id]) or "upload"
        edition = self.model.recordings[its_id]["edition"]
        facts = {"reason": "broken", "message": "It broke.", "attempts": 1, "edition": edition}
        self.tell(writer, its_id, ask.RecordFailure(at=self.now, stage=Stage(stage), **facts))
        self.tell(writer, its_id, ask.RetryRecording(at=self.now))

    @rule(writer=writers, its_id=ids, snapshot_at=st.integers(0, 12))
    def forget_and_load(self, writer: int, its_id: int, snapshot_at: int) -> None:
        self.writers[writer].reload(its_id, snapshot_at)
        assert self.writers[writer].seen[its_id][1] == self.states[its_id][-1]

    @rule(pause=st.sampled_from([timedelta(seconds=1), *[timedelta(minutes=9)] * 9, EXPIRY - START]))
    def let_time_pass(self, pause: timedelta) -> None:
        self.now += pause

    @invariant()
    def nothing_is_due_before_it_is_complete(self) -> None:
        for its_id, model in self.model.recordings.items():
            assert self.states[its_id][-1].due_stage is None or is_complete(model)

    def teardown(self) -> None:
        for its_id, states in self.states.items():
            history = self.log.history(its_id)
            assert len(states) == len(history) + 1
            folded = None
            for version, event in enumerate(history, 1):
                folded = evolve(folded, event)
                assert folded == states[version]
            assert fold(history) == fold(history) == states[-1]


def bodies(recording: Recording) -> dict[int, str | None]:
    """Chunk number -> digest, None for metadata only."""
    return {number: chunk.sha256 if chunk.blob_key else None for number, chunk in recording.chunks.items()}


def over(chunks: dict[int, str | None]) -> str:
    """A digest of which chunks there were and in which order they were taken."""
    return hashlib.md5(repr(sorted(chunks.items())).encode()).hexdigest()


TestRecordings = RecordingMachine.TestCase
TestRecordings.settings = settings(
    max_examples=int(os.environ.get("SOAK_EXAMPLES", settings.default.max_examples)),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
