"""What the service and one of its API processes tell each other, as JSON lines over a pair of sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

LONGEST_LINE_BYTES = 4 * 1024 * 1024

Message = tuple[str, Any]
"""What it is, and what it says."""

# To an API process:
HELLO, LEADS, DRAIN, REPORT, STOP = "hello", "leads", "drain", "report", "stop"
# From it:
READY, HEAD, METRICS = "ready", "head", "metrics"


@dataclass(frozen=True, slots=True)
class Channel:
    """One end."""

    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter

    @classmethod
    async def over(cls, end: socket.socket) -> "Channel":
        reader, writer = await asyncio.open_connection(sock=end, limit=LONGEST_LINE_BYTES)
        return cls(reader, writer)

    def tell(self, what: str, said: Any = None) -> None:
        """Without waiting. Who has ended is told nothing."""
        if not self._writer.is_closing():
            self._writer.write(orjson.dumps([what, said]) + b"\n")

    async def messages(self) -> AsyncIterator[Message]:
        """Until the other process has ended, or closed its end."""
        with suppress(ConnectionError):
            while line := await self._reader.readline():
                what, said = orjson.loads(line)
                yield what, said

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()
