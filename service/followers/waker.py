"""Lets a request wait until its recording has come as far as it wants. Nothing is kept: asking again waits anew."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from adapters.event_log.log import EventLog
from domain.recording import Recording
from service.application.recordings import Recordings


class Waker:
    """Follows the log and wakes the requests that wait for the recordings in it."""

    name = "waker"

    def __init__(self, log: EventLog, recordings: Recordings) -> None:
        self._log = log
        self._recordings = recordings
        self._waiting: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)
        self._versions: dict[UUID, int] = {}
        self._position = log.head

    async def run(self) -> None:
        """Follow the log until cancelled, from where it was when this was made."""
        async for events in self._log.follow(after=self._position):
            for recorded in events if self._waiting else ():
                if recorded.stream_id in self._waiting:
                    self._versions[recorded.stream_id] = recorded.version
                    for woken in self._waiting[recorded.stream_id]:
                        woken.set()
            self._position = events[-1].position

    async def until(self, recording_id: UUID, reached: Callable[[Recording], bool]) -> Recording:
        """The recording, as soon as `reached` is true of it.

        Raises: RecordingNotFound; LogUnavailable.
        """
        with self._woken_by(recording_id) as woken:
            while True:
                version = self._versions.get(recording_id, 0)
                recording = await self._recordings.find(recording_id, at_least=version)
                if reached(recording):
                    return recording
                await woken.wait()
                woken.clear()

    async def changes(self, recording_id: UUID) -> AsyncGenerator[None]:
        """Yields at once, and again each time after something happened to the recording."""
        with self._woken_by(recording_id) as woken:
            while True:
                yield
                await woken.wait()
                woken.clear()

    def wake(self, recording_id: UUID) -> None:
        """Something happened to the recording that is not in the log."""
        for woken in self._waiting.get(recording_id, ()):
            woken.set()

    @contextmanager
    def _woken_by(self, recording_id: UUID) -> Iterator[asyncio.Event]:
        """An event that is set whenever something happens to the recording."""
        woken = asyncio.Event()
        self._waiting[recording_id].add(woken)
        try:
            yield woken
        finally:
            self._waiting[recording_id].discard(woken)
            if not self._waiting[recording_id]:
                del self._waiting[recording_id]
                self._versions.pop(recording_id, None)
