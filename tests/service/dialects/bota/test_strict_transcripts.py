"""Segments as the strictest of Bota's clients takes them, whatever an engine gave."""

import itertools
import re
import unicodedata
from uuid import UUID

import orjson
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from adapters.speech.transcript import Transcript, TranscriptSegment, TranscriptWord
from service.dialects.bota.rendering import transcription_answer
from service.dialects.bota.strict_transcripts import strict
from service.dialects.bota.transcript_document import transcript_document
from service.dialects.http.json_answers import json_bytes
from tests.domain.histories import chunk, finalized, opened, stitched, transcribed
from tests.service.dialects.bota.test_webhook_messages import summary_of

TEXTS = st.text(min_size=1, max_size=12).filter(str.strip) | st.sampled_from(
    ["\x00", "a\x07b", "\N{ZERO WIDTH SPACE}", "\N{RIGHT-TO-LEFT MARK}x", "\ue000", "tab\tand\nline", "word " * 4_500]
)
STARTS = st.floats(0, 700_000) | st.sampled_from([0.0, 1e-9, 604_799.9999, 604_800.0, 604_801.0])


@st.composite
def segments(draw: st.DrawFn) -> TranscriptSegment:
    start, text = draw(STARTS), draw(TEXTS).strip()
    end = start + draw(st.floats(1e-6, 700_000)) + 1e-6
    words = (TranscriptWord(start=start, end=end, text=text),) if draw(st.booleans()) else ()
    speaker = draw(st.none() | st.text(max_size=300))
    confidence = draw(st.none() | st.floats(0, 1))
    return TranscriptSegment(start=start, end=end, text=text, speaker=speaker, confidence=confidence, words=words)


def transcript_of(given: list[TranscriptSegment]) -> Transcript:
    return Transcript.of_segments(given, language="en", engine="test", provider=None, duration_ms=1)


def check_strictly(shown: list[dict], *, has_words: bool) -> None:
    """The reference's table of segments, as all clients together read it."""
    before = 0.0
    for segment in shown:
        start, end = segment["start"], segment["end"]
        assert type(start) is type(end) is float
        assert before <= start < end <= 604_800
        assert all(len(re.sub(r"\D", "", orjson.dumps(number).decode())) <= 30 for number in (start, end))
        before, text = start, segment["text"]
        assert 1 <= len(text) <= 10_000
        assert any(each.isprintable() and not each.isspace() for each in text)
        assert not any(unicodedata.category(each) in ("Cc", "Cf") and each not in "\t\r\n" for each in text)
        assert set(segment) <= {"start", "end", "text", "speaker", "confidence", *(["words"] if has_words else [])}
        if "speaker" in segment:
            assert 1 <= len(segment["speaker"]) <= 256
        if "confidence" in segment:
            assert type(segment["confidence"]) is float


@for_all(st.lists(segments(), max_size=5))
def test_every_segment_is_as_the_strictest_client_takes_it(given: list[TranscriptSegment]) -> None:
    made = strict(transcript_of(given))
    summary = summary_of(opened(), chunk(1), finalized(1), stitched(), transcribed())
    answer = orjson.loads(orjson.dumps(transcription_answer(UUID(int=1), summary, made).model_dump()))
    check_strictly(answer["segments"], has_words=False)
    assert answer["full_text"] == answer["text"] == " ".join(one["text"] for one in answer["segments"])
    check_strictly(orjson.loads(json_bytes(transcript_document(made)))["segments"], has_words=True)


@for_all(st.lists(segments(), max_size=5))
def test_what_is_strict_stays_as_it_is(given: list[TranscriptSegment]) -> None:
    made = strict(transcript_of(given))
    assert strict(made) is made


@pytest.mark.parametrize("text", ["How are you?", "¿Cómo está?", "早上好", "Prix : 5 €"])
def test_speech_is_not_touched(text: str) -> None:
    said = transcript_of([TranscriptSegment(start=0.5, end=1.25, text=text, speaker="Speaker 1", confidence=0.5)])
    assert strict(said) is said


def test_a_text_of_ten_minutes_becomes_several_segments_one_after_another() -> None:
    said = transcript_of([TranscriptSegment(start=0, end=600, text="word " * 4_500)])
    pieces = strict(said).segments
    assert [len(piece.text) for piece in pieces] == [9_999, 9_999, 2_499]
    assert (pieces[0].start, pieces[-1].end) == (0, 600)
    assert all(one.end <= other.start + 0.1 for one, other in itertools.pairwise(pieces))
    assert strict(said).text == said.text
