"""Bytes in any chunks, and what becomes of them, without a network."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from collections.abc import Iterable

import pytest
import structlog

from drivers.api import (
    Antenna,
    AntennaStatus,
    Batch,
    DriverContext,
    DriverError,
    Item,
    ReaderAlive,
    ReaderClock,
    ReaderUp,
)
from drivers.llrp import heartbeat
from drivers.llrp import transport as transport_module
from drivers.llrp.memory import Memory
from drivers.llrp.protocol.codec import Message, decode, encode
from drivers.llrp.protocol.element import E
from drivers.llrp.reading import PLENTY
from drivers.llrp.session import Session
from drivers.llrp.settings import LlrpSettings
from drivers.llrp.transport import MAX_UNSENT, LlrpProtocol
from drivers.polls import LONGEST
from drivers.records import Records
from tests.support.claims import some
from tests.support.llrp_bench import OK, T0, event


class StubTransport(asyncio.Transport):
    """Keeps what is written; never sends it. `socket`: where what has come and was not read yet waits."""

    def __init__(self, socket: socket.socket | None = None) -> None:
        super().__init__({} if socket is None else {"socket": socket})
        self.written = bytearray()
        self.is_deaf = False
        self.reading = True
        self.closed = ""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return len(self.written) if self.is_deaf else 0

    def is_closing(self) -> bool:
        return bool(self.closed)

    def close(self) -> None:
        self.closed = "in order"

    def abort(self) -> None:
        self.closed = "at once"

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Wire:
    """A protocol that reads, on a stub."""

    def __init__(self, clock: str = "auto", socket: socket.socket | None = None, **more: object) -> None:
        self.items: list[Item] = []
        context = DriverContext("r1", (Antenna(1),), self.items.append, lambda: T0, structlog.get_logger())
        settings = LlrpSettings(host="reader", clock=clock, **more)  # type: ignore[arg-type]
        self.memory = Memory(ask_version=False)
        self.session = Session(context, settings, self.memory, "reader:5084")
        self.protocol = LlrpProtocol(context, settings, self.session, "reader:5084")
        self.transport = StubTransport(socket)
        self.protocol.connection_made(self.transport)

    def read(self) -> None:
        """Comes to READING; what the sink got until then stays in `before`."""
        self.protocol.data_received(encode(event(E("ConnectionAttemptEvent", Status=0))))
        self.set_up()
        self.before = self.items.copy()
        self.begun = asyncio.get_running_loop().time()
        self.items.clear()

    def set_up(self) -> None:
        """Answers all that is asked behind the greeting."""
        for _ in range(10):
            request = self.asked()[-1]
            body = E(f"{request.name}_RESPONSE", OK)
            self.protocol.data_received(encode(Message(body.name, request.id, body)))

    def asked(self) -> list[Message]:
        """What was sent since the last time."""
        data, messages = bytes(self.transport.written), []
        self.transport.written.clear()
        while data:
            length = int.from_bytes(data[2:6], "big")
            messages.append(decode(data[:length]))
            data = data[length:]
        return messages


def report(serials: Iterable[int], t: int = T0) -> bytes:
    """An RO_ACCESS_REPORT, one record for each serial number."""
    records = [
        E(
            "TagReportData",
            E("EPC_96", EPC=serial.to_bytes(12, "big")),
            E("AntennaID", AntennaID=1),
            E("PeakRSSI", PeakRSSI=-60),
            E("LastSeenTimestampUTC", Microseconds=t + serial),
        )
        for serial in serials
    ]
    return encode(Message("RO_ACCESS_REPORT", 0, E("RO_ACCESS_REPORT", *records)))


KEEPALIVE = encode(Message("KEEPALIVE", 5, E("KEEPALIVE")))


async def test_all_reports_of_a_chunk_are_one_batch_and_come_before_the_sign_of_life() -> None:
    wire = Wire()
    wire.read()
    wire.protocol.data_received(report([1]) + KEEPALIVE + report([2, 3]) + report([4]))
    batch, alive = wire.items
    assert isinstance(batch, Batch)
    assert [(row[0][-1], row[1], row[2], row[4] - T0) for row in batch.rows] == [
        (serial, 1, -60, serial) for serial in (1, 2, 3, 4)
    ]
    assert alive == ReaderAlive("r1", T0)


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
async def test_chunks_of_any_size_give_the_same_reads(size: int) -> None:
    wire = Wire()
    wire.read()
    data = b"".join(report(range(n, n + 3)) + KEEPALIVE for n in range(0, 30, 3))
    for start in range(0, len(data), size):
        wire.protocol.data_received(data[start : start + size])
    rows = [row for item in wire.items if isinstance(item, Batch) for row in item.rows]
    assert [row[0][-1] for row in rows] == list(range(30))
    assert sum(isinstance(item, ReaderAlive) for item in wire.items) == 10


async def test_whole_reports_in_front_of_a_broken_frame_are_kept() -> None:
    wire = Wire()
    wire.read()
    wire.protocol.data_received(report([1]) + b"\xff" * 20)
    assert [type(item) for item in wire.items] == [Batch]
    with pytest.raises(DriverError, match="reader:5084: the reader sent something that is not LLRP"):
        await wire.protocol.ended
    assert wire.transport.closed == "at once"


async def test_what_waits_to_be_read_is_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that was held up for longer than keepalives may be missing finds them in its socket."""
    monkeypatch.setattr(heartbeat, "MISSED_KEEPALIVES", 0)  # half a keepalive is too long
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        wire = Wire(socket=ours, keepalive=0.5)
        wire.read()
        theirs.send(report([1]) + KEEPALIVE)
        with pytest.raises(DriverError, match="keepalives are missing"):
            await asyncio.wait_for(asyncio.shield(wire.protocol.ended), 60)
    batch, alive = wire.items[:2]
    assert isinstance(batch, Batch)
    assert alive == ReaderAlive("r1", T0)
    lost = asyncio.get_running_loop().time() - wire.begun
    assert lost >= 2 * 0.25, "it ended before it had been silent again"


