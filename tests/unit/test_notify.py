"""What systemd hears, over a real datagram socket."""

from __future__ import annotations

import asyncio
import os
import socket
import time

import pytest
import structlog
from structlog.testing import capture_logs

from gateway.ops.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path):
    """A socket as systemd opens it, and the value of NOTIFY_SOCKET that leads to it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@rfid-gateway-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        sock.settimeout(2)
        yield sock, name


def notifier(name: str, **environment: str) -> Notifier:
    return Notifier({"NOTIFY_SOCKET": name, **environment}, structlog.get_logger())


def test_the_life_of_a_service(systemd):
    sock, name = systemd
    tell = notifier(name)
    before = time.monotonic_ns() // 1000
    tell.ready("reading")
    tell.reloading()
    tell.status("two\nlines")
    tell.extend_timeout(2.5)
    tell.stopping("draining")
    heard = [sock.recv(4096).decode() for _ in range(5)]
    reloading, _, stamp = heard.pop(1).partition("\nMONOTONIC_USEC=")
    assert reloading == "RELOADING=1"
    assert before <= int(stamp) <= time.monotonic_ns() // 1000
    assert heard == [
        "READY=1\nSTATUS=reading",
        "STATUS=two\\nlines",
        "EXTEND_TIMEOUT_USEC=2500000",
        "STOPPING=1\nSTATUS=draining",
    ]


@pytest.mark.parametrize(
    ("environment", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "²"}, None),
    ],
)
def test_how_often_the_watchdog_wants_to_be_fed(environment, interval):
    assert notifier("/nowhere", **environment).watchdog_interval == interval


async def test_the_watchdog_is_fed_only_while_there_is_progress(systemd):
    sock, name = systemd
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    working = True
    asked = asyncio.Event()

    def progress() -> bool:
        asked.set()
        return working

    with capture_logs() as logs:
        feeding = asyncio.create_task(notifier(name, WATCHDOG_USEC="10000").watchdog(progress))
        for _ in range(3):
            assert await asyncio.wait_for(loop.sock_recv(sock, 100), 2) == b"WATCHDOG=1"
        working = False
        for _ in range(3):
            asked.clear()
            await asyncio.wait_for(asked.wait(), 2)
        while True:  # what was sent while there was progress
            try:
                sock.recv(100)
            except BlockingIOError:
                break
        asked.clear()
        await asyncio.wait_for(asked.wait(), 2)
        with pytest.raises(BlockingIOError):
            sock.recv(100)
        working = True
        assert await asyncio.wait_for(loop.sock_recv(sock, 100), 2) == b"WATCHDOG=1"
        feeding.cancel()
    assert [entry["event"] for entry in logs] == [
        "no progress: the watchdog is not fed, and systemd will restart the service"
    ]


async def test_without_systemd_nothing_happens():
    with capture_logs() as logs:
        tell = Notifier({}, structlog.get_logger())
        tell.ready("reading")
        await tell.watchdog(lambda: True)
    assert logs == []


def test_a_socket_that_is_gone_is_said_once(tmp_path):
    with capture_logs() as logs:
        tell = notifier(str(tmp_path / "gone"))
        tell.ready("reading")
        tell.status("reading")
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("systemd cannot be notified", "warning")]


def test_an_address_of_another_family_is_refused():
    with capture_logs() as logs:
        notifier("vsock:2:1234").ready("reading")
    assert [entry["event"] for entry in logs] == [
        "NOTIFY_SOCKET is not a path or an abstract socket; systemd is told nothing"
    ]


def test_a_full_socket_does_not_block(systemd):
    _, name = systemd
    tell = notifier(name)
    with capture_logs() as logs:
        for _ in range(2000):  # more than any queue of datagrams holds
            tell.status("x")
    assert [entry["event"] for entry in logs] == ["systemd cannot be notified"]
