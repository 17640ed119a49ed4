"""Tells systemd how the service is: the protocol of sd_notify(3), datagrams of ``KEY=value`` lines over a socket.

Without ``NOTIFY_SOCKET`` in the environment (a terminal, a container) every call does nothing.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping

from gateway.ops.logs import Logger
from gateway.text import printable

_LONGEST_STATUS = 500
"""Characters of a status line: it is one line of `systemctl status`."""


class Notifier:
    """Sends to the socket that `environment` names. Never blocks and never raises: a service does not fail because
    its supervisor is busy; the next datagram says more than the lost one."""

    def __init__(self, environment: Mapping[str, str], log: Logger) -> None:
        self._log = log
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._interval = _interval(environment)
        self._complained = False
        if environment.get("NOTIFY_SOCKET") and self._address is None:
            log.warning("NOTIFY_SOCKET is not a path or an abstract socket; systemd is told nothing")

    @property
    def watchdog_interval(self) -> float | None:
        """Seconds between two signs of life, half of what systemd allows; None where it does not watch us."""
        return self._interval

    def ready(self, status: str) -> None:
        """The service has started, or has finished a reload."""
        self._send("READY=1", f"STATUS={_line(status)}")

    def reloading(self) -> None:
        """A reload begins; `ready` ends it. The time lets systemd match the two (Type=notify-reload, from 253 on)."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self, status: str) -> None:
        """The service stops."""
        self._send("STOPPING=1", f"STATUS={_line(status)}")

    def status(self, status: str) -> None:
        """The line that `systemctl status` shows."""
        self._send(f"STATUS={_line(status)}")

    def extend_timeout(self, seconds: float) -> None:
        """Starting or stopping goes on: asks for `seconds` more, counted from now."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    async def watchdog(self, progress: Callable[[], bool]) -> None:
        """Feeds the watchdog while `progress` says that real work is done, for as long as systemd wants to be told.

        Returns at once where it does not; otherwise runs until cancelled.
        """
        if self._interval is None:
            return
        stalled = False
        while True:
            if progress():
                self._send("WATCHDOG=1")
                stalled = False
            elif not stalled:
                stalled = True
                self._log.error("no progress: the watchdog is not fed, and systemd will restart the service")
            await asyncio.sleep(self._interval)

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sock:
                sock.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            if not self._complained:
                self._complained = True
                self._log.warning("systemd cannot be notified", reason=str(error))


def _address(name: str) -> str | None:
    if name.startswith("@"):
        return "\0" + name[1:]  # an abstract socket
    return name if name.startswith("/") else None


def _interval(environment: Mapping[str, str]) -> float | None:
    """Half of WATCHDOG_USEC, if it is meant for this process."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    wanted = environment.get("WATCHDOG_USEC", "")
    return int(wanted) / 2e6 if wanted.isascii() and wanted.isdigit() and int(wanted) > 0 else None


def _line(text: str) -> str:
    return printable(text, _LONGEST_STATUS)
