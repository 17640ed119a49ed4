"""The link to a real broker: logins, TLS, birth and last will, and what an operator reads when it does not work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
import structlog
from pydantic import TypeAdapter

from gateway.errors import LinkError
from gateway.events.states import GatewayState
from gateway.mqtt import dial
from gateway.mqtt.client import Client
from gateway.mqtt.link import Link
from gateway.mqtt.settings import Will, check_files, read_settings
from gateway.mqtt.stats import MqttStats
from tests.conftest import MakeBroker
from tests.support import certificates
from tests.support.certificates import Certificates
from tests.support.mosquitto import Broker, free_port, password_line
from tests.support.mqtt_service import BASE, config, service
from tests.support.proxy import proxy
from tests.support.subscriber import Subscriber, until

pytestmark = pytest.mark.usefixtures("impatient_link")

STATE = BASE + "state/gateway"


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def tls_broker(make_broker: MakeBroker, certs: Certificates) -> Broker:
    """Takes only clients with a certificate of our authority, and calls them by its common name."""
    return make_broker(
        "allow_anonymous true",
        f"cafile {certs.file('ca.crt')}",
        f"certfile {certs.file('server.crt')}",
        f"keyfile {certs.file('server.key')}",
        "require_certificate true",
    )


async def connect_once(port: int, **mqtt: Any) -> None:
    """Raises what `Link` would log."""
    client = Client(read_settings(config(port, **mqtt), Will("will", b"")), lambda message: None)
    await client.open()
    await client.close()


async def test_birth_and_goodbye_are_retained(broker: Broker) -> None:
    with Subscriber(broker.port, STATE) as subscriber:
        async with service(broker.port):
            birth = await subscriber.until(lambda it: it.last(STATE))
        await subscriber.until(lambda it: it.last(STATE)["status"] == "offline")
        assert subscriber.last(STATE)["reason"] == "stopped"
    assert birth["status"] == "online"
    for state in (birth, subscriber.last(STATE)):
        TypeAdapter(GatewayState).validate_json(orjson.dumps(state))
    assert birth.keys() == {
        "status", "time", "since", "version", "epoch", "sequence", "published", "config", "whole_config",
        "health", "reasons",
    }  # fmt: skip
    with Subscriber(broker.port, STATE, client_id="late") as late:
        await late.until(lambda it: it.last(STATE))
        assert late.messages[0].retain
        assert late.last(STATE)["status"] == "offline"


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_the_last_will_tells_of_a_lost_connection_and_the_next_birth_revokes_it(
    broker: Broker, version: str
) -> None:
    with Subscriber(broker.port, STATE) as subscriber:
        async with proxy(broker.port) as network, service(network.port, version=version) as mqtt:
            await subscriber.until(lambda it: len(it.on(STATE)) == 1)
            network.cut()
            await until(lambda: mqtt.stats.connects == 2)
            await subscriber.until(lambda it: len(it.on(STATE)) >= 3)
            states = [orjson.loads(message.payload) for message in subscriber.on(STATE)]
    assert [state["status"] for state in states[:3]] == ["online", "offline", "online"]
    assert states[1]["reason"] == "the connection was lost"


async def test_a_second_gateway_with_the_same_client_id_is_suspected(broker: Broker) -> None:
    async with service(broker.port, client_id="same"):
        client = Client(read_settings(config(broker.port, client_id="same"), Will("will", b"")), lambda message: None)
        await client.open()
        reason = await asyncio.wait_for(asyncio.shield(client.lost), 60)  # the service takes its name back
        await client.close()
    assert "same client id" in reason


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_the_password_is_read_from_its_file_at_every_connection(
    make_broker: MakeBroker, tmp_path: Path, version: str
) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text(password_line("gateway", "correct"))
    broker = make_broker("allow_anonymous false", f"password_file {passwords}")
    secret = tmp_path / "secret"
    secret.write_text("wrong-password\n")
    login = {"username": "gateway", "password_file": str(secret), "version": version}
    with pytest.raises(LinkError, match=r"user name or password|does not authorise") as caught:
        await connect_once(broker.port, **login)
    assert "wrong-password" not in repr(caught.value)
    secret.write_text("correct\n")
    await connect_once(broker.port, **login)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_tls_with_a_client_certificate(tls_broker: Broker, certs: Certificates, version: str) -> None:
    tls = {name + "_file": str(certs.file(file)) for name, file in
           {"ca": "ca.crt", "cert": "client.crt", "key": "client.key"}.items()}  # fmt: skip
    await connect_once(tls_broker.port, host="localhost", version=version, tls=tls)


WRONG_TLS: dict[str, tuple[dict[str, str], str]] = {
    "no client certificate": ({"ca": "ca.crt"}, "wants mqtt.tls.cert_file|TLS handshake failed|reset"),
    "unknown authority": ({}, "certificate is not trusted .*mqtt.tls.ca_file"),
    "missing file": ({"ca": "absent.crt"}, "absent.crt cannot be used: .*No such file"),
    "not a certificate": ({"ca": "client.key"}, "client.key cannot be used"),
    "key with a passphrase": (
        {"ca": "ca.crt", "cert": "client.crt", "key": "locked.key"},
        "locked.key cannot be used: the key has a passphrase",
    ),
}


@pytest.mark.parametrize("case", WRONG_TLS)
async def test_wrong_tls_settings_are_named(tls_broker: Broker, certs: Certificates, case: str) -> None:
    files, message = WRONG_TLS[case]
    tls = {name + "_file": str(certs.file(file)) for name, file in files.items()}
    with pytest.raises(LinkError, match=message):
        await connect_once(tls_broker.port, host="localhost", tls=tls)


async def test_a_name_that_is_not_in_the_certificate_is_refused(tls_broker: Broker, certs: Certificates) -> None:
    with pytest.raises(LinkError, match=r"not trusted .*mqtt.host is a name in the certificate"):
        await connect_once(tls_broker.port, host="127.1", tls={"ca_file": str(certs.file("ca.crt"))})


async def test_plain_to_a_tls_port_and_tls_to_a_plain_port(
    tls_broker: Broker, shared_broker: Broker, certs: Certificates
) -> None:
    with pytest.raises(LinkError, match=r"closed the connection during login.*one with TLS"):
        await connect_once(tls_broker.port)
    with pytest.raises(LinkError, match="check that the port expects TLS"):
        await connect_once(shared_broker.port, tls={"ca_file": str(certs.file("ca.crt"))})


async def test_nobody_there_and_no_such_name() -> None:
    with pytest.raises(LinkError, match="connection is refused; check that the broker runs"):
        await connect_once(free_port())
    with pytest.raises(LinkError, match="name cannot be resolved"):
        await connect_once(1883, host="broker.invalid")


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@pytest.fixture
async def impostor() -> AsyncIterator[Callable[[bytes], Any]]:
    """Starts a server that answers the first bytes with its own, then waits."""
    servers: list[asyncio.Server] = []
    writers: list[asyncio.StreamWriter] = []

    async def start(answer: bytes) -> int:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            await reader.read(1)
            writer.write(answer)

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    yield start
    for server in servers:
        server.close()
    for writer in writers:
        writer.transport.abort()


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x20\x02\x00", b"\xff" * 64]
)
async def test_what_is_not_a_broker_is_called_so(impostor: Any, answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.mqtt.client.LOGIN_SECONDS", 0.3)
    port = await impostor(answer)
    with pytest.raises(LinkError, match="check that it is an MQTT broker"):
        await connect_once(port)


@pytest.mark.parametrize("answer", [b"", b"\x20\x02\x00\x00"])
async def test_a_stop_does_not_wait_for_a_broker_that_is_silent(
    impostor: Any, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.mqtt.client.GOODBYE_SECONDS", 0.2)
    monkeypatch.setattr("gateway.mqtt.service.GOODBYE_SECONDS", 0.2)
    port = await impostor(answer)
    async with service(port, version="3.1.1"):
        await asyncio.sleep(0.1)  # somewhere in the login, or in the subscription that is never answered
        started = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - started < dial.SECONDS, "less than an answer is waited for"


async def test_a_broker_of_the_other_version_is_recognised(impostor: Any) -> None:
    port = await impostor(b"\x20\x02\x00\x01")  # the CONNACK of 3.1.1: unacceptable protocol version
    with pytest.raises(LinkError, match=r"set mqtt.version to"):
        await connect_once(port, version="5")


async def test_a_packet_beyond_the_limit_that_is_no_message_ends_the_connection(impostor: Any) -> None:
    port = await impostor(b"\x20\x02\x00\x00" + b"\x90\xff\xff\xff\x7f")  # CONNACK; SUBACK of 268,435,455 bytes
    client = Client(read_settings(config(port, version="3.1.1"), Will("will", b"")), lambda message: None)
    await client.open()
    reason = await asyncio.wait_for(asyncio.shield(client.lost), 60)
    await client.close()
    assert "sent a packet of 268435455 bytes" in reason


async def test_a_broker_that_stays_away_is_one_line_in_the_log() -> None:
    with structlog.testing.capture_logs() as logs:
        stats = MqttStats()
        link = Link(
            config(free_port()),
            will=lambda: Will("will", b""),
            receive=lambda message: None,
            serve=lambda connection: asyncio.sleep(3600),  # type: ignore[arg-type,return-value]
            log=structlog.get_logger(),
            stats=stats,
            rng=Random(1),
        )
        task = asyncio.create_task(link.run())
        await until(lambda: stats.connect_failures >= 4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [entry["log_level"] for entry in logs][:4] == ["warning", "debug", "debug", "debug"]


async def test_a_password_without_a_user_name_and_an_unreadable_one(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match=r"mqtt.username is not: set both"):
        await connect_once(1, password_file=str(tmp_path / "absent"))
    with pytest.raises(LinkError, match="absent cannot be read: No such file"):
        await connect_once(1, username="gateway", password_file=str(tmp_path / "absent"))
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(LinkError, match="must hold one line"):
        await connect_once(1, username="gateway", password_file=str(tmp_path / "empty"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("password", b"sesame\n", ""),
        ("password", b"gateway\nsesame\n", "holds several lines: write the password alone into it"),
        ("ca", b"no certificate", "cannot be used"),
    ],
)
def test_the_check_looks_into_the_files_that_a_connection_needs(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    login = {"username": "gateway", "password_file": str(tmp_path / name)}
    problem = check_files(config(1, **(login if name == "password" else {"tls": {"ca_file": str(tmp_path / name)}})))
    assert (problem is not None) == bool(said)
    if problem is not None:
        where, words = problem
        assert where == ("mqtt", "password_file" if name == "password" else "tls")
        assert said in words
        assert "sesame" not in words


def test_what_only_the_service_can_read_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert not check_files(config(1, username="gateway", password_file="/run/credentials/gateway/password"))


@pytest.mark.looptime
async def test_what_ends_connections_is_said_again_after_an_hour_and_not_within_a_minute() -> None:
    with structlog.testing.capture_logs() as logs:
        link = Link(
            config(1),
            will=lambda: Will("will", b""),
            receive=lambda message: None,
            serve=lambda connection: asyncio.sleep(3600),  # type: ignore[arg-type,return-value]
            log=structlog.get_logger(),
            stats=MqttStats(),
            rng=Random(1),
        )
        for pause in (100.0, 30.0, 3600.0):
            await asyncio.sleep(pause)
            link._made.append(asyncio.get_running_loop().time())
            link._report("the connection has ended")
        for problem in ("closed, ask for 3.1.1", "closed, ask for 5", "reset") * 10:
            await asyncio.sleep(300)
            link._report(problem)  # a broker that stays away, and is asked for less each time
    levels = [entry["log_level"] for entry in logs]
    assert levels == ["warning", "debug", "warning", "warning", "warning", "warning", *["debug"] * 27]
