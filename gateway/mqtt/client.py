"""The MQTT connection on top of aiomqtt: `gateway.mqtt.interface.Connection`, with outcomes that can be believed.

aiomqtt 2.5 takes a refused PUBACK for success, lets a publish wait for its whole timeout after the connection was
cut, and sends again by itself when a client object connects twice. `Client` below overrides the hooks where that
happens and is used for one connection only. The hooks are private, hence the narrow version range of the dependency
and the contract test that looks at each of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import ssl
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import aiomqtt
import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.errors import LinkError
from gateway.mqtt.interface import ACCEPTED, LOST_CODE, Message, Outcome, Properties, Receive
from gateway.mqtt.reasons import connect_problem, ended, refused_connect

MAX_PACKET = (1 << 20) + (64 << 10)
"""Bytes of the largest packet taken from the broker: the largest command, its topic and its properties."""

MAX_INCOMING = 20
"""Receive Maximum that we announce: as many as mosquitto's own default."""

MAX_UNSENT = 256
"""Packets on their way into the socket above which QoS 0 messages are left out: telemetry never piles up."""

CONNECT_SECONDS = 10.0
SUBSCRIBE_SECONDS = 10.0
GOODBYE_SECONDS = 2.0
PACKET_TOO_LARGE = 0x95

_PLAIN_YES = frozenset({b"", b"\x00", b"\x00\x00", b"\x10", b"\x10\x00"})
"""What follows the packet id in a PUBACK that means success, or success without a subscriber (MQTT 5, 3.4.2)."""


@dataclass(slots=True, frozen=True)
class Will:
    """The retained QoS 1 message that the broker publishes when the connection ends without a word."""

    topic: str
    payload: bytes


@dataclass(slots=True, frozen=True)
class Settings:
    """What is needed to connect once. `password` is only ever handed to the broker."""

    host: str
    port: int
    version: str
    client_id: str
    keepalive: int
    will: Will
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


