"""Commands that come again: the newest answers, by the request's name and by the broker's packet."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Generic, TypeVar

from gateway.errors import Refused
from gateway.mqtt.interface import Message

MAX_REMEMBERED = 256
MAX_REMEMBERED_BYTES = 4 << 20
"""Answers kept for requests that come again: some minutes of a busy backend."""

_Key = TypeVar("_Key")


class _Newest(Generic[_Key]):
    """The newest answers by a key, each with the digest of what it answers; bounded in number and in bytes."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, tuple[bytes, bytes]] = OrderedDict()
        self._bytes = 0

    def _get(self, key: _Key) -> tuple[bytes, bytes]:
        """Digest and answer, both empty where there is none."""
        return self._kept.get(key, (b"", b""))

    def _put(self, key: _Key, digest: bytes, answer: bytes) -> None:
        """Keeps an answer, and gives the oldest up where there are too many."""
        _, before = self._kept.pop(key, (b"", b""))
        self._kept[key] = (digest, answer)
        self._bytes += len(answer) - len(before)
        while len(self._kept) > MAX_REMEMBERED or self._bytes > MAX_REMEMBERED_BYTES:
            _, (_, oldest) = self._kept.popitem(last=False)
            self._bytes -= len(oldest)


class Answers(_Newest[str]):
    """The newest answers by request, so that a command that comes twice is carried out once."""

    def find(self, name: str, request: str | None, payload: bytes) -> bytes | None:
        """The answer given to this request before. Raises `Refused` when it was another command."""
        digest, answer = self._get(request) if request is not None else (b"", b"")
        if not digest:
            return None
        if digest != _digest(name, payload):
            raise Refused(f"the request id {request!r} was used for another command: choose a new one")
        return answer

    def remember(self, name: str, request: str | None, payload: bytes, answer: bytes) -> None:
        """Keeps the answer to a request that has a name."""
        if request is not None:
            self._put(request, _digest(name, payload), answer)


class Seen(_Newest[int]):
    """The newest answers by packet, so that a command which the broker sends again is not carried out again.

    The broker sends a command again, marked so, where the connection ended before it was acknowledged.
    """

    def find(self, message: Message) -> bytes | None:
        """The answer to this very message, where the broker had sent it before."""
        digest, answer = self._get(message.packet_id)
        return answer if message.again and message.packet_id and digest == _digest_of(message) else None

    def remember(self, message: Message, answer: bytes) -> None:
        """Keeps the answer to a packet that has an id."""
        if message.packet_id:
            self._put(message.packet_id, _digest_of(message), answer)


class Repeats:
    """What was answered in a run of the gateway, before and after a reload of the broker's settings."""

    def __init__(self) -> None:
        self.answers = Answers()
        self.seen = Seen()


def _digest_of(message: Message) -> bytes:
    return _digest(message.topic, message.payload + b"\0" + (message.correlation or b""))


def _digest(name: str, payload: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + payload).digest()
