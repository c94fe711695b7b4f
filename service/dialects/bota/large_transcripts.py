"""Large transcripts take turns: whoever asks for many at once takes neither the memory nor the time of others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from domain.summary import RecordingSummary
from service.application.keyed_locks import KeyedLocks

LARGE_BYTES = 1024 * 1024
"""As JSON: hours of speech. In memory it is many times as much."""


class LargeTranscripts:
    """One is read and written at a time, and at most one of each project waits before the others'."""

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()
        self._of_projects = KeyedLocks()

    @asynccontextmanager
    async def turn(self, summary: RecordingSummary) -> AsyncIterator[None]:
        """For reading the transcript and writing what is answered of it. Small ones need no turn."""
        if summary.transcribed is None or summary.transcribed.size_bytes < LARGE_BYTES:
            yield
            return
        async with self._of_projects.of(summary.tenant_id), self._one_at_a_time:
            yield
