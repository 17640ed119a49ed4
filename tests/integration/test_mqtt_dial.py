"""The way to a broker: names that nobody resolves, addresses that lead nowhere."""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.errors import LinkError
from gateway.mqtt import dial
from gateway.mqtt.settings import Settings
from gateway.run import blocking_threads
from tests.support.claims import some
from tests.support.odd_broker import odd_broker


def settings(host: str, port: int) -> Settings:
    return Settings(host, port, "5", "dial", 30, None)


class _Held(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport


@pytest.fixture
def over(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Until it is set, no name server answers."""
    over, really = threading.Event(), socket.getaddrinfo

    def resolve(host: str, *args: object, **more: object) -> object:
        if host.endswith(".invalid"):
            over.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return really(host, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return over


async def test_a_broker_given_by_its_address_waits_for_no_name(
    over: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial, "NAME_SECONDS", 0.1)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    with pytest.raises(LinkError, match=r"cannot be resolved \(no name server answers\)"):
        await dial.dial(settings("broker.invalid", 1883), _Held())
    async with odd_broker() as broker:
        held = _Held()
        await dial.dial(settings("127.0.0.1", broker.port), held)
        held.transport.close()
    over.set()


async def test_many_names_that_nobody_resolves_leave_threads_for_everything_else(over: threading.Event) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(blocking_threads())
    names = [asyncio.ensure_future(loop.getaddrinfo(f"reader-{number}.invalid", 5084)) for number in range(40)]
    assert await asyncio.wait_for(asyncio.to_thread(lambda: "done"), 60) == "done"
    assert not any(name.done() for name in some(names))
    over.set()
    await asyncio.wait(names)
    assert all(isinstance(name.exception(), OSError) for name in some(names))


async def test_an_address_that_leads_nowhere_does_not_keep_the_others_from_being_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where a name has an address of an IPv6 that does not work: nothing answers there."""

    async def both(settings: Settings) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    monkeypatch.setattr(dial, "_resolve", both)
    monkeypatch.setattr(dial, "SECONDS", 3.0)
    async with odd_broker() as broker:
        with socket.create_server(("127.0.0.2", broker.port), backlog=0) as full:
            crowd = [socket.socket() for _ in range(4)]
            for one in crowd:  # once its queue is full, the kernel answers no further connection
                one.setblocking(False)
                one.connect_ex(full.getsockname())
            held = _Held()
            await dial.dial(settings("broker.example", broker.port), held)
            assert held.transport.get_extra_info("peername")[0] == "127.0.0.1"
            held.transport.close()
            for one in crowd:
                one.close()
