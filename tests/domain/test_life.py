"""A recording's whole life by example, under both finalize policies. `test_decisions` has the single decisions."""

import pytest

from domain import errors
from domain.commands import RecordFailure
from domain.events import ErasedPart, FinalizePolicy, RecordingKind, Stage
from domain.life import COMMANDS
from domain.recording import Phase
from tests.domain.histories import (
    EXPIRY,
    append_chunk,
    at,
    chunk,
    completed_by_itself,
    damaged,
    delete,
    deleted,
    edit_note,
    erase,
    expire,
    expired,
    failed,
    failure_facts,
    finalize,
    finalized,
    given,
    note_written,
    open_recording,
    opened,
    placeholder,
    record_chunk_transcribed,
    record_failure,
    record_note,
    record_part_heard,
    record_stitched,
    record_transcribed,
    request_transcription,
    retry,
    retry_requested,
    stitched,
    store_chunk,
    store_placeholder,
    transcribed,
    when,
)

RECONCILE, REJECT = FinalizePolicy.RECONCILE, FinalizePolicy.REJECT
BOTH = pytest.mark.parametrize("policy", [REJECT, RECONCILE])
HOURS = 60
STAGES = {
    Stage.STITCH: [],
    Stage.TRANSCRIBE: [stitched()],
    Stage.NOTE: [stitched(), transcribed()],
}
ENDS = {
    Stage.STITCH: record_stitched(),
    Stage.TRANSCRIBE: record_transcribed(),
    Stage.NOTE: record_note(),
}


TWO_CHUNKS = (chunk(1), chunk(2))


def complete(*later, policy=REJECT, chunks=TWO_CHUNKS):
    return given(opened(finalize_policy=policy, note_wanted=True), *chunks, finalized(len(chunks)), *later)


def awaiting(*chunks, total=3):
    return given(opened(finalize_policy=RECONCILE), *chunks, finalized(total, received=len(chunks)))


# --- metadata-only chunks


@BOTH
def test_a_chunk_of_metadata_only_counts_as_a_chunk_and_adds_no_bytes(policy):
    recording = given(opened(finalize_policy=policy), placeholder(1), chunk(2))
    assert when(recording, finalize(2)) == [finalized(2)]
    assert recording.chunks.size_bytes == chunk(2).size_bytes
    assert recording.chunks_to_stitch() == [chunk(2)]


def test_metadata_again_changes_nothing_even_if_it_reads_differently():
    assert when(given(opened(), placeholder(1)), store_placeholder(1)) == []
    assert when(given(opened(), placeholder(1)), store_placeholder(1, b"other")) == []


def test_bytes_replace_metadata():
    recording = given(opened(), placeholder(1))
    assert when(recording, store_chunk(1)) == [chunk(1)]
    assert given(opened(), placeholder(1), chunk(1)).chunks_to_stitch() == [chunk(1)]


def test_bytes_replace_metadata_that_announced_their_digest():
    assert when(given(opened(), placeholder(1, b"sound")), store_chunk(1, b"sound")) == [chunk(1, b"sound")]


def test_metadata_never_replaces_bytes():
    assert when(given(opened(), chunk(1)), store_placeholder(1)) == []
    assert when(given(opened(), chunk(1), chunk(2), finalized(2)), store_placeholder(1, b"other")) == []


def test_bytes_for_a_chunk_of_metadata_come_too_late_once_the_recording_is_complete():
    with pytest.raises(errors.RecordingClosed):
        when(complete(chunks=(placeholder(1), chunk(2))), store_chunk(1))


# --- chunks around finalize


@BOTH
def test_other_bytes_win_until_the_recording_is_complete_and_are_refused_after(policy):
    before = given(opened(finalize_policy=policy), chunk(1), chunk(2))
    assert when(before, store_chunk(1, b"better")) == [chunk(1, b"better")]
    with pytest.raises(errors.RecordingClosed) as refusal:
        when(complete(policy=policy), store_chunk(1, b"better"))
    assert "chunk 1 differs from what was stored" in str(refusal.value)
    assert not refusal.value.is_stitched


def test_other_bytes_win_also_after_a_finalize_that_waits_for_chunks():
    recording = awaiting(chunk(1))
    assert when(recording, store_chunk(1, b"better")) == [chunk(1, b"better")]
    assert awaiting(chunk(1)).phase is Phase.AWAITING_CHUNKS


