"""Other ways to a reader: TLS, readers that call us, and a reader that somebody else wrote."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import struct
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.api import Antenna, Batch, ClockQuality, ReaderAlive, ReaderClock, ReaderUp
from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import population, serials
from drivers.llrp.driver import LlrpDriver
from drivers.llrp.protocol.codec import Message, encode, encode_parameter
from drivers.llrp.protocol.element import E
from drivers.llrp.rospec import build_config_request
from drivers.llrp.transport import LlrpProtocol
from tests.support import certificates
from tests.support.certificates import Certificates
from tests.support.llrp_bench import OK, event
from tests.support.llrp_rig import FakeReader, Rig
from tests.support.mosquitto import free_port


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("tls"))


@contextlib.asynccontextmanager
async def forwarding(
    target: int, *, inside: ssl.SSLContext | None = None, outside: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A port that forwards to `target` on this machine; TLS towards the target, or towards the caller."""
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            name = "localhost" if outside else None
            there = await asyncio.open_connection("127.0.0.1", target, ssl=outside, server_hostname=name)
            await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))
        except (OSError, asyncio.CancelledError):
            writer.close()
        tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=inside)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def server_context(files: Certificates, *, clients: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=files.file("ca.crt"))
    context.load_cert_chain(files.file("server.crt"), files.file("server.key"))
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


# TLS


@pytest.mark.parametrize("clients", [False, True], ids=["server only", "client certificate too"])
async def test_tls(files: Certificates, clients: bool) -> None:
    tls = {"ca_file": str(files.file("ca.crt"))}
    if clients:
        tls |= {"cert_file": str(files.file("client.crt")), "key_file": str(files.file("client.key"))}
    async with (
        LlrpEmulator(population(5, rate=100)) as reader,
        forwarding(reader.port, inside=server_context(files, clients=clients)) as port,
        Rig(host="localhost", port=port, tls=tls).running() as rig,
    ):
        await rig.until(lambda: len(set(rig.epcs)) == 5, "all tags")


@pytest.mark.parametrize(
    ("tls", "message"),
    [
        ({}, "the reader's certificate is not accepted: self-signed certificate in certificate chain"),
        ({"ca_file": "ca.crt", "server_name": "dock-a"}, "the reader's certificate is not accepted: Hostname mismatch"),
        ({"ca_file": "nowhere.crt"}, r"the TLS files cannot be used \(.*nowhere.crt\): No such file or directory"),
        ({"ca_file": "ca.key"}, r"the TLS files cannot be used \(.*ca.key\): "),
    ],
)
async def test_tls_that_fails_says_why(files: Certificates, tls: dict[str, str], message: str) -> None:
    if "ca_file" in tls:
        tls = tls | {"ca_file": str(files.file(tls["ca_file"]))}
    async with (
        LlrpEmulator(population(5, rate=100)) as reader,
        forwarding(reader.port, inside=server_context(files)) as port,
    ):
        error = await Rig(host="localhost", port=port, tls=tls).fails()
    assert re.search(message, str(error)), str(error)


async def test_tls_to_a_plain_port(files: Certificates) -> None:
    async with LlrpEmulator(population(5, rate=100)) as reader:
        error = await Rig(host="localhost", port=reader.port, tls={"ca_file": str(files.file("ca.crt"))}).fails()
    assert "TLS failed" in str(error)
    assert "does the reader speak TLS on this port?" in str(error)


async def test_plain_to_a_tls_port(files: Certificates) -> None:
    async with (
        LlrpEmulator(population(5, rate=100)) as reader,
        forwarding(reader.port, inside=server_context(files)) as port,
    ):
        error = await Rig(host="localhost", port=port, command_timeout=0.5).fails()
    assert "no whole LLRP greeting came within 0.5 s: is this an LLRP reader, and is the port right?" in str(error)


# Readers that call


def listening(port: int, **more: object) -> Rig:
    return Rig(connect="in", listen_host="127.0.0.1", listen_port=port, **more)  # type: ignore[arg-type]


