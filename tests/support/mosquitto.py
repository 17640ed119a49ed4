"""A real mosquitto for the tests: the installed one, or Debian's package unpacked into `.tools` without root.

`find()` gives the program; `Broker` runs it on a free loopback port with a configuration of its own, and can be
stopped, killed and started again on the same port with what it had persisted.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.support import debian
from tests.support.debian import TOOLS, Program

SURVIVES_KILL = ("autosave_on_changes true", "autosave_interval 1")
"""Settings of a broker that writes every change to disk: slow, but killed it comes back with its sessions."""


def find(tools: Path = TOOLS) -> Program:
    """The installed mosquitto, else the one in `tools`, fetched there when it is not. Raises `NotFoundError`."""
    return debian.find("usr/sbin/mosquitto", "mosquitto", tools)


@dataclasses.dataclass
class Broker:
    """One mosquitto on 127.0.0.1. `settings` are lines of its configuration; without others it allows everyone.

    Queues are without limit, so that what a subscriber misses is never the broker's choice.
    """

    program: Program
    folder: Path
    settings: tuple[str, ...] = ("allow_anonymous true",)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def start(self, within: float = 60.0) -> None:
        """Starts it, on the same port and with the same stored sessions as before, and waits until it accepts."""
        assert self.process is None
        self.port = self.port or free_port()
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        lines = [
            f"listener {self.port} 127.0.0.1",
            *self.settings,
            "persistence true",
            f"persistence_location {self.folder}/data/",
            # As good as no limit. With 0, which means none, mosquitto 2.0 closes the connection of whom it refuses.
            "max_queued_messages 10000000",
            f"log_dest file {self.folder}/log",
            "connection_messages true",
            *(["user root"] if os.geteuid() == 0 else []),  # it would become another, who may not write here
        ]
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        self.process = subprocess.Popen(
            [str(self.program.path), "-c", str(self.folder / "mosquitto.conf")],
            env=self.program.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + within
        while not self._accepts():
            if self.process.poll() is not None or time.monotonic() > deadline:
                code = self.process.poll()
                self.kill()
                raise AssertionError(f"mosquitto did not start (exit code {code}):\n{self.log()}")
            time.sleep(0.01)

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Ends it in order: it tells its clients and writes its sessions to disk."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: nothing is said and nothing is written."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)

    def reload(self) -> None:
        """Has it read its files again, access rules among them."""
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def restart(self) -> None:
        self.stop()
        self.start()

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else "(no log)"


def password_line(username: str, password: str) -> str:
    """A line of mosquitto's password file: PBKDF2 with SHA-512, as mosquitto_passwd writes it."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return f"{username}:$7$101${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}\n"


_CHANCE = random.SystemRandom()
_PORTS = range(10_000, 32_000)
"""Below those that the kernel gives to outgoing connections: one of these took the port of a broker that was away."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has now, nor gets unless it asks for it by number."""
    for _ in range(1_000):
        port = _CHANCE.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"no port is free from {_PORTS.start} to {_PORTS.stop}")
