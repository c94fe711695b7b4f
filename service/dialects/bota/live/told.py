"""What listeners are told (D): the events of a stream, and the ids by which it is taken up again.

A segment has a number, its `index`, and is the same as long as it is not withdrawn. What was told of windows, which may
be other words than the transcript's, stands: after it comes what is said after its time, as long as no chunk is
replaced and the transcript is not made anew.
"""

import hashlib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from service.dialects.bota.live.places import MARK_DIGITS, Basis, Place, Since
from service.dialects.http.json_answers import json_bytes, utc_text
from service.dialects.http.sent_events import ServerSentEvent


class SegmentTold(SegmentAnswer):
    """`segment`: what was said next. `index` counts from 0."""

    index: Count


class InterimTold(Answer):
    """`interim`: what is being said, as far as it is heard. It is not settled: another takes its place, or segments
    do. An empty text takes it away."""

    text: str
    start: Annotated[float | None, WhereKnown] = None
    end: Annotated[float | None, WhereKnown] = None


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
    """`transcript`: the transcription is completed, and takes the place of what was told. `url` has it all."""

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
class Word:
    """`start`, `end`: seconds from the recording's start."""

    start: float
    end: float
    text: str

    def is_again(self, told: "Word | None") -> bool:
        """Whether it is a word that was told, heard another time: the same but for marks and capitals, meanwhile."""
        if told is None or self.start >= told.end or told.start >= self.end:
            return False
        return _letters(self.text) == _letters(told.text)


@dataclass(frozen=True, slots=True)
class Line:
    """A segment as listeners get it. `mark`: a digest of what was said in it and in all before it, but for spaces.

    `until_ms`: with it, all is told that was said up to then. `words`: when each is said, and where in the text it
    begins; empty if that is not known.
    """

    told: SegmentTold
    mark: str
    so_far: "hashlib._Hash"
    basis: Basis
    until_ms: int
    words: Sequence[tuple[float, float, int]]

    def event(self, count: int) -> ServerSentEvent:
        """For a listener who has `count` segments with it."""
        told = self.told if self.told.index == count - 1 else self.told.model_copy(update={"index": count - 1})
        return ServerSentEvent("segment", json_bytes(told), str(self.place(count)))

    def place(self, count: int) -> "Place":
        """Of a listener who has `count` segments with it."""
        return Place(count, self.mark, since=Since(self.until_ms, self.basis))

    @property
    def last_word(self) -> Word:
        """All of it, if it is not known when its words are said."""
        return self._each_word()[-1][0]

    def _each_word(self) -> list[tuple[Word, int]]:
        """With where each begins in the text."""
        times = self.words or ((self.told.start, self.told.end, 0),)
        ends = [*(offset for _, _, offset in times[1:]), None]
        return [
            (Word(start, end, self.told.text[offset:until]), offset)
            for (start, end, offset), until in zip(times, ends, strict=True)
        ]

    def after(self, until_ms: int, last: Word | None) -> Self | None:
        """What is said in it after this time, if anything. `last`: the last word that was told, if that is known."""
        if self.told.end * 1000 <= until_ms:  # nearly always
            return None
        for number, (word, offset) in enumerate(self._each_word()):
            if (word.start + word.end) * 500 > until_ms and not word.is_again(last):
                if not number:
                    return self
                return replace(
                    self,
                    told=self.told.model_copy(update={"start": word.start, "text": self.told.text[offset:]}),
                    words=[(start, end, at - offset) for start, end, at in self.words[number:]],
                )
        return None


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


def basis_of(recording: Recording) -> Basis:
    return Basis(recording.edition, recording.replacements)


def lines(
    segments: Sequence[TranscriptSegment], *, after: list[Line], basis: Basis, until: float = 0.0
) -> Iterator[Line]:
    """The segments that follow those of `after`. `until`: with the last, all is told that was said up to then."""
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
        until_ms = round(1000 * max(segment.end, until if segment is segments[-1] else 0.0))
        yield Line(told, so_far.hexdigest()[:MARK_DIGITS], so_far, basis, until_ms, _words_in(segment))


def _letters(text: str) -> str:
    return "".join(each for each in text.casefold() if unicodedata.category(each)[0] not in "PZ")


def _words_in(segment: TranscriptSegment) -> Sequence[tuple[float, float, int]]:
    found: list[tuple[float, float, int]] = []
    at = 0
    for word in segment.words:
        at = segment.text.find(word.text, at)
        if at < 0:
            return ()
        found.append((word.start, word.end, at))
        at += len(word.text)
    return found


def interim_event(segment: TranscriptSegment | None) -> ServerSentEvent:
    """It is no place to go on from, so it has no id. `segment`: None if nothing is being said any more."""
    if segment is None:
        return ServerSentEvent("interim", json_bytes(InterimTold(text="")))
    return ServerSentEvent("interim", json_bytes(InterimTold(text=segment.text, start=segment.start, end=segment.end)))


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
    return hashlib.sha256(said.encode()).hexdigest()[:MARK_DIGITS]
