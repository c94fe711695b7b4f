"""What one listener is told of a recording: what its feed has, from where the listener was before."""

from collections.abc import Sequence

from service.dialects.bota.live.feeds import Feed
from service.dialects.bota.live.told import Line, Place, segment_event, withdrawn_event
from service.dialects.http.event_streams import ServerSentEvent


class Listener:
    """Reads a feed. `place`: of the last event that it was told. `follows`: whether to wait for what comes later."""

    def __init__(self, feed: Feed, place: Place | None, *, follows: bool) -> None:
        self._feed = feed
        self._place = place or Place()
        self._follows = follows
        self._lines: list[Line] | None = None
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
        kept = self._kept_of(now)
        if kept < self._place.count:
            self._place = _place(now, kept)
            events.append(withdrawn_event(self._place))
        events += [segment_event(line, count) for count, line in enumerate(now[kept:], kept + 1)]
        self._lines, self._place = now, _place(now, len(now))
        if progress != self._progress:
            self._progress = progress
            events.append(ServerSentEvent("progress", progress, str(self._place)))
        return events

    def _kept_of(self, now: list[Line]) -> int:
        """How many of the segments that the listener has are the same now."""
        count, before = self._place.count, self._lines
        if before is now or _place(now, min(count, len(now))).mark == self._place.mark:
            return count
        if before is None:
            return 0
        marks = zip(before[:count], now, strict=False)
        return sum(1 for was, line in marks if was.mark == line.mark)


def _place(lines: list[Line], count: int) -> Place:
    return Place(count, lines[count - 1].mark) if count else Place()
