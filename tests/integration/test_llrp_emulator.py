"""The emulated LLRP reader over real TCP: one client at a time, cuts without loss, holding, calling, its command."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from collections import Counter
from pathlib import Path

import orjson
import pytest

from drivers.emulators.command import main
from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.llrp.link import close_in_order
from drivers.emulators.read_log import ReadLog
from drivers.emulators.scene import population, serials
from drivers.llrp.protocol.codec import Message, encode
from drivers.llrp.protocol.element import E
from tests.support.claims import some
from tests.support.llrp_peer import Peer, peer
from tests.support.virtual_reader import events, rospec

ROOT = Path(__file__).resolve().parents[2]


def made(emulator: LlrpEmulator) -> Counter[bytes]:
    return Counter(read.epc for read in emulator.reads)


async def settled(emulator: LlrpEmulator, client: Peer) -> None:
    """Stops reading and waits until the client has all that was sent."""
    await client.ask(E("STOP_ROSPEC", ROSpecID=1))
    await emulator.until(lambda: len(emulator.reader.buffer) == 0)
    await client.ask(E("GET_ROSPECS"))  # its answer comes after everything that the buffer gave


async def test_every_read_arrives_once():
    async with LlrpEmulator(serials(2000, (1, 2)), keep_reads=True) as emulator, peer(emulator.port) as client:
        await client.run(rospec(n=10))
        await client.until(lambda: len(client.seen) > 2000)
        await settled(emulator, client)
        assert Counter(client.seen) == made(emulator)
        assert emulator.reader.counters.sent == len(client.seen)


async def test_one_client_at_a_time():
    async with LlrpEmulator(population(5, 100)) as emulator, peer(emulator.port) as first:
        async with peer(emulator.port, welcome=2) as second:
            await second.until(lambda: second.ended)
            assert len(second.messages) == 1
        await first.until(lambda: len(events(first.messages, "ConnectionAttemptEvent")) == 2)
        assert events(first.messages, "ConnectionAttemptEvent")[1]["Status"] == 4
        await first.ask(E("GET_ROSPECS"))


async def cuts_without_loss(emulator: LlrpEmulator, cuts: int, every: float) -> tuple[list[bytes], int]:
    """What a client that always comes back has seen, and how often it came."""
    seen: list[bytes] = []
    connections = 0
    while True:
        async with peer(emulator.port) as client:
            connections += 1
            if connections == 1:
                await client.run(rospec(n=5), hold=True)
            else:
                client.send(E("ENABLE_EVENTS_AND_REPORTS"))
            if connections > cuts:
                await client.until(lambda: len(emulator.reader.buffer) < 100)
                await settled(emulator, client)
                return seen + client.seen, connections
            asyncio.get_running_loop().call_later(every, emulator.drop)
            await client.until(lambda: client.ended)
            assert not client.reset
            seen += client.seen


async def test_six_cuts_lose_nothing():
    async with LlrpEmulator(serials(1500, (1, 2)), keep_reads=True) as emulator:
        seen, connections = await cuts_without_loss(emulator, cuts=6, every=0.2)
        counters = emulator.reader.counters
        assert connections == 7
        assert counters.cuts == 6
        assert Counter(seen) == made(emulator)
        assert counters.held > 0
        assert (counters.overflowed, counters.discarded) == (0, 0)


@pytest.mark.slow
async def test_six_cuts_in_ten_seconds_at_5000_reads_a_second():
    async with LlrpEmulator(serials(2500, (1, 2)), keep_reads=True) as emulator:
        seen, _ = await cuts_without_loss(emulator, cuts=6, every=1.5)
        assert len(seen) > 40_000
        assert Counter(seen) == made(emulator)


async def test_a_cut_while_the_client_is_not_reading_loses_nothing():
    async with LlrpEmulator(serials(4000, (1, 2)), keep_reads=True, hold_buffer=100_000) as emulator:
        async with peer(emulator.port) as client:
            await client.run(rospec(n=50), hold=True)
            client.reading.clear()
            await emulator.until(lambda: len(emulator.reader.buffer) > 2000)  # the kernel takes no more
            emulator.drop()
            assert not emulator.connected
            client.reading.set()
            await client.until(lambda: client.ended)
        async with peer(emulator.port) as again:
            emulator.switch_off()  # what it holds goes out, however slow this machine is
            again.send(E("ENABLE_EVENTS_AND_REPORTS"))
            await emulator.until(lambda: not len(emulator.reader.buffer), 60)
            await settled(emulator, again)
            assert Counter(client.seen + again.seen) == made(emulator)


async def test_a_client_that_is_held_up_at_the_cut_gets_what_the_kernel_took():
    """Also where it says something after the time that it has to close in."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(listener.getsockname())
        served, _ = listener.accept()
        for end in (client, served):
            end.setblocking(False)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                sent += served.send(bytes(1000))
        goodbye = asyncio.create_task(close_in_order(served, wait=0.02))
        for _ in range(10):
            await asyncio.sleep(0.02)
            client.send(b"what the client had to say")
        got, loop = 0, asyncio.get_running_loop()
        while data := await asyncio.wait_for(loop.sock_recv(client, 65536), 60):
            got += len(data)
        assert got == sent
        client.close()
        await goodbye


