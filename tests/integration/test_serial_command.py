"""`rfid-gateway emulate` for serial families: a process of its own, a driver on its port, an orderly end."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from subprocess import PIPE

import pytest

from drivers.api import Batch, ReaderUp
from drivers.emulators.serial.command import build, emulators, obey, register
from drivers.emulators.serial.line import PtyPort
from gateway.config.drivers import factory
from tests.support.claims import some
from tests.support.serial_rig import build as build_driver

SETTINGS = {"mercury": {"region": "NA"}, "uhf288": {"scan_time": 0.1}, "r2000": {}, "m100": {}}


def parse(*arguments):
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(dest="family"))
    return parser.parse_args(arguments)


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(emulators()))
async def test_a_driver_reads_from_the_emulator_of_the_command_line(family, tmp_path):
    log = tmp_path / "reads.jsonl"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "drivers.emulators", family, "--pty", str(tmp_path / "reader"), "--scene", "serial",
        "--rate", "100", "--noise", "0.001", "--log", str(log), "--name", "shelf", stdin=PIPE, stdout=PIPE, stderr=PIPE
    )  # fmt: skip
    assert process.stdout
    assert process.stdin
    assert b"is on" in await asyncio.wait_for(process.stdout.readline(), 60)
    items, enough = [], asyncio.Event()

    def take(item):
        items.append(item)
        if sum(len(batch.rows) for batch in items if isinstance(batch, Batch)) > 50:
            enough.set()

    settings = {"device": str(tmp_path / "reader"), **SETTINGS.get(family, {})}
    running = asyncio.create_task(build_driver(factory(family), take, settings, [1]).run())
    await asyncio.wait_for(enough.wait(), 60)
    process.stdin.write(b"counters\nnonsense\ninput 1 on\n")
    assert b"reads sent whole" in await process.stdout.readline()
    assert b"not understood: 'nonsense'" in await process.stdout.readline()
    assert await process.stdout.readline() == b"ok\n"
    running.cancel()
    await asyncio.wait([running])
    process.send_signal(signal.SIGTERM)
    said, complaints = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, complaints
    assert b"reads sent whole" in said
    assert isinstance(items[0], ReaderUp)
    logged = log.read_text()
    got = {row[0].hex().upper() for batch in items if isinstance(batch, Batch) for row in batch.rows}
    assert all(epc in logged for epc in some(got))


async def test_faults_and_lines_of_standard_input_reach_the_reader(tmp_path):
    arguments = parse(
        "r2000", "--pty", str(tmp_path / "r"), "--address", "9", "--antennas", "8", "--cuts", "0.1", "--bytewise"
    )
    reader = build(arguments, PtyPort(arguments.pty))
    assert (reader.address, reader.ports) == (9, 8)
    assert (reader._wire.faults.cuts, reader._wire.faults.bytewise) == (0.1, True)
    assert obey(reader, ["antenna", "3", "off"], set()) == "ok"
    assert reader.missing == {3}
    assert obey(reader, ["antenna", "3", "on"], set()) == "ok"
    assert reader.missing == set()
    assert obey(reader, ["unplug", "soon"], set()).startswith("not understood")
    assert obey(reader, ["reboot"], set()) == "ok"


@pytest.mark.parametrize(
    "arguments", [["mercury"], ["m100", "--tcp", "4001"], ["uhf288", "--pty", "a", "--tcp", "b:1"]]
)
def test_a_command_line_without_a_port_is_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        parse(*arguments)
    assert capsys.readouterr().err
