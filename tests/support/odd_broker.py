"""A small MQTT broker that does what a test wants of it: refuses, drops, closes, forgets. For one gateway, on loopback.

It speaks MQTT 3.1.1 and 5, takes QoS 0 and 1, and passes nothing on; real brokers are for everything else.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from gateway.mqtt import wire

CLOSE = -1
"""What `OddBroker.puback` answers to end the connection instead."""

CLOSE_TOO_LARGE = -2
"""The same, and it says that something was too large."""


REFUSED = 0x80
"""The first of the codes that refuse."""


@dataclass
class OddBroker:
    """`puback(topic, payload)`: a reason code, None for no answer, `CLOSE` or `CLOSE_TOO_LARGE`.

    `connack`: the properties of MQTT 5. `kept`: packets sent with it, as what a session has kept.

    `admit(five, retained_will)`: False closes the connection at its CONNECT. `greeting`: packets sent
    after the SUBACK of a subscription to commands.
    `suback(filters)`: a code for each, None for no answer, or `CLOSE`. `strict` closes after an answer that refuses.
    `retain`: False closes at a retained message.
    """

    puback: Callable[[str, bytes], int | None] = lambda topic, payload: 0
    admit: Callable[[bool, bool], bool] = lambda five, retained_will: True
    connack: bytes = b""
    kept: bytes = b""
    greeting: bytes = b""
    suback: Callable[[list[str]], list[int] | int | None] = lambda filters: [1] * len(filters)
    strict: bool = False
    retain: bool = True
    taken: list[tuple[str, bytes]] = field(default_factory=list)
    retained: dict[str, bytes] = field(default_factory=dict)
    connections: int = 0
    port: int = 0
    subscribed: list[str] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    five: bool = False
    writer: asyncio.StreamWriter | None = None  # of whoever subscribed last

    def on(self, topic: str) -> list[bytes]:
        return [payload for name, payload in self.taken if topic in name]

    def tell(self, topic: str, payload: bytes) -> None:
        """Passes a message on to whoever subscribed last, with QoS 1."""
        assert self.writer is not None
        body = len(topic).to_bytes(2, "big") + topic.encode() + b"\0\7" + (b"\0" if self.five else b"") + payload
        self.writer.write(wire.Packet(wire.PUBLISH | 2, body).encode())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        five = False
        packets = wire.Packets(1 << 28, five=False)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            going_on = True
            while going_on and (data := await reader.read(65536)):
                for packet in packets.feed(data):
                    if packet.kind == 0x10:
                        five = packet.body[6] == 5
                        going_on = self.admit(five, bool(packet.body[7] & 0x20))
                    going_on = going_on and self._answer(packet, five, writer)
                    if not going_on:
                        break
        writer.close()

    def _answer(self, packet: wire.Packet, five: bool, writer: asyncio.StreamWriter) -> bool:
        body = packet.body
        match packet.kind:
            case 0x10:
                properties = wire.variable_integer(len(self.connack)) + self.connack if five else b""
                writer.write(wire.Packet(wire.CONNACK, b"\0\0" + properties).encode() + self.kept)
            case wire.PUBLISH:
                return self._publish(packet, five, writer)
            case wire.PUBACK:
                self.acknowledged.append(int.from_bytes(body[:2], "big"))
            case 0x80:
                return self._subscribe(body, five, writer)
            case 0xC0:
                writer.write(b"\xd0\0")
            case wire.DISCONNECT:
                return False
        return True

    def _publish(self, packet: wire.Packet, five: bool, writer: asyncio.StreamWriter) -> bool:
        body = packet.body
        at = 2 + int.from_bytes(body[:2], "big")
        topic = body[2:at].decode()
        packet_id, qos = body[at : at + 2], packet.first >> 1 & 3
        at += 2 if qos else 0
        if five:
            length, at = wire.read_variable_integer(body, at)
            at += length
        code = self.puback(topic, body[at:]) if self.retain or not packet.first & 1 else CLOSE
        if code == CLOSE_TOO_LARGE:
            writer.write(wire.Packet(wire.DISCONNECT, b"\x95").encode())
        if code in (CLOSE, CLOSE_TOO_LARGE):
            return False
        if code == 0:
            self.taken.append((topic, body[at:]))
            if packet.first & 1:
                self.retained[topic] = body[at:]
        if qos and code is not None:
            writer.write(wire.Packet(wire.PUBACK, packet_id + (bytes([code, 0]) if five and code else b"")).encode())
        return not (self.strict and code is not None and code >= REFUSED)

    def _subscribe(self, body: bytes, five: bool, writer: asyncio.StreamWriter) -> bool:
        at = 3 + body[2] if five else 2
        filters = []
        while at < len(body):
            end = at + 2 + int.from_bytes(body[at : at + 2], "big")
            filters.append(body[at + 2 : end].decode())
            at = end + 1
        self.subscribed += filters
        self.five, self.writer = five, writer
        codes = self.suback(filters)
        if isinstance(codes, list):
            writer.write(wire.Packet(wire.SUBACK, body[:2] + (b"\0" if five else b"") + bytes(codes)).encode())
            if any("/cmd/" in filter for filter in filters):
                writer.write(self.greeting)
        return codes != CLOSE and not (self.strict and isinstance(codes, list) and max(codes) >= REFUSED)


@contextlib.asynccontextmanager
async def odd_broker(**how: object) -> AsyncIterator[OddBroker]:
    """A running one, on a free port."""
    it = OddBroker(**how)  # type: ignore[arg-type]
    server = await asyncio.start_server(it.serve, "127.0.0.1", 0)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()
        await server.wait_closed()
