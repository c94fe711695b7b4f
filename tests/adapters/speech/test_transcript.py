"""What a transcript guarantees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.speech import transcript as module
from adapters.speech.transcript import Transcript, TranscriptSegment, TranscriptWord, segment_of

seconds = st.floats(0, 10_000, allow_nan=False)
confidences = st.none() | st.floats(-1, 2, allow_nan=False)
reported = st.builds(segment_of, start=seconds, end=seconds, text=st.text(max_size=20), confidence=confidences)


def transcript(segments: list[TranscriptSegment]) -> Transcript:
    return Transcript.of_segments(segments, language="en", engine="test", provider=None, duration_ms=10_000_000)


@given(st.lists(reported, max_size=8))
def test_whatever_an_engine_reports_becomes_ordered_segments_and_their_text(
    found: list[TranscriptSegment | None],
) -> None:
    made = transcript([segment for segment in found if segment is not None])
    starts = [segment.start for segment in made.segments]
    assert starts == sorted(starts)
    assert all(segment.end > segment.start and segment.text.strip() for segment in made.segments)
    assert made.text == " ".join(segment.text for segment in made.segments)
    assert made.word_count == len(made.text.split())
    assert made.confidence is None or 0 <= made.confidence <= 1
    assert Transcript.from_json(made.to_json()) == made


spoken = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from([']},{"start":', '"segments":[', "\\"])


@given(st.lists(spoken, max_size=12), st.integers(0, 60), st.booleans())
def test_read_a_piece_at_a_time_it_is_the_same(texts: list[str], piece_bytes: int, has_words: bool) -> None:
    found = (segment_of(start=number, end=number + 1, text=text) for number, text in enumerate(texts))
    segments = [segment for segment in found if segment is not None]
    if has_words:
        words = [[TranscriptWord(start=each.start, end=each.end, text=each.text)] for each in segments]
        segments = [each.model_copy(update={"words": tuple(its)}) for each, its in zip(segments, words, strict=True)]
    made = transcript(segments)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_PIECE_BYTES", piece_bytes)
        assert Transcript.from_json(made.to_json()) == made


@pytest.mark.parametrize(
    "stored", [b"", b"[]", b"{}", b'{"segments":[]}', b'{"segments":[{"a":[]},{"start":1}]}', b"1"]
)
def test_what_is_no_transcript_is_refused(monkeypatch: pytest.MonkeyPatch, stored: bytes) -> None:
    monkeypatch.setattr(module, "_PIECE_BYTES", 0)
    with pytest.raises(ValueError, match=r"empty|validation error"):
        Transcript.from_json(stored)


def test_no_speech_is_a_transcript_with_an_empty_text() -> None:
    made = transcript([])
    assert (made.text, made.segments, made.word_count, made.confidence) == ("", (), 0, None)


def test_confidence_is_that_of_the_words() -> None:
    long = TranscriptSegment(start=0, end=1, text="one two three", confidence=1.0)
    short = TranscriptSegment(start=1, end=2, text="four", confidence=0.0)
    assert transcript([long, short]).confidence == 0.75


@pytest.mark.parametrize(
    "fields",
    [{"start": 1, "end": 1, "text": "a"}, {"start": -1, "end": 1, "text": "a"}, {"start": 0, "end": 1, "text": " "}],
)
def test_a_segment_that_makes_no_sense_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TranscriptSegment.model_validate(fields)


def test_a_text_that_is_not_its_segments_is_refused() -> None:
    stored = (
        transcript([TranscriptSegment(start=0, end=1, text="yes")])
        .to_json()
        .replace(b'"text":"yes","language"', b'"text":"no","language"')
    )
    with pytest.raises(ValueError, match="joined by one space"):
        Transcript.from_json(stored)
