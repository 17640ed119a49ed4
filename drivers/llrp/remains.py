"""What has come over a connection and was not taken yet when the connection ends.

A transport that meets an error in writing throws away what nobody has read, and so does one that is closed. What the
kernel has can be read past it. Under TLS it goes through the connection's `SSLObject`, which has some of it already:
asyncio fills that object's incoming `ssl.MemoryBIO` also while the connection is paused. asyncio keeps that BIO to
itself, but asks the context to make the object (`SSLContext.wrap_bio`), and `keep_incoming` has the context note it.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

MOST = 96 * 1024
"""Bytes read at a time. From 128 KiB on the C library asks the kernel for fresh pages with every buffer, which takes
ten times as long as the reading."""

_TIMES = 128
"""Times that so much is read of a connection that ends: 12 MiB, twice what kernels keep. One may go on sending."""

_INCOMING: WeakKeyDictionary[ssl.SSLObject, ssl.MemoryBIO] = WeakKeyDictionary()


def keep_incoming(context: ssl.SSLContext) -> ssl.SSLContext:
    """The context, which notes from now on where the bytes of each of its connections come in."""
    wrap = context.wrap_bio

    def wrap_bio(incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *more: Any, **named: Any) -> ssl.SSLObject:
        made = wrap(incoming, outgoing, *more, **named)
        _INCOMING[made] = incoming
        return made

    context.wrap_bio = wrap_bio  # type: ignore[method-assign]
    return context


class Remains:
    """What is left of one connection. `close` it when the connection has ended.

    The socket of a connection under TLS is closed before its protocol hears of the end: a second descriptor keeps what
    the kernel has.
    """

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        socket = transport.get_extra_info("socket")
        self._tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        self._incoming = None if self._tls is None else _INCOMING.get(self._tls)
        self._file = -1 if socket is None else socket.fileno()
        self._owns = False
        if self._incoming is not None:
            try:
                self._file, self._owns = os.dup(self._file), True
            except OSError:  # no descriptor is left: what the kernel has goes with the socket
                self._file = -1

    def take(self) -> Iterator[bytes]:
        """What is left, in order, as far as it can be read."""
        if self._tls is None:
            yield from self._received()
        elif self._incoming is not None:
            for data in self._received():
                self._incoming.write(data)
                yield from self._decrypted(self._tls)
            yield from self._decrypted(self._tls)

    def close(self) -> None:
        """Nothing is wanted any more."""
        if self._owns:
            self._owns = False
            os.close(self._file)
        self._file = -1

    def _received(self) -> Iterator[bytes]:
        """What the kernel has."""
        for _ in range(_TIMES if self._file >= 0 else 0):
            try:
                data = os.read(self._file, MOST)
            except OSError:
                return
            if not data:
                return
            yield data

    @staticmethod
    def _decrypted(tls: ssl.SSLObject) -> Iterator[bytes]:
        with suppress(ssl.SSLError):  # among them: no whole record is left
            while data := tls.read(MOST):
                yield data