async def test_nothing_is_taken_after_the_end() -> None:
    wire = Wire()
    wire.read()
    wire.protocol.fail(DriverError("over"))
    wire.protocol.data_received(report([1]))
    wire.protocol.connection_lost(None)
    assert wire.items == []
    with pytest.raises(DriverError, match="over"):
        await wire.protocol.ended


async def test_reads_that_come_before_the_setup_is_done_wait_for_its_end() -> None:
    wire = Wire()
    wire.protocol.data_received(report([1, 2, 3]))
    assert wire.items == []
    wire.read()
    assert [type(item) for item in wire.before] == [ReaderUp, ReaderClock, Batch, ReaderAlive]
    wire.protocol.fail(DriverError("enough"))


async def test_more_early_reads_than_may_wait_go_on_as_held_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "MAX_EARLY_ROWS", 5)
    wire = Wire()
    wire.protocol.data_received(report([1, 2, 3]))
    wire.protocol.data_received(report([4, 5, 6]))
    assert [type(item) for item in wire.items] == [ReaderUp, Batch, Batch]
    assert wire.items[0].held, "they may be older than the connection"
    wire.protocol.data_received(report([7]))
    wire.read()
    assert [type(item) for item in wire.before[3:]] == [Batch, ReaderUp, ReaderClock, ReaderAlive]
    assert wire.before[4].held
    assert sum(len(item.rows) for item in wire.before if isinstance(item, Batch)) == 7
    wire.protocol.fail(DriverError("enough"))


async def test_reads_of_a_reader_that_must_first_say_who_it_is_wait_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "MAX_EARLY_ROWS", 5)
    monkeypatch.setattr(transport_module, "MAX_UNKNOWN_ROWS", 20)
    wire = Wire(identification="0011")
    wire.protocol.data_received(report(range(15)))
    assert wire.items == []
    wire.read()
    assert sum(len(item.rows) for item in wire.before if isinstance(item, Batch)) == 15
    wire.protocol.fail(DriverError("enough"))
    wire = Wire(identification="0011")
    wire.protocol.data_received(report(range(21)))
    with pytest.raises(DriverError, match="before the reader had said who it is"):
        await wire.protocol.ended


