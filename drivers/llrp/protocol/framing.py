"""Bytes from a connection, in any chunks, to whole LLRP frames; and what the bytes are when they are not LLRP.

A frame is 3 reserved bits, 3 bits of version, 10 bits of type, a length (u32, header included), an id (u32), the body
(LLRP 1.1, section 17.1).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from operator import itemgetter
from typing import TypeAlias

from drivers.api import ProtocolError

HEADER_SIZE = 10

FRAME_CAP = 8 * 1024 * 1024
"""The longest frame taken. Readers that empty a full buffer send frames of 1.4 MB; the header could announce 4 GB."""

MAX_ALIKE = 256
"""Frames looked at together. More would gain nothing, and a hostile mixture of lengths would cost its square."""

VERSIONS = (1, 2, 3)
"""LLRP 1.0.1, 1.1 and 2.0 as the header has them."""

Frame: TypeAlias = tuple[int, int, int, bytes]
"""Version, message type, message id, and the whole frame with its header."""

_HEADER = struct.Struct(">HII")
_SAME = 6  # the bytes of a header that frames of one type and length have in common
_FIRST = itemgetter(0)
_FIRST_BYTES = frozenset(version << 2 | type_high for version in VERSIONS for type_high in range(4))

_STRANGERS = (
    (re.compile(rb"HTTP/\d"), "HTTP (a web server)"),
    (re.compile(rb"(GET|POST|PUT|HEAD|OPTIONS|CONNECT|PRI) "), "HTTP (a web client)"),
    (re.compile(rb"SSH-\d"), "an SSH banner (the reader's command line)"),
    (re.compile(rb"[\x14-\x17]\x03[\x00-\x04]"), "a TLS record (LLRP over TLS is usually port 5085: switch on tls)"),
    (re.compile(rb"\xff[\xfb-\xfe]"), "telnet options"),
    (re.compile(rb"\s*<(\?xml|!DOCTYPE|html|[a-zA-Z])", re.IGNORECASE), "XML or HTML"),
    (re.compile(rb"\s*[{\[]"), "JSON"),
    (re.compile(rb"[\x20-\x7e\s]{4}"), "text"),
)


def describe(data: bytes) -> str:
    """What bytes that are not LLRP look like, with the first of them, for the operator. Empty when nothing fits."""
    for pattern, what in _STRANGERS:
        if pattern.match(data):
            first = data.lstrip()[:40].split(b"\n")[0].rstrip()
            return f"{what}: {repr(first)[1:]}"
    return ""


def _alike(data: bytes, at: int, length: int) -> list[bytes]:
    """The bodies of the frames from `at` on that follow each other with one type and one length.

    A reader that reports each read by itself sends hundreds of them at a time. They are found with one strided slice
    for each byte that must be the same, and cut by one `struct`.
    """
    count = min((len(data) - at) // length, MAX_ALIKE)
    for offset in range(at, at + _SAME):
        column = data[offset : offset + count * length : length]
        count -= len(column.lstrip(column[:1]))
    return list(
        map(_FIRST, struct.iter_unpack(f"{HEADER_SIZE}x{length - HEADER_SIZE}s", data[at : at + count * length]))
    )


class Frames:
    """Cuts a stream into frames. After a ProtocolError the connection cannot be used further."""

    def __init__(self, cap: int = FRAME_CAP) -> None:
        self._cap = cap
        self._rest = bytearray()  # the beginning of a frame; never longer than the cap and one chunk
        self._need = 1  # how many bytes must be there before looking again
        self._taken = 0  # bytes of the stream in front of _rest
        self._frames = 0

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[Frame]:
        """The frames that `data` completes. Those in front of bytes that are not LLRP come before the ProtocolError."""
        frames: list[Frame] = []
        error = None
        try:
            self.take(data, None, [], frames)
        except ProtocolError as caught:
            error = caught
        yield from frames
        if error is not None:
            raise error

    def take(
        self, data: bytes | bytearray | memoryview, kind: int | None, bodies: list[bytes], others: list[Frame]
    ) -> None:
        """Cuts off the frames that `data` completes: of those of type `kind` the bodies, the others whole.

        Frames in front of bytes that are not LLRP are in the lists when the ProtocolError is raised.
        """
        if self._rest:
            self._rest += data
            if len(self._rest) < self._need:
                return
            data = bytes(self._rest)
        elif not isinstance(data, bytes):
            data = bytes(data)
        at, size, cap, unpack = 0, len(data), self._cap, _HEADER.unpack_from
        found = self._frames
        try:
            while size - at >= HEADER_SIZE:
                head, length, identity = unpack(data, at)
                # Once it is known to be LLRP, a version or reserved bits that are odd are no reason to end it.
                if (not found and head >> 8 not in _FIRST_BYTES) or not HEADER_SIZE <= length <= cap:
                    raise self._error(data, at, found)
                end = at + length
                if end > size:
                    self._need = length
                    break
                if head & 0x3FF != kind:
                    others.append((head >> 10 & 7, head & 0x3FF, identity, data[at:end]))
                elif data[at : at + _SAME] == data[end : end + _SAME]:
                    run = _alike(data, at, length)
                    bodies += run
                    found += len(run) - 1
                    end = at + length * len(run)
                else:
                    bodies.append(data[at + HEADER_SIZE : end])
                at = end
                found += 1
            else:
                if at < size and not found and data[at] not in _FIRST_BYTES:
                    raise self._error(data, at, found)
                self._need = HEADER_SIZE
        finally:
            self._rest = bytearray(data[at:])
            self._taken += at
            self._frames = found

    def _error(self, data: bytes, at: int, found: int) -> ProtocolError:
        seen = data[at : at + 64]
        looks = describe(seen)
        if not looks and data[at] in _FIRST_BYTES:
            _, length, _ = _HEADER.unpack_from(data, at)
            looks = f"a message that says it is {length} bytes long (possible are {HEADER_SIZE} to {self._cap})"
        looks = looks or f"bytes of no protocol we know: {seen[:16].hex(' ')}"
        if not found:
            return ProtocolError(f"this is not an LLRP reader: it answered with {looks}")
        return ProtocolError(
            f"the reader sent something that is not LLRP after {found} messages, "
            f"at byte {self._taken + at} of the connection: {looks}"
        )