async def test_an_abort_is_a_reset():
    async with LlrpEmulator(serials(500), keep_reads=True) as emulator:
        async with peer(emulator.port) as client:
            await client.run(rospec(), hold=True)
            await client.until(lambda: len(client.seen) > 50)
            assert emulator.drop(abort=True)
            assert not emulator.drop(abort=True)
            await client.until(lambda: client.ended)
            assert client.reset
        async with peer(emulator.port) as again:
            again.send(E("ENABLE_EVENTS_AND_REPORTS"))
            await settled(emulator, again)
            assert max(Counter(client.seen + again.seen).values()) == 1
            assert len(client.seen + again.seen) <= emulator.reader.counters.sent == len(emulator.reads)


KILLED_CLIENT = """
import socket, sys, time
from drivers.llrp.protocol.codec import Message, encode
from drivers.llrp.protocol.element import E
from tests.support.virtual_reader import rospec
holding = E("EventsAndReports", HoldEventsAndReportsUponReconnect=True)
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
for body in (E("SET_READER_CONFIG", holding, ResetToFactoryDefault=False), E("ADD_ROSPEC", rospec()),
             E("ENABLE_ROSPEC", ROSpecID=1)):
    sock.sendall(encode(Message(body.name, 1, body)))
while True:
    sock.recv(4096)
"""


async def test_a_client_killed_leaves_a_reader_that_holds():
    async with LlrpEmulator(serials(500), keep_reads=True) as emulator:
        client = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED_CLIENT, str(emulator.port), cwd=ROOT)
        await emulator.until(lambda: emulator.reader.counters.sent > 100, timeout=60)
        client.send_signal(signal.SIGKILL)
        await client.wait()
        await emulator.until(lambda: not emulator.connected)
        sent = emulator.reader.counters.sent
        await emulator.until(lambda: len(emulator.reader.buffer) > 100)
        async with peer(emulator.port) as again:
            again.send(E("ENABLE_EVENTS_AND_REPORTS"))
            await settled(emulator, again)
            assert Counter(again.seen) == Counter(read.epc for read in emulator.reads[sent:])


async def test_a_frozen_reader_says_nothing_until_it_thaws():
    async with LlrpEmulator(serials(500), keep_reads=True) as emulator, peer(emulator.port) as client:
        await client.run(rospec())
        emulator.freeze()
        client.send(E("GET_ROSPECS"))
        await emulator.until(lambda: len(emulator.reader.buffer) > 100)
        assert not any(m.name == "GET_ROSPECS_RESPONSE" for m in some(client.messages))
        assert emulator.connected
        emulator.freeze(False)
        await settled(emulator, client)
        assert any(m.name == "GET_ROSPECS_RESPONSE" for m in client.messages)
        assert Counter(client.seen) == made(emulator)


