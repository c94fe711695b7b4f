"""Server-sent events: answers that go on for as long as there may be something to tell (the HTML standard, 9.2).

A listener keeps the id of the last event that it has read, and a new request with that id goes on from there. So a
stream may end at any time: because the service stops, the listener reads too slowly, or its key was revoked.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Protocol

from aiohttp import hdrs, web

from service.dialects.http.gzip_pieces import GzipStream, is_accepted
from service.dialects.http.sent_events import EncodedEvents, Tellable, blocks
from service.dialects.http.tracing import CLIENT_GONE, STATUS_TOLD

HEARTBEAT_SECONDS = 10.0
"""How long a stream may be silent, and how often it is checked whether its listener is there and still may listen."""

PATIENCE_SECONDS = 30.0
"""Within which a listener must take what was sent to it."""

UNSENT_BYTES = 64 * 1024
"""What the system keeps of a stream that nobody reads."""

PIECE_BYTES = 64 * 1024 + 1
"""A stream's own memory: no more is sent before the listener has taken what was sent before. aiohttp waits for that
after a write of more than 64 KiB."""

COMES_BACK_SECONDS = (1.0, 5.0)
"""After how long a listener should come back. At different times: all at once would be a burden to who starts."""

MEDIA_TYPE = "text/event-stream"
LAST_EVENT_ID = "Last-Event-ID"
_HEADERS = {
    hdrs.CONTENT_TYPE: MEDIA_TYPE,
    hdrs.CACHE_CONTROL: "no-store",
    hdrs.VARY: hdrs.ACCEPT_ENCODING,
    "X-Accel-Buffering": "no",  # nginx would keep events until its buffer is full
    "X-Content-Type-Options": "nosniff",
}
_HEARTBEAT = EncodedEvents(b":\n\n")

logger = logging.getLogger(__name__)


class Source(Protocol):
    """What one listener is to be told."""

    async def next(self) -> Sequence[Tellable]:
        """What comes next, as soon as there is any; empty at the end. A call that is cancelled loses nothing."""
        ...

    @property
    def place(self) -> str | None:
        """From where the listener would go on now, if that moves although it is told nothing."""
        ...


class TooManyListeners(Exception):
    def __init__(self, most: int) -> None:
        super().__init__(f"{most} listeners are connected, which is as many as the service takes; try again later.")


class TooManyListenersOfOne(Exception):
    def __init__(self, most: int) -> None:
        super().__init__(
            f"This project has {most} listeners connected, which is half of what the service takes; close some of them."
        )


class EventStreams:
    """All streams of a service. `most`: how many there may be at once; those of one caller at most half of them.

    Used from one event loop.
    """

    def __init__(
        self,
        most: int,
        *,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
        random: Random,
    ) -> None:
        self._most = most
        self._heartbeat_seconds = heartbeat_seconds
        self._patience_seconds = patience_seconds
        self._random = random
        self._has_ended = False
        self._streams: set[_Stream] = set()
        self._of_callers: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._streams)

    def end(self) -> None:
        """Tell all listeners to come back, also those that come from now on. One that does not read is cut off."""
        self._has_ended = True
        for stream in self._streams:
            stream.end()

    async def answer(
        self, request: web.Request, source: Source, *, caller: str, is_permitted: Callable[[], Awaitable[bool]]
    ) -> web.StreamResponse:
        """Send what `source` gives until it ends, or the stream does. `is_permitted`: asked from time to time.

        Raises: TooManyListeners, TooManyListenersOfOne, before anything is sent.
        """
        response = web.StreamResponse(headers=_HEADERS)
        in_gzip = is_accepted(request.headers.get(hdrs.ACCEPT_ENCODING, ""))
        if in_gzip:
            response.headers[hdrs.CONTENT_ENCODING] = "gzip"
        if request.method == hdrs.METH_HEAD:
            await response.prepare(request)
            return response
        comes_back_ms = round(self._random.uniform(*COMES_BACK_SECONDS) * 1000)
        with self._admitted(caller):
            stream = _Stream(request, response, GzipStream() if in_gzip else None, self._patience_seconds)
            self._streams.add(stream)
            try:
                await response.prepare(request)
                stream.keep_little()
                await stream.send(_first(comes_back_ms, source.place))
                await self._tell(stream, source, is_permitted)
                await stream.finish()
            except (ConnectionError, TimeoutError):
                stream.cut()
            except BaseException:
                stream.cut()  # an answer to the error would be written into the stream
                raise
            finally:
                self._streams.discard(stream)
        return response

    async def _tell(self, stream: "_Stream", source: Source, is_permitted: Callable[[], Awaitable[bool]]) -> None:
        loop = asyncio.get_running_loop()
        check_at = loop.time() + self._heartbeat_seconds
        while not self._has_ended:
            events = await stream.next(source, until=check_at)
            if events is not None and not events:
                return
            for block in blocks(events or ()):
                await stream.send(block)
            if loop.time() >= check_at:
                check_at = loop.time() + self._heartbeat_seconds
                if not await is_permitted():
                    return
                await stream.beat(source.place)

    @contextmanager
    def _admitted(self, caller: str) -> Iterator[None]:
        if len(self._streams) >= self._most:
            raise TooManyListeners(self._most)
        most_of_one = max(1, self._most // 2)
        if self._of_callers[caller] >= most_of_one:
            raise TooManyListenersOfOne(most_of_one)
        self._of_callers[caller] += 1
        try:
            yield
        finally:
            self._of_callers[caller] -= 1
            if not self._of_callers[caller]:
                del self._of_callers[caller]


def _first(comes_back_ms: int, place: str | None) -> EncodedEvents:
    """With the place, so that a listener that is cut off before it was told anything misses nothing."""
    its_id = b"" if place is None else b"id: %b\n" % place.encode()
    return EncodedEvents(b"retry: %d\n%b\n" % (comes_back_ms, its_id))


class _Stream:
    """One listener's connection. Raises ConnectionError, TimeoutError when sending: the listener is gone, or reads too
    slowly."""

    def __init__(
        self, request: web.Request, response: web.StreamResponse, gzip: GzipStream | None, patience_seconds: float
    ) -> None:
        self._request = request
        self._response = response
        self._gzip = gzip
        self._patience_seconds = patience_seconds
        self._waiting: asyncio.Timeout | None = None
        self._is_sending = False
        self._was_silent = False
        self._unread_since: float | None = None

    def keep_little(self) -> None:
        """Have the system keep little of what is not read, or it keeps megabytes for each listener."""
        transport = self._request.transport
        connection = transport.get_extra_info("socket") if transport is not None else None
        if connection is not None:
            connection.setsockopt(SOL_SOCKET, SO_SNDBUF, UNSENT_BYTES)
        self._response.force_close()  # the next request on this connection would have the small buffer, too

    async def next(self, source: Source, *, until: float) -> Sequence[Tellable] | None:
        """What comes next; None if there is nothing until then, or the stream is to end."""
        try:
            async with asyncio.timeout_at(until) as self._waiting:
                return await source.next()
        except TimeoutError:
            return None
        finally:
            self._waiting = None

    def end(self) -> None:
        """Have `next` return, or cut the stream off if its listener is not reading."""
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(0)
        elif self._is_sending:
            self.cut()

    async def send(self, block: EncodedEvents) -> None:
        self._was_silent = False
        data = block.data if self._gzip is None else self._gzip.add(block.deflated)
        for start in range(0, len(data), PIECE_BYTES):
            await self._sent(self._response.write(data[start : start + PIECE_BYTES]))

    async def finish(self) -> None:
        """Tell the end of the answer."""
        await self._sent(self._response.write_eof(b"" if self._gzip is None else self._gzip.end()))

    async def _sent(self, sending: Awaitable[None]) -> None:
        self._is_sending = True
        try:
            async with asyncio.timeout(self._patience_seconds):
                await sending
        except TimeoutError:
            self._say_too_slow()
            raise
        finally:
            self._is_sending = False

    async def beat(self, place: str | None) -> None:
        """Check that the listener is there and reads; send a sign of life, with the place, if there was nothing else to
        send. An id without data is no event, and yet is kept by the listener (9.2.6)."""
        transport = self._request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError
        if not transport.get_write_buffer_size():
            self._unread_since = None
        else:
            now = asyncio.get_running_loop().time()
            self._unread_since = self._unread_since or now
            if now - self._unread_since >= self._patience_seconds:
                self._say_too_slow()
                raise TimeoutError
        if self._was_silent:
            await self.send(_HEARTBEAT if place is None else EncodedEvents(b"id: %b\n\n" % place.encode()))
        self._was_silent = True

    def cut(self) -> None:
        """End the connection without regard to what is not sent yet."""
        self._request[STATUS_TOLD] = CLIENT_GONE
        if self._request.transport is not None:
            self._request.transport.abort()

    def _say_too_slow(self) -> None:
        logger.info("a listener read too slowly and was cut off", extra={"seconds": self._patience_seconds})
