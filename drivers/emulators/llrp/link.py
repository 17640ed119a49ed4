"""One client's TCP connection to the emulated LLRP reader.

A report leaves the reader's buffer when the kernel takes it, not before: the socket is written directly, without the
buffer that an asyncio transport has, and a report that the kernel took only in part goes back.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios
from collections import deque
from collections.abc import Callable

from drivers.api import ProtocolError
from drivers.emulators.llrp.outbox import Frame
from drivers.emulators.llrp.reader import EmulatedReader
from drivers.llrp.protocol.framing import Frames

CHUNK = 65_536
"""Frames are handed over together up to this size: a few hundred reports in one call."""

SEND_BUFFER = 131_072
"""The kernel's buffer: small as on an embedded reader, so that a client that stops reading is felt."""

REQUESTS = 4_096
"""Taken from the client at once: a few hundred requests, so that their answers stay few before they are sent."""

FRAME_LIMIT = 1 << 20
"""Longest frame that a client may send: its largest, a ROSpec for 32 antennas, has a few kilobytes."""

LINGER = 2.0
"""Seconds that a client has to close its side after an orderly cut, once its kernel has all that was sent."""

PATIENCE = 60.0
"""Seconds that a client which is held up, and takes nothing, has for that."""


class Link:
    """Moves frames between a socket and the reader until it is cut. `lost` is called once when the client is gone."""

    def __init__(
        self, sock: socket.socket, reader: EmulatedReader, now: Callable[[], int], lost: Callable[[], None]
    ) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self.frozen = False
        self._sock = sock
        self._reader = reader
        self._now = now
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._frames = Frames(FRAME_LIMIT)
        self._chunk = b""
        self._at = 0
        self._in_chunk: deque[tuple[int, Frame]] = deque()  # end in the chunk, frame
        self._blocked = False
        self._open = True
        self._loop.add_reader(sock, self._readable)

    def flush(self) -> None:
        """Hands over to the kernel what the reader has to send, as much as it takes."""
        if self._blocked and self._reader.given_up:
            self._lost()
        while self._open and not self._blocked and not self.frozen:
            if not self._in_chunk and not self._fill():
                if self._reader.closing:
                    self._lost()
                return
            try:
                self._at += self._sock.send(memoryview(self._chunk)[self._at :])
            except BlockingIOError:
                self._blocked = True
                self._loop.add_writer(self._sock, self._writable)
            except OSError:
                self._lost()
                return
            while self._in_chunk and self._in_chunk[0][0] <= self._at:
                self._reader.sent(self._in_chunk.popleft()[1])

    def _fill(self) -> bool:
        parts, size = [], 0
        while size < CHUNK and (frame := self._reader.take()) is not None:
            parts.append(frame.data)
            size += len(frame.data)
            self._in_chunk.append((size, frame))
        self._chunk, self._at = b"".join(parts), 0
        return size > 0

    def _writable(self) -> None:
        self._loop.remove_writer(self._sock)
        self._blocked = False
        self.flush()
        if self._open and not self.frozen and not self._reader.crowded:
            self._loop.add_reader(self._sock, self._readable)

    def _readable(self) -> None:
        if self.frozen:
            return
        try:
            data = self._sock.recv(REQUESTS)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost()
            return
        try:
            for received in self._frames.feed(data):
                self._reader.handle(received, self._now())
        except ProtocolError:
            self._lost()  # not LLRP: nothing that could be answered
            return
        self.flush()
        if self._open and self._reader.crowded:
            self._loop.remove_reader(self._sock)

    def freeze(self, frozen: bool) -> None:
        """A reader that hangs: takes nothing, sends nothing, keeps the connection."""
        self.frozen = frozen
        if frozen:
            self._loop.remove_reader(self._sock)
        else:
            self._loop.add_reader(self._sock, self._readable)
            self.flush()

    def detach(self) -> tuple[socket.socket, list[Frame]]:
        """Ends the link: the socket, still open, and the frames that the kernel has not taken whole."""
        self._open = False
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        return self._sock, [frame for _, frame in self._in_chunk]


async def close_in_order(sock: socket.socket, wait: float = LINGER, patience: float = PATIENCE) -> None:
    """Ends a connection so that the peer gets everything that the kernel took from us, `patience` seconds at most.

    We end our direction; the kernel sends what it still has and then the end. What the peer sends is read and thrown
    away until it closes too, or has everything and does not close for `wait` seconds. Closing before makes the kernel
    answer the peer's next word with a reset, and throw away what the peer has not taken.
    """
    loop = asyncio.get_running_loop()
    give_up = loop.time() + patience
    try:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
            while loop.time() < give_up:
                owed = _unacknowledged(sock)
                try:
                    async with asyncio.timeout(wait):
                        while await loop.sock_recv(sock, CHUNK):
                            pass
                    return
                except TimeoutError:
                    if not owed:
                        return
    finally:
        sock.close()


def _unacknowledged(sock: socket.socket) -> int:
    """Bytes that the peer's kernel has not acknowledged."""
    (count,) = struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))
    return int(count)


def close_at_once(sock: socket.socket) -> None:
    """Ends a connection with a reset, as when a cable is pulled: what the peer has not acknowledged is gone."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
