"""An LLRP reader that is not there, on a TCP port: for tests, demonstrations, and other people's clients.

    async with LlrpEmulator(population(50, rate=200), identity="impinj-r420") as reader:
        ...  # connect to reader.host, reader.port
        reader.drop()

It serves one client at a time, can call a client itself (`call`), and keeps reading while nobody is connected. Several
can run in one process.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Self

from drivers.emulators.llrp.identity import IDENTITIES, Identity
from drivers.emulators.llrp.link import Link, close_at_once, close_in_order
from drivers.emulators.llrp.reader import EmulatedReader
from drivers.emulators.read_log import ReadLog
from drivers.emulators.scene import Scene, Seen

TICK = 0.015
"""Seconds between steps of time: reads are reported this late at most."""

CALL_AGAIN = 0.5
"""Seconds between two attempts to call the client."""

GOODBYE = 0.5
"""Seconds that a client has to close its side when the emulator stops."""


def _now() -> int:
    return time.time_ns() // 1_000


def _keep(task: asyncio.Task[None], tasks: set[asyncio.Task[None]]) -> None:
    """The event loop holds tasks only weakly."""
    tasks.add(task)
    task.add_done_callback(tasks.discard)


class LlrpEmulator:
    """A reader on `host`:`port` (0: any free port), or one that calls a client at `call` (host, port).

    `drop_every`: seconds after which the connection is cut, again and again. `log`: where every read is written.
    `keep_reads`: keep every read in `reads`, with its time in microseconds UTC. `hold_buffer`: reads that wait while
    they cannot be sent. `clock_error`: microseconds that the reader's UTC clock is ahead.
    """

    def __init__(
        self,
        scene: Scene,
        identity: str | Identity = "impinj-r700",
        *,
        name: str = "reader",
        host: str = "127.0.0.1",
        port: int = 0,
        call: tuple[str, int] | None = None,
        hold_buffer: int = 50_000,
        clock_error: int = 0,
        drop_every: float | None = None,
        log: ReadLog | None = None,
        keep_reads: bool = False,
        on_output: Callable[[int, bool], None] = lambda port, state: None,
    ) -> None:
        self.name = name
        self.host = host
        self.port = port
        self.reads: list[Seen] = []
        self.reader = EmulatedReader(
            scene,
            IDENTITIES[identity] if isinstance(identity, str) else identity,
            start=_now(),
            hold_buffer=hold_buffer,
            clock_error=clock_error,
            on_reads=self._made,
            on_output=on_output,
        )
        self._call = call
        self._drop_every = drop_every
        self._log = log
        self._keep_reads = keep_reads
        self._link: Link | None = None
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._goodbyes: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    @property
    def connected(self) -> bool:
        """Whether a client has the link."""
        return self._link is not None

    async def start(self) -> None:
        """Begins to listen, or to call. OSError when the port is taken."""
        if self._call is None:
            self._listen()
        else:
            self._spawn(self._calling(*self._call))
        self._spawn(self._ticking())
        if self._drop_every is not None:
            self._spawn(self._dropping(self._drop_every))

    async def stop(self) -> None:
        """Tells the client that the connection closes, and closes everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._stop_listening()
        if self._link is not None:
            self.reader.close(_now())
            self._link.freeze(False)
            self._flush()
        self._end()
        if self._goodbyes:
            _, late = await asyncio.wait(self._goodbyes, timeout=GOODBYE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def until(self, condition: Callable[[], bool], timeout: float = 60.0) -> None:
        """Waits until `condition` holds; looks at every tick. TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    # What a test or an operator does to the reader

    def drop(self, *, abort: bool = False, away: float = 0.0) -> bool:
        """Cuts the connection; False when there is none. `away`: seconds for which nobody can connect.

        In order (the default): whatever the kernel has taken reaches the client, the rest waits in the buffer, so
        that a client that reads to the end and comes back misses nothing. With `abort` as when a cable is pulled:
        what the client's kernel has not acknowledged is lost, although it counts as sent.
        """
        if away and self._listener is not None:
            self._stop_listening()
            self._spawn(self._listening_after(away))
        if self._link is None:
            return False
        self.reader.counters.cuts += 1
        self._end(abort=abort)
        return True

    def freeze(self, frozen: bool = True) -> None:
        """The reader hangs: it keeps the connection and says nothing. Reads go on into the buffer."""
        if self._link is not None:
            self._link.freeze(frozen)

    def switch_off(self) -> None:
        """The transmitter goes off: no more reads are made, those that were are delivered."""
        self.reader.switch_off(_now())
        self._flush()

    def set_input(self, port: int, state: bool) -> None:
        """A photo-eye or a door at a general purpose input. KeyError when the reader has no such port."""
        self.reader.set_input(port, state, _now())
        self._flush()

    def set_antenna(self, port: int, connected: bool) -> None:
        """An antenna is plugged in or falls off."""
        self.reader.set_antenna(port, connected, _now())
        self._flush()

    # The network

    def _listen(self) -> None:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        sock = socket.create_server((self.host, self.port), family=family, backlog=8)
        sock.setblocking(False)
        self.port = sock.getsockname()[1]
        self._listener = sock
        asyncio.get_running_loop().add_reader(sock, self._accept, sock)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except OSError:
            return  # the client is gone already
        if self._link is None:
            self._adopt(sock)
        else:
            self._refuse(sock)

    def _adopt(self, sock: socket.socket) -> None:
        self._link = Link(sock, self.reader, _now, self._end)
        self.reader.connect(_now())
        self._flush()
        self._changed.set()

    def _refuse(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        answer = self.reader.refuse(_now(), reader_initiated=self._call is not None)
        with contextlib.suppress(OSError):
            sock.send(answer)  # the first bytes of a connection: they always fit
        self._say_goodbye(sock)
        self._flush()

    def _end(self, *, abort: bool = False) -> None:
        """The link is over, whoever ended it."""
        if self._link is None:
            return
        sock, unsent = self._link.detach()
        self._link = None
        self.reader.disconnect(_now(), unsent)
        if abort:
            close_at_once(sock)
        else:
            self._say_goodbye(sock)
        self._changed.set()

    def _flush(self) -> None:
        if self._link is not None:
            self._link.flush()

    # What goes on by itself

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        _keep(asyncio.get_running_loop().create_task(work), self._tasks)

    def _say_goodbye(self, sock: socket.socket) -> None:
        _keep(asyncio.get_running_loop().create_task(close_in_order(sock)), self._goodbyes)

    async def _ticking(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self.reader.tick(_now())
            self._flush()
            self._changed.set()
            if self._log is not None:
                self._log.flush()

    async def _dropping(self, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            self.drop()

    async def _listening_after(self, away: float) -> None:
        await asyncio.sleep(away)
        self._listen()

    async def _calling(self, host: str, port: int) -> None:
        """A reader-initiated connection: calls until the client answers, and again when the connection has ended."""
        loop = asyncio.get_running_loop()
        while True:
            if self._link is None:
                sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
                sock.setblocking(False)
                try:
                    async with asyncio.timeout(CALL_AGAIN * 4):
                        await loop.sock_connect(sock, (host, port))
                except OSError:
                    sock.close()
                except asyncio.CancelledError:
                    sock.close()
                    raise
                else:
                    self._adopt(sock)
            await asyncio.sleep(CALL_AGAIN)

    def _made(self, reads: Sequence[Seen]) -> None:
        if self._log is not None:
            self._log.add(reads, self.name, self.reader.start)
        if self._keep_reads:
            self.reads += [seen._replace(time=seen.time + self.reader.start) for seen in reads]
