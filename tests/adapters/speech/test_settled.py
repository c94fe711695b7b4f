"""Segments that are told before all is heard are those of the whole, whatever is heard later."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.speech.parts import HeardPart, words_in
from adapters.speech.sentences import sentences
from adapters.speech.settled import SettledSpeech
from adapters.speech.transcript import TranscriptWord

SAID = st.sampled_from(["yes", "no,", "well.", "Dr.", "good?", "three", "days;"])
PAUSES = st.sampled_from([0.0, -0.01, 0.1, 0.9, 6.0])


@st.composite
def parts(draw):
    """Words in order, of which now and then one begins before the one before it ends; cut into parts anywhere."""
    second, made = 0.0, []
    for number in range(draw(st.integers(1, 6))):
        words = []
        for text in draw(st.lists(SAID, max_size=8)):
            start = round(max(0.0, second + draw(PAUSES)), 3)
            second = round(start + draw(st.sampled_from([0.02, 0.4])), 3)
            words.append(TranscriptWord(start=start, end=second, text=text))
        made.append(
            HeardPart(
                start_sample=number, samples=1, sha256="0" * 64, heard_by="x", words=tuple(words), unrecognized=()
            )
        )
    return made


@given(parts=parts(), language=st.sampled_from(["en", "ja"]))
def test_whatever_is_given_early_is_how_the_whole_begins(parts, language):
    speech = SettledSpeech(language)
    given = [segment for part in parts for segment in speech.add(part)]
    whole = sentences(words_in(parts), between_words="" if language == "ja" else " ")
    assert given == whole[: len(given)]
    assert len(whole) - len(given) <= 1


def test_a_sentence_that_goes_on_in_the_next_part_is_given_when_it_ends():
    def part(*texts, start):
        words = [TranscriptWord(start=start + at, end=start + at + 0.5, text=text) for at, text in enumerate(texts)]
        return HeardPart(start_sample=0, samples=1, sha256="0" * 64, heard_by="x", words=words, unrecognized=())

    speech = SettledSpeech("en")
    close = [part("One.", start=0), part("Two", start=0.6), part("three.", start=1.2)]
    assert [[segment.text for segment in speech.add(each)] for each in close] == [["One."], [], ["Two three."]]
