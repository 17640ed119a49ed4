"""A chatty connection on real sockets: everything comes, once and in order, and so does its end."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from pathlib import Path
from typing import cast

import pytest

from drivers.llrp.reading import Reading
from drivers.polls import LONGEST, Polls
from tests.support import certificates
from tests.support.ledgers import until


class Taker(asyncio.Protocol):
    """Takes all that comes, and may be patient with it."""

    def __init__(self, polls: Polls) -> None:
        self.polls = polls
        self.data = bytearray()
        self.chunks = 0
        self.ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.reading = Reading(
            asyncio.get_running_loop(), self.transport, self.polls, self.data_received, self.connection_lost
        )

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.chunks += 1
        self.reading.came(len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        self.reading.stop()
        self.transport.abort()
        if not self.ended.done():
            self.ended.set_result(exc)


async def connected() -> tuple[Taker, socket.socket]:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        polls = Polls()
        _, taker = await loop.create_connection(lambda: Taker(polls), *listener.getsockname())
        reader, _ = listener.accept()
    reader.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return taker, reader


async def until_chatty(taker: Taker, reader: socket.socket) -> bytes:
    """Says something until it is gathered; returns what was said."""
    said = b""
    async with asyncio.timeout(60):
        while taker.transport.is_reading():
            reader.sendall(b"hello")
            said += b"hello"
            await asyncio.sleep(0.001)
    return said


async def until_taken(taker: Taker, said: bytes) -> None:
    await until(lambda: len(taker.data) >= len(said), 60.0)
    assert taker.data == said


async def test_what_gathers_comes_at_the_next_poll_whole_and_in_order() -> None:
    taker, reader = await connected()
    said = await until_chatty(taker, reader)
    taker.polls.poll()
    assert taker.data == said
    for number in range(1_000):
        reader.sendall(struct.pack(">I", number))
        said += struct.pack(">I", number)
    before = taker.chunks
    await until_taken(taker, said)  # nobody polls: they are read all the same
    assert taker.chunks - before <= 10
    large = bytes(range(256)) * 4_096
    await asyncio.to_thread(_send_while_taken, reader, large)
    await until_taken(taker, said + large)
    reader.close()
    assert await asyncio.wait_for(taker.ended, 60) is None


def _send_while_taken(reader: socket.socket, data: bytes) -> None:
    reader.setblocking(True)
    reader.sendall(data)


async def test_one_that_falls_silent_is_read_at_once_again() -> None:
    taker, reader = await connected()
    said = await until_chatty(taker, reader)
    await until(taker.transport.is_reading, 60.0)
    assert taker.data == said
    reader.close()
    assert await asyncio.wait_for(taker.ended, 60) is None


async def test_one_that_is_held_back_is_not_polled() -> None:
    taker, reader = await connected()
    said = await until_chatty(taker, reader)
    taker.polls.poll()
    taker.reading.hold()
    reader.sendall(b"later")
    for _ in range(3):
        await asyncio.sleep(LONGEST)
        taker.polls.poll()
    assert taker.data == said
    taker.reading.release()
    await until_taken(taker, said + b"later")
    taker.transport.abort()
    reader.close()


@pytest.mark.parametrize("reset", [True, False])
async def test_an_end_is_found_while_it_gathers(reset: bool) -> None:
    taker, reader = await connected()
    said = await until_chatty(taker, reader)
    taker.polls.poll()
    if reset:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        reader.sendall(b"bye")
        said += b"bye"
    reader.close()
    ended = await asyncio.wait_for(taker.ended, 60)
    assert isinstance(ended, ConnectionResetError) if reset else ended is None
    assert taker.data == said


async def test_a_link_under_tls_gathers_too_and_loses_nothing(tmp_path: Path) -> None:
    files = certificates.make(tmp_path)
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(files.file("server.crt"), files.file("server.key"))
    ours = ssl.create_default_context(cafile=files.file("ca.crt"))
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0, ssl=theirs)
    loop, polls = asyncio.get_running_loop(), Polls()
    async with server:
        address = server.sockets[0].getsockname()
        _, taker = await loop.create_connection(lambda: Taker(polls), *address, ssl=ours, server_hostname="localhost")
        await until(lambda: bool(writers), 60.0)
        said, number, was_paused = b"", 0, 0
        async with asyncio.timeout(60):
            while number < 1_000 or was_paused < 10:
                writers[0].write(struct.pack(">I", number))
                said += struct.pack(">I", number)
                number += 1
                was_paused += not taker.transport.is_reading()
                if number % 4 == 0:
                    await asyncio.sleep(0.001)
                if number % 100 == 0:
                    polls.poll()
        await until_taken(taker, said)
        writers[0].close()
        assert await asyncio.wait_for(taker.ended, 60) is None
