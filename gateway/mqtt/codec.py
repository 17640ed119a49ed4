"""paho-mqtt as a codec: what is asked of it, with memory for a socket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.mqtt import answers
from gateway.mqtt.interface import ACCEPTED, Outcome, Properties
from gateway.mqtt.settings import Settings
from gateway.mqtt.wire import Pipe

MAX_PACKET = (1 << 20) + (64 << 10)
"""Bytes of the largest packet taken from the broker: the largest command, its topic and its properties."""

MAX_INCOMING = 20
"""Receive Maximum that we announce: as many commands as the broker may have under way, like mosquitto's default."""


class Codec(paho.Client):
    """paho with memory for a socket: the one private method of it that is replaced."""

    pipe: Pipe

    def _create_socket(self) -> Any:
        return self.pipe


def build(settings: Settings, pipe: Pipe) -> Codec:
    """A codec for one connection."""
    five = settings.version == "5"
    codec = Codec(
        CallbackAPIVersion.VERSION2,
        settings.client_id,
        clean_session=None if five else settings.fresh or not settings.session,
        protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
        reconnect_on_failure=False,
        manual_ack=True,
    )
    codec.pipe = pipe
    codec.max_inflight_messages_set(0)  # the window is the client's
    if settings.username is not None:
        codec.username_pw_set(settings.username, settings.password)
    if settings.will is not None:
        codec.will_set(settings.will.topic, settings.will.payload, settings.qos, settings.retain)
    return codec


def log_in(codec: Codec, settings: Settings) -> None:
    """Writes the CONNECT."""
    if settings.version == "5":
        fresh = settings.fresh or not settings.session
        codec.connect(
            settings.host,
            settings.port,
            settings.keepalive,
            clean_start=cast("Literal[3]", fresh),  # paho documents a boolean and its type leaves it out
            properties=connect_properties(settings.session),
        )
    else:
        codec.connect(settings.host, settings.port, settings.keepalive)


def connect_properties(session: int) -> PahoProperties:
    """What the gateway tells a broker of MQTT 5: `session` seconds, and its own limits."""
    properties = PahoProperties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = session
    properties.ReceiveMaximum = MAX_INCOMING
    properties.MaximumPacketSize = MAX_PACKET
    return properties


def subscribe(codec: Codec, filters: Sequence[str], five: bool) -> tuple[MQTTErrorCode, int | None]:
    """Writes a SUBSCRIBE with QoS 1; returns its packet id."""
    if five:
        return codec.subscribe([(topic, SubscribeOptions(qos=1)) for topic in filters])
    return codec.subscribe([(topic, 1) for topic in filters])


class Packed:
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
        """The properties as bytes."""
        return self.content


def outcome(code: bytes) -> Outcome:
    """What the reason code of an acknowledgement means; without a code the message was taken."""
    value = code[0] if code else 0
    return ACCEPTED if value in (0, 1, 0x10) else Outcome(value, answers.name(value))
