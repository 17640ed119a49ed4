"""The wire between an emulated serial reader and its client: a pty or a TCP port, and everything that can go wrong.

`PtyPort` and `TcpPort` are the two ends that a client can open; `Wire` sits in front of one and disturbs what the
reader sends: one byte at a time, late, with noise, with wrong check bytes, cut short. It tells for each frame whether
it will arrive whole, so that a test can say exactly what a client must have seen.
"""

from __future__ import annotations

import asyncio
import os
import select
import tty
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Protocol

BACKLOG = 1 << 16
"""Bytes kept for a client that reads too slowly; a real reader has less. Whole frames beyond it are dropped."""

LOOK_EVERY = 0.01
"""The kernel does not tell a pty's owner that somebody opened it: looked for a hundred times a second until then."""

Received = Callable[[bytes], None]


class Port(Protocol):
    """Where a client can connect. `received` is to be set before `open`."""

    received: Received

    @property
    def attached(self) -> bool:
        """Whether a host is at the other end."""
        ...

    async def open(self) -> None:
        """Makes the port ready for a host."""
        ...

    def write(self, data: bytes) -> None:
        """Sends bytes to the host; those that it does not take are lost, as on a wire."""
        ...

    async def close(self) -> None:
        """Ends the port."""
        ...


class PtyPort:
    """A pty behind a symbolic link, as a USB reader is behind its name in /dev/serial/by-id."""

    def __init__(self, link: Path) -> None:
        self.received: Received = lambda data: None
        self._link = link
        self._master: int | None = None
        self._attached = False
        self._unsent = bytearray()
        self._timer: asyncio.Handle | None = None

    @property
    def attached(self) -> bool:
        """Whether somebody has opened the terminal."""
        return self._attached

    async def open(self) -> None:
        """Plug in: a new pty under the old name."""
        loop = asyncio.get_running_loop()
        master, slave = os.openpty()
        tty.setraw(slave)
        name = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(master, False)
        self._master = master
        fresh = self._link.with_name(self._link.name + ".new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(name)
        fresh.replace(self._link)
        self._timer = loop.call_soon(self._look)

    async def close(self) -> None:
        """Unplug: the name goes, and the client's end hangs up. What the client has not read yet is lost."""
        if self._master is None:
            return
        self._link.unlink(missing_ok=True)
        self._detach()
        if self._timer:
            self._timer.cancel()
        os.close(self._master)
        self._master = None

    def write(self, data: bytes) -> None:
        """Send to the client; into the air when there is none."""
        if self._master is None or not self._attached or len(self._unsent) > BACKLOG:
            return
        if not self._unsent:
            asyncio.get_running_loop().add_writer(self._master, self._flush)
        self._unsent += data
        self._flush()

    def _flush(self) -> None:
        if self._master is None:
            return
        with suppress(BlockingIOError):
            sent = os.write(self._master, self._unsent)
            del self._unsent[:sent]
        if not self._unsent:
            asyncio.get_running_loop().remove_writer(self._master)

    def _look(self) -> None:
        if self._master is None:
            return
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        events = poll.poll(0)
        if events and events[0][1] & select.POLLHUP:
            self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY, self._look)
            return
        self._attached = True
        asyncio.get_running_loop().add_reader(self._master, self._readable)

    def _readable(self) -> None:
        if self._master is None:
            return
        try:
            data = os.read(self._master, 4096)
        except BlockingIOError:
            return
        except OSError:
            self._detach()
            self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY, self._look)
            return
        self.received(data)

    def _detach(self) -> None:
        self._attached = False
        self._unsent.clear()
        if self._master is not None:
            asyncio.get_running_loop().remove_reader(self._master)
            asyncio.get_running_loop().remove_writer(self._master)


