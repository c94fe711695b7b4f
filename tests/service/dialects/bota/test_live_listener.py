"""What a listener is told when what was said turns out to be cut in other segments, or to be something else."""

from uuid import UUID

import orjson
from hypothesis import given
from hypothesis import strategies as st

from adapters.speech.transcript import TranscriptSegment
from service.dialects.bota.live.feeds import Feed
from service.dialects.bota.live.listener import Listener
from service.dialects.bota.live.told import Place, lines

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def segments_of(texts, **named):
    return [TranscriptSegment(start=at, end=at + 1, text=text, words=(), **named) for at, text in enumerate(texts)]


def feed_with(texts, **named):
    feed = Feed(UUID(int=1), None, None)
    feed.progress = b"{}"
    feed.lines = list(lines(segments_of(texts, **named), after=[]))
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
            self.last_id = event.id
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
    listener.feed.lines = feed_with(after).lines
    assert listener.news() == after
    same = next((at for at, (was, now) in enumerate(zip(before, after, strict=False)) if was != now), None)
    assert listener.withdrawn == ([same] if same is not None else [len(after)] * (len(after) < len(before)))
    assert listener.again(feed_with(after)).news() == after


def test_a_listener_that_comes_back_after_what_it_has_was_withdrawn_is_told_all_anew():
    listener = Told(feed_with(["one", "two"]))
    listener.news()
    back = listener.again(feed_with(["one", "three"]))
    assert (back.news(), back.withdrawn) == (["one", "three"], [0])
