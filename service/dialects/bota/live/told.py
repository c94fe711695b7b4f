"""What listeners are told (D): the events of a stream, and the ids by which it is taken up again.

A segment has a number, its `index`, and is the same as long as it is not withdrawn. An id tells how many segments a
listener has, and a digest of what is said in them: so whoever answers next, in any process and after any restart, knows
whether that still holds, and where it ends. It is a digest of the text, not of how that is cut: once all of a recording
is heard and its speakers are known, a sentence may be cut where another one begins to speak.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Self
from uuid import UUID

from adapters.speech.transcript import TranscriptSegment
from domain.events import INTEGRITY_FAILURE, RecordingKind
from domain.recording import Phase, Recording
from service.application.progress import Progress
from service.dialects.bota.answers import (
    Answer,
    Count,
    FailureAnswer,
    ProgressAnswer,
    RecordingId,
    RecordingStatus,
    SegmentAnswer,
    TranscriptionId,
    WhereKnown,
)
from service.dialects.bota.identifiers import public_recording_id, public_transcription_id
from service.dialects.http.json_answers import json_bytes, utc_text
from service.dialects.http.sent_events import ServerSentEvent

PLACE = r"^[0-9]{1,7}-[0-9a-f]{12}(-[0-9a-f]{12})?$"
_PLACE = re.compile(PLACE, re.ASCII)
_MARK_DIGITS = 12
NO_MARK = "0" * _MARK_DIGITS
"""The mark of no segments."""


class SegmentTold(SegmentAnswer):
    """`segment`: what was said next. `index` counts from 0."""

    index: Count


class WithdrawnTold(Answer):
    """`withdrawn`: the segments from this index on do not hold any more; those that do are told anew."""

    from_index: Count


class ProgressTold(ProgressAnswer):
    """`progress`: how far the recording has come. What is not known is absent."""

    status: RecordingStatus
    chunks_stored: Count
    bytes_stored: Count
    total_chunks: Annotated[int | None, WhereKnown] = None


class TranscriptTold(Answer):
    """`transcript`: the transcription is completed. If it has more segments than were told, it is too large for this:
    then `url` has them all."""

    id: TranscriptionId
    language: str
    segment_count: Count
    word_count: Count
    duration_ms: Count
    url: str


class FailedTold(Answer):
    """`failed`: the recording failed, and can be retried as GET /v1/recordings/{id} says."""

    failure: FailureAnswer


class DeletedTold(Answer):
    """`deleted`: there is no such recording any more."""

    id: RecordingId


@dataclass(frozen=True, slots=True)
class Line:
    """A segment as listeners get it. `mark`: a digest of what was said in it and in all before it, but for spaces."""

    told: SegmentTold
    mark: str
    so_far: "hashlib._Hash"

    def event(self, count: int) -> ServerSentEvent:
        """For a listener who has `count` segments with it."""
        told = self.told if self.told.index == count - 1 else self.told.model_copy(update={"index": count - 1})
        return ServerSentEvent("segment", json_bytes(told), str(Place(count, self.mark)))


@dataclass(frozen=True, slots=True)
class Place:
    """How far a listener has come. `mark`: of its last segment; `end`: of the end that it was told."""

    count: int = 0
    mark: str = NO_MARK
    end: str | None = None

    @classmethod
    def parse(cls, event_id: str) -> Self | None:
        """None if it is not the id of such an event."""
        if not _PLACE.fullmatch(event_id):
            return None
        count, mark, *end = event_id.split("-")
        return cls(int(count), mark, end[0] if end else None)

    def __str__(self) -> str:
        return f"{self.count}-{self.mark}" if self.end is None else f"{self.count}-{self.mark}-{self.end}"


@dataclass(frozen=True, slots=True)
class End:
    """What is told last. `mark` tells this end from others; None: nobody can ask for what comes after it."""

    event: str
    data: bytes
    mark: str | None


_STATUS: Mapping[Phase, RecordingStatus] = {
    Phase.AWAITING_CHUNKS: "uploaded",
    Phase.STITCHING: "uploaded",
    Phase.COMPLETED: "completed",
    Phase.FAILED: "failed",
    Phase.EXPIRED: "failed",
}
"""For a recording that is not open; "processing" in all other phases."""


def status_of(recording: Recording) -> RecordingStatus:
    """The status that GET /v1/recordings/{id} has, of the recording itself."""
    if recording.failed is not None and recording.failed.reason == INTEGRITY_FAILURE:
        return INTEGRITY_FAILURE
    if recording.phase is Phase.OPEN:
        return "pending" if recording.opened.kind is RecordingKind.WHOLE_FILE else "streaming"
    return _STATUS.get(recording.phase, "processing")


def lines(segments: Iterable[TranscriptSegment], *, after: list[Line]) -> Iterator[Line]:
    """The segments that follow those of `after`."""
    so_far = after[-1].so_far if after else hashlib.sha256()
    for index, segment in enumerate(segments, len(after)):
        so_far = so_far.copy()
        so_far.update("".join(segment.text.split()).encode())
        told = SegmentTold(
            index=index,
            start=segment.start,
            end=segment.end,
            text=segment.text,
            speaker=segment.speaker,
            confidence=segment.confidence,
        )
        yield Line(told, so_far.hexdigest()[:_MARK_DIGITS], so_far)


def withdrawn_event(place: Place) -> ServerSentEvent:
    return ServerSentEvent("withdrawn", json_bytes(WithdrawnTold(from_index=place.count)), str(place))


def progress_data(recording: Recording, progress: Progress) -> bytes:
    told = ProgressTold(
        status=status_of(recording),
        chunks_stored=progress.chunks_stored,
        bytes_stored=progress.bytes_stored,
        total_chunks=progress.total_chunks,
        audio_ms=progress.audio_ms,
        recognized_ms=progress.recognized_ms,
        ready_at=utc_text(progress.ready_at),
    )
    return json_bytes(told)


def end_of(recording_id: UUID, recording: Recording) -> End | None:
    """What is told last, if the recording has come to its transcript or failed before."""
    transcribed, failed = recording.transcribed, recording.failed
    if transcribed is not None:
        its_id = public_transcription_id(recording_id)
        told = TranscriptTold(
            id=its_id,
            language=transcribed.language,
            segment_count=transcribed.segment_count,
            word_count=transcribed.word_count,
            duration_ms=transcribed.duration_ms,
            url=f"/v1/transcriptions/{its_id}",
        )
        return End("transcript", json_bytes(told), _mark(f"{transcribed.sha256} {transcribed.at.isoformat()}"))
    if failed is not None:
        why = FailureAnswer(stage=failed.stage, reason=failed.reason, message=failed.message, at=utc_text(failed.at))
        return End("failed", json_bytes(FailedTold(failure=why)), _mark(f"{failed.stage} {failed.at.isoformat()}"))
    return None


def deleted_end(recording_id: UUID) -> End:
    return End("deleted", json_bytes(DeletedTold(id=public_recording_id(recording_id))), None)


def _mark(said: str) -> str:
    return hashlib.sha256(said.encode()).hexdigest()[:_MARK_DIGITS]