class TcpPort:
    """A device server in raw TCP mode: one client at a time, others are turned away."""

    def __init__(self, host: str, port: int) -> None:
        self.received: Received = lambda data: None
        self.host = host
        self.port = port
        self._server: asyncio.Server | None = None
        self._client: asyncio.StreamWriter | None = None

    @property
    def attached(self) -> bool:
        """Whether a client is connected."""
        return self._client is not None

    async def open(self) -> None:
        """Listens."""
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Ends the connection and listens no more."""
        if self._server:
            self._server.close()
        if self._client:
            self._client.transport.abort()
        self._server = None

    def write(self, data: bytes) -> None:
        """Sends bytes to the client, unless too many wait for it already."""
        if self._client and self._client.transport.get_write_buffer_size() < BACKLOG:
            self._client.write(data)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._client:
            writer.close()
            return
        self._client = writer
        try:
            while data := await reader.read(4096):
                self.received(data)
        except ConnectionError:
            pass
        finally:
            self._client = None
            writer.transport.abort()  # whoever has gone takes nothing more


@dataclass(slots=True, frozen=True)
class Faults:
    """What a wire does. `noise` is the share of bytes disturbed, `flips` and `cuts` shares of frames that get a wrong
    last byte or end early and are followed by silence; `delay` in seconds."""

    bytewise: bool = False
    delay: float = 0.0
    noise: float = 0.0
    flips: float = 0.0
    cuts: float = 0.0


PERFECT = Faults()
SILENCE_AFTER_CUT = 0.3


class Wire:
    """What the reader sends, as it arrives. `write` is where the bytes go."""

    def __init__(self, write: Callable[[bytes], None], faults: Faults = PERFECT, seed: int = 1) -> None:
        self.faults = faults
        self._write = write
        self._random = Random(seed)
        self._queue: deque[tuple[float, bytes]] = deque()
        self._free_at = 0.0
        self._pumping = False

    def send(self, frame: bytes) -> bool:
        """Whether `frame` will arrive whole, noise before and after it allowed."""
        data, whole, cut = self._disturbed(frame)
        faults = self.faults
        if not faults.bytewise and not faults.delay and not faults.cuts:
            self._write(data)
            return whole
        now = asyncio.get_running_loop().time()
        due = max(now + faults.delay, self._free_at)
        self._free_at = due + (SILENCE_AFTER_CUT if cut else 0.0)
        self._queue.append((due, data))
        if not self._pumping:
            self._pumping = True
            asyncio.get_running_loop().call_at(due, self._pump)
        return whole

    def disturb(self, data: bytes) -> bytes:
        """Noise alone, for bytes that are no frame of ours, such as the client's."""
        return b"".join(map(self._noisy, data)) if self.faults.noise else data

    def _disturbed(self, frame: bytes) -> tuple[bytes, bool, bool]:
        faults, random = self.faults, self._random
        if faults.flips and random.random() < faults.flips:
            return frame[:-1] + bytes([frame[-1] ^ 1 << random.randrange(8)]), False, False
        if faults.cuts and random.random() < faults.cuts:
            return frame[: random.randrange(1, len(frame))], False, True
        if not faults.noise:
            return frame, True, False
        out = b"".join(map(self._noisy, frame))
        return out, frame in out, False

    def _noisy(self, byte: int) -> bytes:
        """What arrives for `byte`: it, another one, nothing, or one more before it."""
        random = self._random
        if random.random() >= self.faults.noise:
            return bytes([byte])
        kind = random.randrange(3)
        if kind == 0:
            return bytes([byte ^ random.randrange(1, 256)])
        return b"" if kind == 1 else bytes([random.randrange(256), byte])

    def _pump(self) -> None:
        """Write what is due; one byte for each turn of the event loop when bytewise."""
        loop = asyncio.get_running_loop()
        while self._queue:
            due, data = self._queue[0]
            if loop.time() < due:
                loop.call_at(due, self._pump)
                return
            self._queue.popleft()
            if self.faults.bytewise and len(data) > 1:
                self._write(data[:1])
                self._queue.appendleft((due, data[1:]))
                loop.call_soon(self._pump)
                return
            self._write(data)
        self._pumping = False


class SharedWire:
    """One port with several readers on it, as on RS-485. With `echo` the host's transceiver hears its own bytes."""

    def __init__(self, port: Port, *, echo: bool = False) -> None:
        self.port = port
        self.taps: list[Tap] = []
        self._echo = echo
        port.received = self._received

    def tap(self) -> Tap:
        """One more reader on the wire: a port of its own."""
        self.taps.append(Tap(self))
        return self.taps[-1]

    def _received(self, data: bytes) -> None:
        if self._echo:
            self.port.write(data)
        for tap in self.taps:
            tap.received(data)


class Tap:
    """One reader's connection to a `SharedWire`; the first of them opens and closes the port."""

    def __init__(self, wire: SharedWire) -> None:
        self.received: Received = lambda data: None
        self._wire = wire

    @property
    def attached(self) -> bool:
        """Whether a host is on the wire."""
        return self._wire.port.attached

    async def open(self) -> None:
        """Opens the wire, where this is its first tap."""
        if self._wire.taps[0] is self:
            await self._wire.port.open()

    def write(self, data: bytes) -> None:
        """Sends bytes to the host."""
        self._wire.port.write(data)

    async def close(self) -> None:
        """Ends the wire, where this is its first tap."""
        if self._wire.taps[0] is self:
            await self._wire.port.close()
