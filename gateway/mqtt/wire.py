"""The bytes between the broker and the codec: packets cut out of the stream, and a socket that is only memory.

The codec (paho-mqtt) never sees the network. It writes into a `Pipe` and reads single whole packets from it; asyncio
moves the bytes. Packets that are acknowledgements are read here, because a codec that knows only the listed reason
codes fails at all others; and a message that is too large is passed over here, so that it costs no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

CONNACK, PUBLISH, PUBACK, PUBREL, SUBACK, PINGRESP, DISCONNECT = 0x20, 0x30, 0x40, 0x60, 0x90, 0xD0, 0xE0
_LONGEST_HEADER = 5
_MAX_TOPIC = 65_535


class WireError(Exception):
    """The broker's bytes are not MQTT."""


@dataclass(slots=True, frozen=True)
class Packet:
    """One MQTT packet: `first` byte, `body` behind the fixed header, `skipped` bytes of payload that were not kept."""

    first: int
    body: bytes
    skipped: int = 0

    @property
    def kind(self) -> int:
        """The type of the packet: the upper four bits of its first byte."""
        return self.first & 0xF0

    def encode(self) -> bytes:
        """The packet as bytes."""
        return bytes([self.first]) + variable_integer(len(self.body)) + self.body


class Packets:
    """Cuts the broker's bytes into packets. A PUBLISH longer than `longest` comes without its payload."""

    def __init__(self, longest: int, five: bool) -> None:
        self._longest = longest
        self._five = five
        self._buffer = bytearray()
        self._to_skip = 0

    def feed(self, data: bytes) -> Iterator[Packet]:
        """The packets that are complete with `data`. Raises `WireError`."""
        if self._to_skip:
            skipping = min(self._to_skip, len(data))
            self._to_skip -= skipping
            data = data[skipping:]
        buffer = self._buffer
        buffer += data
        at = 0
        try:
            while (header := _fixed_header(buffer, at)) is not None:
                start, length = header
                if length > self._longest:
                    packet = self._oversize(buffer, at, start, length)
                    if packet is None:
                        break
                    at = min(len(buffer), start + length)
                    self._to_skip = max(0, start + length - len(buffer))
                elif len(buffer) - start < length:
                    break
                else:
                    packet = Packet(buffer[at], bytes(buffer[start : start + length]))
                    at = start + length
                yield packet
        finally:
            del buffer[:at]

    def _oversize(self, buffer: bytearray, at: int, start: int, length: int) -> Packet | None:
        """The packet without its payload as soon as its topic and packet id are there, None before."""
        if buffer[at] & 0xF0 != PUBLISH:
            raise WireError(f"the broker sent a packet of {length} bytes that is not a message")
        if len(buffer) < start + 2:
            return None
        end = start + 2 + int.from_bytes(buffer[start : start + 2], "big") + (2 if buffer[at] & 0x06 else 0)
        if len(buffer) < end:
            return None
        body = bytes(buffer[start:end]) + (b"\0" if self._five else b"")
        return Packet(buffer[at], body, length - (end - start))


def _fixed_header(buffer: bytearray, at: int) -> tuple[int, int] | None:
    """Where the body begins and how long it is; None while that is not known. Raises `WireError`."""
    length = shift = 0
    for index in range(at + 1, min(at + _LONGEST_HEADER, len(buffer))):
        length |= (buffer[index] & 0x7F) << shift
        if buffer[index] < 0x80:
            return index + 1, length
        shift += 7
    if len(buffer) - at >= _LONGEST_HEADER:
        raise WireError("the length of a packet has more than four bytes")
    return None


def variable_integer(value: int) -> bytes:
    """MQTT 5, section 1.5.5."""
    encoded = bytearray()
    while True:
        value, low = divmod(value, 128)
        encoded.append(low | (0x80 if value else 0))
        if not value:
            return bytes(encoded)


def read_variable_integer(data: bytes, at: int) -> tuple[int, int]:
    """The value at `at` and where it ends. Raises `WireError`."""
    value = 0
    for index in range(at, min(at + 4, len(data))):
        value |= (data[index] & 0x7F) << (7 * (index - at))
        if data[index] < 0x80:
            return value, index + 1
    raise WireError("a variable byte integer is cut off")


class Pipe:
    """A socket that is only memory: what paho reads was put in by `feed`, what it writes goes to `write`."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._incoming = bytearray()

    def feed(self, data: bytes) -> None:
        """Bytes have come from the broker."""
        self._incoming += data

    def recv(self, size: int) -> bytes:
        """Hands over at most `size` of the bytes that have come. Raises BlockingIOError where there are none."""
        if not self._incoming:
            raise BlockingIOError
        taken = bytes(self._incoming[:size])
        del self._incoming[:size]
        return taken

    def send(self, data: bytes) -> int:
        """Passes bytes on to the transport; it takes them all."""
        self._write(data)
        return len(data)

    def fileno(self) -> int:
        """No file: -1."""
        return -1

    def setblocking(self, blocking: bool) -> None:
        """Does nothing: this socket never blocks."""

    def close(self) -> None:
        """Nothing is to be closed."""
