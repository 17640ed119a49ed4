"""What is needed to connect once: read from the configuration and the files that it names, anew each time."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from drivers.plain_files import check_plain
from gateway.config import Config, MqttConfig, TlsConfig
from gateway.config.files import out_of_reach, read_text
from gateway.errors import LinkError

MAX_PASSWORD = 65_535
"""Bytes: the longest that MQTT can carry."""


@dataclass(slots=True, frozen=True)
class Ask:
    """A version of MQTT, whether the last will may be retained and of QoS 1, and whether to ask for one at all and for
    a session."""

    version: str
    retain: bool = True
    qos: int = 1
    will: bool = True
    session: bool = True


@dataclass(slots=True, frozen=True)
class Will:
    """The QoS 1 message that the broker publishes, retained, when the connection ends without a word."""

    topic: str
    payload: bytes


@dataclass(slots=True, frozen=True)
class Settings:
    """What is needed to connect once. `password` is only ever handed to the broker.

    `session`: seconds for which the broker keeps commands for a gateway that is away, 0 for not at all. `fresh`: what
    it has kept is thrown away. `retain`, `qos`: what the broker can be asked for.
    """

    host: str
    port: int
    version: str
    client_id: str
    keepalive: int
    will: Will | None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    session: int = 0
    fresh: bool = False
    retain: bool = True
    qos: int = 1
    max_packet: int | None = None
    certificate: Path | None = None

    @property
    def address(self) -> str:
        """``host:port``, for people."""
        return f"{self.host}:{self.port}"


class BrokerRefusal(LinkError):
    """The broker's CONNACK refuses the connection; `code` as in MQTT 5."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class LoginCut(LinkError):
    """The broker did not answer the login, or closed the connection instead, which may be its way to refuse."""


def read_settings(config: Config, will: Will | None, ask: Ask | None = None) -> Settings:
    """What the next connection needs. Reads the password and the certificates, so not on the event loop."""
    mqtt = config.mqtt
    ask = ask or Ask(mqtt.version)
    return Settings(
        host=mqtt.host,
        port=mqtt.port,
        version=ask.version,
        client_id=mqtt.client_id or f"rfid-{config.site}-{config.gateway}",
        keepalive=mqtt.keepalive,
        will=will if ask.will else None,
        username=mqtt.username,
        password=_read_password(mqtt),
        tls=_tls_context(mqtt.tls) if mqtt.tls is not None else None,
        session=round(mqtt.session_expiry) if ask.session else 0,
        retain=ask.retain,
        qos=ask.qos,
        max_packet=mqtt.max_packet_size,
        certificate=mqtt.tls.cert_file if mqtt.tls is not None else None,
    )


def check_files(config: Config) -> tuple[tuple[str, ...], str] | None:
    """Why the next connection cannot be made for what is in the password file or in those of TLS, with the path of the
    setting, or nothing. What only the service can read is left to it. Not for the event loop."""
    mqtt, tls = config.mqtt, config.mqtt.tls
    named = [mqtt.password_file, *([tls.ca_file, tls.cert_file, tls.key_file] if tls is not None else [])]
    if any(path is not None and out_of_reach(path) for path in named):
        return None
    try:
        password = _read_password(mqtt)
    except LinkError as error:
        return ("mqtt", "password_file"), str(error)
    if password is not None and len(password.splitlines()) > 1:
        text = f"the password file {mqtt.password_file} holds several lines: write the password alone into it"
        return ("mqtt", "password_file"), text
    try:
        if tls is not None:
            _tls_context(tls)
    except LinkError as error:
        return ("mqtt", "tls"), str(error)
    return None


def _read_password(mqtt: MqttConfig) -> str | None:
    if mqtt.password_file is None:
        return None
    if mqtt.username is None:
        raise LinkError("mqtt.password_file is set but mqtt.username is not: set both or neither")
    try:
        password = read_text(mqtt.password_file, MAX_PASSWORD)
    except (OSError, UnicodeDecodeError) as error:
        raise LinkError(f"the password file {mqtt.password_file} cannot be read: {_brief(error)}") from error
    if not password:
        raise LinkError(f"the password file {mqtt.password_file} must hold one line with the password")
    return password


def _brief(error: Exception) -> str:
    """Without the content, which in the case of a password has no place in a log."""
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not UTF-8 text"


def _tls_context(tls: TlsConfig) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if tls.ca_file is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _load(tls.ca_file, lambda path: context.load_verify_locations(path))
    if tls.cert_file is not None and tls.key_file is not None:
        key = tls.key_file
        _load(tls.cert_file, lambda path: context.load_cert_chain(path, key, password=_no_passphrase), key)
    return context


def _load(path: Path, load: Callable[[Path], None], *others: Path) -> None:
    names = " and ".join(str(name) for name in (path, *others))
    try:
        check_plain(path, *others)
        load(path)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise LinkError(f"TLS: {names} cannot be used: {error}") from error


def _no_passphrase() -> str:
    """Without this OpenSSL would ask for it on the terminal and wait."""
    raise ValueError("the key has a passphrase; give a key file without one, readable only by the service")
