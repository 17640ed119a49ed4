"""The gateway as a process of its own: started, watched through the systemd protocol, stopped and killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

READY_TIMEOUT = 60.0
"""Seconds, on a machine that has other things to do. The largest state alone takes some five."""


class Daemon:
    """`rfid-gateway run` on a configuration in `directory`, where everything it writes stays too."""

    def __init__(self, directory: Path, config: dict[str, Any]) -> None:
        self.directory = directory
        self.config_file = directory / "gateway.yaml"
        self.log_file = directory / "gateway.log"
        self.program: list[str] = ["-m", "gateway"]
        self._process: asyncio.subprocess.Process | None = None
        self._notify: socket.socket | None = None
        directory.mkdir(parents=True, exist_ok=True)
        self.configure(config)

    def configure(self, config: dict[str, Any]) -> None:
        """Writes the configuration; a running daemon takes it at the next `reload`."""
        config.setdefault("ledger", {}).setdefault("file", str(self.directory / "ledger.db"))
        config.setdefault("journal", {}).setdefault("directory", str(self.directory / "journal"))
        config.setdefault("http", {"port": 0})
        self.config_file.write_text(json.dumps(config))  # JSON is YAML

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def ended(self) -> int | None:
        """The exit code, None while it runs."""
        assert self._process is not None
        return self._process.returncode

    @property
    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    async def start(self, *, ready: bool = True) -> None:
        """Starts the process; with `ready`, returns when it says READY=1."""
        self._hang_up()
        address = self.directory / "notify"
        address.unlink(missing_ok=True)
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(address))
        self._notify.setblocking(False)
        with self.log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self.program,
                "run",
                "--config",
                str(self.config_file),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "NOTIFY_SOCKET": str(address)},
            )
        try:
            if ready:
                await asyncio.wait_for(self._until_ready(self._notify), READY_TIMEOUT)
        except TimeoutError:
            raise AssertionError(f"the gateway did not become ready:\n{self.log[-4000:]}") from None

    async def kill(self) -> None:
        """SIGKILL, as the kernel's out-of-memory killer would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()
        self._hang_up()

    async def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self._process.wait(), 60.0)
        finally:
            self._hang_up()

    async def end(self) -> None:
        """Kills what still runs."""
        self._hang_up()
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def reload(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def _hang_up(self) -> None:
        if self._notify is not None:
            self._notify.close()
            self._notify = None

    async def _until_ready(self, notify: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        assert self._process is not None
        ended = asyncio.ensure_future(self._process.wait())
        try:
            while True:
                message = asyncio.ensure_future(loop.sock_recv(notify, 4096))
                await asyncio.wait({message, ended}, return_when=asyncio.FIRST_COMPLETED)
                if ended.done():
                    message.cancel()
                    raise AssertionError(f"the gateway ended with {ended.result()}:\n{self.log[-4000:]}")
                if b"READY=1" in (await message).split(b"\n"):
                    return
        finally:
            if not ended.done():
                ended.cancel()
