"""The only file that opens ports: a tty through pyserial, or a device server in raw TCP mode.

The tty is read by the event loop itself (`loop.add_reader`); pyserial opens and configures it. Opening happens in a
thread, because a driver in the kernel may take its time over it.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import termios
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, cast

import serial

from drivers.api import DriverError

READ_SIZE = 65_536
"""Bytes taken per wake-up: far more than a tty's buffer (4 KiB), so that one system call empties it."""

MAX_UNSENT = 4_096
"""Commands have at most a few dozen bytes and one is in flight: more unsent than this means the port is stuck."""

CONNECT_TIMEOUT = 5.0
BY_ID = Path("/dev/serial/by-id")

Received = Callable[[bytes], None]
Lost = Callable[[str], None]


class Transport(Protocol):
    """An open port. After `lost` was called or `close` returned, nothing more is received."""

    def write(self, data: bytes) -> None:
        """Sends bytes."""
        ...

    def close(self) -> None:
        """Ends the connection."""
        ...


def check_port(where: str) -> str:
    """`where` if it is something that `open_transport` can open. Raises `ValueError` that says what to write."""
    scheme, separator, rest = where.partition("://")
    if not separator:
        if not where.startswith("/"):
            raise ValueError(
                f"{where!r} is no port: write a device such as /dev/serial/by-id/usb-... or socket://HOST:PORT"
            )
        return where
    if scheme == "rfc2217":
        raise ValueError(
            "rfc2217:// is not supported: set the device server to raw TCP mode (often called TCP server or "
            "raw socket), with the reader's baud rate set there, and write socket://HOST:PORT"
        )
    if scheme != "socket":
        raise ValueError(f"{scheme}:// is not supported: write a device path or socket://HOST:PORT")
    host, separator, number = rest.rpartition(":")
    if not host or not number.isdecimal() or not 1 <= int(number) <= 65_535:
        raise ValueError(f"{where!r} needs a host and a port: write socket://HOST:PORT")
    return where


def is_missing(where: str) -> bool:
    """Whether `where` is a device that is not there now, such as an unplugged USB reader."""
    return "://" not in where and not os.path.exists(where)


async def open_transport(where: str, baud: int, received: Received, lost: Lost) -> Transport:
    """Open `where` (see `check_port`). Raises `DriverError` that says what is wrong and what to do."""
    if where.startswith("socket://"):
        return await _open_tcp(where, received, lost)
    opening = asyncio.get_running_loop().run_in_executor(None, _open_tty, where, baud)
    try:
        port = await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_unwanted)
        raise
    return _Tty(port, where, received, lost)


def _close_unwanted(opening: asyncio.Future[serial.Serial]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _open_tty(path: str, baud: int) -> serial.Serial:
    if is_missing(path):
        raise DriverError(f"{path}: no such port; is the reader plugged in and powered? {_ports_there()}")
    holder = _holder(path)
    if holder:
        raise DriverError(f"{path}: the port is in use by {holder}; stop it or give it another port")
    try:
        return serial.Serial(path, baud, timeout=0, exclusive=True)
    except serial.SerialException as error:
        raise DriverError(_why_not(path, baud, error)) from error
    except (ValueError, OSError, termios.error) as error:
        raise DriverError(f"{path}: cannot be set up as a serial port at {baud} baud: {error}") from error


def _why_not(path: str, baud: int, error: serial.SerialException) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{path}: no permission to open the port; add the service's user to the group that owns it (dialout)"
    if error.errno in (errno.EAGAIN, errno.EBUSY):
        holder = _holder(path) or "a process that cannot be seen from here (another user's)"
        return f"{path}: the port is in use by {holder}; stop it or give it another port"
    return f"{path}: cannot be opened as a serial port at {baud} baud: {error}"


def _ports_there() -> str:
    names = sorted(path.name for path in BY_ID.glob("*"))[:8]
    return f"Ports there now: {', '.join(f'{BY_ID}/{name}' for name in names)}" if names else f"{BY_ID} is empty"


def _holder(path: str) -> str | None:
    """The process that has `path` open, as ``process 123 (name)``; None if there is none or it cannot be seen."""
    real = os.path.realpath(path)
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal():
            continue
        try:
            descriptors = os.listdir(process / "fd")
        except OSError:
            continue
        for descriptor in descriptors:
            try:
                if os.readlink(process / "fd" / descriptor) == real:
                    return _named(process)
            except OSError:
                continue
    return None


def _named(process: Path) -> str:
    if process.name == str(os.getpid()):
        return "this gateway itself (another reader with the same port?)"
    try:
        name = (process / "comm").read_text().strip()
    except OSError:
        name = "unknown"
    return f"process {process.name} ({name})"


class _Tty:
    def __init__(self, port: serial.Serial, path: str, received: Received, lost: Lost) -> None:
        self._port = port
        self._path = path
        self._received = received
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._unsent = b""
        self._descriptor: int = port.fileno()
        self._open = True
        self._loop.add_reader(self._descriptor, self._readable)

    def write(self, data: bytes) -> None:
        if not self._open:
            return
        if len(self._unsent) + len(data) > MAX_UNSENT:
            self._fail(f"{self._path}: the port takes no bytes (is hardware flow control on at the other side?)")
            return
        self._unsent += data
        self._writable()
        if self._unsent and self._open:
            self._loop.add_writer(self._descriptor, self._writable)

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._descriptor)
        self._loop.remove_writer(self._descriptor)
        # Closing waits for unsent bytes, on some adapters for half a minute; they are not wanted any more.
        with suppress(OSError, termios.error):
            termios.tcflush(self._descriptor, termios.TCOFLUSH)
        self._port.close()

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(f"{self._path}: the port is gone: {error.strerror}; was the reader unplugged?")
            return
        if data:
            self._received(data)
        else:
            self._fail(f"{self._path}: the port was hung up; was the reader unplugged?")

    def _writable(self) -> None:
        try:
            sent = os.write(self._descriptor, self._unsent)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(f"{self._path}: the port is gone: {error.strerror}; was the reader unplugged?")
            return
        self._unsent = self._unsent[sent:]
        if not self._unsent:
            self._loop.remove_writer(self._descriptor)

    def _fail(self, reason: str) -> None:
        self.close()
        self._lost(reason)


async def _open_tcp(where: str, received: Received, lost: Lost) -> Transport:
    host, _, port = where.removeprefix("socket://").rpartition(":")
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            _, protocol = await loop.create_connection(lambda: _Tcp(where, received, lost), host.strip("[]"), int(port))
    except TimeoutError as error:
        raise DriverError(f"{where}: no answer within {CONNECT_TIMEOUT:g} s; is the device server on?") from error
    except OSError as error:
        raise DriverError(f"{where}: {error.strerror or error}; is the device server on, in raw TCP mode?") from error
    return protocol


class _Tcp(asyncio.Protocol):
    def __init__(self, where: str, received: Received, lost: Lost) -> None:
        self._where = where
        self._received = received
        self._lost = lost
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        plug: socket.socket = transport.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        if self._transport:
            self._received(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport:
            self._transport = None
            self._lost(f"{self._where}: the device server closed the connection" + (f": {error}" if error else ""))

    def write(self, data: bytes) -> None:
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size() > MAX_UNSENT:
            self.close()
            self._lost(f"{self._where}: the device server takes no bytes; does its own port?")
            return
        self._transport.write(data)

    def close(self) -> None:
        transport, self._transport = self._transport, None
        if transport:
            # No lingering for unsent commands: the next connection begins with a clean line.
            transport.abort()
