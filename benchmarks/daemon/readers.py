"""A process that plays many LLRP readers: the emulator does the talking, ready-made reports are what they send.

``python -m benchmarks.daemon.readers '{"port": 5090, …}'`` opens one port for each reader (`port` and those behind it),
says ``ready`` on stdout when every reader was started by a client, and sends until stdin is closed.

Reader n reads its own standing stock at four antennas in turn. `strays` is the share of its reads that are tags of
reader n + 1, 12 dB weaker: that many reads come from next door. Every read is at most 50 ms old and out of order by
as much. Now and then a tag that nobody has seen before is read: what becomes of it says how long the way to the broker
takes.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from drivers.emulators.llrp.identity import IDENTITIES
from drivers.emulators.llrp.reader import EmulatedReader
from drivers.emulators.scene import Field, Scene
from drivers.llrp.protocol.framing import Frames

START_ROSPEC = 22
JITTER = 50_000
LOOP, LOOP_READS = 100, 20_000
"""Steps for which what a reader sends is prepared, or fewer where these would be more reads; then it comes again with
new times."""

RECORD = np.dtype(
    [
        ("head", ">u2"),
        ("size", ">u2"),
        ("t_epc", "u1"),
        ("epc", ">u4", (3,)),
        ("t_antenna", "u1"),
        ("antenna", ">u2"),
        ("t_rssi", "u1"),
        ("rssi", "i1"),
        ("t_channel", "u1"),
        ("channel", ">u2"),
        ("t_first", "u1"),
        ("first", ">u8"),
        ("t_last", "u1"),
        ("last", ">u8"),
        ("t_count", "u1"),
        ("count", ">u2"),
    ]
)
"""One TagReportData as most readers send it: EPC-96, antenna, RSSI, channel, first and last time, count."""

FRESH = bytes.fromhex("1A406030FFFF")
"""How the EPCs begin of tags that nobody has seen before."""


@dataclass(slots=True)
class Load:
    """What is sent. `rate` reads a second and reader; `joined`: what a reader has to say in 100 ms comes in one piece,
    otherwise each message in a segment of its own when it is due."""

    port: int
    readers: int = 64
    rate: int = 1000
    per_message: int = 1
    joined: bool = False
    strays: float = 0.0
    tags: int = 40
    fresh: float = 10.0  # new tags a second
    flood: int = 0  # every tag is a new one, and read in so many steps
    first: int = 0  # number of the first of them

    @property
    def step(self) -> float:
        """Seconds between two rounds of sending."""
        return 0.1 if self.joined else max(0.001, self.per_message / self.rate)


class Reader:
    """One port: the emulator's answers, and the records that it sends when it was started."""

    def __init__(self, number: int, load: Load, chance: np.random.Generator) -> None:
        self._listener = socket.create_server(("127.0.0.1", load.port + number), backlog=8)
        self._emulated: EmulatedReader | None = None
        self._frames = Frames()
        self._rest = b""
        self.link: socket.socket | None = None
        self.started = False
        self.sent = 0
        self.held_back = 0.0
        self._load = load
        self._records = self._prepare(number, load, chance)
        self._at = 0
        self._number = number

    @staticmethod
    def _prepare(number: int, load: Load, chance: np.random.Generator) -> npt.NDArray[Any]:
        """Whole messages, header and all, as a table: a row for each, its times to be filled in."""
        per_step = max(1, round(load.rate * load.step / load.per_message))
        message = np.dtype([("header", ">u2"), ("length", ">u4"), ("id", ">u4"), ("tags", RECORD, (load.per_message,))])
        steps = max(4, min(LOOP, LOOP_READS // (per_step * load.per_message)))
        made = np.zeros((steps, per_step), message)
        made["header"], made["length"], made["id"] = 1 << 10 | 61, message.itemsize, 1
        tags = made["tags"]
        for name, value in (("head", 240), ("size", RECORD.itemsize), ("t_epc", 141), ("t_antenna", 129)):
            tags[name] = value
        for name, value in (("t_rssi", 134), ("t_channel", 135), ("t_first", 130), ("t_last", 132), ("t_count", 136)):
            tags[name] = value
        tags["channel"], tags["count"] = 7, 1
        strays = chance.random(tags.shape) < load.strays
        tags["epc"][..., 0] = 0x1A406030
        tags["epc"][..., 1] = (number + strays) % load.readers
        tags["epc"][..., 2] = chance.integers(0, load.tags, tags.shape)
        tags["antenna"] = np.arange(tags.size).reshape(tags.shape) * 4 // load.rate % 4 + 1
        tags["rssi"] = chance.integers(-70, -50, tags.shape) - 12 * strays
        return made

    @property
    def sockets(self) -> list[socket.socket]:
        """What to wait for."""
        return [self._listener if self.link is None else self.link]

    def talk(self, now: int) -> None:
        """The client connected, or said something."""
        if self.link is None or self._emulated is None:
            self.link, _ = self._listener.accept()
            self.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._frames = Frames()
            self._emulated = EmulatedReader(
                Scene({port: Field() for port in (1, 2, 3, 4)}), IDENTITIES["impinj-r700"], start=now
            )
            self._emulated.connect(now)
        else:
            try:
                data = self.link.recv(65536)
            except OSError:
                data = b""
            if not data:
                self._hang_up()
                return
            for frame in self._frames.feed(data):
                self._emulated.handle(frame, now)
                self.started |= frame[1] == START_ROSPEC
        self._answer()

    def tick(self, now: int) -> None:
        """Lets time pass: keepalives."""
        if self._emulated is not None and self.link is not None and not self._rest:
            self._emulated.tick(now)
            self._answer()

    def _answer(self) -> None:
        assert self._emulated is not None
        assert self.link is not None
        while frame := self._emulated.take():
            self._emulated.sent(frame)
            self.link.setblocking(True)
            try:
                self.link.sendall(frame.data)
            except OSError:
                self._hang_up()
                return

    def send(self, now: int, ages: npt.NDArray[Any], fresh: bytes) -> None:
        """The messages of one step; what the kernel does not take waits, and nothing more is sent until it is gone."""
        if not self.started or not self._flush():
            return
        messages = self._records[self._at % len(self._records)]
        self._at += 1
        tags = messages["tags"]
        kept = None
        if self._load.flood:
            first = self._load.first + (self._at // self._load.flood) * tags.size
            tags["epc"][..., 1] = self._number + 1_000
            tags["epc"][..., 2] = np.arange(first, first + tags.size).reshape(tags.shape)
        times = now - ages[: tags.size].reshape(tags.shape)
        if fresh:
            kept = tags["epc"][0, 0].copy()
            tags["epc"][0, 0] = np.frombuffer(fresh, ">u4")
            times[0, 0] = now
        tags["first"] = tags["last"] = times
        data = messages.tobytes()
        if kept is not None:
            tags["epc"][0, 0] = kept
        self.sent += tags.size
        self._rest = data
        self._flush()

    def _hang_up(self) -> None:
        """The client has gone."""
        self.link, self.started, self._rest = None, False, b""

    def _flush(self) -> bool:
        assert self.link is not None
        if not self._rest:
            return True
        self.link.setblocking(False)
        try:
            taken = self.link.send(self._rest)
        except BlockingIOError:
            taken = 0
        except OSError:
            self._hang_up()
            return False
        self._rest = self._rest[taken:]
        return not self._rest


def main(load: Load) -> None:
    """Answers until every reader is started, then sends on a fixed grid of time."""
    chance = np.random.default_rng(1)
    readers = [Reader(number, load, chance) for number in range(load.readers)]
    print("open", flush=True)
    began = False
    due = time.monotonic()
    next_tick = next_fresh = due
    most = max(reader._records[0]["tags"].size for reader in readers)
    count = 0
    while True:
        wait = max(0.0, due - time.monotonic()) if began else 0.02
        sockets = {sock: reader for reader in readers for sock in reader.sockets} if not began else {}
        ready, _, _ = select.select([*sockets, sys.stdin], [], [], 0 if began else wait)
        if sys.stdin in ready:
            break
        now = time.time_ns() // 1000
        for sock in ready:
            if sock in sockets:
                sockets[sock].talk(now)
        if time.monotonic() >= next_tick:
            next_tick += 0.25
            for reader in readers:
                reader.tick(now)
            if began:
                _drain(readers, now)
        if not began and all(reader.started for reader in readers):
            began = True
            print("ready", flush=True)
            due = time.monotonic() + 1.0
        if not began:
            continue
        wait = due - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        else:
            late = -wait
            if late > 1.0:
                due += late  # this process itself was held up: no burst to make up for it
        due += load.step
        now = time.time_ns() // 1000
        ages = chance.integers(0, JITTER, most)
        lucky = -1
        if load.fresh and time.monotonic() >= next_fresh:
            next_fresh = max(next_fresh + 1 / load.fresh, time.monotonic() - 1)
            lucky = count % len(readers)
            count += 1
        for number, reader in enumerate(readers):
            reader.send(now, ages, FRESH + count.to_bytes(6, "big") if number == lucky else b"")
    print(sum(reader.sent for reader in readers), flush=True)


def _drain(readers: list[Reader], now: int) -> None:
    sockets = {sock: reader for reader in readers for sock in reader.sockets}
    ready, _, _ = select.select(list(sockets), [], [], 0)
    for sock in ready:
        sockets[sock].talk(now)


if __name__ == "__main__":
    main(Load(**json.loads(sys.argv[1])))