@pytest.mark.parametrize("later", [[], *STAGES.values(), [failed(Stage.STITCH)], [*STAGES[Stage.NOTE], note_written()]])
@BOTH
def test_the_same_bytes_are_welcome_again_at_any_time(policy, later):
    assert when(complete(*later, policy=policy), store_chunk(2, minutes=100 * HOURS)) == []


@BOTH
def test_a_chunk_above_the_declared_total_is_refused_by_that_name_whether_or_not_the_others_are_there(policy):
    for recording in (awaiting(chunk(1), total=2), complete(policy=policy), complete(stitched(), policy=policy)):
        with pytest.raises(errors.ChunkBeyondTotal) as refusal:
            when(recording, store_chunk(3))
        assert (refusal.value.number, refusal.value.total_chunks) == (3, 2)


def test_the_last_number_that_was_declared_is_not_beyond_it():
    assert when(awaiting(chunk(1), total=3), store_chunk(3)) == [chunk(3)]


@pytest.mark.parametrize(
    "recording", [awaiting(chunk(1)), complete(), given(opened(), expired()), complete(failed(Stage.STITCH))]
)
def test_a_number_that_no_recording_can_have_is_refused_as_such_in_every_phase(recording):
    for number in (0, 101):
        with pytest.raises(errors.ChunkNumberOutOfRange) as refusal:
            when(recording, store_chunk(number))
        assert (refusal.value.number, refusal.value.max_chunks) == (number, 100)


# --- finalize


def test_reconcile_accepts_a_finalize_before_any_chunk_and_says_how_many_were_there():
    assert when(given(opened(finalize_policy=RECONCILE)), finalize(3)) == [finalized(3, received=0)]
    assert when(given(opened(finalize_policy=RECONCILE), chunk(3)), finalize(3)) == [finalized(3, received=1)]


def test_reconcile_is_complete_when_the_last_declared_chunk_arrives_in_whatever_order():
    recording = awaiting(chunk(3), chunk(1))
    assert (recording.phase, recording.due_stage) == (Phase.AWAITING_CHUNKS, None)
    assert when(recording, store_chunk(2)) == [chunk(2)]
    recording = given(opened(finalize_policy=RECONCILE), finalized(3, received=0), chunk(3), chunk(1), chunk(2))
    assert (recording.phase, recording.due_stage) == (Phase.STITCHING, Stage.STITCH)


def test_as_many_chunks_as_declared_are_not_enough_when_one_of_them_came_twice():
    recording = awaiting(chunk(1), chunk(2), chunk(2, b"better"))
    assert recording.phase is Phase.AWAITING_CHUNKS


@BOTH
def test_more_chunks_than_declared_are_refused_and_named(policy):
    recording = given(opened(finalize_policy=policy), chunk(1), chunk(2), chunk(9), chunk(5))
    with pytest.raises(errors.ChunkMismatch) as refusal:
        when(recording, finalize(2))
    assert (refusal.value.missing, refusal.value.extra) == ((), (5, 9))


def test_reconcile_does_not_call_missing_what_may_still_come():
    with pytest.raises(errors.ChunkMismatch) as refusal:
        when(given(opened(finalize_policy=RECONCILE), chunk(5)), finalize(2))
    assert (refusal.value.missing, refusal.value.extra) == ((), (5,))


@pytest.mark.parametrize(
    "recording", [awaiting(chunk(1), total=2), complete(policy=RECONCILE), complete(), complete(stitched())]
)
def test_finalizing_again_changes_nothing_when_the_numbers_are_the_same_and_is_refused_when_not(recording):
    assert when(recording, finalize(2, minutes=100 * HOURS)) == []
    for other in (finalize(1), finalize(3), finalize(2, duration_ms=1), finalize(2, md5="d" * 32)):
        with pytest.raises(errors.AlreadyFinalized) as refusal:
            when(recording, other)
        assert refusal.value.total_chunks == 2


# --- expiry


@pytest.mark.parametrize(
    ("recording", "arrived"),
    [
        (given(opened()), "nothing of it arrived"),
        (given(opened(), chunk(1)), "it was never finalized, and what arrived of it is 1 chunk"),
        (given(opened(), chunk(1), chunk(7)), "it was never finalized, and what arrived of it is 2 chunks"),
        (awaiting(chunk(1)), "1 of its 3 chunks arrived"),
    ],
)
def test_an_abandoned_recording_is_closed_when_its_time_is_over_and_not_before(recording, arrived):
    assert when(recording, expire(at(239))) == []
    assert when(recording, expire(EXPIRY)) == [expired(arrived)]