async def test_a_reader_that_calls_is_known_by_its_address_and_may_call_again() -> None:
    port = free_port()
    async with (
        LlrpEmulator(serials(rate=200), call=("127.0.0.1", port)) as reader,
        listening(port, peer="127.0.0.1").running(again=True) as rig,
    ):
        await rig.until(lambda: len(rig.epcs) > 20, "reads")
        reader.drop()
        await rig.up(2)
        seen = len(rig.epcs)
        await rig.until(lambda: len(rig.epcs) > seen, "reads again")
    assert [up.held for up in rig.of(ReaderUp)] == [False, True]
    assert len(set(rig.epcs)) == len(rig.epcs)


async def test_readers_behind_one_address_are_known_by_their_identification() -> None:
    port = free_port()
    numbers = {}
    for identity in ("impinj-r700", "zebra-fx9600"):
        async with LlrpEmulator(population(1, rate=10), identity) as probe:
            numbers[identity] = await identification(probe.port)
    assert len(set(numbers.values())) == 2
    scenes = {identity: population(3, rate=100, prefix=f"1A40{n}") for n, identity in enumerate(numbers, 1)}
    async with contextlib.AsyncExitStack() as stack:
        rigs = {
            identity: await stack.enter_async_context(listening(port, identification=number).running(again=True))
            for identity, number in numbers.items()
        }
        for identity, scene in scenes.items():
            await stack.enter_async_context(LlrpEmulator(scene, identity, call=("127.0.0.1", port)))
        for n, rig in enumerate(rigs.values(), 1):
            await rig.until(lambda rig=rig: len(set(rig.epcs)) == 3, "all tags")  # type: ignore[misc]
            assert {epc.hex().upper()[:5] for epc in rig.epcs} == {f"1A40{n}"}


