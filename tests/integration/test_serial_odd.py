"""Readers that are not in any table: what they can do is learnt from what they answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

import pytest

from drivers.api import (
    AntennaStatus,
    Batch,
    ClockQuality,
    DriverError,
    DriverFactory,
    Item,
    ReaderAlive,
    ReaderClock,
    ReaderCondition,
)
from drivers.serial import m100, mercury, r2000, uhf288
from drivers.serial.framing import Framer, Framing
from drivers.serial.m100 import frames as m1
from drivers.serial.mercury import frames as mc
from drivers.serial.r2000 import frames as r2
from drivers.serial.uhf288 import frames as uf
from tests.support.claims import some
from tests.support.serial_rig import build

EPC = bytes.fromhex("1A4060300048D3D000000001")

Answer: TypeAlias = Callable[[bytes], list[bytes]]


class OddReader:
    """A reader on a TCP port. `answer` gives its frames for a frame of the host; `unasked` is sent all the time."""

    def __init__(self, framing: Framing, answer: Answer, unasked: Callable[[], bytes] = lambda: b"") -> None:
        self.framing = framing
        self.answer = answer
        self.unasked = unasked
        self.heard: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        framer = Framer(self.framing)
        streaming = asyncio.create_task(self._stream(writer))
        with suppress(ConnectionError, asyncio.CancelledError):
            while data := await reader.read(512):
                for frame in framer.feed(data, 0):
                    self.heard.append(frame)
                    for reply in self.answer(frame):
                        writer.write(reply)
        streaming.cancel()
        writer.close()

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        while True:
            if data := self.unasked():
                writer.write(data)
            await asyncio.sleep(0.02)


class Talk:
    """What a driver makes of an odd reader."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.failures: list[DriverError] = []

    def rows(self) -> list[tuple[object, ...]]:
        return [row for item in self.items if isinstance(item, Batch) for row in item.rows]

    def of(self, kind: type[Item]) -> list[Item]:
        return [item for item in self.items if isinstance(item, kind)]

    async def until(self, condition: Callable[[], object], seconds: float = 15.0) -> None:
        """Wait for a condition that the reader and the driver bring about."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not condition():
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"not within {seconds} s; failures: {self.failures}, items: {self.items[-3:]}")
            await asyncio.sleep(0.01)


@asynccontextmanager
async def talking(
    factory: DriverFactory, reader: OddReader, antennas: tuple[int, ...] = (1,), **settings: object
) -> AsyncIterator[Talk]:
    server = await asyncio.start_server(reader.serve, "127.0.0.1", 0)
    where = f"socket://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    talk = Talk()
    options = {"device": where, "reply_timeout": 0.1, **settings}
    driver = build(factory, talk.items.append, options, list(antennas))

    async def run() -> None:
        try:
            await driver.run()
        except DriverError as error:
            talk.failures.append(error)

    task = asyncio.create_task(run())
    try:
        yield talk
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        server.close()


# UHFReader


def uhf(
    kind: int,
    *,
    info: int = 8,
    forms: tuple[int, ...] = (0,),
    tags: bytes = b"\x01\x0c" + EPC,
    modes: bool = True,
) -> Answer:
    """A UHFReader of type `kind` whose INFO has `info` bytes, that takes inventory data of these lengths, answers with
    these tags, and has real-time modes or not."""
    known = {uf.Cmd.SET_POWER, uf.Cmd.SET_SCAN_TIME, uf.Cmd.SET_ANTENNAS}

    def answer(frame: bytes) -> list[bytes]:
        _, cmd, data = uf.read_command(frame)
        if cmd == uf.Cmd.INFO:
            return [uf.reply(0, cmd, 0, bytes([5, 2, kind, 2, 0x31, 0x80, 26, 10, 1, 0, 0, 1])[:info])]
        if cmd == uf.Cmd.INVENTORY:
            return [uf.reply(0, cmd, 1, tags) if len(data) in forms else uf.reply(0, cmd, 0xFD)]
        if cmd in known or (modes and cmd in (uf.Cmd.SET_MODE, uf.Cmd.STOP_NOW)):
            return [uf.reply(0, cmd, 0)]
        return [uf.reply(0, 0, 0xFE)]

    return answer


UHF_READERS = [
    (uhf(0x86), (1,), {(EPC, 1, 0)}),
    (uhf(0x55, info=12, forms=(2,), tags=b"\x01\x01\x0c" + EPC + b"\x40"), (1,), {(EPC, 1, 0x40)}),
    (uhf(0x55, info=12, forms=(0, 5), tags=b"\x01\x0c" + EPC), (1,), {(EPC, 1, 0)}),
    (uhf(0x17, info=8, forms=(5,), tags=b"\x04\x01\x0c" + EPC + b"\x40"), (1, 3), {(EPC, 3, 0x40)}),
    (uhf(0x20, info=12, forms=(5,), tags=b"\x00\x01\x0c" + EPC + b"\x40", modes=False), (4,), {(EPC, 4, 0x40)}),
    (uhf(0x99, info=3, forms=(0,), tags=b"\x01\x0c" + EPC + b"\x33"), (2,), {(EPC, 2, 0x33)}),
]


@pytest.mark.parametrize(("answer", "antennas", "reads"), UHF_READERS)
async def test_uhf_readers_of_any_type_are_read(answer, antennas, reads):
    reader = OddReader(uf.Uhf288Framing(host=True), answer)
    async with talking(uhf288.FACTORY, reader, antennas, scan_time=0.1) as talk:
        await talk.until(lambda: {row[:3] for row in talk.rows()} >= reads)
        await talk.until(lambda: talk.of(ReaderAlive))
        assert {row[:3] for row in talk.rows()} == reads
        assert not talk.failures


async def test_a_uhf_reader_is_taken_out_of_its_active_mode_and_keeps_its_parameters():
    mode = bytes([1, 2, 4, 2, 6, 9])
    state = [mode]
    plain = uhf(0x86, modes=False)

    def answer(frame: bytes) -> list[bytes]:
        _, cmd, data = uf.read_command(frame)
        if cmd == uf.Cmd.GET_MODE_18:
            return [uf.reply(0, cmd, 0, bytes([0, 30, 10, 15]) + state[-1] + bytes(2))]
        if cmd == uf.Cmd.SET_MODE_18:
            state.append(data)
            return [uf.reply(0, cmd, 0)]
        return plain(frame)

    unasked = uf.reply(0, uf.Cmd.REALTIME, 0, EPC)
    reader = OddReader(uf.Uhf288Framing(host=True), answer, lambda: unasked if state[-1][0] & 3 else b"")
    async with talking(uhf288.FACTORY, reader, scan_time=0.1) as talk:
        await talk.until(lambda: len(talk.rows()) > 20)
        assert state == [mode, bytes([0, 2, 4, 2, 6, 9])]
        assert not talk.failures


async def test_a_uhf_reader_that_cannot_be_stopped_is_listened_to():
    unasked = uf.reply(0, uf.Cmd.REALTIME, 0, EPC)
    reader = OddReader(uf.Uhf288Framing(host=True), uhf(0x86, modes=False), lambda: unasked)
    async with talking(uhf288.FACTORY, reader) as talk:
        await talk.until(lambda: len(talk.rows()) > 20)
        await talk.until(lambda: talk.of(ReaderAlive))


async def test_a_reader_of_whose_reports_none_is_understood_is_not_watching(monkeypatch):
    monkeypatch.setattr("drivers.comprehension.PATIENCE", 1.0)
    monkeypatch.setattr("drivers.comprehension.Comprehension.__init__.__defaults__", (1.0,))
    odd = uhf(0x86, tags=b"\x02\x0c" + EPC)
    async with talking(uhf288.FACTORY, OddReader(uf.Uhf288Framing(host=True), odd), scan_time=0.1) as talk:
        await talk.until(lambda: talk.failures)
        assert "is understood" in str(talk.failures[0])
        assert not talk.rows()
        assert not talk.of(ReaderAlive)


# Mercury


def module(
    version: bytes = bytes.fromhex("0710230001000003201410070107020900000010"),
    refuses: frozenset[tuple[int, bytes]] = frozenset(),
    records: bytes = b"\0\0\0\x80\x30\0" + EPC + b"\x12\x34",
) -> Answer:
    """A module that has no stream and refuses commands that begin as `refuses` says, with 0105."""

    def answer(frame: bytes) -> list[bytes]:
        op, data = mc.read_command(frame)
        if op == mc.Op.STREAM or any(op == other and data.startswith(head) for other, head in refuses):
            return [mc.reply(op, 0x0105)]
        replies = {
            mc.Op.VERSION: version,
            mc.Op.PROGRAM: b"\x12",
            mc.Op.GET_REGION: b"\x01",
            mc.Op.GET_READ_POWER: bytes.fromhex("0108FC0BB803E8"),
            mc.Op.READ_MULTIPLE: b"\x01",
            mc.Op.GET_BUFFER: records if data else b"\0\0\0\1",
            mc.Op.GET_ANTENNAS: b"\x05\x01\x01",
        }
        return [mc.reply(op, 0, replies.get(mc.Op(op), b""))]

    return answer


RECORD = bytes.fromhex("01CC110DF7320000000000803000") + EPC + b"\x12\x34"
MODULES = [
    (module(), (1,), -128),
    (module(version=b"\x55"), (1,), -128),
    (module(refuses=frozenset({(0x91, b"\x02"), (0x93, b""), (0x9B, b""), (0x67, b"")})), (1,), -128),
    (module(refuses=frozenset({(0x91, b"")})), (2,), -128),
    (module(refuses=frozenset({(0x22, b"\x10")})), (1, 2), -128),
    (module(records=b"\x00\x1f\x00\x01" + RECORD), (1,), -52),
    (module(records=b"\x00\x1f" + RECORD), (1,), -52),
    (module(records=b"\x00\x80\x30\0" + EPC + b"\x12\x34"), (1,), -128),
]


@pytest.mark.parametrize(("answer", "antennas", "rssi"), MODULES)
async def test_modules_without_a_stream_are_read_by_rounds(answer, antennas, rssi):
    reader = OddReader(mc.MercuryFraming(host=True), answer)
    async with talking(mercury.FACTORY, reader, antennas, on=0.1) as talk:
        await talk.until(lambda: {row[1] for row in talk.rows()} == set(antennas))
        await talk.until(lambda: talk.of(ReaderAlive))
        assert {(row[0], row[2]) for row in talk.rows()} == {(EPC, rssi)}
        (clock,) = talk.of(ReaderClock)
        assert isinstance(clock, ReaderClock)
        assert clock.quality is ClockQuality.ARRIVAL
        assert not talk.failures


# R2000


def a0(*kinds: int, antennas: int = 4, temporary: bool = True) -> Answer:
    """An R2000 reader with so many antennas that knows these kinds of rounds."""
    rounds = {r2.Cmd.FAST_SWITCH, r2.Cmd.SESSION, r2.Cmd.REALTIME}

    def answer(frame: bytes) -> list[bytes]:
        _, cmd, data = r2.read_frame(frame)
        if cmd in rounds:
            if cmd not in kinds:
                return [r2.frame_of(1, cmd, b"\x41")]
            tag = r2.frame_of(1, cmd, b"\x8c\x30\x00" + EPC + b"\x37")
            end = bytes(7)
            return [tag, r2.frame_of(1, cmd, end)]
        if cmd == r2.Cmd.FIRMWARE:
            return [r2.frame_of(1, cmd, b"\x09")]
        if cmd == r2.Cmd.SET_ANTENNA:
            return [r2.frame_of(1, cmd, b"\x10" if data[0] < antennas else b"\x47")]
        if cmd == r2.Cmd.SET_TEMPORARY_POWER:
            return [r2.frame_of(1, cmd, b"\x10" if temporary else b"\x11")]
        return [r2.frame_of(1, cmd, b"\x17" if cmd == r2.Cmd.GET_POWER else b"\x10")]

    return answer


R2000_READERS = [
    (a0(r2.Cmd.SESSION), (1, 2), {1, 2}),
    (a0(r2.Cmd.REALTIME), (1, 2), {1, 2}),
    (a0(r2.Cmd.REALTIME, antennas=0), (1,), {1}),
    (a0(r2.Cmd.SESSION, antennas=2), (1, 2, 9), {1, 2}),
    (a0(r2.Cmd.SESSION, temporary=False), (1,), {1}),
]


def not_there(talk: Talk) -> set[int]:
    """The antennas that were told not to be there."""
    return {item.antenna for item in talk.of(AntennaStatus) if isinstance(item, AntennaStatus) and not item.up}


@pytest.mark.parametrize(("answer", "antennas", "seen"), R2000_READERS)
async def test_r2000_readers_are_asked_for_the_rounds_that_they_know(answer, antennas, seen):
    reader = OddReader(r2.R2000Framing(host=True), answer)
    async with talking(r2000.FACTORY, reader, antennas) as talk:
        await talk.until(lambda: {row[1] for row in talk.rows()} == seen)
        await talk.until(lambda: talk.of(ReaderAlive))
        await talk.until(lambda: not_there(talk) == set(antennas) - seen)
        assert not talk.failures
        if not any(frame[3] == r2.Cmd.SET_TEMPORARY_POWER for frame in reader.heard):
            pytest.fail("the power is set")
        assert not any(frame[3] == r2.Cmd.SET_POWER for frame in some(reader.heard)), "it has that power already"


SIDE_QUESTIONS = [
    pytest.param(
        r2000.FACTORY, r2.R2000Framing(host=True), a0(r2.Cmd.SESSION), 3, r2.Cmd.GET_INPUTS, id="r2000 inputs"
    ),
    pytest.param(r2000.FACTORY, r2.R2000Framing(host=True), a0(r2.Cmd.SESSION), 3, r2.Cmd.TEMPERATURE, id="r2000 heat"),
    pytest.param(
        r2000.FACTORY, r2.R2000Framing(host=True), a0(r2.Cmd.SESSION), 3, r2.Cmd.RETURN_LOSS, id="r2000 match"
    ),
    pytest.param(uhf288.FACTORY, uf.Uhf288Framing(host=True), uhf(0x86), 2, uf.Cmd.GET_PINS, id="uhf288 inputs"),
]


@pytest.mark.parametrize(("factory", "framing", "answer", "place", "question"), SIDE_QUESTIONS)
async def test_what_a_reader_leaves_unanswered_beside_its_reads_is_asked_no_more(
    factory, framing, answer, place, question, monkeypatch
):
    """Waiting for it would cost reading time for ever. Inputs that are not told are no secret."""
    monkeypatch.setattr("drivers.serial.r2000.session.CHECK_EVERY", 10_000)
    monkeypatch.setattr("drivers.serial.r2000.session.MEASURING", 0.05)
    reader = OddReader(framing, lambda frame: [] if frame[place] == question else answer(frame))
    async with talking(factory, reader, inputs=[1], input_poll=0.02, reply_timeout=0.05) as talk:
        await talk.until(lambda: sum(frame[place] == question for frame in reader.heard) >= 5, 60)
        asked, heard = 0, 0

        def no_more() -> bool:
            """Not in the last hundred commands."""
            nonlocal asked, heard
            now = sum(frame[place] == question for frame in reader.heard)
            if now != asked:
                asked, heard = now, len(reader.heard)
            return len(reader.heard) > heard + 100

        await talk.until(no_more, 60)
        told = {item.condition for item in talk.of(ReaderCondition)}
        assert told == ({"settings-refused"} if question in (r2.Cmd.GET_INPUTS, uf.Cmd.GET_PINS) else set())
        assert not talk.failures


# M100


@pytest.mark.parametrize("port", [1, 3])
async def test_a_module_without_endless_polls_is_asked_for_each(port):
    def answer(frame: bytes) -> list[bytes]:
        _, cmd, _ = m1.read_frame(frame)
        if cmd == m1.Cmd.POLL:
            return [m1.tag_notice(EPC, -55)]
        if cmd == m1.Cmd.GET_POWER:
            return [m1.frame_of(m1.RESPONSE, cmd, (2300).to_bytes(2, "big"))]
        return [m1.frame_of(m1.RESPONSE, m1.Cmd.ERROR, b"\x17")]

    reader = OddReader(m1.M100Framing(host=True), answer)
    async with talking(m100.FACTORY, reader, (port,)) as talk:
        await talk.until(lambda: len(talk.rows()) > 10)
        await talk.until(lambda: talk.of(ReaderAlive))
        assert {row[:3] for row in talk.rows()} == {(EPC, port, -55)}
        assert not talk.failures
