"""A TCP proxy that breaks connections on request."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from tests.support.mosquitto import free_port


class Proxy:
    """Forwards connections to 127.0.0.1:`target`; see `proxy` below."""

    def __init__(self, target: int, piece: int = 0, delay: float = 0.0) -> None:
        self.target = target
        self._piece = piece  # bytes forwarded at a time, 0: as they come
        self._delay = delay  # seconds that everything takes longer
        self.port = free_port()
        self.connections = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    def cut(self) -> None:
        """Ends every connection at once, as a reset; what was on the way is lost."""
        for writer in list(self._writers):
            writer.transport.abort()

    def stall(self) -> None:
        """Takes bytes no further, without a word, as a network that swallows packets."""
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    async def close(self) -> None:
        self.flow()
        self.cut()
        await asyncio.gather(*self._handlers)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.create_task(self._handle(reader, writer))
        self._handlers.add(handler)
        handler.add_done_callback(self._handlers.discard)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._writers -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._flowing.wait()
                await asyncio.sleep(self._delay)
                for start in range(0, len(data), self._piece or len(data)):
                    writer.write(data[start : start + (self._piece or len(data))])
                    await writer.drain()
                    await asyncio.sleep(0)  # one system call for each piece
        with contextlib.suppress(OSError):
            writer.close()
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def proxy(target: int, *, piece: int = 0, delay: float = 0.0) -> AsyncIterator[Proxy]:
    """A running proxy to 127.0.0.1:`target`, which may forward a few bytes at a time, or everything late."""
    it = Proxy(target, piece, delay)
    server = await asyncio.start_server(it.accept, "127.0.0.1", it.port)
    try:
        yield it
    finally:
        server.close()
        await it.close()
        await server.wait_closed()