async def identification(port: int) -> str:
    """What a reader says that it is."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    fake = FakeReader(reader, writer)
    await fake.asked()  # its greeting
    fake.say(Message("GET_READER_CONFIG", 1, build_config_request(1)))
    answer = await fake.asked()
    writer.close()
    return bytes(answer.body.need("Identification")["ReaderID"]).hex()


async def test_strangers_are_refused_and_disturb_nobody() -> None:
    port = free_port()
    async with listening(port, identification="00AA").running() as rig:
        async with LlrpEmulator(population(1, rate=10), call=("127.0.0.1", port)) as stranger:
            await stranger.until(lambda: stranger.connected)
            await stranger.until(lambda: not stranger.connected)
        assert await _talk(port, b"GET / HTTP/1.1\r\n\r\n") == b""
        assert (rig.failures, rig.items) == ([], [])
    async with listening(port, peer="10.1.2.3").running() as rig:
        assert await _talk(port, b"") == b""
        assert (rig.failures, rig.items) == ([], [])


async def test_who_is_gone_again_at_once_is_no_fault() -> None:
    """As a port scanner is: connected, and reset before it can be asked for its address."""
    port, faults = free_port(), []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context))
    async with listening(port, peer="127.0.0.1").running(again=True) as rig:
        _, writer = await _open_when_listening(port)
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", port)) as scanner:
                scanner.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()
        async with LlrpEmulator(serials(rate=200), call=("127.0.0.1", port)):
            await rig.up()
    assert faults == []


async def _talk(port: int, data: bytes) -> bytes:
    """Connects once somebody listens, says `data`, and gives what comes until the other side closes."""
    reader, writer = await _open_when_listening(port)
    writer.write(data)
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def _open_when_listening(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(60):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)


async def test_a_reader_that_calls_while_connected_ends_the_old_link() -> None:
    port = free_port()
    async with (
        LlrpEmulator(population(5, rate=100), call=("127.0.0.1", port)),
        listening(port, peer="127.0.0.1").running(again=True) as rig,
    ):
        await rig.up()
        async with LlrpEmulator(population(5, rate=100), call=("127.0.0.1", port)):
            await rig.until(lambda: rig.failures, "the end of the old link")
        assert "the reader called again, so its old connection is dead" in str(rig.failures[0])
        await rig.up(2)


async def test_who_does_not_greet_takes_no_readers_place_whatever_its_address() -> None:
    port = free_port()
    async with listening(port, peer="127.0.0.1", command_timeout=1.0).running(again=True) as rig:
        silent = [await _open_when_listening(port) for _ in range(3)]
        assert await _talk(port, b"GET / HTTP/1.1\r\n\r\n") == b""
        async with LlrpEmulator(serials(rate=200), call=("127.0.0.1", port)):
            await rig.up()
            silent += [await _open_when_listening(port) for _ in range(3)]
            assert await _talk(port, b"GET / HTTP/1.1\r\n\r\n") == b""
            for reader, _ in silent:
                with contextlib.suppress(ConnectionError):
                    assert await asyncio.wait_for(reader.read(), 60) == b"", "who says nothing is told nothing"
            seen = len(rig.epcs)
            await rig.until(lambda: len(rig.epcs) > seen, "reads again")
        assert len(rig.of(ReaderUp)) == 1
    for _, writer in silent:
        writer.close()


async def test_what_is_odd_in_a_call_costs_no_more_than_in_one_of_ours() -> None:
    """A greeting with bytes that do not belong, a report that cannot be read, an answer of another number."""

    def odd(message: Message, tail: bytes) -> bytes:
        frame = encode(message)
        return frame[:2] + (len(frame) + len(tail)).to_bytes(4, "big") + frame[6:] + tail

    port = free_port()
    async with listening(port, identification="00AA").running() as rig:
        reader, writer = await _open_when_listening(port)
        fake = FakeReader(reader, writer)
        writer.write(odd(event(E("ConnectionAttemptEvent", Status=0), utc=Rig.now()), b"\0\0"))
        writer.write(odd(Message("RO_ACCESS_REPORT", 1, E("RO_ACCESS_REPORT")), b"\0\xf0\0\x06\0\0"))
        assert (await fake.asked()).name == "GET_READER_CONFIG"
        it_is = E("Identification", IDType=0, ReaderID=b"\x00\xaa")
        answer = E("GET_READER_CONFIG_RESPONSE", OK, it_is)
        writer.write(odd(Message(answer.name, 0, answer), b"\0\0"))
        for _ in range(30):
            request = await fake.asked()
            if request.name == "GET_READER_CONFIG" and not rig.of(ReaderUp):
                fake.answer(request, it_is)
            else:
                fake.serve(request)
            if rig.of(ReaderUp):
                break
        await rig.up()
        writer.close()


async def test_a_reader_that_says_who_it_is_behind_all_that_it_kept_is_read() -> None:
    port, kept = free_port(), 40_000
    stamp = E("LastSeenTimestampUTC", Microseconds=Rig.now())
    tag = E("TagReportData", E("EPC_96", EPC=bytes(12)), E("AntennaID", AntennaID=1), stamp)
    tags = encode_parameter(tag) * (kept // 10)
    async with listening(port, identification="00AA").running() as rig:
        reader, writer = await _open_when_listening(port)
        fake = FakeReader(reader, writer)
        fake.greet()
        for _ in range(10):
            writer.write(b"\x04\x3d" + (10 + len(tags)).to_bytes(4, "big") + bytes(4) + tags)
        while not rig.of(ReaderUp):
            request = await fake.asked()
            if request.name == "GET_READER_CONFIG":
                fake.answer(request, E("Identification", IDType=0, ReaderID=b"\x00\xaa"))
            else:
                fake.serve(request)
        await rig.until(lambda: len(rig.epcs) == kept, "every read that it kept")
        writer.close()


async def test_a_reader_that_calls_when_nobody_wants_it_any_more_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    rig = listening(port, peer="127.0.0.1")
    driver = rig.driver
    assert isinstance(driver, LlrpDriver)
    running = asyncio.create_task(driver.run())
    build = driver._build

    def cancelled(peer: str) -> LlrpProtocol:
        running.cancel()  # a reload, in the turn of the loop in which the reader is known
        return build(peer)

    monkeypatch.setattr(driver, "_build", cancelled)
    reader, writer = await _open_when_listening(port)
    fake = FakeReader(reader, writer)
    fake.greet()
    async with asyncio.timeout(60):
        with contextlib.suppress(EOFError, ConnectionError):
            while (request := await fake.asked()).name != "CLOSE_CONNECTION":
                fake.serve(request)
            fake.serve(request)
            await fake.asked()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert rig.of(ReaderUp) == []
    writer.close()


async def test_a_reader_that_does_not_call() -> None:
    error = await listening(free_port(), peer="10.1.2.3", call_timeout=0.1).fails()
    assert re.fullmatch(r"r1: the reader \(10\.1\.2\.3\) has not called 127\.0\.0\.1:\d+ for 0\.1 s", str(error))


async def test_a_port_that_is_taken() -> None:
    async with LlrpEmulator(population(1, rate=1)) as reader:
        error = await listening(reader.port, peer="10.1.2.3").fails()
    assert str(error) == f"cannot listen on 127.0.0.1:{reader.port}: Address already in use"


async def test_a_reader_that_calls_over_tls(files: Certificates) -> None:
    port = free_port()
    tls = {"cert_file": str(files.file("server.crt")), "key_file": str(files.file("server.key"))}
    outside = ssl.create_default_context(cafile=files.file("ca.crt"))
    async with (
        forwarding(port, outside=outside) as front,
        LlrpEmulator(population(5, rate=100), call=("127.0.0.1", front)),
        listening(port, peer="127.0.0.1", tls=tls).running() as rig,
    ):
        await rig.until(lambda: len(set(rig.epcs)) == 5, "all tags")


async def test_a_certificate_that_was_renewed_counts_on_a_port_that_readers_share(tmp_path: Path) -> None:
    """The port stays open for the one while the other begins anew."""
    certificates.make(tmp_path / "ours")
    tls = {"cert_file": str(tmp_path / "ours" / "server.crt"), "key_file": str(tmp_path / "ours" / "server.key")}
    port = free_port()
    async with listening(port, peer="127.0.0.2", tls=tls).running():
        _, writer = await _open_when_listening(port)
        writer.close()
        files = certificates.make(tmp_path / "ours")
        outside = ssl.create_default_context(cafile=files.file("ca.crt"))
        async with (
            listening(port, peer="127.0.0.1", tls=tls).running() as rig,
            forwarding(port, outside=outside) as front,
            LlrpEmulator(population(5, rate=100), call=("127.0.0.1", front)),
        ):
            await rig.up()


# Somebody else's reader


@contextlib.asynccontextmanager
async def llrpkit(*, tags: int, rate: int) -> AsyncIterator[int]:
    """``llrpkit emulate`` in a process of its own. Gives its port."""
    port = free_port()
    program = Path(sys.executable).with_name("llrpkit")
    arguments = ["emulate", "--port", str(port), "--tags", str(tags), "--rate", str(rate)]
    process = await asyncio.create_subprocess_exec(
        program, *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    _reader, writer = await asyncio.open_connection("127.0.0.1", port)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.1)
                    continue
                writer.close()
                break
        yield port
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.slow
async def test_llrpkits_reader_is_inventoried() -> None:
    async with llrpkit(tags=30, rate=200) as port:
        antennas = tuple(Antenna(n, 30.0) for n in (1, 2, 3, 4))
        settings = {"phase": True, "doppler": True, "keepalive": 0.5, "inputs": [{"port": 1}]}
        rig = Rig(antennas, host="127.0.0.1", port=port, **settings)  # type: ignore[arg-type]
        async with rig.running(again=True):
            await rig.until(lambda: len(set(rig.epcs)) == 30, "all 30 tags", timeout=60)
            seen = len(rig.epcs)
            await rig.until(lambda: len(rig.epcs) > seen + 400, "more reads")
            await rig.until(lambda: len(rig.of(ReaderAlive)) >= 3, "keepalives")
            await rig.driver.set_output(1, True)
        unexpected = [failure for failure in rig.failures if "another client" not in str(failure)]
        assert unexpected == [], "the one that looked for the port may still have been connected, and nothing else"
        assert {row[1] for batch in rig.of(Batch) for row in batch.rows} == {1, 2, 3, 4}
        assert rig.of(ReaderClock)[0].quality is ClockQuality.SYNCED
        assert rig.of(Batch)[-1].phase
