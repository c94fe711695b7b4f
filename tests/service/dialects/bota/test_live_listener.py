"""What a listener is told when what was said turns out to be cut in other segments, or to be something else."""

from itertools import pairwise
from types import SimpleNamespace
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.audio.decoding import SAMPLE_RATE
from adapters.speech.parts import HeardPart
from adapters.speech.transcript import TranscriptSegment, TranscriptWord
from domain.errors import RecordingNotFound
from service.application.live_words import HeardWindow, LiveSpeech, LiveWords
from service.dialects.bota.live.feeds import Feed
from service.dialects.bota.live.listener import Listener
from service.dialects.bota.live.places import Basis, Place
from service.dialects.bota.live.so_far import SoFar
from service.dialects.bota.live.told import lines

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def segments_of(texts, **named):
    return [TranscriptSegment(start=at, end=at + 1, text=text, words=(), **named) for at, text in enumerate(texts)]


def feed_with(texts, *, replacements=0, **named):
    return feed_of(segments_of(texts, **named), replacements=replacements)


def feed_of(segments, *, replacements=0):
    feed = Feed(UUID(int=1), None, None, None)
    feed.progress = b"{}"
    feed.basis = Basis(replacements=replacements)
    feed.lines = list(lines(segments, after=[], basis=feed.basis))
    return feed


class Told:
    """What a listener has, and is told."""

    def __init__(self, feed, last_id=None):
        self.feed = feed
        self.listener = Listener(feed, last_id and Place.parse(last_id), follows=False)
        self.segments, self.withdrawn, self.last_id = [], [], last_id

    def news(self):
        for event in self.listener._news():
            data = orjson.loads(event.data)
            self.last_id = event.id or self.last_id
            if event.event == "withdrawn":
                self.withdrawn.append(data["from_index"])
                del self.segments[data["from_index"] :]
            elif event.event == "segment":
                assert data["index"] == len(self.segments)
                self.segments.append(data["text"])
        return self.segments

    def again(self, feed):
        """The same listener over another connection, maybe to another process."""
        again = Told(feed, self.last_id)
        again.segments = list(self.segments)
        return again


@st.composite
def cut_further(draw):
    """What was told, and the whole, in which these segments are cut in more of them."""
    cuts = sorted(draw(st.sets(st.integers(1, len(WORDS) - 1))))
    more = sorted({*cuts, *draw(st.sets(st.integers(1, len(WORDS) - 1)))})

    def texts(cuts):
        return [" ".join(WORDS[start:end]) for start, end in zip([0, *cuts], [*cuts, len(WORDS)], strict=True)]

    return texts(cuts)[: draw(st.integers(0, len(cuts)))], texts(more)


@given(cut_further(), st.booleans())
def test_no_segment_changes_and_no_word_is_missing_when_speakers_cut_sentences(told_and_whole, comes_back):
    told, whole = told_and_whole
    listener = Told(feed_with(told))
    assert listener.news() == told
    if comes_back:
        listener = listener.again(feed_with(whole, speaker="S1"))
    else:
        listener.feed.lines = feed_with(whole, speaker="S1").lines
    segments = listener.news()
    assert segments[: len(told)] == told
    assert " ".join(segments) == " ".join(WORDS)
    assert listener.withdrawn == []
    assert listener.again(feed_with(whole)).news() == segments


@given(st.lists(st.sampled_from(WORDS), max_size=5), st.lists(st.sampled_from(WORDS), max_size=5))
def test_what_does_not_hold_is_withdrawn_and_told_anew(before, after):
    listener = Told(feed_with(before))
    listener.news()
    now = feed_with(after, replacements=1)
    listener.feed.lines, listener.feed.basis = now.lines, now.basis
    assert listener.news() == after
    same = next((at for at, (was, now) in enumerate(zip(before, after, strict=False)) if was != now), None)
    assert listener.withdrawn == ([same] if same is not None else [len(after)] * (len(after) < len(before)))
    assert listener.again(now).news() == after


def test_a_listener_that_comes_back_after_what_it_has_was_withdrawn_is_told_all_anew():
    listener = Told(feed_with(["one", "two"]))
    listener.news()
    back = listener.again(feed_with(["one", "three"], replacements=1))
    assert (back.news(), back.withdrawn) == (["one", "three"], [0])


def words_of(texts, begins=0.0):
    """A word each second, which lasts for most of it."""
    return [
        TranscriptWord(start=begins + at + 0.1, end=begins + at + 0.9, text=text, confidence=1.0)
        for at, text in enumerate(texts)
    ]


