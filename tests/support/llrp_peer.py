"""A plain LLRP client over TCP for tests of the emulator: it reads frames, asks, and keeps what it was told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import asynccontextmanager

from drivers.llrp.protocol.codec import Message, decode, encode
from drivers.llrp.protocol.element import E, Element
from drivers.llrp.protocol.framing import Frames
from tests.support.virtual_reader import code, epc, events, tags


class Peer:
    """`messages`: all that came; `seen`: the EPCs in them, in order; `ended`: the reader ended the connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.messages: list[Message] = []
        self.seen: list[bytes] = []
        self.ended = False
        self.reset = False
        self.reading = asyncio.Event()
        self.reading.set()
        self._reader, self._writer = reader, writer
        self._id = 0
        self._news = asyncio.Condition()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        frames = Frames()
        try:
            while data := await self._reader.read(65536):
                for _, _, _, frame in frames.feed(data):
                    self.messages.append(decode(frame))
                    self.seen += map(epc, tags(self.messages[-1:]))
                async with self._news:
                    self._news.notify_all()
                await self.reading.wait()
        except ConnectionResetError:
            self.reset = True
        self.ended = True
        async with self._news:
            self._news.notify_all()

    async def until(self, condition: Callable[[], bool], timeout: float = 60.0) -> None:
        async with asyncio.timeout(timeout), self._news:
            await self._news.wait_for(condition)

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def send(self, body: Element) -> int:
        self._id += 1
        self.write(encode(Message(body.name, self._id, body)))
        return self._id

    async def ask(self, body: Element) -> Message:
        """The answer to a request, which must be a success."""
        identity = self.send(body)
        answers = lambda: [m for m in self.messages if m.name == body.name + "_RESPONSE" and m.id == identity]  # noqa: E731
        await self.until(lambda: bool(answers()))
        assert code(answers()[0]) == 0
        return answers()[0]

    async def run(self, rospec: Element, *, hold: bool = False) -> None:
        """Has the reader inventory; `hold`: and keep its reads while nobody is connected."""
        if hold:
            holding = E("EventsAndReports", HoldEventsAndReportsUponReconnect=True)
            await self.ask(E("SET_READER_CONFIG", holding, ResetToFactoryDefault=False))
        await self.ask(E("ADD_ROSPEC", rospec))
        await self.ask(E("ENABLE_ROSPEC", ROSpecID=rospec["ROSpecID"]))

    @property
    def welcome(self) -> int | None:
        """The status of the ConnectionAttemptEvent that opened the connection."""
        attempts = events(self.messages, "ConnectionAttemptEvent")
        return attempts[0]["Status"] if attempts else None

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)


@asynccontextmanager
async def peer(port: int, *, welcome: int = 0):
    """A client of the reader on `port`; it has been welcomed with that status.

    Its receive buffer is small, so that the reader feels at once when it stops reading.
    """
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
    try:
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    except OSError:
        sock.close()
        raise
    client = Peer(*await asyncio.open_connection(sock=sock, limit=32768))
    try:
        await client.until(lambda: client.welcome is not None)
        assert client.welcome == welcome
        yield client
    finally:
        await client.close()
