"""The front door on real sockets: strangers take little, keep nobody out, and fill no log."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from drivers import front_door
from drivers.front_door import FrontDoor, listening, same_place


class Said:
    """A log that remembers."""

    def __init__(self):
        self.lines = []

    def warning(self, event, **fields):
        self.lines.append((event, fields))

    debug = info = error = warning


class Greeter(asyncio.Protocol):
    """Says hello at once; a peer that says hello has proved itself."""

    def __init__(self, place):
        self.place = place

    def connection_made(self, transport):
        transport.write(b"hello")

    def data_received(self, data):
        self.place.proved()


@pytest.fixture
def log():
    return Said()


class Street:
    """Peers in front of a door."""

    def __init__(self, port):
        self.port = port
        self.writers = []

    async def knock(self, address="127.0.0.1"):
        """Connects from `address`; gives reader, writer, and what was said first (nothing where it was refused)."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(address, 0))
        self.writers.append(writer)
        with contextlib.suppress(ConnectionError):
            return reader, writer, await asyncio.wait_for(reader.read(5), 5)
        return reader, writer, b""


@contextlib.asynccontextmanager
async def opened(log, *, each=4, strangers=6):
    sockets = await listening("127.0.0.1", 0, 64)
    door = FrontDoor(Greeter, log, each=each, strangers=strangers)
    door.open(sockets)
    street = Street(sockets[0].getsockname()[1])
    try:
        yield door, street.knock
    finally:
        door.close()
        for writer in street.writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def is_empty(door):
    async with asyncio.timeout(5):
        while door.strangers:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_strangers_of_one_address_leave_room_for_others(log):
    async with opened(log) as (door, knock):
        flood = [await knock() for _ in range(20)]
        assert [said for *_, said in flood].count(b"hello") == 4
        assert (await knock("127.0.0.2"))[2] == b"hello"
        assert door.strangers == 5
        assert len(log.lines) == 1, "a line for each refusal fills the log"


async def test_who_has_proved_itself_takes_no_room(log):
    async with opened(log) as (door, knock):
        known = []
        for _ in range(10):
            reader, writer, said = await knock()
            assert said == b"hello"
            writer.write(b"hello")
            await is_empty(door)
            known.append((reader, writer))
        assert not log.lines


async def test_who_has_had_its_chance_gives_way(log, monkeypatch):
    monkeypatch.setattr(front_door, "CHANCE", 0.05)
    async with opened(log) as (_, knock):
        flood = [await knock() for _ in range(4)]
        await asyncio.sleep(0.06)
        assert (await knock())[2] == b"hello"
        assert await asyncio.wait_for(flood[0][0].read(), 5) == b""


async def test_all_strangers_together_are_bounded_and_the_crowd_gives_way(log, monkeypatch):
    monkeypatch.setattr(front_door, "CHANCE", 0.05)
    async with opened(log, each=4, strangers=6) as (door, knock):
        crowd = [await knock(f"127.0.0.{2 + number // 4}") for number in range(6)]
        assert door.strangers == 6
        await asyncio.sleep(0.06)
        assert (await knock("127.0.0.9"))[2] == b"hello"
        assert door.strangers == 6
        assert await asyncio.wait_for(crowd[0][0].read(), 5) == b"", "the oldest of the largest group leaves"


async def test_what_has_ended_takes_no_room(log):
    async with opened(log) as (door, knock):
        for _ in range(30):
            _, writer, said = await knock()
            assert said == b"hello"
            writer.close()
            await writer.wait_closed()
            await is_empty(door)


async def test_without_descriptors_it_rests_and_goes_on(log, monkeypatch):
    monkeypatch.setattr(front_door, "REST", 0.05)
    async with opened(log) as (_, knock):
        real = socket.socket.accept
        failing = [True]

        def accept(self):
            if failing:
                failing.pop()
                raise OSError(24, "Too many open files")
            return real(self)

        monkeypatch.setattr(socket.socket, "accept", accept)
        assert (await knock())[2] == b"hello"
        assert log.lines[0][1]["reason"] == "Too many open files"


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.168.1.7", "192.168.1.7"),
        ("::ffff:192.168.1.7", "192.168.1.7"),
        ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("somewhere", "somewhere"),
    ],
)
def test_what_an_address_is_counted_under(address, place):
    assert same_place(address) == place


@pytest.mark.parametrize("host", ["a..b", "x" * 70, "nowhere.invalid"])
async def test_what_names_no_host_is_an_address_that_cannot_be_used(host):
    with pytest.raises(OSError, match=r"no host|[Nn]ame"):
        await listening(host, 0, 1)
