"""Commands that come again: the newest answers, by the request's name and by the broker's packet."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from gateway.errors import Refused
from gateway.mqtt.interface import Message

MAX_REMEMBERED = 256
MAX_REMEMBERED_BYTES = 4 << 20
"""Answers kept for requests that come again: some minutes of a busy backend."""


class Answers:
    """The newest answers by request, so that a command that comes twice is carried out once."""

    def __init__(self) -> None:
        self._by_request: OrderedDict[str, tuple[bytes, bytes]] = OrderedDict()
        self._bytes = 0

    def find(self, name: str, request: str | None, payload: bytes) -> bytes | None:
        """The answer given to this request before. Raises `Refused` when it was another command."""
        if request is None or request not in self._by_request:
            return None
        digest, answer = self._by_request[request]
        if digest != _digest(name, payload):
            raise Refused(f"the request id {request!r} was used for another command: choose a new one")
        return answer

    def remember(self, name: str, request: str | None, payload: bytes, answer: bytes) -> None:
        """This was the answer to the request, where it has a name."""
        if request is None:
            return
        self._by_request[request] = (_digest(name, payload), answer)
        self._bytes += len(answer)
        while len(self._by_request) > MAX_REMEMBERED or self._bytes > MAX_REMEMBERED_BYTES:
            _, (_, oldest) = self._by_request.popitem(last=False)
            self._bytes -= len(oldest)


class Seen:
    """The newest answers by packet, so that a command which the broker sends again is not carried out again.

    The broker sends a command again, marked so, where the connection ended before it was acknowledged.
    """

    def __init__(self) -> None:
        self._by_packet: OrderedDict[int, tuple[bytes, bytes]] = OrderedDict()
        self._bytes = 0

    def find(self, message: Message) -> bytes | None:
        """The answer to this very message, where the broker had sent it before."""
        digest, answer = self._by_packet.get(message.packet_id, (b"", b""))
        return answer if message.again and message.packet_id and digest == _digest_of(message) else None

    def remember(self, message: Message, answer: bytes) -> None:
        """This was the answer to the packet, where it has an id."""
        if not message.packet_id:
            return
        _, before = self._by_packet.pop(message.packet_id, (b"", b""))
        self._by_packet[message.packet_id] = (_digest_of(message), answer)
        self._bytes += len(answer) - len(before)
        while len(self._by_packet) > MAX_REMEMBERED or self._bytes > MAX_REMEMBERED_BYTES:
            _, (_, oldest) = self._by_packet.popitem(last=False)
            self._bytes -= len(oldest)


def _digest_of(message: Message) -> bytes:
    return _digest(message.topic, message.payload + b"\0" + (message.correlation or b""))


def _digest(name: str, payload: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + payload).digest()