@pytest.mark.parametrize("recording", [complete(), complete(stitched()), complete(failed(Stage.STITCH))])
def test_a_complete_recording_never_expires(recording):
    assert when(recording, expire()) == []


def test_declared_chunks_are_not_waited_for_beyond_expiry():
    with pytest.raises(errors.RecordingExpired):
        when(awaiting(chunk(1)), store_chunk(2, minutes=4 * HOURS))


def test_reconcile_takes_no_finalize_after_expiry():
    with pytest.raises(errors.RecordingExpired) as refusal:
        when(given(opened(finalize_policy=RECONCILE), chunk(1)), finalize(1, minutes=4 * HOURS))
    assert refusal.value.expires_at == EXPIRY.isoformat()


def test_an_expired_recording_takes_nothing_new_and_still_answers_what_is_asked_again():
    recording = given(opened(finalize_policy=RECONCILE), chunk(1), finalized(2, received=1), expired())
    assert (recording.phase, recording.due_stage) == (Phase.EXPIRED, None)
    assert when(recording, store_chunk(1)) == []
    assert when(recording, finalize(2)) == []
    assert when(recording, expire()) == []
    assert when(recording, RecordFailure(**failure_facts(Stage.UPLOAD))) == []
    for refused in (store_chunk(2), store_chunk(1, b"other"), retry()):
        with pytest.raises(errors.RecordingExpired):
            when(recording, refused)
    with pytest.raises(errors.AlreadyFinalized):
        when(recording, finalize(1))
    with pytest.raises(errors.RecordingExpired):
        when(given(opened(), chunk(1), expired()), finalize(1))


# --- a file that nobody completes


A_FILE = opened(kind=RecordingKind.WHOLE_FILE, max_chunks=1)
BODY = b"a whole file"


def test_a_part_of_a_file_never_replaces_all_of_it():
    recording = given(A_FILE, chunk(1, BODY, expected=len(BODY)))
    with pytest.raises(errors.ChunkSizeDiffers) as refusal:
        when(recording, store_chunk(1, BODY[:-1], expected=len(BODY)))
    assert (refusal.value.expected_bytes, refusal.value.arrived_bytes) == (len(BODY), len(BODY) - 1)


@pytest.mark.parametrize("expected", [None, 3])
def test_another_file_replaces_it_if_it_has_its_own_announced_size_or_none(expected):
    recording = given(A_FILE, chunk(1, BODY, expected=len(BODY)))
    assert when(recording, store_chunk(1, b"two", expected=expected)) == [chunk(1, b"two", expected=expected)]


@pytest.mark.parametrize("expected", [None, len(BODY)])
def test_a_file_that_has_arrived_as_announced_is_completed_by_itself_when_its_time_is_over(expected):
    recording = given(A_FILE, chunk(1, BODY, expected=expected))
    assert when(recording, expire(at(239))) == []
    assert when(recording, expire()) == [completed_by_itself(BODY)]
    assert given(A_FILE, chunk(1, BODY), completed_by_itself(BODY)).due_stage is Stage.STITCH


def test_a_file_of_which_another_size_was_announced_expires_and_the_reason_has_both():
    recording = given(A_FILE, chunk(1, BODY, expected=100))
    assert when(recording, expire()) == [expired("12 bytes of its file arrived, and 100 were announced")]


def test_a_file_that_never_came_expires():
    assert when(given(A_FILE), expire()) == [expired()]
    assert when(given(A_FILE, placeholder(1)), expire())[0].reason == "expired"


def test_the_same_bytes_with_the_right_size_announced_at_last_are_what_is_completed():
    recording = given(A_FILE, chunk(1, BODY, expected=100))
    assert when(recording, store_chunk(1, BODY, expected=99)) == []
    for expected in (None, len(BODY)):
        corrected = chunk(1, BODY, expected=expected)
        assert when(recording, store_chunk(1, BODY, expected=expected)) == [corrected]
        assert when(given(A_FILE, corrected), store_chunk(1, BODY, expected=100)) == []


def test_the_callers_own_word_completes_a_file_whatever_size_was_announced():
    md5 = chunk(1, BODY).md5
    recording = given(A_FILE, chunk(1, BODY, expected=100))
    assert when(recording, finalize(1, md5=md5)) == [finalized(1, md5=md5)]
    with pytest.raises(errors.RecordingExpired):
        when(recording, finalize(1, md5=md5, minutes=4 * HOURS))