async def test_inputs_and_outputs():
    switched = []
    async with (
        LlrpEmulator(population(5, 100), on_output=lambda *change: switched.append(change)) as emulator,
        peer(emulator.port) as client,
    ):
        listen = E("GPIPortCurrentState", GPIPortNum=1, Config=True, State=2)
        tell = E("ReaderEventNotificationSpec", E("EventNotificationState", EventType=1, NotificationState=True))
        lamp = E("GPOWriteData", GPOPortNumber=3, GPOData=True)
        await client.ask(E("SET_READER_CONFIG", tell, lamp, listen, ResetToFactoryDefault=False))
        assert switched == [(3, True)]
        emulator.set_input(1, True)
        await client.until(lambda: events(client.messages, "GPIEvent") != [])
        emulator.set_antenna(1, False)
        await client.until(lambda: events(client.messages, "AntennaEvent") != [])


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\x04\x14\xff\xff\xff\xff\0\0\0\0", b"\xff" * 40])
async def test_bytes_that_are_not_llrp_end_the_connection(data):
    async with LlrpEmulator(population(5, 100)) as emulator:
        async with peer(emulator.port) as client:
            client.write(data)
            await client.until(lambda: client.ended)
        async with peer(emulator.port) as client:
            await client.ask(E("GET_ROSPECS"))


async def test_a_request_in_single_bytes():
    async with LlrpEmulator(population(5, 100)) as emulator, peer(emulator.port) as client:
        for byte in b"\x04\x1a\x00\x00\x00\x0a\x00\x00\x00\x2a":
            client.write(bytes([byte]))
            await asyncio.sleep(0)
        await client.until(lambda: any(m.id == 42 for m in client.messages))


async def test_a_client_that_asks_and_does_not_listen_is_not_served_further():
    async with LlrpEmulator(population(5, 100)) as emulator, peer(emulator.port) as client:
        client.reading.clear()
        everything = E("GET_READER_CONFIG", AntennaID=0, RequestedData=0, GPIPortNum=0, GPOPortNum=0)
        client.write(encode(Message(everything.name, 7, everything)) * 1500)
        await emulator.until(lambda: emulator.reader.crowded)
        client.reading.set()
        await client.until(lambda: len(client.messages) > 1500, timeout=60)
        await client.ask(E("GET_ROSPECS"))


async def test_a_client_that_hangs_is_given_up():
    async with LlrpEmulator(serials(3000, (1, 2)), "zebra-fx9600", keep_reads=True) as emulator:
        async with peer(emulator.port) as client:
            client.reading.clear()
            keepalive = E("KeepaliveSpec", KeepaliveTriggerType=1, PeriodicTriggerValue=200)
            for body in (
                E("SET_READER_CONFIG", keepalive, ResetToFactoryDefault=False),
                E("ADD_ROSPEC", rospec(n=100)),
                E("ENABLE_ROSPEC", ROSpecID=1),
            ):
                client.send(body)
            await emulator.until(lambda: emulator.connected and emulator.reader.counters.made > 0)
            await emulator.until(lambda: not emulator.connected)
        async with peer(emulator.port):
            assert emulator.connected


async def test_away_for_a_while():
    async with LlrpEmulator(population(5, 100)) as emulator:
        port = emulator.port
        assert not emulator.drop(away=0.5)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(ConnectionRefusedError):
                    async with peer(port):
                        assert emulator.connected
                        break
                await asyncio.sleep(0.02)


async def test_stopping_says_goodbye():
    emulator = LlrpEmulator(population(5, 100))
    await emulator.start()
    async with peer(emulator.port) as client:
        stopping = asyncio.create_task(emulator.stop())
        await client.until(lambda: client.ended)
        assert not client.reset
        assert events(client.messages)[-1].name == "ConnectionCloseEvent"
        await client.close()
        await stopping


async def test_close_connection():
    async with LlrpEmulator(population(5, 100)) as emulator, peer(emulator.port) as client:
        await client.ask(E("CLOSE_CONNECTION"))
        await client.until(lambda: client.ended)
        assert not emulator.connected
        assert emulator.reader.counters.cuts == 0


