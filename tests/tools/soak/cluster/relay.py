"""A relay of TCP connections, which can cut them, slow them, hold what they carry and refuse new ones."""

import asyncio
from contextlib import suppress

from tests.tools.free_ports import free_port

_BLOCK_BYTES = 65_536
_SLOW_SECONDS = 0.05
"""How much later each block comes while the relay is slow."""


class Relay:
    """Between clients, which connect to `port`, and the server at `to_port`; both are on 127.0.0.1."""

    def __init__(self, to_port: int, *, port: int | None = None) -> None:
        self.port = port or free_port()
        self._to_port = to_port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._delay_seconds = 0.0

    async def open(self) -> "Relay":
        """Accept connections, at first or again."""
        if self._server is None:
            self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port, limit=_BLOCK_BYTES)
        return self

    async def refuse(self) -> None:
        """Cut all connections and accept none, until it is opened again."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()

    def cut(self) -> None:
        """Reset all connections; new ones are accepted."""
        for writer in self._writers:
            writer.transport.abort()

    def hold(self) -> None:
        """Accept connections and bytes, and pass nothing on, as a network does that drops every packet."""
        self._flows.clear()

    def slow_down(self) -> None:
        self._delay_seconds = _SLOW_SECONDS

    async def calm(self) -> None:
        """As at first: what was held is passed on."""
        self._delay_seconds = 0.0
        self._flows.set()
        await self.open()

    async def _relay(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self._writers.add(to_client)
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:  # the server is away: so is the relay for this client
            to_client.transport.abort()
            self._writers.discard(to_client)
            return
        self._writers.add(to_server)
        try:
            async with asyncio.TaskGroup() as both_ways:
                both_ways.create_task(self._pass(from_client, to_server))
                both_ways.create_task(self._pass(from_server, to_client))
        finally:
            for writer in (to_client, to_server):
                writer.transport.abort()
                self._writers.discard(writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """All that comes, and that nothing more will. A connection that is lost at one end is cut at the other."""
        try:
            while block := await reader.read(_BLOCK_BYTES):
                await self._flows.wait()
                if self._delay_seconds:
                    await asyncio.sleep(self._delay_seconds)
                writer.write(block)
                await writer.drain()
            await self._flows.wait()
            with suppress(OSError):  # the other end has gone meanwhile
                writer.write_eof()
        except OSError:
            writer.transport.abort()
