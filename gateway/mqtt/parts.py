"""A large event in parts that fit a packet: each a CloudEvent of its own that carries a piece of the event's text.

The pieces of `data.text`, joined in the order of `data.part`, are the event's payload, byte for byte, so that ids and
hashes hold. A count of 10,000 tags has 270 kB, and there are brokers which take 128 kB.
"""

from __future__ import annotations

import orjson

from gateway.events.envelope import Event

PART = "rfid.part.v1"

_SMALLEST = 256
"""Characters of a piece below which cutting makes no sense: the envelope is larger."""

_SLACK = 64
"""Bytes by which the envelope of a later part may be longer than that of the first: its number."""


def split(event: Event, room: int) -> list[bytes] | None:
    """The payloads of the parts, each of at most `room` bytes; None where not even a small piece fits."""
    text = event.payload.decode()
    whole = orjson.loads(event.payload)
    envelope = len(_part(whole, event.id, 1, 1, "")) + _SLACK
    pieces: list[str] = []
    at = 0
    while at < len(text):
        length = _fitting(text, at, room - envelope)
        if length < min(_SMALLEST, len(text) - at):
            return None
        pieces.append(text[at : at + length])
        at += length
    return [_part(whole, event.id, number, len(pieces), piece) for number, piece in enumerate(pieces, 1)]


def _fitting(text: str, at: int, room: int) -> int:
    """How many characters from `at` on have at most `room` bytes as a JSON string."""
    length = min(len(text) - at, max(room, 0))
    while length and (size := len(orjson.dumps(text[at : at + length]))) > room:
        length = min(length - 1, length * room // size)
    return length


def _part(whole: dict[str, object], identity: str, number: int, count: int, piece: str) -> bytes:
    kept = ("source", "subject", "time", "datacontenttype", "epoch", "sequence")
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": f"{identity}-{number}",
            "type": PART,
            **{key: whole[key] for key in kept if key in whole},
            "data": {"of": identity, "type": whole.get("type"), "part": number, "parts": count, "text": piece},
        }
    )
