"""The LLRP driver on real sockets: a rig that runs it, and readers that do exactly what a test scripts."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from random import Random
from typing import Any

import structlog

from drivers.api import Antenna, Batch, DriverContext, DriverError, DriverFactory, Item, ReaderUp
from drivers.backoff import delays
from drivers.llrp import FACTORY
from drivers.llrp.protocol.codec import Message, decode, encode
from drivers.llrp.protocol.element import E, Element
from drivers.llrp.protocol.framing import Frames
from drivers.llrp.protocol.tables import PARAMETERS_BY_NAME
from tests.support.llrp_bench import OK, capabilities, event, failed

DEADLINE = 60.0


class Rig:
    """A driver and what it gave. Times out loudly instead of hanging."""

    def __init__(
        self, antennas: Sequence[Antenna] = (Antenna(1),), *, factory: DriverFactory = FACTORY, **settings: Any
    ) -> None:
        self.items: list[Item] = []
        self._news = asyncio.Event()
        context = DriverContext("r1", tuple(antennas), self._sink, self.now, structlog.get_logger())
        self.driver = factory.build(context, factory.settings(**settings))
        self.failures: list[DriverError] = []
        self._task: asyncio.Task[None] | None = None

    @staticmethod
    def now() -> int:
        return time.time_ns() // 1000

    def _sink(self, item: Item) -> None:
        self.items.append(item)
        self._news.set()

    async def fails(self) -> DriverError:
        """Runs the driver once, and gives the error that ended it."""
        try:
            async with asyncio.timeout(DEADLINE):
                await self.driver.run()
        except DriverError as error:
            return error
        raise AssertionError("run() returned")

    @contextlib.asynccontextmanager
    async def running(self, *, again: bool = False) -> AsyncIterator[Rig]:
        """The driver runs; with `again` it is run again after each failure, as the gateway does."""
        self._task = asyncio.create_task(self._run(again=again))
        try:
            yield self
        finally:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, *, again: bool) -> None:
        waits = delays(Random(1), first=0.1, cap=0.3)
        while True:
            try:
                await self.driver.run()
            except DriverError as error:
                self.failures.append(error)
                self._news.set()
                if not again:
                    return
            await asyncio.sleep(next(waits))

    async def until(self, condition: Callable[[], object], what: str, timeout: float = DEADLINE) -> None:
        """Waits until `condition` holds; looks whenever something has come, and now and then."""
        end = asyncio.get_running_loop().time() + timeout
        while not condition():
            if asyncio.get_running_loop().time() > end:
                raise AssertionError(f"not within {timeout:g} s: {what}; failures: {self.failures}")
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), 0.05)

    def of(self, kind: type[Any]) -> list[Any]:
        """The items of one kind so far."""
        return [item for item in self.items if isinstance(item, kind)]

    @property
    def epcs(self) -> list[bytes]:
        """The EPC of every row so far."""
        return [row[0] for batch in self.of(Batch) for row in batch.rows]

    async def up(self, times: int = 1) -> None:
        await self.until(lambda: len(self.of(ReaderUp)) >= times, f"{times} times up")


class FakeReader:
    """The reader's side of one connection, for a script that says what happens."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self._frames = Frames()
        self._waiting: list[Message] = []

    def say(self, message: Message) -> None:
        self.writer.write(encode(message))

    def greet(self, status: int = 0) -> None:
        self.say(event(E("ConnectionAttemptEvent", Status=status), utc=Rig.now()))

    async def asked(self) -> Message:
        """The next thing that the driver says. EOFError when it has closed."""
        while not self._waiting:
            data = await self._reader.read(65536)
            if not data:
                raise EOFError
            self._waiting += [decode(frame) for *_head, frame in self._frames.feed(data)]
        return self._waiting.pop(0)

    def answer(self, request: Message, *parts: Element, **fields: Any) -> None:
        name = f"{request.name}_RESPONSE"
        self.say(Message(name, request.id, E(name, OK, *parts, **fields), request.version))

    def refuse(self, request: Message, code: int, text: str = "") -> None:
        self.say(Message("ERROR_MESSAGE", request.id, E("ERROR_MESSAGE", failed(code, text))))

    def serve(self, request: Message) -> None:
        """The answer of an agreeable reader that knows LLRP 1.0.1 and cannot hold."""
        match request.name:
            case "GET_SUPPORTED_VERSION":
                self.refuse(request, 110)
            case "GET_READER_CAPABILITIES":
                parts = [_complete(part) for part in capabilities(hold=0).children[1:]]
                self.answer(request, *parts)
            case "KEEPALIVE_ACK" | "GET_REPORT" | "ENABLE_EVENTS_AND_REPORTS":
                pass
            case _:
                self.answer(request)

    async def set_up(self) -> None:
        """Agrees to everything until the driver has asked its last question."""
        self.greet()
        looks = 0
        while looks < 2:
            request = await self.asked()
            self.serve(request)
            looks += request.name == "GET_READER_CONFIG"

    async def stay(self) -> None:
        """Agrees to everything until the driver closes."""
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                self.serve(await self.asked())


def _complete(element: Element) -> Element:
    """With zeros in the fields that the bench leaves out."""
    zeros = {field.name: 0 for field in PARAMETERS_BY_NAME[element.name].fields if field.name}
    return Element(element.name, zeros | element.fields, [_complete(child) for child in element.children])


@contextlib.asynccontextmanager
async def scripted(
    script: Callable[[FakeReader], Awaitable[None]], *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A reader on a port of 127.0.0.1 that follows the script for each connection, then closes it. Gives the port."""
    tasks: set[asyncio.Task[Any]] = set()
    errors: list[BaseException] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await script(FakeReader(reader, writer))
        except (EOFError, ConnectionError, asyncio.CancelledError):
            pass
        except BaseException as error:
            errors.append(error)
        finally:
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
    assert not errors, f"the script failed: {errors}"
