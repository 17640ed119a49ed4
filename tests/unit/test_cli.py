"""The command line ends with a message, whatever happens to it."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.support.ledgers import ROOT

CONFIG = """\
site: plant
gateway: gw
zones: [{id: vault}]
readers: [{id: r, driver: llrp, host: 127.0.0.1, antennas: [{port: 1, zone: vault}]}]
"""
READS = '{"t": 1700000000.5, "reader": "r", "antenna": 1, "epc": "1A4060300048D3D006913126", "rssi": -61.5}\n'


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    file = tmp_path / "gateway.yaml"
    file.write_text(CONFIG)
    (tmp_path / "reads.jsonl").write_text(READS)
    return [sys.executable, "-m", "gateway", "replay", "--config", str(file)]


def test_a_full_disk_is_said(command: list[str], tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*command, str(tmp_path / "reads.jsonl")], stdout=full, stderr=-1, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (1, b"rfid-gateway: [Errno 28] No space left on device\n")


def _until_it_waits(process: subprocess.Popen[bytes]) -> None:
    """Until a process has taken all that was written to it, and sleeps until more comes."""
    assert process.stdin is not None
    deadline = time.monotonic() + 60
    while _unread(process.stdin) or Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "S":
        assert time.monotonic() < deadline, "it does not read"
        time.sleep(0.01)


def _unread(pipe: IO[bytes]) -> int:
    """Bytes in a pipe that nobody has read."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


@pytest.fixture
def attentive() -> Iterator[None]:
    """What is started is told of SIGINT, also where these tests run in the background, where it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("attentive")
def test_somebody_presses_ctrl_c(command: list[str]) -> None:
    with subprocess.Popen([*command, "-"], stdin=-1, stdout=subprocess.DEVNULL, stderr=-1, cwd=ROOT) as waiting:
        assert waiting.stdin is not None
        assert waiting.stderr is not None
        waiting.stdin.write(READS.encode() * 5_000)  # more than a pipe holds: it reads
        waiting.stdin.flush()
        _until_it_waits(waiting)  # Python forgets a signal that comes just before it begins to wait
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(60) == 130
        assert waiting.stderr.read() == b""


def test_a_terminal_that_knows_only_ascii_gets_escapes() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    shown = subprocess.run(
        [sys.executable, "-m", "gateway", "zone", "--help"], capture_output=True, cwd=ROOT, env=environment, check=True
    )
    assert b"\\u2026" in shown.stdout


def test_reads_that_the_configuration_does_not_know_are_said_in_the_end(command: list[str], tmp_path: Path) -> None:
    reads = tmp_path / "reads.jsonl"
    reads.write_text(READS.replace('"r"', '"other"'))
    done = subprocess.run([*command, str(reads)], capture_output=True, cwd=ROOT, check=True)
    assert done.stdout == b""
    assert b"does not name count for nothing (1): replay with the configuration of that time" in done.stderr


def test_an_emulator_on_no_port_says_so() -> None:
    command = [sys.executable, "-m", "gateway", "emulate", "llrp", "--port", "99999"]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (1, b"emulate llrp: cannot begin: bind(): port must be 0-65535.\n")
