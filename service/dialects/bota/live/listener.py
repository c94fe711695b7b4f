"""What one listener is told of a recording: what its feed has, from where the listener was before."""

from collections.abc import Sequence

from service.dialects.bota.live.feeds import Feed
from service.dialects.bota.live.told import NO_MARK, Line, Place, withdrawn_event
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
            place = Place(self._place.count, self._place.mark, end.mark)
            events.append(ServerSentEvent(end.event, end.data, str(place)))
        return events

    def _news_of_its_life(self, progress: bytes) -> list[ServerSentEvent]:
        events: list[ServerSentEvent] = []
        now = self._feed.lines
        count, kept = self._kept_of(now)
        if count < self._place.count:
            self._place = Place(count, _mark(now, kept))
            events.append(withdrawn_event(self._place))
        events += [line.event(number) for number, line in enumerate(now[kept:], count + 1)]
        self._lines, self._read = now, len(now)
        self._place = Place(count + len(now) - kept, _mark(now, len(now)))
        if progress != self._progress:
            self._progress = progress
            events.append(ServerSentEvent("progress", progress, str(self._place)))
        return events

    def _kept_of(self, now: list[Line]) -> tuple[int, int]:
        """How many of the segments that the listener has still hold, and in how many of the feed's these are."""
        before, count = self._lines, self._place.count
        if before is now or not count:
            return count, self._read if before is now else 0
        kept_at = {line.mark: kept for kept, line in enumerate(now, 1)}
        if self._place.mark in kept_at:
            return count, kept_at[self._place.mark]
        for fewer in range(1, min(count, self._read)):
            mark = before[self._read - fewer - 1].mark
            if mark in kept_at:
                return count - fewer, kept_at[mark]
        return 0, 0


def _mark(lines: list[Line], count: int) -> str:
    return lines[count - 1].mark if count else NO_MARK
