from hypothesis import given
from hypothesis import strategies as st

from adapters.search.passages import PASSAGE_CHARACTERS, Passage, passages_of
from adapters.speech.transcript import Transcript, TranscriptSegment


def stored(*segments):
    """Each segment: start, end, text and perhaps its speaker."""
    made = [
        TranscriptSegment(start=start, end=end, text=text, speaker=speaker[0] if speaker else None)
        for start, end, text, *speaker in segments
    ]
    return Transcript.of_segments(made, language="en", engine="e", provider=None, duration_ms=9_000).to_json()


def test_what_one_speaker_says_in_a_row_is_one_passage():
    found = passages_of(
        stored((0, 1.5, "Good morning.", "S1"), (2, 3, "Sit down.", "S1"), (3, 4.25, "Thank you.", "S2"))
    )
    assert found == [
        Passage(0, 3_000, "S1", "Good morning. Sit down."),
        Passage(3_000, 4_250, "S2", "Thank you."),
    ]


def test_a_long_pause_ends_a_passage():
    found = passages_of(stored((0, 1, "Wait here."), (61, 62, "I am back.")))
    assert [(one.start_ms, one.end_ms) for one in found] == [(0, 1_000), (61_000, 62_000)]


def test_a_time_that_no_recording_has_is_taken_for_the_latest_one():
    (found,) = passages_of(stored((1e306, 1e307, "Good morning.")))
    assert (found.start_ms, found.end_ms) == (604_800_000, 604_800_000)


def test_a_transcript_without_speech_has_none():
    assert passages_of(stored()) == []


def test_a_segment_without_end_is_cut_between_words_and_one_word_without_end_anywhere():
    spoken = " ".join(f"word{number}" for number in range(200))
    found = passages_of(stored((0, 60, spoken), (60, 90, "x" * 1_200)))
    assert " ".join(one.text for one in found[:-3]) == spoken
    assert [len(one.text) for one in found[-3:]] == [500, 500, 200]
    assert {(one.start_ms, one.end_ms) for one in found[:-3]} == {(0, 60_000)}


SEGMENTS = st.lists(
    st.tuples(st.floats(0, 3_000), st.floats(0.01, 60), st.text(min_size=1, max_size=1_300), st.sampled_from("ab"))
)


@given(SEGMENTS)
def test_no_word_is_lost_and_no_passage_is_empty_too_long_or_ends_before_it_starts(segments):
    spoken = [(start, start + length, text, speaker) for start, length, text, speaker in segments if text.strip()]
    found = passages_of(stored(*spoken))
    assert all(0 < len(one.text) <= PASSAGE_CHARACTERS for one in found)
    assert all(0 <= one.start_ms <= one.end_ms for one in found)
    said = "".join(text for _, _, text, _ in sorted(spoken, key=lambda one: (one[0], one[1])))
    assert "".join("".join(one.text.split()) for one in found) == "".join(said.split())
