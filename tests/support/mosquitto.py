"""A real mosquitto for the tests: the installed one, or Debian's package unpacked into `.tools` without root.

`find()` gives the program; `Broker` runs it on a free loopback port with a configuration of its own, and can be
stopped, killed and started again on the same port with what it had persisted.
"""

from __future__ import annotations

import base64
import dataclasses
import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / ".tools"
REMEDY = "install it with: apt install mosquitto"

SURVIVES_KILL = ("autosave_on_changes true", "autosave_interval 1")
"""Settings of a broker that writes every change to disk: slow, but killed it comes back with its sessions."""


class NoBrokerError(Exception):
    """There is no mosquitto and none can be fetched. The tests that need it must fail, not be skipped."""


@dataclasses.dataclass(frozen=True)
class Program:
    """How to start mosquitto: its path, and where its libraries are when they are not the system's."""

    path: Path
    libraries: tuple[Path, ...] = ()

    def environment(self) -> dict[str, str]:
        environment = dict(os.environ)
        if self.libraries:
            environment["LD_LIBRARY_PATH"] = ":".join(str(path) for path in self.libraries)
        return environment

    def missing_libraries(self) -> list[str]:
        listing = _run(["ldd", str(self.path)], env=self.environment())
        return [line.split()[0] for line in listing.splitlines() if "not found" in line]


def find(tools: Path = TOOLS) -> Program:
    """The installed mosquitto, else the one in `tools`, fetched there when it is not. Raises `NoBrokerError`."""
    installed = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if installed:
        return Program(Path(installed))
    tools.mkdir(parents=True, exist_ok=True)
    with (tools / "mosquitto.lock").open("w") as lock:  # test processes side by side fetch it once
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _unpacked(tools / "mosquitto") or _fetch(tools)


def _unpacked(root: Path) -> Program | None:
    path = root / "usr" / "sbin" / "mosquitto"
    if not path.exists():
        return None
    folders = {library.parent for library in root.rglob("*.so*")}
    return Program(path, tuple(sorted(folders)))


def _fetch(tools: Path) -> Program:
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise NoBrokerError(f"mosquitto is not on PATH and there is no apt-get to fetch it with: {REMEDY}")
    with tempfile.TemporaryDirectory(dir=tools) as name:
        folder = Path(name)
        try:
            _download(folder, [])
        except subprocess.CalledProcessError:
            # The package lists are missing or too old, and the system's cannot be refreshed without root.
            options = _private_lists(folder)
            try:
                _run(["apt-get", *options, "update"], cwd=folder)
                _download(folder, options)
            except subprocess.CalledProcessError as error:
                raise NoBrokerError(
                    f"mosquitto is not on PATH and cannot be fetched: {REMEDY}\n{error.stderr}"
                ) from error
        root = folder / "root"
        for package in sorted(folder.glob("*.deb")):
            _run(["dpkg", "-x", str(package), str(root)])
        program = _unpacked(root)
        if program is None or program.missing_libraries():
            missing = program.missing_libraries() if program else ["usr/sbin/mosquitto"]
            raise NoBrokerError(f"the fetched mosquitto lacks {', '.join(missing)}: {REMEDY}")
        root.rename(tools / "mosquitto")
    program = _unpacked(tools / "mosquitto")
    assert program is not None
    return program


def _private_lists(folder: Path) -> list[str]:
    for part in ("state/lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    return ["-o", f"Dir::State={folder}/state", "-o", f"Dir::Cache={folder}/cache", "-o", "APT::Sandbox::User="]


def _download(folder: Path, options: list[str]) -> None:
    """Fetches mosquitto and those of the libraries that it needs, at any depth, which this system has not."""
    relations = ["--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces"]
    tree = _run(["apt-cache", *options, "depends", *relations, "--no-enhances", "mosquitto"], cwd=folder)
    libraries = {line for line in tree.splitlines() if line.startswith("lib")}
    status = _run(["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n"])
    installed = {line.split()[0] for line in status.splitlines() if line.endswith(" installed")}
    _run(["apt-get", *options, "download", "mosquitto", *sorted(libraries - installed)], cwd=folder)


def _run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    return subprocess.run(
        command, cwd=cwd, env=env, check=True, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL
    ).stdout


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

    def start(self, within: float = 10.0) -> None:
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


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