def test_a_caller_that_completes_its_file_late_is_answered_the_same_before_and_after_that_is_done_by_itself():
    md5 = chunk(1, BODY).md5
    late = finalize(1, md5=md5, minutes=400 * HOURS)
    (declared,) = when(given(A_FILE, chunk(1, BODY)), late)
    assert not declared.by_itself
    done = given(A_FILE, chunk(1, BODY), completed_by_itself(BODY))
    assert when(done, late) == []
    assert when(done, finalize(1, md5=md5, duration_ms=1)) == []
    with pytest.raises(errors.AlreadyFinalized):
        when(done, finalize(1, md5="0" * 32))
    assert when(done, store_chunk(1, BODY, minutes=400 * HOURS)) == []
    with pytest.raises(errors.RecordingClosed):
        when(done, store_chunk(1, b"other"))


def test_a_file_that_was_completed_by_its_caller_is_not_completed_again():
    assert when(given(A_FILE, chunk(1, BODY), finalized(1)), expire()) == []


# --- chunks that stitching could not use


def test_a_recording_whose_stitching_failed_takes_other_bytes_for_any_of_its_chunks_however_late():
    recording = complete(failed(Stage.STITCH))
    for number in (1, 2):
        stored = when(recording, store_chunk(number, b"right", minutes=100 * HOURS))
        assert [(event.number, event.sha256) for event in stored] == [(number, chunk(number, b"right").sha256)]
    mended = complete(failed(Stage.STITCH), chunk(2, b"right"))
    assert (mended.phase, mended.due_stage) == (Phase.FAILED, None)
    assert when(mended, retry()) == [retry_requested(Stage.STITCH)]


def test_a_recording_whose_stitching_failed_takes_bytes_for_a_chunk_that_was_metadata_only():
    recording = complete(failed(Stage.STITCH), chunks=(placeholder(1), chunk(2)))
    assert when(recording, store_chunk(1)) == [chunk(1)]


def test_a_failed_recording_takes_no_number_that_it_does_not_have():
    with pytest.raises(errors.ChunkBeyondTotal):
        when(complete(failed(Stage.STITCH)), store_chunk(3))
    with pytest.raises(errors.ChunkNumberOutOfRange):
        when(complete(failed(Stage.STITCH)), store_chunk(0))


AFTER_DAMAGE = {
    Phase.TRANSCRIBING: [stitched(damaged(2))],
    Phase.WRITING_NOTE: [stitched(damaged(2)), transcribed()],
    Phase.COMPLETED: [stitched(damaged(2)), transcribed(), note_written()],
    Phase.FAILED: [stitched(damaged(2)), failed(Stage.TRANSCRIBE)],
}


@pytest.mark.parametrize("phase", AFTER_DAMAGE)
def test_a_damaged_chunk_can_be_replaced_at_any_time_and_a_retry_makes_everything_anew(phase):
    history = AFTER_DAMAGE[phase]
    assert when(complete(*history), store_chunk(2)) == []
    assert when(complete(*history), store_chunk(2, b"right")) == [chunk(2, b"right")]
    with pytest.raises(errors.RecordingClosed) as refusal:
        when(complete(*history), store_chunk(1, b"right"))
    assert refusal.value.is_stitched

    mended = complete(*history, chunk(2, b"right"))
    assert (mended.phase, mended.stitched) == (phase, stitched(damaged(2)))
    assert when(mended, retry()) == [retry_requested(Stage.STITCH)]
    anew = complete(*history, chunk(2, b"right"), retry_requested(Stage.STITCH))
    assert (anew.phase, anew.due_stage, anew.edition) == (Phase.STITCHING, Stage.STITCH, 1)
    assert (anew.stitched, anew.transcribed, anew.note, anew.failed) == (None, None, None, None)
    assert [each.sha256 for each in anew.chunks_to_stitch()] == [chunk(1).sha256, chunk(2, b"right").sha256]
    assert when(anew, finalize(2)) == []
    with pytest.raises(errors.RecordingClosed) as refusal:
        when(anew, store_chunk(2, b"too late"))
    assert not refusal.value.is_stitched
    assert when(anew, record_stitched(edition=1)) == [stitched()]