def cut_at(words, cuts):
    groups = [words[start:end] for start, end in zip([0, *cuts], [*cuts, len(words)], strict=True)]
    return [
        TranscriptSegment(
            start=group[0].start, end=group[-1].end, text=" ".join(word.text for word in group), words=tuple(group)
        )
        for group in groups
    ]


a_cutting = st.sets(st.integers(1, len(WORDS) - 1)).map(sorted)


@given(a_cutting, a_cutting, st.integers(0, len(WORDS)), st.booleans())
def test_what_was_told_of_other_words_stands_and_what_was_said_later_follows(cuts, others, count, comes_back):
    """The transcript has other words at the same times, and is cut otherwise."""
    heard = cut_at(words_of([f"{word}?" for word in WORDS]), cuts)[:count]
    listener = Told(feed_of(heard))
    told = list(listener.news())
    transcript = feed_of(cut_at(words_of(WORDS), others))
    if comes_back:
        listener = listener.again(transcript)
    else:
        listener.feed.lines = transcript.lines
    said = " ".join(listener.news()).split()
    so_far = len(" ".join(told).split())
    assert said == " ".join(told).split() + WORDS[so_far:]
    assert listener.withdrawn == []
    assert listener.again(transcript).news() == listener.segments


@given(a_cutting, a_cutting, st.integers(1, len(WORDS)), st.lists(st.integers(0, len(WORDS)), max_size=5))
def test_who_comes_back_while_all_is_heard_anew_is_told_nothing_twice(cuts, others, count, grown):
    """As after a kill: what was told is not known any more, and is heard again bit by bit, in other windows."""
    listener = Told(feed_of(cut_at(words_of([f"{word}?" for word in WORDS]), cuts)[:count]))
    told = " ".join(listener.news()).split()
    whole = feed_of(cut_at(words_of(WORDS), others)).lines
    listener = listener.again(feed_of([]))
    for until in sorted(grown):
        listener.news()
        listener.feed.lines += whole[len(listener.feed.lines) : until]
        assert " ".join(listener.news()).split()[: len(told)] == told
    listener.feed.lines += whole[len(listener.feed.lines) :]
    assert " ".join(listener.news()).split() == told + WORDS[len(told) :]
    assert listener.withdrawn == []


def part(number, texts, seconds=10):
    begins = float(seconds * (number - 1))
    heard = HeardPart(
        start_sample=round(begins * SAMPLE_RATE),
        samples=seconds * SAMPLE_RATE,
        sha256="0" * 64,
        heard_by="x",
        words=tuple(words_of(texts, begins)),
        unrecognized=(),
    )
    return SimpleNamespace(sha256=str(number), language="en"), heard


def window(start, texts, replacements=0, language="en"):
    return HeardWindow(float(start), float(start + len(texts)), tuple(words_of(texts, start)), replacements, language)


def said(so_far):
    return " ".join(line.told.text for line in so_far.lines)


NUMBERS = [str(at) for at in range(30)]


@given(st.sets(st.integers(1, 29)), st.permutations(["part"] * 3 + ["window"] * 12), st.sets(st.integers(0, 30)))
def test_parts_and_windows_meet_without_a_word_missing_or_twice(cuts, order, lost):
    """Some windows are lost; parts come at any time."""
    so_far, speech = SoFar(Basis()), LiveSpeech()
    ends = [0, *sorted(cuts), 30]
    windows = iter([(start, end) for start, end in pairwise(ends) if start not in lost])
    parts = iter((1, 2, 3))
    told = ""
    for what in order:
        if what == "part":
            number = next(parts)
            so_far.add_part(*part(number, NUMBERS[10 * (number - 1) : 10 * number]))
        elif (found := next(windows, None)) is not None:
            speech.windows.append(window(found[0], NUMBERS[found[0] : found[1]]))
        so_far.add_windows(speech)
        assert said(so_far).startswith(told)
        told = said(so_far)
        assert told.split() == NUMBERS[: len(told.split())]
    assert len(told.split()) == 30 or so_far.interim(speech) is None
    assert len(told.split()) >= 20


def test_what_rests_on_a_chunk_that_is_replaced_is_not_told_and_what_is_not_cut_off_is_only_interim():
    so_far, speech = SoFar(Basis(replacements=1)), LiveSpeech()
    speech.windows += [window(0, ["old"]), window(0, ["new", "words"], replacements=1)]
    speech.interim = window(2, ["and", "so"], replacements=1)
    assert so_far.interim(speech) is None
    so_far.add_windows(speech)
    assert (said(so_far), so_far.interim(speech).text) == ("new words", "and so")
    speech.interim = window(9, ["later"], replacements=1)
    assert so_far.interim(speech) is None


