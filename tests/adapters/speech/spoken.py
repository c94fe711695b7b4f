"""Transcripts for tests: of words said one after another, and whatever hypothesis comes up with."""

from hypothesis import strategies as st

from adapters.speech.transcript import Transcript, TranscriptSegment, TranscriptWord, segment_of

LETTERS = "aeinrst"
STRANGE = "<>&-–.,?!'\"\u0301\u200b\x00\x07\ufeff今天。，「」กๆ👩\u200d"


def said(
    *sentences: str | tuple[str, float],
    speakers: tuple[str | None, ...] = (),
    language: str = "en",
    from_seconds: float = 0.0,
    seconds_per_letter: float = 0.06,
) -> Transcript:
    """Each sentence is a segment; a number after it is the pause in seconds before the next. Words have times."""
    time, segments = from_seconds, []
    for index, sentence in enumerate(sentences):
        text, pause = sentence if isinstance(sentence, tuple) else (sentence, 0.1)
        words = []
        for word in text.split():
            end = time + seconds_per_letter * (len(word) + 1)
            words.append(TranscriptWord(start=round(time, 3), end=round(end, 3), text=word))
            time = end
        segments.append(
            TranscriptSegment(
                start=words[0].start,
                end=words[-1].end,
                text=text,
                speaker=speakers[index] if speakers else None,
                words=tuple(words),
            )
        )
        time += pause
    return transcript_of(segments, language=language)


def transcript_of(segments: list[TranscriptSegment], *, language: str = "en") -> Transcript:
    return Transcript.of_segments(segments, language=language, engine="test", provider=None, duration_ms=1)


plain_words = st.text(LETTERS, min_size=1, max_size=12)
strange_words = st.text(LETTERS + STRANGE, min_size=1, max_size=12)
long_words = st.text(LETTERS + STRANGE, min_size=35, max_size=200)
endings = st.sampled_from(["", "", "", ",", ".", "?", "…"])


@st.composite
def transcripts(draw: st.DrawFn, *, are_plain: bool = False) -> Transcript:
    """With and without times of words, with and without speakers; segments may overlap, and words have any length.

    Plain ones are short words with times, one after another.
    """
    words = plain_words if are_plain else plain_words | strange_words | long_words
    pauses = [0, 0, 0.2, 1.5, 1.6, 4] + ([] if are_plain else [-1.5])
    time, segments = 0.0, []
    names = draw(st.sampled_from([[None], ["S1"], ["S1", "S2"], [None, "S1", "<Dr. & Dr.> of the long name"]]))
    for _ in range(draw(st.integers(0, 5))):
        time = max(0.0, time + draw(st.sampled_from(pauses)))
        segment = draw(_segments(time, draw(st.sampled_from(names)), words, are_timed=are_plain or draw(st.booleans())))
        segments.append(segment)
        time = segment.end
    return transcript_of(segments, language=draw(st.sampled_from(["en", "de-DE", "zh", "xx"])))


@st.composite
def _segments(
    draw: st.DrawFn, start: float, speaker: str | None, words: st.SearchStrategy[str], *, are_timed: bool
) -> TranscriptSegment:
    texts, timed, time = [], [], start
    for _ in range(draw(st.integers(1, 15))):
        time += draw(st.sampled_from([0, 0, 0, 0, 0.1, 0.4, 1, 2]))
        end = time + draw(st.sampled_from([0.001, 0.05, 0.2, 0.3, 0.5, 2, 9]))
        texts.append(draw(words) + draw(endings))
        timed.append(TranscriptWord(start=round(time, 3), end=round(end, 3), text=texts[-1]))
        time = end
    known = tuple(timed) if are_timed else ()
    made = segment_of(start=start, end=time, text=" ".join(texts), speaker=speaker, words=known)
    assert made is not None
    return made
