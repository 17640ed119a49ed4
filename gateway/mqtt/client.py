"""The MQTT connection: `gateway.mqtt.interface.Connection` with paho-mqtt as its codec.

paho encodes and decodes packets and watches the keep-alive; asyncio has the socket and TLS; acknowledgements, the
window and the outcome of every message are kept here. One private method of paho is replaced (`_create_socket`); all
the rest is its public interface. A `Client` makes one connection, opened once and closed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, cast

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode

from gateway.errors import LinkError
from gateway.mqtt import codec, connack, messages, properties, wire
from gateway.mqtt.answers import End, end_of
from gateway.mqtt.dial import dial
from gateway.mqtt.interface import (
    ACCEPTED,
    LOST_CODE,
    NO_ANSWER,
    TOO_LARGE_CODE,
    Features,
    Message,
    Outcome,
    Properties,
    Receive,
)
from gateway.mqtt.reasons import connack_code, ended, refused_connect, said
from gateway.mqtt.settings import BrokerRefusal, LoginCut, Settings

MAX_UNSENT = 256 << 10
"""Bytes on their way into the socket above which QoS 0 messages are left out: they never pile up."""

LOGIN_SECONDS = 30.0
"""A broker may ask a directory about us, and take its time. One that is silent for so long gets a new connection."""

SUBSCRIBE_SECONDS = 10.0
GOODBYE_SECONDS = 2.0
_LARGEST = 268_435_455 + 5
UNREADABLE = "it does not speak MQTT (a packet that cannot be read)"
STUCK_SECONDS = 30.0
"""Seconds without any acknowledgement after which a connection is of no use whose whole window is awaited."""

_LOOKS = 1.0  # seconds between two looks at the keep-alive and the window, at most; a fifth of a shorter keep-alive


class Client(asyncio.Protocol):
    """One connection: made, opened once, closed."""

    def __init__(self, settings: Settings, receive: Receive) -> None:
        self._loop = asyncio.get_running_loop()
        self._settings = settings
        self._receive = receive
        self._five = settings.version == "5"
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self.ended = End.OWN
        self.features = Features(settings.version, settings.retain, settings.qos, session=settings.session > 0)
        self.window = 65535  # what MQTT 5 takes where the broker says nothing; there is no limit in 3.1.1
        self.max_packet = settings.max_packet or _LARGEST
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._unwritten: list[bytes] = []
        self._packets = wire.Packets(codec.MAX_PACKET, self._five)
        self._outcomes: dict[int, asyncio.Future[Outcome]] = {}  # by packet id: sent and not acknowledged
        self._held: deque[tuple[asyncio.Future[Outcome], tuple[Any, ...]]] = deque()  # beyond the window
        self._subscriptions: dict[int, asyncio.Future[list[Outcome]]] = {}
        self._settled = 0.0  # when the broker has last acknowledged something, or the first of what is awaited was sent
        self._packed: tuple[Properties | None, codec.Packed | None] = (None, None)
        self._codec = codec.build(settings, wire.Pipe(self._write))
        self._codec.on_connect = self._on_connect
        self._codec.on_disconnect = self._on_disconnect

    # Opening and closing

    async def open(self) -> None:
        """Connects and logs in. Raises `LinkError`, which says what is wrong."""
        try:
            await dial(self._settings, self)
            codec.log_in(self._codec, self._settings)
            try:
                async with asyncio.timeout(LOGIN_SECONDS):
                    await self._connected
            except TimeoutError:
                raise LoginCut(f"{self._where} gave no answer that MQTT knows: {self._hint}") from None
        except BaseException:
            self._end("not connected")
            raise
        self._watch()

    def _watch(self) -> None:
        """Pings in time, and ends a connection over which nothing can be sent any more."""
        if self.lost.done():
            return
        self._codec.loop_misc()
        if len(self._outcomes) >= self.window and self._loop.time() - self._settled > STUCK_SECONDS:
            self._end(f"the MQTT broker leaves all {self.window} messages unanswered that it takes at once")
        self._loop.call_later(min(_LOOKS, self._codec.keepalive / 5), self._watch)

    async def close(self) -> None:
        """Says goodbye where it still can, and frees the socket. Never raises."""
        transport = self._transport
        if transport is not None and not self.lost.done():
            self._codec.on_disconnect = None
            self._codec.disconnect()
            self._flush()
        self._end("closed by the gateway")
        if transport is not None:
            await asyncio.wait([self._closed], timeout=GOODBYE_SECONDS)
            transport.abort()

    @property
    def _where(self) -> str:
        return f"MQTT broker {self._settings.address}"

    @property
    def _hint(self) -> str:
        port = "without TLS" if self._settings.tls else "with TLS"
        version = "3.1.1" if self._five else "5"
        own = self._settings.certificate
        client = f", whether it accepts {own} as valid" if own else ", whether it wants mqtt.tls.cert_file"
        return (
            f"check that it is an MQTT broker, whether its port is one {port}"
            f"{client if self._settings.tls else ''}, or set mqtt.version to '{version}'"
        )

    # The transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast("asyncio.Transport", transport)
        if self.lost.done():  # given up while it was connecting
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection has ended."""
        if not self._closed.done():
            self._closed.set_result(None)
        if not self.lost.done() and self._connected.done():
            self.ended = End.UNKNOWN
        self._end(ended(None) + (f" ({error})" if error is not None and str(error) else ""))

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        try:
            for packet in self._packets.feed(data):
                if self.lost.done():
                    return
                self._take(packet)
        except Exception as error:  # from the codec too: whatever the broker sends ends this connection at most
            self._fail(f"it does not speak MQTT ({error or type(error).__name__})")

    def _take(self, packet: wire.Packet) -> None:
        match packet.kind:
            case wire.PUBACK:
                self._settle(int.from_bytes(packet.body[:2], "big"), codec.outcome(packet.body[2:3]))
            case wire.SUBACK:
                self._take_suback(packet.body)
            case wire.CONNACK if not self._connected.done():
                self._take_connack(packet.body)
            case wire.DISCONNECT:
                code = packet.body[0] if packet.body else 0
                self.ended = end_of(code)
                self._fail(ended(code, said(packet.body[1:])))
            case wire.PUBLISH if self._connected.done():
                self._take_message(packet)
            case wire.PINGRESP:
                self._decode(wire.Packet(packet.kind, b""))
            case wire.PUBREL if len(packet.body) > 1:
                self._decode(wire.Packet(packet.first, packet.body[:2]))
            case _ if not self._connected.done():
                self._fail(UNREADABLE)
            case _:
                pass  # of a kind that nobody asked for: it says nothing about what did ask

    def _decode(self, packet: wire.Packet) -> None:
        self._codec.pipe.feed(packet.encode())
        if self._codec.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._fail(UNREADABLE)

    def _write(self, data: bytes) -> None:
        """Joins what is written in one turn of the event loop: one system call, not one for each packet."""
        if not self._unwritten:
            self._loop.call_soon(self._flush)
        self._unwritten.append(bytes(data))

    def _flush(self) -> None:
        unwritten, self._unwritten = self._unwritten, []
        if self._transport is not None and not self._transport.is_closing() and unwritten:
            self._transport.write(b"".join(unwritten))

    def pause(self) -> None:
        """Reads nothing from the broker until `resume`."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Reads again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    # Sending

    @property
    def unacknowledged(self) -> int:
        """How many messages the broker has not answered yet."""
        return len(self._outcomes) + len(self._held)

    def send(
        self, topic: str, payload: bytes, *, qos: int, retain: bool = False, properties: Properties | None = None
    ) -> asyncio.Future[Outcome]:
        """Sends a message; the result is the broker's answer, or `lost` where the connection ends before it."""
        outcome: asyncio.Future[Outcome] = self._loop.create_future()
        packed = self._pack(properties)
        size = len(topic.encode()) + len(payload) + (len(packed.content) if packed else 1) + 9
        message = (topic, payload, qos, retain and self.features.retain, packed)
        if self.lost.done():
            outcome.set_result(Outcome(LOST_CODE, self.lost.result()))
        elif size > self.max_packet:
            outcome.set_result(
                Outcome(TOO_LARGE_CODE, f"more than the {self.max_packet} bytes of a packet that the broker takes")
            )
        elif qos > self.features.qos:
            outcome.set_result(Outcome(0x9B, "the broker takes no QoS 1"))
        elif qos == 0:
            outcome.set_result(self._send_unacknowledged(message))
        elif len(self._outcomes) < self.window:
            self._send(outcome, message)
        else:
            self._held.append((outcome, message))
        return outcome

    def _send(self, outcome: asyncio.Future[Outcome], message: tuple[Any, ...]) -> None:
        info = self._codec.publish(*message)
        self._codec.drop_out_messages()  # whether it is acknowledged is known here
        if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            if not self._outcomes:
                self._settled = self._loop.time()
            self._outcomes[info.mid] = outcome
        else:
            outcome.set_result(Outcome(LOST_CODE, paho.error_string(info.rc)))

    def _send_unacknowledged(self, message: tuple[Any, ...]) -> Outcome:
        if self._transport is not None and self._transport.get_write_buffer_size() > MAX_UNSENT:
            return Outcome(LOST_CODE, "the network is slower than what is sent without acknowledgement")
        rc = self._codec.publish(*message).rc
        return ACCEPTED if rc == MQTTErrorCode.MQTT_ERR_SUCCESS else Outcome(LOST_CODE, paho.error_string(rc))

    def _pack(self, properties: Properties | None) -> codec.Packed | None:
        """`properties` in bytes; the last ones are kept, since a burst of messages shares them."""
        if not self._five or properties is None:
            return None
        if properties is not self._packed[0]:
            self._packed = (properties, codec.Packed(properties))
        return self._packed[1]

    async def listen(self, filters: Sequence[str]) -> list[Outcome]:
        """Subscribes to topic filters; returns the broker's answer to each, `NO_ANSWER` where it gives none."""
        rc, packet_id = codec.subscribe(self._codec, filters, self._five)
        granted: asyncio.Future[list[Outcome]] = self._loop.create_future()
        if rc != MQTTErrorCode.MQTT_ERR_SUCCESS or packet_id is None or self.lost.done():
            raise LinkError(f"{self._where}: the connection ended before the subscription")
        self._subscriptions[packet_id] = granted
        ends: set[asyncio.Future[Any]] = {granted, self.lost}
        try:
            async with asyncio.timeout(SUBSCRIBE_SECONDS):
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            return [NO_ANSWER] * len(filters)
        finally:
            self._subscriptions.pop(packet_id, None)
        if not granted.done():
            raise LinkError(f"{self._where}: the connection ended during the subscription: {self.lost.result()}")
        outcomes = granted.result()
        return [*outcomes, *[NO_ANSWER] * len(filters)][: len(filters)]

    def leave(self, filters: Sequence[str]) -> None:
        """Ends subscriptions; nobody waits for the broker's word."""
        self._codec.unsubscribe(list(filters))

    # What comes back

    def _settle(self, packet_id: int, result: Outcome) -> None:
        outcome = self._outcomes.pop(packet_id, None)
        self._settled = self._loop.time()
        if outcome is not None and not outcome.done():
            outcome.set_result(result)
        while self._held and len(self._outcomes) < self.window:
            outcome, message = self._held.popleft()
            if not outcome.done():  # nobody waits for it any more
                self._send(outcome, message)

    def _take_suback(self, body: bytes) -> None:
        at = 2
        if self._five and len(body) > at:
            length, at = wire.read_variable_integer(body, at)
            at += length
        granted = self._subscriptions.get(int.from_bytes(body[:2], "big"))
        if granted is not None and not granted.done():
            granted.set_result([codec.outcome(body[index : index + 1]) for index in range(at, len(body))])

    def _refused(self, code: int, words: str) -> None:
        if not self._connected.done():
            code = connack_code(code)
            self._connected.set_exception(BrokerRefusal(f"{self._where}: {refused_connect(code)}{words}", code))
        self._end("refused")

    def _take_connack(self, body: bytes) -> None:
        if len(body) < 2:
            self._fail(UNREADABLE)
        elif body[1]:
            self._refused(body[1], said(body[2:]) if self._five else "")
        else:
            settings, says = self._settings, connack.read(body, self._five)
            self.window = says.number(properties.RECEIVE_MAXIMUM, self.window, 1)
            self.max_packet = min(self.max_packet, says.number(properties.MAXIMUM_PACKET_SIZE, self.max_packet, 1))
            self.features = says.features(settings)
            self._decode(says.plain(self._five, settings.keepalive))

    def _on_connect(self, client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        if not self._connected.done():
            self._connected.set_result(None)

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        self._end(ended(0x8D))  # it is the only reason for which paho ends a connection by itself

    def _fail(self, reason: str) -> None:
        """The broker's bytes end the connection."""
        if not self._connected.done():
            self._connected.set_exception(LinkError(f"{self._where}: {reason}: {self._hint}"))
        self._end(f"MQTT broker: {reason}" if reason.startswith("it ") else reason)

    def _end(self, reason: str) -> None:
        """From here on nothing is sent any more, and every outcome that was awaited is lost."""
        if self.lost.done():
            return
        self.lost.set_result(reason)
        if not self._connected.done():
            self._connected.set_exception(
                LoginCut(f"{self._where} closed the connection during login ({reason}): {self._hint}")
            )
        if not self._connected.cancelled():
            self._connected.exception()  # it need not be awaited
        unknown = Outcome(LOST_CODE, reason)
        for outcome in [*self._outcomes.values(), *(held for held, _ in self._held)]:
            if not outcome.done():
                outcome.set_result(unknown)
        self._outcomes.clear()
        self._held.clear()
        if self._transport is not None:
            self._transport.close()

    def _take_message(self, packet: wire.Packet) -> None:
        """Hands a message on; one that cannot be read has an empty topic."""
        read = messages.read(packet, self._five)

        def acknowledge() -> None:
            if read.qos and not self.lost.done():
                self._codec.ack(read.packet_id, 1)

        self._receive(
            Message(
                read.topic or "",
                read.payload,
                bool(packet.first & 0x01),
                read.response_topic,
                read.correlation,
                len(read.payload) + packet.skipped,
                read.packet_id,
                bool(packet.first & 0x08),
                acknowledge,
            )
        )
