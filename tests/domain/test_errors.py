"""What a person reads when a command is refused, and what a program finds in the refusal."""

import pytest

from domain import errors
from domain.errors import RecordingError

COMPLETE = "The recording is complete, and chunk 3 differs from what was stored"
WHILE_STITCHED = (
    "it cannot be replaced while the recording is being stitched; it can be once stitching has failed or has named it "
    "as damaged."
)
AFTER_STITCHING = (
    "it was stitched as it was stored, so no other bytes are accepted for it; create a new recording for them."
)
SENTENCES = [
    (errors.RecordingNotFound, {}, "There is no such recording."),
    (
        errors.RecordingAlreadyOpened,
        {},
        "A recording with this name already exists, with other facts; choose another name.",
    ),
    (
        lambda: errors.RecordingExpired("2026-01-13T14:00:00+00:00"),
        {"expires_at": "2026-01-13T14:00:00+00:00"},
        "The recording accepted uploads until 2026-01-13T14:00:00+00:00; create a new one.",
    ),
    (
        lambda: errors.RecordingClosed(3, is_stitched=False),
        {"number": 3, "is_stitched": False},
        f"{COMPLETE}: {WHILE_STITCHED}",
    ),
    (
        lambda: errors.RecordingClosed(3, is_stitched=True),
        {"number": 3, "is_stitched": True},
        f"{COMPLETE}: {AFTER_STITCHING}",
    ),
    (
        lambda: errors.ChunkNumberOutOfRange(0, 100),
        {"number": 0, "max_chunks": 100},
        "Chunk number 0 is not between 1 and 100.",
    ),
    (
        lambda: errors.ChunkBeyondTotal(4, 3),
        {"number": 4, "total_chunks": 3},
        "Chunk number 4 is above the 3 chunks that were declared.",
    ),
    (
        lambda: errors.RecordingTooLarge(1_000),
        {"most_bytes": 1_000},
        (
            "With this chunk, the recording would have more than 1000 bytes, the most of one recording; the chunk was "
            "not stored."
        ),
    ),
    (
        lambda: errors.ReplacedTooOften(3, 1_007),
        {"number": 3, "replacements": 1_007},
        (
            "Chunk 3 is stored with other bytes, and they are kept: chunks of the recording were replaced 1007 times, "
            "which is the most; create a new recording for other bytes."
        ),
    ),
    (
        lambda: errors.RestartedTooOften(1_000),
        {"restarts": 1_000},
        (
            "The recording was retried or asked for in another language 1000 times, which is the most; what is stored "
            "of it stays. Create a new recording of the same audio."
        ),
    ),
    (
        lambda: errors.ChunkSizeDiffers(1, expected_bytes=9, arrived_bytes=4),
        {"number": 1, "expected_bytes": 9, "arrived_bytes": 4},
        (
            "9 bytes were announced, and 4 arrived. They were not stored, because what is stored has the size that was "
            "announced for it."
        ),
    ),
    (
        lambda: errors.ChunkWithoutBytes((2, 5)),
        {"numbers": (2, 5)},
        "Only the first and the last chunk may be without content; send that of 2, 5.",
    ),
    (
        lambda: errors.NamedRequestDiffers(3),
        {"number": 3},
        "Chunk 3 came with this Idempotency-Key but other bytes; give each chunk its own key.",
    ),
    (
        lambda: errors.ChunkNotStored(3),
        {"number": 3},
        "Chunk 3 is not stored with the bytes that this result is for.",
    ),
    (
        lambda: errors.TotalChunksOutOfRange(101, 100),
        {"total_chunks": 101, "max_chunks": 100},
        "total_chunks 101 is not between 1 and 100.",
    ),
    (
        lambda: errors.ChunkMismatch(missing=(7, 11), extra=(13, 14)),
        {"missing": (7, 11), "extra": (13, 14)},
        "The chunks do not match total_chunks; missing: 7, 11; more than declared: 13, 14.",
    ),
    (
        lambda: errors.ChunkMismatch(missing=(), extra=(13,)),
        {"missing": (), "extra": (13,)},
        "The chunks do not match total_chunks; more than declared: 13.",
    ),
    (
        lambda: errors.AlreadyFinalized(3),
        {"total_chunks": 3},
        "The recording was finalized with other parameters (total_chunks 3); they cannot change.",
    ),
    (errors.NotFailed, {"damaged": ()}, "The recording has not failed, so there is nothing to retry."),
    (
        lambda: errors.NotFailed((5, 7)),
        {"damaged": (5, 7)},
        "The recording has not failed; replace a damaged chunk (5, 7) first, then retry.",
    ),
    (errors.NoNote, {}, "The recording has no note, or none yet."),
    (
        lambda: errors.NoteChanged("2-abc"),
        {"version": "2-abc"},
        "The note was changed since you read it; read it again, and edit that.",
    ),
    (
        lambda: errors.EditedTooOften(1_000),
        {"edits": 1_000},
        "The note was edited 1000 times, which is the most; it stays as it is.",
    ),
    (lambda: errors.StageNotDue("stitch"), {"stage": "stitch"}, "Stage stitch is not due for this recording."),
]


def test_there_is_a_sentence_for_every_refusal():
    assert {type(refuse()) for refuse, _, _ in SENTENCES} == set(RecordingError.__subclasses__())


@pytest.mark.parametrize(("refuse", "fields", "sentence"), SENTENCES)
def test_a_refusal_says_what_in_a_sentence_and_in_its_fields(refuse, fields, sentence):
    error = refuse()
    assert str(error) == sentence
    assert vars(error) == fields