async def test_the_reader_calls_the_client():
    callers: asyncio.Queue[Peer] = asyncio.Queue()
    server = await asyncio.start_server(lambda r, w: callers.put_nowait(Peer(r, w)), "127.0.0.1", 0)
    address = server.sockets[0].getsockname()[:2]
    async with LlrpEmulator(serials(300), "impinj-r420", call=address) as emulator:
        for _ in range(2):
            client = await asyncio.wait_for(callers.get(), 60)
            await client.until(lambda: client.welcome == 0)  # noqa: B023
            await client.ask(E("GET_ROSPECS"))
            emulator.drop()
            await client.until(lambda: client.ended)  # noqa: B023
            await client.close()
    server.close()
    await server.wait_closed()


async def test_the_log_holds_every_read(tmp_path):
    log = ReadLog(tmp_path / "reads.jsonl")
    scene = serials(800, (1, 2), late=0.5)
    async with LlrpEmulator(scene, name="dock-a", log=log, keep_reads=True) as emulator, peer(emulator.port) as client:
        await client.run(rospec())
        await client.until(lambda: len(client.seen) > 500)
        await settled(emulator, client)
    await log.close()
    lines = [orjson.loads(line) for line in (tmp_path / "reads.jsonl").read_bytes().splitlines()]
    assert [line["epc"] for line in lines] == [read.epc.hex().upper() for read in emulator.reads]
    assert {line["reader"] for line in lines} == {"dock-a"}
    assert [round(line["t"] * 1e6) for line in lines] == pytest.approx([read.time for read in emulator.reads], abs=1)


async def test_several_readers_in_one_process():
    async with (
        LlrpEmulator(serials(200, run=1), "zebra-fx9600", keep_reads=True) as one,
        LlrpEmulator(serials(200, run=2), "uptime-only", keep_reads=True) as two,
        peer(one.port) as first,
        peer(two.port) as second,
    ):
        assert one.port != two.port
        for emulator, client in ((one, first), (two, second)):
            await client.run(rospec())
            await client.until(lambda: len(client.seen) > 30)  # noqa: B023
            await settled(emulator, client)
            assert Counter(client.seen) == made(emulator)


async def test_the_command_line(tmp_path):
    log = tmp_path / "reads.jsonl"
    arguments = ["llrp", "--port", "0", "--scene", "serial", "--rate", "300", "--antennas", "1", "--log", str(log)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "drivers.emulators",
        *arguments,
        cwd=ROOT,
        env=os.environ | {"PYTHONWARNINGS": "error"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    assert process.stdin
    first = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
    found = re.fullmatch(r"reader \(impinj-r700\) listens on 127\.0\.0\.1:(\d+)\n", first)
    assert found
    async with peer(int(found[1])) as client:
        await client.run(rospec(), hold=True)
        await client.until(lambda: len(client.seen) > 30)
        process.stdin.write(b"nonsense\ndr")
        process.stdin.write(b"op\n")
        await client.until(lambda: client.ended)
    async with peer(int(found[1])) as again:
        again.send(E("ENABLE_EVENTS_AND_REPORTS"))
        await again.until(lambda: len(again.seen) > 30)
        await again.ask(E("STOP_ROSPEC", ROSpecID=1))
        process.send_signal(signal.SIGTERM)
        await again.until(lambda: again.ended)
    out, error = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    assert "not understood: nonsense" in error.decode()
    count = len(client.seen) + len(again.seen)
    summary = f"reader: {count} reads made, {count} sent, "
    assert out.decode().startswith(summary)
    assert out.decode().endswith("0 still waiting, 0 overflowed, 0 discarded, 1 cuts\n")
    assert len(log.read_bytes().splitlines()) == count


def test_a_port_that_is_taken_is_an_error_that_says_so(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["llrp", "--port", str(taken.getsockname()[1])]) == 1
    assert "emulate llrp: cannot begin: [Errno 98]" in capsys.readouterr().err
