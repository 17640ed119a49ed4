"""Independent clients of serial readers: found in `.tools/serial-peers`, fetched there when they are not."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).with_name("serial-peers.txt")
TOOLS = Path(__file__).resolve().parents[2] / ".tools"
CLIENTS = Path(__file__).with_name("serial_peer_clients.py")


class PeersMissingError(Exception):
    """The packages are not there and cannot be fetched; the message says how to do it by hand."""


@cache
def fetch() -> Path:
    """Where the packages are. Raises `PeersMissingError`."""
    target = TOOLS / "serial-peers"
    TOOLS.mkdir(parents=True, exist_ok=True)
    with (TOOLS / "serial-peers.lock").open("w") as lock:  # test processes side by side fetch them once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / "ready").exists():
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
            command += ["--target", str(target), "--upgrade", "--requirement", str(REQUIREMENTS)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
            if done.returncode:
                reason = "".join(done.stderr.strip().splitlines()[-1:])
                raise PeersMissingError(
                    f"pyImpinj and other serial peers cannot be fetched: {reason}: {' '.join(command)}"
                )
            (target / "ready").touch()
    return target


def environment() -> dict[str, str]:
    """For a process that may import the peers. Skips the test, and says what is missing, without them."""
    try:
        return {**os.environ, "PYTHONPATH": str(fetch())}
    except PeersMissingError as missing:
        pytest.skip(str(missing))


def client(*arguments: str) -> list[str]:
    """The command line of one of `serial_peer_clients.py`."""
    return [sys.executable, str(CLIENTS), *arguments]