MD5 = "e" * 32
REPLACED = [chunk(2, b"right"), retry_requested(Stage.STITCH)]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], MD5),
        ([failed(Stage.STITCH), retry_requested(Stage.STITCH)], MD5),
        ([failed(Stage.STITCH, reason="integrity_failure"), *REPLACED], MD5),
        ([failed(Stage.STITCH, reason="not_audio"), *REPLACED], None),
        ([stitched(damaged(2)), *REPLACED], None),
        ([stitched(damaged(2)), failed(Stage.TRANSCRIBE), *REPLACED], None),
    ],
)
def test_a_declared_checksum_counts_until_chunks_that_had_it_are_replaced(events, expected):
    history = given(opened(), chunk(1), chunk(2), finalized(2, md5=MD5), *events)
    assert (history.phase, history.checksum_md5) == (Phase.STITCHING, expected)


def test_the_checksum_of_a_file_is_not_that_of_the_file_that_replaces_it():
    whole_file = opened(kind=RecordingKind.WHOLE_FILE, max_chunks=1)
    failure = failed(Stage.STITCH, reason="integrity_failure")
    anew = [chunk(1, b"right"), retry_requested(Stage.STITCH)]
    assert given(whole_file, chunk(1), finalized(1, md5=MD5), failure, *anew).checksum_md5 is None


@pytest.mark.parametrize("phase", [Phase.TRANSCRIBING, Phase.WRITING_NOTE, Phase.COMPLETED])
def test_a_retry_before_a_damaged_chunk_is_replaced_names_it(phase):
    with pytest.raises(errors.NotFailed) as refusal:
        when(complete(*AFTER_DAMAGE[phase]), retry())
    assert refusal.value.damaged == (2,)


def test_a_later_stage_that_failed_is_retried_as_it_is_while_no_damaged_chunk_is_replaced():
    assert when(complete(*AFTER_DAMAGE[Phase.FAILED]), retry()) == [retry_requested(Stage.TRANSCRIBE)]


MENDED = [stitched(damaged(2)), chunk(2, b"right"), retry_requested(Stage.STITCH)]


@pytest.mark.parametrize("stage", STAGES)
def test_a_worker_that_is_late_with_the_damaged_chunks_ends_and_fails_nothing(stage):
    recording = complete(*MENDED, *STAGES[stage])
    assert recording.due_stage is stage
    for late in (ENDS[stage], record_failure(stage)):
        with pytest.raises(errors.StageNotDue):
            when(recording, late)
    assert len(when(recording, record_failure(stage, edition=1))) == 1


def test_what_was_made_of_the_same_chunks_counts_however_often_they_were_retried():
    recording = complete(failed(Stage.STITCH), retry_requested(Stage.STITCH))
    assert when(recording, record_stitched()) == [stitched()]


def test_a_replacement_that_nobody_asked_to_stitch_leaves_running_work_alone():
    recording = complete(stitched(damaged(2)), chunk(2, b"right"))
    assert when(recording, record_transcribed()) == [transcribed()]


# --- failure and retry at every stage


@pytest.mark.parametrize("stage", STAGES)
@BOTH
def test_a_stage_that_is_given_up_can_be_taken_up_again_and_then_ends(policy, stage):
    history = [*STAGES[stage]]
    assert when(complete(*history, policy=policy), record_failure(stage)) == [failed(stage)]
    history.append(failed(stage))
    recording = complete(*history, policy=policy)
    assert (recording.phase, recording.due_stage) == (Phase.FAILED, None)
    assert when(recording, record_failure(stage)) == []
    with pytest.raises(errors.StageNotDue) as refusal:
        when(recording, ENDS[stage])
    assert refusal.value.stage == stage
    assert when(recording, retry()) == [retry_requested(stage)]
    history.append(retry_requested(stage))
    recording = complete(*history, policy=policy)
    assert recording.due_stage is stage
    assert len(when(recording, ENDS[stage])) == 1
    with pytest.raises(errors.NotFailed):
        when(recording, retry())


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_may_fail_again_after_a_retry(stage):
    recording = complete(*STAGES[stage], failed(stage), retry_requested(stage))
    assert when(recording, record_failure(stage)) == [failed(stage)]


