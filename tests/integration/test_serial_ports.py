"""Ports: unplugged and back, held by somebody else, missing, or with something on them that is no reader."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest

from drivers.api import Batch, DriverError, ProtocolError, ReaderUp
from drivers.emulators.scene import serials
from drivers.emulators.serial.line import PtyPort, TcpPort
from drivers.emulators.serial.m100 import M100
from drivers.emulators.serial.mercury import Mercury
from drivers.emulators.serial.r2000 import R2000
from drivers.emulators.serial.uhf288 import Uhf288
from drivers.serial import m100, mercury, r2000, transport, uhf288
from drivers.serial.transport import open_transport
from tests.support.serial_rig import build, rig
from tests.support.subscriber import until

FACTORIES = {
    "mercury": (mercury.FACTORY, Mercury, {"region": "NA", "antenna_check": False}),
    "uhf288": (uhf288.FACTORY, Uhf288, {"scan_time": 0.1}),
    "r2000": (r2000.FACTORY, R2000, {}),
    "m100": (m100.FACTORY, M100, {}),
}
by_family = pytest.mark.parametrize("family", FACTORIES)


def descriptors():
    gc.collect()  # what other tests left to it is theirs
    return len(os.listdir("/proc/self/fd"))


async def replug(family, folder, times):
    """Unplugs `times` times; how long each loss and each way back took, and the descriptors before and after."""
    factory, emulator, settings = FACTORIES[family]
    losses, returns = [], []
    async with rig(factory, emulator, folder, settings={"reply_timeout": 0.2, **settings}) as made:
        await made.until(lambda: made.rows())
        before = descriptors()
        for count in range(1, times + 1):
            start = time.monotonic()
            await made.emulator.unplug(0)
            await made.until(lambda count=count: len(made.failures) >= count)
            losses.append(time.monotonic() - start)
            await made.until(lambda count=count: made.up and len(made.of(ReaderUp)) > count)
            returns.append(time.monotonic() - start)
            seen = len(made.rows())
            await made.until(lambda seen=seen: len(made.rows()) > seen)
        after = descriptors()
    return losses, returns, before, after


@pytest.mark.slow
@by_family
async def test_fifty_times_unplugged_and_back(family, tmp_path):
    cpu, wall = time.process_time(), time.monotonic()
    losses, returns, before, after = await replug(family, tmp_path, 50)
    share = (time.process_time() - cpu) / (time.monotonic() - wall)
    print(
        f"{family}: loss noticed within {max(losses):.3f} s, reading again within {max(returns):.2f} s, "
        f"descriptors {before} to {after}, CPU of driver and emulator {share:.0%}"
    )
    assert after <= before


@pytest.mark.slow
async def test_an_unplugged_reader_costs_nothing_and_is_found_at_once(tmp_path):
    factory, emulator, settings = FACTORIES["r2000"]
    async with rig(factory, emulator, tmp_path, settings=settings) as made:
        await made.until(lambda: made.rows())
        await made.emulator.port.close()
        await made.until(lambda: len(made.failures) >= 2)
        assert "was the reader unplugged?" in str(made.failures[0])
        assert "no such port; is the reader plugged in" in str(made.failures[1])
        cpu, wall = time.process_time(), time.monotonic()
        await made.rest(1.0)
        assert (time.process_time() - cpu) / (time.monotonic() - wall) < 0.2
        assert len(made.failures) == 2  # told once, then waited for
        await made.emulator.port.open()
        await made.until(lambda: len(made.of(ReaderUp)) == 2)


async def test_a_device_server_that_hangs_up_is_noticed(tmp_path):
    factory, emulator, settings = FACTORIES["r2000"]
    async with rig(factory, emulator, "tcp", settings=settings) as made:
        await made.until(lambda: made.rows())
        await made.emulator.unplug(0.1)
        await made.until(lambda: len(made.of(ReaderUp)) == 2)
        assert "closed the connection" in str(made.failures[0])


async def failure_of(family, device, **settings):
    """What the driver of `family` says about `device`."""
    factory, _, own = FACTORIES[family]
    driver = build(factory, lambda item: None, {"device": device, "reply_timeout": 0.1, **own, **settings}, [1])
    with pytest.raises(DriverError) as caught:
        await asyncio.wait_for(driver.run(), 30)
    return caught.value


HOLDER = (
    "import os, sys, time; os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); print('held', flush=True); time.sleep(60)"
)


async def test_the_process_that_holds_a_port_is_named(tmp_path):
    port = PtyPort(tmp_path / "reader")
    await port.open()
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(tmp_path / "reader"), stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout
        await holder.stdout.readline()
        error = await failure_of("r2000", str(tmp_path / "reader"))
        assert f"in use by process {holder.pid} (python" in str(error)
        assert not error.permanent
    finally:
        holder.kill()
        await holder.wait()
        holder._transport.close()  # type: ignore[attr-defined]
        await port.close()


async def test_two_readers_of_the_gateway_cannot_have_one_port(tmp_path):
    factory, emulator, settings = FACTORIES["mercury"]
    async with rig(factory, emulator, tmp_path, settings=settings) as made:
        await made.until(lambda: made.up)
        error = await failure_of("mercury", str(tmp_path / "usb-reader"))
        assert "wants the port that shelf has" in str(error)
        assert error.permanent
        error = await failure_of("r2000", str(tmp_path / "usb-reader"))
        assert "wants the port that shelf has" in str(error)


async def test_what_cannot_be_opened_is_said(tmp_path):
    assert "no such port" in str(await failure_of("m100", str(tmp_path / "nothing")))
    plain = tmp_path / "plain"
    plain.touch()
    assert "cannot be" in str(await failure_of("m100", str(plain)))
    assert "is the device server on" in str(await failure_of("m100", "socket://127.0.0.1:1"))
    closed = PtyPort(tmp_path / "pty")
    await closed.open()
    try:
        assert "no M100 module answers at 115200 baud. Nothing was received" in str(
            await failure_of("m100", str(tmp_path / "pty"))
        )
    finally:
        await closed.close()


async def test_a_port_that_takes_no_bytes_is_given_up(tmp_path):
    master, slave = os.openpty()
    lost: list[str] = []
    name = os.ttyname(slave)
    os.close(slave)
    opened = await open_transport(name, 115200, lambda data: None, lost.append)
    for _ in range(1000):  # more than the kernel takes
        opened.write(bytes(1024))
    assert "takes no bytes" in lost[0]
    assert len(lost) == 1
    opened.close()
    os.close(master)


async def test_a_device_server_that_takes_no_bytes_is_said_to(monkeypatch):
    monkeypatch.setattr(transport, "MAX_UNSENT", 1)
    lost = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        opened = await open_transport(
            f"socket://127.0.0.1:{server.getsockname()[1]}", 1, lambda data: None, lost.append
        )
        for _ in range(100):
            opened.write(bytes(1 << 20))
        await asyncio.sleep(0)
    assert len(lost) == 1
    assert "takes no bytes" in lost[0]


async def test_a_port_whose_opening_was_cancelled_is_closed(monkeypatch):
    opens, may_open, closed = threading.Event(), threading.Event(), threading.Event()

    class Port:
        def close(self):
            closed.set()

    def open_slowly(path, baud):
        opens.set()
        may_open.wait(60)
        return Port()

    monkeypatch.setattr(transport, "_open_tty", open_slowly)
    opening = asyncio.create_task(open_transport("/dev/ttyS9", 9600, lambda data: None, lambda reason: None))
    await asyncio.to_thread(opens.wait, 60)
    opening.cancel()
    await asyncio.wait([opening])
    assert not closed.is_set()
    may_open.set()
    assert await asyncio.to_thread(closed.wait, 60)


async def talk(port, message, every):
    """Something that is no reader: says its piece again and again, and echoes what it is told."""
    while True:
        port.write(message)
        await asyncio.sleep(every)


STRANGERS = {
    "gps": (b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n", 0.02, "GPS receiver"),
    "console": (b"\r\nDebian GNU/Linux 12 gw ttyS0\r\n\r\ngw login: ", 0.15, "login prompt"),
    "llrp": (bytes.fromhex("043F0000002000000001") + bytes(22), 0.2, "driver: llrp"),
    "mercury": (bytes.fromhex("FF0022040084E0"), 0.25, "driver: mercury"),
    "uhf288": (bytes.fromhex("1400EE00010CE2801160600002094C4C8B1A5A828E"), 0.25, "driver: uhf288"),
    "r2000": (bytes.fromhex("A00A018900001100000005B6"), 0.25, "driver: r2000"),
    "m100": (bytes.fromhex("BB01FF000115167E"), 0.25, "driver: m100"),
}


MEETINGS = [
    pytest.param(family, stranger, marks=[pytest.mark.slow] if family != "mercury" or stranger == "gps" else [])
    for family in FACTORIES
    for stranger in STRANGERS
    if family != stranger
]


@pytest.mark.parametrize(("family", "stranger"), MEETINGS)
async def test_a_stranger_on_the_port_is_named(family, stranger, tmp_path):
    message, every, says = STRANGERS[stranger]
    port = TcpPort("127.0.0.1", 0) if stranger == "llrp" else PtyPort(tmp_path / "port")
    await port.open()
    talking = asyncio.create_task(talk(port, message, every))
    device = f"socket://127.0.0.1:{port.port}" if isinstance(port, TcpPort) else str(tmp_path / "port")
    try:
        error = await failure_of(family, device)
        assert says in str(error)
        assert isinstance(error, ProtocolError)
    finally:
        talking.cancel()
        with suppress(asyncio.CancelledError):
            await talking
        await port.close()


@pytest.mark.parametrize("where", ["tty", "tcp"])
async def test_what_the_sink_raises_reaches_whoever_runs_the_driver(where, tmp_path):
    """A gateway that cannot keep a read must not go on as if it had."""
    port = TcpPort("127.0.0.1", 0) if where == "tcp" else PtyPort(tmp_path / "usb-reader")
    emulator = M100(port, serials(100, [1], late=0.0))
    emulation = asyncio.create_task(emulator.run())
    await until(lambda: port.port if isinstance(port, TcpPort) else (tmp_path / "usb-reader").exists())
    device = f"socket://127.0.0.1:{port.port}" if isinstance(port, TcpPort) else str(tmp_path / "usb-reader")

    kept = []

    def full(item):
        if isinstance(item, Batch) and len(kept) > 10:
            raise OSError("the journal takes no more")
        kept.append(item)

    driver = build(m100.FACTORY, full, {"device": device}, [1])
    try:
        async with asyncio.timeout(60):
            with pytest.raises(OSError, match="takes no more"):
                await driver.run()
    finally:
        emulation.cancel()
        with suppress(asyncio.CancelledError):
            await emulation


async def test_an_output_that_is_waited_for_when_reads_fail_has_failed_as_outputs_do():
    """Whoever switches lights has to do with errors of drivers alone."""
    fault = OSError("the journal takes no more")

    async def set_output(port, state):
        raise fault

    driver = build(m100.FACTORY, lambda item: None, {"device": "/dev/null"}, [1])
    driver._session = SimpleNamespace(set_output=set_output, fault=fault)
    with pytest.raises(DriverError, match="output 1 was not switched"):
        await driver.set_output(1, True)