def test_words_that_are_heard_in_a_language_without_spaces_are_told_without():
    so_far, speech = SoFar(Basis()), LiveSpeech()
    speech.windows.append(window(0, ["おは", "よう"], language="ja"))
    so_far.add_windows(speech)
    speech.interim = window(2, ["今日", "は"], language="ja")
    assert (said(so_far), so_far.interim(speech).text) == ("おはよう", "今日は")


class Deleted:
    """Where no recording is to be found any more."""

    async def newest(self, _):
        raise RecordingNotFound


async def test_once_a_recording_is_deleted_nothing_is_told_of_what_was_said_in_it():
    """Not even to who was told nothing of it before, or reads slowly, or while some seconds of it are still heard."""
    live = LiveWords(lambda _: None)
    feed = Feed(UUID(int=1), Deleted(), None, live)
    told = feed_of(segments_of(["one", "two"]))
    feed.progress, feed.lines, feed.basis = told.progress, told.lines, told.basis
    with feed.listened_to(follows=True):
        live.heard(feed.recording_id, window(2, ["three"]), is_cut=True)
        listeners = [Listener(feed, place, follows=True) for place in (None, told.lines[0].place(1))]
        events = [await listener.next() for listener in listeners]
        assert [[event.event for event in each] for each in events] == [["deleted"], ["deleted"]]
        assert all([await listener.next() == () for listener in listeners])
        assert feed.lines == []


def test_who_could_not_begin_to_listen_leaves_nothing_behind():
    live, feeds_wanted = LiveWords(lambda _: None), []

    def fail(recording_id):
        feeds_wanted.append(recording_id)
        raise OSError

    live.when_wanted = fail
    feed = Feed(UUID(int=1), None, None, live)
    with pytest.raises(OSError), feed.listened_to(follows=True):  # noqa: PT011 - it is this one
        pass
    assert feeds_wanted == [feed.recording_id]
    assert (feed.listeners, live.is_wanted(feed.recording_id)) == (0, False)


def test_a_word_that_the_transcript_has_a_little_later_is_not_told_again():
    """The window was cut where all was quiet, some time after its last word had ended."""
    so_far, speech = SoFar(Basis()), LiveSpeech()
    short = TranscriptWord(start=1.1, end=1.4, text="two", confidence=1.0)
    speech.windows.append(HeardWindow(0.0, 2.0, (*words_of(["one"]), short), 0, "en"))
    so_far.add_windows(speech)
    feed = feed_of([])
    feed.lines = so_far.lines
    listener = Told(feed)
    listener.news()
    transcript = feed_of(cut_at(words_of(["one", "two", "three"]), []))
    assert " ".join(listener.again(transcript).news()) == "one two three"
    feed.lines = transcript.lines
    assert " ".join(listener.news()) == "one two three"


def word(text, start, end):
    return TranscriptWord(start=start, end=end, text=text, confidence=1.0)


def part_of(*words, seconds=60):
    answer, heard = part(1, [], seconds)
    return answer, heard.model_copy(update={"words": words})


def test_a_word_over_the_end_of_a_window_is_not_told_again_by_the_part():
    so_far, speech = SoFar(Basis()), LiveSpeech()
    speech.windows.append(HeardWindow(0.0, 10.0, (word("well", 1, 2), word("so", 9.0, 9.9)), 0, "en"))
    so_far.add_windows(speech)
    so_far.add_part(*part_of(word("Well,", 1, 2), word("So,", 9.2, 10.9), word("so", 10.9, 11.2), word("it", 30, 31)))
    assert said(so_far) == "well so so it"


def test_a_word_over_the_end_of_a_part_is_not_told_again_by_the_window():
    so_far, speech = SoFar(Basis()), LiveSpeech()
    so_far.add_part(*part_of(word("I", 58, 58.5), word("go", 59.2, 59.98)))
    again = (word("I", 58, 58.5), word("go", 59.2, 61.0))
    speech.windows.append(HeardWindow(57.0, 65.0, (*again, word("home.", 62, 63)), 0, "en"))
    so_far.add_windows(speech)
    assert said(so_far) == "I go home."


def test_a_word_over_the_end_of_what_was_told_is_not_told_again_by_the_transcript():
    so_far, speech = SoFar(Basis()), LiveSpeech()
    speech.windows.append(window(0, ["one", "two"]))
    so_far.add_windows(speech)
    feed = feed_of([])
    feed.lines = so_far.lines
    listener = Told(feed)
    listener.news()
    feed.lines = feed_of(cut_at([word("One", 0.1, 0.9), word("two,", 1.3, 2.9), word("three", 3, 4)], [])).lines
    assert " ".join(listener.news()) == "one two three"