@pytest.mark.parametrize("stage", STAGES)
def test_only_the_due_stage_can_be_given_up(stage):
    recording = complete(*STAGES[stage])
    stages = list(STAGES)
    for ended in stages[: stages.index(stage)]:
        assert when(recording, record_failure(ended)) == []
        assert when(complete(*STAGES[stage], failed(stage)), record_failure(ended)) == []
    for later in [*stages[stages.index(stage) + 1 :], Stage.UPLOAD]:
        for its in (recording, complete(*STAGES[stage], failed(stage))):
            with pytest.raises(errors.StageNotDue) as refusal:
                when(its, record_failure(later))
            assert refusal.value.stage == later


@pytest.mark.parametrize("recording", [given(opened(), chunk(1)), awaiting(chunk(1)), given(opened(), expired())])
def test_no_stage_can_end_or_fail_before_the_recording_is_complete(recording):
    for stage, end in ENDS.items():
        for command in (end, record_failure(stage)):
            with pytest.raises(errors.StageNotDue):
                when(recording, command)


def test_a_note_is_written_only_where_one_is_wanted():
    transcribed_already = [chunk(1), finalized(1), stitched(), transcribed()]
    without = given(opened(note_wanted=False), *transcribed_already)
    assert (without.phase, without.due_stage) == (Phase.COMPLETED, None)
    with pytest.raises(errors.StageNotDue):
        when(without, record_note())
    wanted = given(opened(note_wanted=True), *transcribed_already)
    assert (wanted.phase, wanted.due_stage) == (Phase.WRITING_NOTE, Stage.NOTE)
    assert when(wanted, record_note()) == [note_written()]
    assert given(opened(note_wanted=True), *transcribed_already, note_written()).phase is Phase.COMPLETED


def test_after_the_end_every_stage_has_ended():
    recording = complete(*STAGES[Stage.NOTE], note_written())
    for stage, end in ENDS.items():
        assert when(recording, end) == []
        assert when(recording, record_failure(stage)) == []
    with pytest.raises(errors.NotFailed):
        when(recording, retry())


# --- deletion

EVERY_PHASE = {
    Phase.OPEN: given(opened(), chunk(1)),
    Phase.AWAITING_CHUNKS: awaiting(chunk(1)),
    Phase.STITCHING: complete(),
    Phase.TRANSCRIBING: complete(stitched()),
    Phase.WRITING_NOTE: complete(stitched(), transcribed()),
    Phase.COMPLETED: complete(stitched(), transcribed(), note_written()),
    Phase.FAILED: complete(failed(Stage.STITCH)),
    Phase.EXPIRED: given(opened(), expired()),
}
ONE_OF_EACH_COMMAND = [
    open_recording(),
    store_chunk(1),
    append_chunk(b"one"),
    record_chunk_transcribed(1),
    record_part_heard(1, 1),
    finalize(2),
    *ENDS.values(),
    edit_note(),
    record_failure(Stage.STITCH),
    retry(),
    request_transcription(),
    expire(),
    erase(ErasedPart.SUPERSEDED),
    delete(),
]


def test_the_examples_are_of_every_phase_and_every_command():
    assert EVERY_PHASE.keys() == set(Phase) - {Phase.UNOPENED, Phase.DELETED}
    assert all(recording.phase is phase for phase, recording in EVERY_PHASE.items())
    assert {type(command) for command in ONE_OF_EACH_COMMAND} == set(COMMANDS)


@pytest.mark.parametrize("recording", EVERY_PHASE.values(), ids=EVERY_PHASE)
def test_a_recording_can_be_deleted_in_every_phase(recording):
    assert when(recording, delete()) == [deleted()]


@pytest.mark.parametrize("command", ONE_OF_EACH_COMMAND, ids=lambda command: type(command).__name__)
def test_a_deleted_recording_is_not_found_by_anything_any_more(command):
    for history in ([], [chunk(1)], [chunk(1), finalized(1), stitched()], [expired()]):
        recording = given(opened(), *history, deleted())
        assert (recording.phase, recording.due_stage) == (Phase.DELETED, None)
        with pytest.raises(errors.RecordingNotFound):
            when(recording, command)


@pytest.mark.parametrize("recording", EVERY_PHASE.values(), ids=EVERY_PHASE)
def test_announcing_it_again_is_welcome_with_the_same_facts_and_refused_with_others(recording):
    same = {"finalize_policy": recording.opened.finalize_policy, "note_wanted": recording.opened.note_wanted}
    assert when(recording, open_recording(**same, at=at(30), max_chunks=5)) == []
    with pytest.raises(errors.RecordingAlreadyOpened):
        when(recording, open_recording(**same, codec="wav"))