async def test_a_report_that_cannot_be_read_costs_only_itself() -> None:
    wire = Wire()
    wire.read()
    without_epc = encode(Message("RO_ACCESS_REPORT", 1, E("RO_ACCESS_REPORT", E("TagReportData"))))
    wire.protocol.data_received(without_epc + report([1]) + without_epc)
    assert [len(item.rows) for item in wire.items if isinstance(item, Batch)] == [1]
    assert not wire.protocol.ended.done()
    wire.protocol.fail(DriverError("enough"))


async def test_reads_without_antenna_are_of_the_only_one() -> None:
    wire = Wire()
    wire.read()
    for parts in ([], [E("AntennaID", AntennaID=0)]):
        tag = E("TagReportData", E("EPC_96", EPC=bytes(12)), *parts)
        wire.protocol.data_received(encode(Message("RO_ACCESS_REPORT", 1, E("RO_ACCESS_REPORT", tag))))
    assert [row[1] for item in wire.items if isinstance(item, Batch) for row in item.rows] == [1, 1]
    wire.protocol.fail(DriverError("enough"))


async def test_a_reader_that_takes_nothing_does_not_fill_the_memory() -> None:
    wire = Wire()
    wire.read()
    wire.transport.is_deaf = True
    wire.protocol.data_received(KEEPALIVE * (MAX_UNSENT // len(KEEPALIVE)))
    assert not wire.protocol.ended.done()
    wire.protocol.data_received(KEEPALIVE * 2)
    with pytest.raises(DriverError, match="the reader does not take what we send it"):
        await wire.protocol.ended


async def test_reads_are_stamped_on_arrival_when_told_so() -> None:
    wire = Wire(clock="arrival")
    wire.read()
    wire.protocol.data_received(report([1], t=T0 - 10_000_000))
    (batch,) = wire.items
    assert isinstance(batch, Batch)
    assert batch.offset + batch.rows[0][4] == T0


async def test_pausing_stops_the_clock_of_the_link_too() -> None:
    wire = Wire()
    wire.read()
    wire.protocol.pause()
    assert wire.transport.reading is False
    assert wire.session.deadline is None
    wire.protocol.resume()
    assert wire.transport.reading is True
    assert wire.session.deadline is not None
    wire.protocol.fail(DriverError("enough"))


async def test_what_the_sink_raises_reaches_whoever_runs_the_driver() -> None:
    wire = Wire()
    wire.read()

    def full(_item: Item) -> None:
        raise OSError(28, "No space left on device")

    wire.protocol._context = dataclasses.replace(wire.protocol._context, sink=full)
    wire.protocol.data_received(report([1]))
    assert isinstance(wire.protocol.ended.exception(), OSError)
    assert wire.transport.closed == "at once"


@pytest.mark.looptime
async def test_a_chatty_connection_is_read_once_for_many_messages() -> None:
    wire = Wire()
    wire.read()
    wire.protocol.data_received(report([1]))
    assert wire.transport.reading, "one message now and then is taken at once"
    await asyncio.sleep(0.001)
    wire.protocol.data_received(report([2]))
    assert not wire.transport.reading
    await asyncio.sleep(LONGEST)
    assert wire.transport.reading
    wire.protocol.data_received(report([3]))  # what has gathered comes at once
    assert not wire.transport.reading
    await asyncio.sleep(1.0)
    assert wire.transport.reading
    wire.protocol.data_received(report([4]))
    assert wire.transport.reading, "it has been quiet for a while"


@pytest.mark.looptime
@pytest.mark.parametrize("hold", [True, False])
async def test_gathering_and_holding_back_do_not_undo_each_other(hold: bool) -> None:
    wire = Wire()
    wire.read()
    for serial in (1, 2):
        wire.protocol.data_received(report([serial]))
    wire.protocol.pause()
    await asyncio.sleep(LONGEST * 2)
    assert not wire.transport.reading, "the reader is still held back when the messages have gathered"
    wire.protocol.resume()
    assert wire.transport.reading
    wire.protocol.data_received(report([3]))
    wire.protocol.data_received(report([4]))
    assert not wire.transport.reading
    wire.protocol.fail(DriverError("over")) if hold else wire.protocol.connection_lost(None)
    await asyncio.sleep(LONGEST * 2)
    assert not wire.transport.reading, "nobody reads a connection that has ended"


@pytest.mark.looptime
async def test_times_of_arrival_are_not_made_later_by_gathering() -> None:
    wire = Wire(clock="arrival")
    wire.read()
    for serial in range(5):
        wire.protocol.data_received(report([serial]))
        assert wire.transport.reading


@pytest.mark.looptime
async def test_a_large_chunk_needs_no_gathering() -> None:
    wire = Wire()
    wire.read()
    for start in (0, 4000):
        large = report(range(start, start + 4000))
        assert len(large) >= PLENTY
        wire.protocol.data_received(large)
        assert wire.transport.reading


@pytest.mark.parametrize("stamp", [2**64 - 100, 2**63, 2**62])
async def test_a_stamp_that_no_clock_shows_is_none(stamp: int) -> None:
    """It would be no number that fits a file, a page or JSON."""
    wire = Wire()
    wire.read()
    wire.protocol.data_received(report([1, 2], stamp))
    wire.protocol.data_received(encode(event(E("AntennaEvent", EventType=0, AntennaID=1), utc=stamp)))
    wire.protocol.data_received(report([3]))
    batches = [item for item in wire.items if isinstance(item, Batch)]
    assert [row[4] + batch.offset for batch in batches for row in batch.rows] == [T0, T0, T0 + 3]
    assert all(abs(item.offset) < 2**62 for item in some(wire.items) if isinstance(item, ReaderClock))
    assert [item.t for item in wire.items if isinstance(item, AntennaStatus)] == [T0]


@pytest.mark.parametrize("together", [True, False], ids=["one chunk", "two chunks"])
async def test_reads_that_come_with_the_greeting_are_dated_by_it(together: bool) -> None:
    """A reader whose clock is an hour behind delivers what it kept right behind its greeting, or even before it."""
    hour = 3_600_000_000
    wire = Wire()
    greeting = encode(event(E("ConnectionAttemptEvent", Status=0), utc=T0 - hour))
    kept = report([1], t=T0 - hour - 60_000_000)
    for chunk in [greeting + kept] if together else [kept, greeting]:
        wire.protocol.data_received(chunk)
    wire.set_up()
    (batch,) = [item for item in wire.items if isinstance(item, Batch)]
    assert batch.offset + batch.rows[0][4] == T0 - 60_000_000 + 1
    wire.protocol.fail(DriverError("enough"))


async def test_a_reader_that_flushes_its_buffer_when_it_is_left_is_not_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport_module, "MAX_EARLY_ROWS", 5)
    wire = Wire()
    wire.read()
    closing = asyncio.create_task(wire.protocol.close(60.0))
    await asyncio.sleep(0)
    wire.protocol.data_received(report(range(20)))
    request = wire.asked()[-1]
    wire.protocol.data_received(
        encode(Message("CLOSE_CONNECTION_RESPONSE", request.id, E(f"{request.name}_RESPONSE", OK)))
    )
    await closing
    assert [type(item) for item in wire.items] == [Batch]
    assert len(wire.items[0].rows) == 20


async def test_reads_stamped_on_arrival_say_when_the_last_of_them_was_made() -> None:
    """Also those of a reader that sends times although it was told not to."""
    wire = Wire(clock="arrival")
    wire.read()
    wire.protocol.data_received(report([1], t=T0 - 10_000_000))
    assert wire.memory.last_read == T0
    wire.protocol.fail(DriverError("enough"))


async def test_reads_of_a_reader_with_one_antenna_stay_its_bytes() -> None:
    wire = Wire()
    wire.read()
    for _ in range(2):  # the layout of the first is learned
        wire.protocol.data_received(report(range(1, 50)))
    _, batch = wire.items
    assert isinstance(batch, Batch)
    assert isinstance(batch.rows, Records)
    assert batch.rows._rows is None, "nobody has asked for rows yet"
    wire.protocol.fail(DriverError("enough"))
