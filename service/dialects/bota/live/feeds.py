"""What is known of the recordings that somebody listens to: read once, whoever and however many listen."""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, aclosing, contextmanager, suppress
from itertools import takewhile
from uuid import UUID

from adapters.blobs.port import StorageUnavailable
from adapters.event_log.port import LogUnavailable
from adapters.speech.transcript import TranscriptSegment
from adapters.sqlite_file import DatabaseUnavailable
from domain.errors import RecordingNotFound
from domain.events import PartHeard
from domain.recording import Recording
from service.application.live_words import LiveSpeech, LiveWords
from service.application.progress import Changes, Pace, progress_of
from service.application.queries import Queries
from service.dialects.bota.live.places import Basis
from service.dialects.bota.live.so_far import SoFar
from service.dialects.bota.live.told import End, Line, basis_of, deleted_end, end_of, lines, progress_data
from service.dialects.bota.strict_transcripts import strict

MOST_OFTEN_SECONDS = 0.25
"""There is news of a recording at most so often, however many chunks arrive."""

LARGE_TRANSCRIPT_BYTES = 1024 * 1024
"""Of a larger one, hours of speech, listeners are told only where to get it: what they are told is in memory."""

logger = logging.getLogger(__name__)


class Feed:
    """One recording, for all who listen to it.

    `lines`: what was said so far; it only grows, and is another list once some of it was withdrawn, or the transcript
    is there. `basis`: what they rest on. `interim`: what is being said, and is not settled. `has_stopped`: there is no
    more news, because `end` is known, or because the log or the blobs cannot be read.
    """

    def __init__(self, recording_id: UUID, queries: Queries, pace: Pace, live: LiveWords) -> None:
        self.recording_id = recording_id
        self._queries = queries
        self._pace = pace
        self._live = live
        self.lines: list[Line] = []
        self.basis = Basis()
        self.interim: TranscriptSegment | None = None
        self.progress: bytes | None = None
        self.end: End | None = None
        self.has_stopped = False
        self.listeners = 0
        self._grown = asyncio.Event()
        self._looking = asyncio.Lock()
        self._looks = 0
        self._so_far: SoFar | None = None
        self._speech = LiveSpeech()
        self._following = 0
        self._heard_along = ExitStack()

    @contextmanager
    def listened_to(self, *, follows: bool) -> Iterator[None]:
        """By one more listener. `follows`: it waits for what comes, so that is heard at once."""
        self.listeners += 1
        self._following += follows
        try:
            if follows and self._following == 1:
                self._speech = self._heard_along.enter_context(self._live.listened_to(self.recording_id))
            yield
        finally:
            self.listeners -= 1
            self._following -= follows
            if follows and not self._following:
                self._heard_along.close()

    async def news(self) -> None:
        """Return after the next news."""
        await self._grown.wait()

    async def follow(self, changes: Changes) -> None:
        """Until the end, or until cancelled."""
        try:
            async with aclosing(changes.changes(self.recording_id)) as wakes:
                async for _ in wakes:
                    await self.look()
                    if self.has_stopped:
                        return
                    await asyncio.sleep(MOST_OFTEN_SECONDS)
        finally:
            self.has_stopped = True
            self._tell()

    async def look(self) -> None:
        """Return once all is known here that any process had committed before this call. Calls at once share a look."""
        asked = self._looks + 1
        async with self._looking:
            if self._looks >= asked or self.has_stopped:
                return
            self._looks += 1
            try:
                await self._look()
            except BaseException:
                self._looks -= 1  # it was none: another caller has to
                raise
        self._tell()

    async def _look(self) -> None:
        try:
            recording = await self._queries.newest(self.recording_id)
            with suppress(RecordingNotFound):  # what was said is erased; what erased it is the next news
                await self._take(recording)
        except RecordingNotFound:
            self._forget()
            self.end = deleted_end(self.recording_id)
        except (LogUnavailable, DatabaseUnavailable, StorageUnavailable) as error:
            logger.warning("listeners are told to come back", extra={"because": str(error)})
            self.has_stopped = True
        self.has_stopped = self.has_stopped or self.end is not None

    def _forget(self) -> None:
        """Of what was said, nothing is told any more, also to those who were not told it yet."""
        self.lines, self.interim, self.progress, self._so_far = [], None, None, None
        self._speech = LiveSpeech()

    def _tell(self) -> None:
        """Wake all who wait for news."""
        self._grown.set()
        self._grown = asyncio.Event()

    async def _take(self, recording: Recording) -> None:
        """Raises: RecordingNotFound, if what was said has been erased since; StorageUnavailable."""
        transcribed = recording.transcribed
        if transcribed is None:
            await self._hear(recording)
        else:
            self.interim = None
            if transcribed.size_bytes <= LARGE_TRANSCRIPT_BYTES:
                transcript, basis = await self._queries.transcript(transcribed), basis_of(recording)
                found = await asyncio.to_thread(lambda: list(lines(strict(transcript).segments, after=[], basis=basis)))
                self.lines, self.basis = found, basis
        self.progress = progress_data(recording, progress_of(recording, self._pace))
        self.end = end_of(self.recording_id, recording)

    async def _hear(self, recording: Recording) -> None:
        """What is settled by what was not heard of before; all of it anew if some of that is void.

        Raises: as `_take`.
        """
        parts, basis, so_far = _in_one_language(recording.heard_from_the_start()), basis_of(recording), self._so_far
        if so_far is None or not so_far.holds(parts, basis):
            so_far = SoFar(basis)
        for part in so_far.new_of(parts):
            so_far.add_part(part, await self._queries.heard_part(part))
        so_far.add_windows(self._speech)
        self.interim = so_far.interim(self._speech)
        self._so_far, self.lines, self.basis = so_far, so_far.lines, basis


def _in_one_language(parts: Iterable[PartHeard]) -> list[PartHeard]:
    """The first parts, up to one in another language: that is being heard anew."""
    found = list(parts)
    return list(takewhile(lambda part: part.language == found[0].language, found))


class Feeds:
    """The feeds of all recordings that somebody listens to. Used from one event loop."""

    def __init__(self, changes: Changes, queries: Queries, pace: Pace, live: LiveWords) -> None:
        self._live = live
        self._changes = changes
        self._queries = queries
        self._pace = pace
        self._feeds: dict[UUID, tuple[Feed, asyncio.Task[None]]] = {}

    @contextmanager
    def of(self, recording_id: UUID, *, follows: bool) -> Iterator[Feed]:
        """The recording's feed, which is kept for as long as anybody listens, and no longer than it has news.

        `follows`: as for `Feed.listened_to`.
        """
        found = self._feeds.get(recording_id)
        if found is None or found[0].has_stopped:
            feed = Feed(recording_id, self._queries, self._pace, self._live)
            task = asyncio.create_task(feed.follow(self._changes), name="live feed")
            found = self._feeds[recording_id] = feed, task
        feed, task = found
        try:
            with feed.listened_to(follows=follows):
                yield feed
        finally:
            if not feed.listeners:
                task.cancel()
                if self._feeds.get(recording_id) == found:
                    del self._feeds[recording_id]
