"""The LLRP driver and peers that are not what they should be: each ends in a sentence that an operator can act on."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from drivers.api import Batch, ReaderAlive, ReaderClock, ReaderUp
from drivers.llrp.protocol.codec import Message, encode
from drivers.llrp.protocol.element import E
from tests.integration.test_llrp_driver_links import server_context
from tests.support import certificates
from tests.support.llrp_bench import event
from tests.support.llrp_rig import FakeReader, Rig, scripted
from tests.support.mosquitto import free_port

Script = Callable[[FakeReader], Awaitable[None]]


async def silent(reader: FakeReader) -> None:
    await reader.asked()


async def a_byte_at_a_time(reader: FakeReader) -> None:
    for byte in encode(event(E("ConnectionAttemptEvent", Status=0))):
        reader.writer.write(bytes([byte]))
        await asyncio.sleep(0.1)


async def web_server(reader: FakeReader) -> None:
    reader.writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    await reader.asked()


async def busy(reader: FakeReader) -> None:
    reader.greet(2)


async def endless_frame(reader: FakeReader) -> None:
    reader.greet()
    reader.writer.write(bytes([0x04, 61, 0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 1]) + bytes(100))
    await reader.stay()


async def refuses_the_rospec(reader: FakeReader) -> None:
    reader.greet()
    while True:
        request = await reader.asked()
        if request.name == "ADD_ROSPEC":
            reader.refuse(request, 101, "no such\nantenna")
        else:
            reader.serve(request)


async def stops_answering(reader: FakeReader) -> None:
    reader.greet()
    reader.serve(await reader.asked())
    await asyncio.sleep(3600)


async def loses_its_voice(reader: FakeReader) -> None:
    await reader.set_up()
    await asyncio.sleep(3600)


async def says_goodbye(reader: FakeReader) -> None:
    await reader.set_up()
    reader.say(event(E("ConnectionCloseEvent")))
    await reader.stay()


async def hangs_up(reader: FakeReader) -> None:
    await reader.set_up()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (silent, r"no whole LLRP greeting came within 0.6 s: is this an LLRP reader, and is the port right\?"),
        (a_byte_at_a_time, r"no whole LLRP greeting came within 0.6 s"),
        (web_server, r"this is not an LLRP reader: it answered with HTTP \(a web server\): 'HTTP/1.1 400 Bad Request'"),
        (busy, r"another client is connected to this reader, which serves one at a time: stop that one"),
        (endless_frame, r"a message that says it is 2147483647 bytes long"),
        (refuses_the_rospec, r"the reader refused ADD_ROSPEC: M_FieldError: no such antenna"),
        (stops_answering, r"no answer to GET_READER_CONFIG \(message id 3\) within 0.6 s while asking"),
        (loses_its_voice, r"3 keepalives are missing \(one is due every 0.2 s\): the link is dead"),
        (says_goodbye, r"the reader closed the connection \(ConnectionCloseEvent\)"),
        (hangs_up, r"the reader closed the connection while reading"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
async def test_the_error_says_what_happened_where_and_what_to_do(script: Script, message: str) -> None:
    async with scripted(script) as port:
        error = await Rig(host="127.0.0.1", port=port, command_timeout=0.6, keepalive=0.2).fails()
    assert re.search(message, str(error)), str(error)
    assert str(error).startswith(f"127.0.0.1:{port}: ")
    assert not error.permanent


async def test_nobody_at_the_port() -> None:
    port = free_port()
    error = await Rig(host="127.0.0.1", port=port).fails()
    assert str(error) == f"127.0.0.1:{port}: cannot connect: Connection refused"


async def test_no_such_name() -> None:
    error = await Rig(host="reader.invalid").fails()
    assert str(error).startswith("reader.invalid:5084: no address is known for reader.invalid: ")


async def test_reads_that_come_before_the_setup_is_done_wait_for_it() -> None:
    async def eager(reader: FakeReader) -> None:
        reader.greet()
        for serial in range(3):
            reader.say(report(serial))
        looks = 0
        while looks < 2:
            request = await reader.asked()
            reader.serve(request)
            looks += request.name == "GET_READER_CONFIG"
        await reader.stay()

    async with scripted(eager) as port, Rig(host="127.0.0.1", port=port).running() as rig:
        await rig.until(lambda: rig.of(ReaderAlive), "alive")
        assert [type(item) for item in rig.items] == [ReaderUp, ReaderClock, Batch, ReaderAlive]
        assert rig.epcs == [serial.to_bytes(12, "big") for serial in range(3)]


def report(serial: int) -> Message:
    record = E(
        "TagReportData",
        E("EPC_96", EPC=serial.to_bytes(12, "big")),
        E("AntennaID", AntennaID=1),
        E("PeakRSSI", PeakRSSI=-60),
        E("LastSeenTimestampUTC", Microseconds=Rig.now()),
    )
    return Message("RO_ACCESS_REPORT", 0, E("RO_ACCESS_REPORT", record))


async def test_a_reader_that_offers_1_1_but_does_not_take_it() -> None:
    versions: list[int] = []

    async def half_hearted(reader: FakeReader) -> None:
        reader.greet()
        while True:
            request = await reader.asked()
            versions.append(request.version)
            if request.name == "GET_SUPPORTED_VERSION":
                reader.answer(request, CurrentVersion=1, SupportedVersion=2)
            elif request.name == "SET_PROTOCOL_VERSION":
                reader.refuse(request, 109)
            else:
                reader.serve(request)

    async with scripted(half_hearted) as port, Rig(host="127.0.0.1", port=port).running() as rig:
        await rig.up()
    assert versions[:3] == [2, 2, 1]
    assert set(versions[2:]) == {1}


async def test_outputs_without_a_connection() -> None:
    rig = Rig(host="127.0.0.1", port=1)
    with pytest.raises(Exception, match="output 1 was not switched: the reader is not connected"):
        await rig.driver.set_output(1, True)


async def test_an_output_whose_link_breaks() -> None:
    async def breaks(reader: FakeReader) -> None:
        await reader.set_up()
        while (await reader.asked()).name != "SET_READER_CONFIG":
            pass

    async with scripted(breaks) as port, Rig(host="127.0.0.1", port=port).running() as rig:
        await rig.until(lambda: rig.of(ReaderAlive), "alive")
        with pytest.raises(Exception, match="the link ended before the output was switched"):
            await rig.driver.set_output(1, True)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("writes", [True, False], ids=["found by writing", "found by reading"])
async def test_what_a_reader_sent_before_its_link_broke_is_taken(tls: bool, writes: bool, tmp_path: Path) -> None:
    files = certificates.make(tmp_path) if tls else None
    trusted = {"ca_file": str(files.file("ca.crt"))} if files else None
    held, gone = asyncio.Event(), asyncio.Event()

    async def breaks(reader: FakeReader) -> None:
        await reader.set_up()
        await held.wait()
        reader.writer.write(b"".join(encode(report(serial)) for serial in range(100)))
        plug = reader.writer.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # its end is a reset
        reader.writer.transport.abort()
        await asyncio.sleep(0)  # the transport closes its socket in the next turn of the loop
        gone.set()

    async with (
        scripted(breaks, tls=server_context(files) if files else None) as port,
        Rig(host="localhost", port=port, tls=trusted).running() as rig,
    ):
        await rig.until(lambda: rig.of(ReaderAlive), "alive")
        rig.driver.pause()
        held.set()
        await gone.wait()
        if writes:
            with pytest.raises(Exception, match="the link ended before the output was switched"):
                await rig.driver.set_output(1, True)
        else:
            rig.driver.resume()
        await rig.until(lambda: rig.failures, "the end")
        assert rig.epcs == [serial.to_bytes(12, "big") for serial in range(100)]