class Client(aiomqtt.Client):
    """One connection: made, opened once, closed."""

    def __init__(self, settings: Settings, receive: Receive) -> None:
        self._thread = threading.get_ident()
        self._settings = settings
        self._receive = receive
        self._five = settings.version == "5"
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.window = 65535  # what MQTT 5 takes where the broker says nothing; there is no limit in 3.1.1
        self._max_packet = 268_435_455
        self._outcomes: dict[int, asyncio.Future[Outcome]] = {}  # by packet id: sent and not acknowledged
        self._held: deque[tuple[asyncio.Future[Outcome], tuple[Any, ...]]] = deque()  # beyond the window
        self._packed: tuple[Properties | None, _Packed | None] = (None, None)
        super().__init__(
            settings.host,
            settings.port,
            identifier=settings.client_id,
            username=settings.username,
            password=settings.password,
            protocol=aiomqtt.ProtocolVersion.V5 if self._five else aiomqtt.ProtocolVersion.V311,
            clean_session=None if self._five else True,
            keepalive=settings.keepalive,
            timeout=CONNECT_SECONDS,
            tls_context=settings.tls,
            will=aiomqtt.Will(settings.will.topic, settings.will.payload, qos=1, retain=True),
            properties=_connect_properties() if self._five else None,
            # The window is kept here, in `send`. paho's own would walk all its messages at every PUBACK.
            max_inflight_messages=0,
        )
        self._client.disable_logger()  # it would format a line for each packet
        self._client._handle_pubackcomp = self._on_acknowledgement  # type: ignore[method-assign, assignment]
        self._client._sock_recv = self._receive_bytes  # type: ignore[method-assign, assignment]
        self._client._ssl_wrap_socket = self._start_tls  # type: ignore[method-assign, assignment]
        self._client.connect_timeout = CONNECT_SECONDS
        # The one notice of the end that aiomqtt gives when reading or writing fails with an exception.
        self._disconnected.add_done_callback(self._on_ended)

    # Opening and closing

    async def open(self) -> None:
        """Connects and logs in. Raises `LinkError`, which says what is wrong."""
        try:
            await self.__aenter__()
        except BaseException as error:
            self._end("not connected")
            self._client._reset_sockets()
            if isinstance(error, aiomqtt.MqttError):
                raise LinkError(f"{self._where} gave no answer that MQTT knows: {self._hint}") from None
            raise

    def _client_connect(self) -> None:
        """Runs in a thread, because it looks up the name, connects and does the TLS handshake."""
        try:
            super()._client_connect()
        except (OSError, ValueError) as error:
            raise LinkError(f"{self._where}: {connect_problem(error, self._settings.tls is not None)}") from error

    def _start_tls(self, sock: socket.socket) -> ssl.SSLSocket:
        """Runs in that thread. paho's own leaves the socket open when the handshake fails."""
        assert self._settings.tls is not None
        wrapped = self._settings.tls.wrap_socket(
            sock, server_hostname=self._settings.host, do_handshake_on_connect=False
        )
        try:
            wrapped.settimeout(CONNECT_SECONDS)
            wrapped.do_handshake()
        except BaseException:
            wrapped.close()
            raise
        return wrapped

    def _on_socket_open(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        if self.lost.done():  # cancelled while the thread was still connecting
            sock.close()
            raise LinkError(f"{self._where}: given up")
        super()._on_socket_open(client, userdata, sock)

    def _on_socket_register_write(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        """aiomqtt asks the loop to begin writing some time later, when the socket may be closed already."""
        if threading.get_ident() == self._thread:
            self._loop.add_writer(sock.fileno(), self._write)
        else:  # only during `_client_connect`
            super()._on_socket_register_write(client, userdata, sock)

    def _write(self) -> None:
        try:
            self._client.loop_write()
        except Exception as error:  # paho lets some errors of the socket through
            self._end(str(error))

    async def close(self) -> None:
        """Says goodbye where it still can, and frees the socket. Never raises."""
        self.timeout = GOODBYE_SECONDS
        with contextlib.suppress(aiomqtt.MqttError):
            if not self.lost.done():
                await self.__aexit__(None, None, None)
        self._end("closed by the gateway")
        self._client._reset_sockets()

    @property
    def _where(self) -> str:
        return f"MQTT broker {self._settings.address}"

    @property
    def _hint(self) -> str:
        port = "without TLS" if self._settings.tls else "with TLS"
        version = "3.1.1" if self._five else "5"
        return f"check that it is an MQTT broker, whether its port is one {port}, or set mqtt.version to '{version}'"

    # Sending

    def send(
        self, topic: str, payload: bytes, *, qos: int, retain: bool = False, properties: Properties | None = None
    ) -> asyncio.Future[Outcome]:
        outcome: asyncio.Future[Outcome] = self._loop.create_future()
        packed = self._pack(properties)
        size = len(topic.encode()) + len(payload) + (len(packed.content) if packed else 1) + 9
        if size > self._max_packet:
            outcome.set_result(
                Outcome(PACKET_TOO_LARGE, f"{size} bytes are more than the {self._max_packet} that the broker takes")
            )
        elif self.lost.done():
            outcome.set_result(Outcome(LOST_CODE, self.lost.result()))
        elif qos == 0:
            outcome.set_result(self._send_unacknowledged(topic, payload, retain, packed))
        elif len(self._outcomes) < self.window:
            self._send(outcome, (topic, payload, qos, retain, packed))
        else:
            self._held.append((outcome, (topic, payload, qos, retain, packed)))
        return outcome

    def _send(self, outcome: asyncio.Future[Outcome], packet: tuple[Any, ...]) -> None:
        info = self._client.publish(*packet)
        if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._outcomes[info.mid] = outcome
        else:
            outcome.set_result(Outcome(LOST_CODE, paho.error_string(info.rc)))

    def _send_unacknowledged(self, topic: str, payload: bytes, retain: bool, packed: _Packed | None) -> Outcome:
        if len(self._client._out_packet) >= MAX_UNSENT:
            return Outcome(LOST_CODE, "the network is slower than the telemetry")
        info = self._client.publish(topic, payload, 0, retain, packed)  # type: ignore[arg-type]
        return ACCEPTED if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else Outcome(LOST_CODE, paho.error_string(info.rc))

    def _pack(self, properties: Properties | None) -> _Packed | None:
        """`properties` in bytes; the last ones are kept, since a burst of messages shares them."""
        if not self._five or properties is None:
            return None
        if properties is not self._packed[0]:
            self._packed = (properties, _Packed(properties))
        return self._packed[1]

    async def listen(self, filters: Sequence[str]) -> list[Outcome]:
        subscribing = asyncio.ensure_future(self.subscribe([(topic, 1) for topic in filters], timeout=math.inf))
        ends: set[asyncio.Future[Any]] = {subscribing, self.lost}
        try:
            async with asyncio.timeout(SUBSCRIBE_SECONDS):
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self.lost.done():
                raise LinkError(f"{self._where}: the connection ended during the subscription: {self.lost.result()}")
            return [_outcome(code) for code in subscribing.result()]
        except (TimeoutError, aiomqtt.MqttError) as error:
            raise LinkError(f"{self._where} does not answer a subscription ({error})") from error
        finally:
            subscribing.cancel()

    # What comes back

    def _on_acknowledgement(self, command: Literal["PUBACK", "PUBCOMP"]) -> MQTTErrorCode:
        """paho makes a reason code and a property set of every PUBACK, the larger half of the work for a message.

        Those that say nothing but yes are taken here; paho sees the others.
        """
        client = self._client
        packet = client._in_packet["packet"]
        if command != "PUBACK" or bytes(packet[2:]) not in _PLAIN_YES:
            return paho.Client._handle_pubackcomp(client, command)
        packet_id = int.from_bytes(packet[:2], "big")
        if client._out_messages.pop(packet_id, None) is not None:
            client._inflight_messages -= 1
            self._settle(packet_id, ACCEPTED)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _receive_bytes(self, size: int) -> bytes:
        """paho reads the rest of a packet by its length, and believes any length. 3.1.1 cannot tell the broker ours."""
        if size > MAX_PACKET:
            self._end(
                f"the broker sent a packet of {size} bytes, more than {MAX_PACKET}; if it is a retained message "
                "below cmd/, clear it, and limit the size of messages in the broker (mosquitto: message_size_limit)"
            )
            raise ConnectionAbortedError("packet too large")
        return paho.Client._sock_recv(self._client, size)

    def _on_publish(
        self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: PahoProperties
    ) -> None:
        self._settle(mid, _outcome(reason_code))

    def _settle(self, packet_id: int, result: Outcome) -> None:
        outcome = self._outcomes.pop(packet_id, None)
        if outcome is not None and not outcome.done():
            outcome.set_result(result)
        while self._held and len(self._outcomes) < self.window:
            self._send(*self._held.popleft())

    def _on_connect(
        self,
        client: Any,
        userdata: Any,
        flags: Any,
        reason_code: ReasonCode,
        properties: PahoProperties | None = None,
    ) -> None:
        self.window = getattr(properties, "ReceiveMaximum", self.window)
        self._max_packet = getattr(properties, "MaximumPacketSize", self._max_packet)
        if reason_code.value != 0 and not self._connected.done():
            self._connected.set_exception(LinkError(f"{self._where}: {refused_connect(reason_code)}"))
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_disconnect(
        self,
        client: Any,
        userdata: Any,
        flags: Any,
        reason_code: ReasonCode,
        properties: PahoProperties | None = None,
    ) -> None:
        if not self._connected.done():
            self._connected.set_exception(LinkError(f"{self._where} closed the connection during login: {self._hint}"))
        super()._on_disconnect(client, userdata, flags, reason_code, properties)
        self._end(ended(reason_code))

    def _on_ended(self, disconnected: asyncio.Future[None]) -> None:
        error = None if disconnected.cancelled() else disconnected.exception()
        self._end(f"{error}" if error else "disconnected")
        if not self._connected.done():
            self._connected.set_exception(LinkError(f"{self._where} does not speak MQTT ({error}): {self._hint}"))

    def _end(self, reason: str) -> None:
        """From here on nothing is sent any more, and every outcome that was awaited is lost."""
        if not self.lost.done():
            self.lost.set_result(reason)
        unknown = Outcome(LOST_CODE, reason)
        for outcome in [*self._outcomes.values(), *(held for held, _ in self._held)]:
            if not outcome.done():
                outcome.set_result(unknown)
        self._outcomes.clear()
        self._held.clear()

    def _on_message(self, client: Any, userdata: Any, message: paho.MQTTMessage) -> None:
        properties = getattr(message, "properties", None)
        with contextlib.suppress(UnicodeDecodeError):  # a topic that is not text is none of ours
            self._receive(
                Message(
                    message.topic,
                    bytes(message.payload),
                    message.retain,
                    getattr(properties, "ResponseTopic", None),
                    getattr(properties, "CorrelationData", None),
                )
            )


class _Packed:
    """Properties of a PUBLISH, encoded once for many messages. paho asks properties for nothing but `pack()`."""

    def __init__(self, properties: Properties) -> None:
        encoder = PahoProperties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        encoder.PayloadFormatIndicator = 1
        encoder.ContentType = properties.content_type
        if properties.user:
            encoder.UserProperty = list(properties.user)
        if properties.correlation is not None:
            encoder.CorrelationData = properties.correlation
        self.content: bytes = encoder.pack()  # type: ignore[no-untyped-call]

    def pack(self) -> bytes:
        return self.content


def _outcome(code: ReasonCode | int) -> Outcome:
    return Outcome(code.value, str(code)) if isinstance(code, ReasonCode) else Outcome(code)


def _connect_properties() -> PahoProperties:
    properties = PahoProperties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 0
    properties.ReceiveMaximum = MAX_INCOMING
    properties.MaximumPacketSize = MAX_PACKET
    return properties
