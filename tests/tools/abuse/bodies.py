"""Bodies that cost the service much and their senders little: never finished ones, and JSON that is all structure."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

MEBIBYTE = 1024 * 1024
_BLOCK = b"0," * (64 * 1024)


@dataclass
class UnfinishedBodies:
    """Attacks memory: each announces a large body and sends all but its last byte, so that it is held and never used.

    `head`: headers besides those of the body. `address`: of this machine, from which they come.
    `answers`: those that came all the same, a status and the headers each.
    """

    host: str
    port: int
    path: str
    head: Mapping[str, str]
    size_bytes: int
    beginning: bytes = b'{"chunk": ['
    method: str = "POST"
    is_chunked: bool = False
    address: str = "127.0.0.1"
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _reading: list[asyncio.Task[None]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        for reading in self._reading:
            reading.cancel()
        for writer in self._writers:
            writer.close()

    async def send(self, count: int) -> None:
        """Open so many, at once; returns when each has sent all that it will, or has been answered."""
        await asyncio.gather(*(self._send() for _ in range(count)))

    async def _send(self) -> None:
        reader, writer = await asyncio.open_connection(self.host, self.port, local_addr=(self.address, 0))
        self._writers.append(writer)
        answered = asyncio.create_task(self._read(reader))
        self._reading.append(answered)
        sending = asyncio.create_task(self._write(writer))
        await asyncio.wait({answered, sending}, return_when=asyncio.FIRST_COMPLETED)
        if answered.done():
            sending.cancel()

    async def _write(self, writer: asyncio.StreamWriter) -> None:
        length = "Transfer-Encoding: chunked" if self.is_chunked else f"Content-Length: {self.size_bytes}"
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {self.host}", length]
        lines += [f"{name}: {value}" for name, value in self.head.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        left, block = self.size_bytes - 1, self.beginning
        with suppress(ConnectionError):  # that is an answer, too
            while left:
                sent = block[:left]
                writer.write(b"%x\r\n%b\r\n" % (len(sent), sent) if self.is_chunked else sent)
                await writer.drain()
                left, block = left - len(sent), _BLOCK

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status, *lines = head.split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines if line)
            self.answers.append((int(status.split()[1]), headers))


def nested_junk(session_id: str, size_bytes: int = 15 * MEBIBYTE) -> bytes:
    """Attacks the event loop: a chunk of arrays in arrays, each of which the parser makes an object of."""
    return _junk(session_id, b"[[[[]]]],", size_bytes)


def texts_junk(session_id: str, size_bytes: int = 15 * MEBIBYTE) -> bytes:
    """Attacks the event loop and memory: a chunk of millions of texts."""
    return _junk(session_id, b'"a",', size_bytes)


def junk_beside(session_id: str, size_bytes: int = 15 * MEBIBYTE) -> bytes:
    """Attacks the event loop: a sound chunk, and beside it a field that is all structure."""
    head = b'{"session_id": "%b", "is_final": true, "chunk": [1, 2], "more": [' % session_id.encode()
    return head + b"{}," * (size_bytes // 3) + b"{}]}"


def too_many_samples(session_id: str, size_bytes: int = 15 * MEBIBYTE) -> bytes:
    """Attacks memory: sixteen times as many samples as a chunk may have."""
    return _junk(session_id, b"0,", size_bytes)


def deep_metadata(depth: int) -> bytes:
    """Attacks whatever writes again what it has read: an object nested `depth` deep as a recording's `metadata`."""
    return b'{"streaming": true, "metadata": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"


def wide_metadata(count: int) -> bytes:
    """Attacks the event loop: a recording's `metadata` with `count` numbers, each of which is read to the digit."""
    return b'{"streaming": true, "metadata": {"a": [' + b"1.5," * (count - 1) + b"1.2345678901234567890]}}"


def _junk(session_id: str, piece: bytes, size_bytes: int) -> bytes:
    head = b'{"session_id": "%b", "is_final": false, "chunk": [' % session_id.encode()
    return head + piece * (size_bytes // len(piece)) + b"0]}"
