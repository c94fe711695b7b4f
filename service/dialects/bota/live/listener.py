"""What one listener is told of a recording: what its feed has, from where the listener was before."""

from collections.abc import Sequence
from dataclasses import replace

from adapters.speech.transcript import TranscriptSegment
from service.dialects.bota.live.feeds import Feed
from service.dialects.bota.live.places import Place
from service.dialects.bota.live.told import Line, interim_event, withdrawn_event
from service.dialects.http.sent_events import ServerSentEvent


class Listener:
    """Reads a feed. `place`: of the last event that it was told. `follows`: whether to wait for what comes later.

    It counts its segments itself: the feed may have what it was told in more of them by now.
    """

    def __init__(self, feed: Feed, place: Place | None, *, follows: bool) -> None:
        self._feed = feed
        self._place = place or Place()
        self._follows = follows
        self._lines: list[Line] = []
        self._read = 0
        self._interim: TranscriptSegment | None = None
        self._progress: bytes | None = None
        self._has_looked = False
        self._has_ended = False

    async def has_all(self) -> bool:
        """Whether the listener was told the end, and that still is the end."""
        await self._look()
        end = self._feed.end
        return end is not None and end.mark is not None and end.mark == self._place.end

    async def next(self) -> Sequence[ServerSentEvent]:
        """See `Source.next`."""
        await self._look()
        while not self._has_ended and not (self._feed.has_stopped and self._feed.end is None):
            self._has_ended = self._feed.end is not None or not self._follows
            if events := self._news():
                return events
            if not self._has_ended:
                await self._feed.news()
        return ()

    @property
    def place(self) -> None:
        """It moves with what is told only."""

    async def _look(self) -> None:
        """Once: a feed that others have listened to may not know yet what was answered before the listener came."""
        if not self._has_looked:
            await self._feed.look()
            self._has_looked = True

    def _news(self) -> list[ServerSentEvent]:
        """What the listener was not told yet; now it is."""
        events = [] if self._feed.progress is None else self._news_of_its_life(self._feed.progress)
        end = self._feed.end
        if end is not None:
            events.append(ServerSentEvent(end.event, end.data, str(replace(self._place, end=end.mark))))
        return events

    def _news_of_its_life(self, progress: bytes) -> list[ServerSentEvent]:
        events: list[ServerSentEvent] = []
        now = self._feed.lines
        count, kept = self._kept_of(now)
        if kept is None:
            new = self._after_what_was_told(now)
        else:
            new = now[kept:]
            if count < self._place.count:
                self._place = now[kept - 1].place(count) if kept else Place()
                events.append(withdrawn_event(self._place))
        events += [line.event(number) for number, line in enumerate(new, count + 1)]
        if new or kept is not None:  # else what the feed has grows, up to where the listener is
            self._lines, self._read = now, len(now)
        self._place = new[-1].place(count + len(new)) if new else replace(self._place, end=None)
        if self._feed.interim != self._interim:
            self._interim = self._feed.interim
            events.append(interim_event(self._interim))
        if progress != self._progress:
            self._progress = progress
            events.append(ServerSentEvent("progress", progress, str(self._place)))
        return events

    def _after_what_was_told(self, now: list[Line]) -> list[Line]:
        """What is said after the time up to which the listener has been told."""
        since = self._place.since
        last = self._lines[self._read - 1].last_word if self._read else None
        found = ((at, line.after(since.until_ms, last)) for at, line in enumerate(now)) if since is not None else ()
        for at, line in found:
            if line is not None:
                return [line, *now[at + 1 :]]
        return []

    def _kept_of(self, now: list[Line]) -> tuple[int, int | None]:
        """How many of the segments that the listener has still hold, and in how many of the feed's these are.

        None, if all stand, and the feed has others in their place.
        """
        before, count = self._lines, self._place.count
        if before is now or not count:
            return count, self._read if before is now else 0
        kept_at = {line.mark: kept for kept, line in enumerate(now, 1)}
        if self._place.mark in kept_at:
            return count, kept_at[self._place.mark]
        if self._place.since is not None and self._place.since.basis == self._feed.basis:
            return count, None
        for fewer in range(1, min(count, self._read)):
            mark = before[self._read - fewer - 1].mark
            if mark in kept_at:
                return count - fewer, kept_at[mark]
        return 0, 0
