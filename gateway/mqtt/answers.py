"""The reason codes of MQTT 5, each with its name and what a refusal with it means: for now, until mended, for good, or
too large; and what the code of a DISCONNECT says of why a connection has ended.

Source: MQTT 5.0, section 2.4, and what brokers really answer (EMQX: 0x97 for a quota). A code that no list names
falls into a kind like any other.
"""

from __future__ import annotations

from enum import Enum


class Answer(Enum):
    """What came back for an event that was sent."""

    TAKEN = "taken"
    NOT_NOW = "refused for now"
    UNTIL_MENDED = "refused until somebody mends something"
    TOO_LARGE = "refused as too large"
    NEVER = "refused for good"
    SILENCE = "no answer"
    CUT = "the connection ended first"


_NOW, _MEND, _NEVER = Answer.NOT_NOW, Answer.UNTIL_MENDED, Answer.NEVER

_REFUSALS: dict[int, tuple[str, Answer]] = {
    0x80: ("Unspecified error", _NOW),
    0x81: ("Malformed Packet", _NEVER),
    0x82: ("Protocol Error", _NEVER),
    0x83: ("Implementation specific error", _NOW),
    0x84: ("Unsupported protocol version", _MEND),
    0x85: ("Client identifier not valid", _MEND),
    0x86: ("Bad user name or password", _MEND),
    0x87: ("Not authorized", _MEND),
    0x88: ("Server unavailable", _NOW),
    0x89: ("Server busy", _NOW),
    0x8A: ("Banned", _MEND),
    0x8B: ("Server shutting down", _NOW),
    0x8C: ("Bad authentication method", _MEND),
    0x8D: ("Keep alive timeout", _NOW),
    0x8E: ("Session taken over", _NOW),
    0x8F: ("Topic filter invalid", _MEND),
    0x90: ("Topic name invalid", _MEND),
    0x91: ("Packet identifier in use", _NOW),
    0x92: ("Packet identifier not found", _NOW),
    0x93: ("Receive maximum exceeded", _NOW),
    0x94: ("Topic alias invalid", _NOW),
    0x95: ("Packet too large", Answer.TOO_LARGE),
    0x96: ("Message rate too high", _NOW),
    0x97: ("Quota exceeded", _NOW),
    0x98: ("Administrative action", _MEND),
    0x99: ("Payload format invalid", _NEVER),
    0x9A: ("Retain not supported", _MEND),
    0x9B: ("QoS not supported", _MEND),
    0x9C: ("Use another server", _MEND),
    0x9D: ("Server moved", _MEND),
    0x9E: ("Shared subscription not supported", _MEND),
    0x9F: ("Connection rate exceeded", _NOW),
    0xA0: ("Maximum connect time", _NOW),
    0xA1: ("Subscription identifiers not supported", _MEND),
    0xA2: ("Wildcard subscription not supported", _MEND),
}


class End(Enum):
    """Why a connection has ended, as far as the broker says it."""

    OWN = "not at a message"
    TOO_FAST = "too much was sent at once: no single message is the cause"
    TOO_LARGE = "a message is larger than the broker takes"
    UNKNOWN = "a message may be the cause"

    @property
    def blames_a_message(self) -> bool:
        """Whether what was awaited then is under suspicion."""
        return self in (End.TOO_LARGE, End.UNKNOWN)


_OWN = (0x00, 0x04, 0x88, 0x89, 0x8B, 0x8D, 0x8E, 0x98, 0x9C, 0x9D, 0x9F, 0xA0)
_ENDS = dict.fromkeys(_OWN, End.OWN) | dict.fromkeys((0x93, 0x96, 0x97), End.TOO_FAST) | {0x95: End.TOO_LARGE}


def end_of(code: int) -> End:
    """What the reason code of a DISCONNECT says."""
    return _ENDS.get(code, End.UNKNOWN)


def classify(code: int) -> Answer:
    """What a PUBACK with this reason code means. A refusal that no list names is one for now."""
    if code < 0:
        return Answer.CUT
    if code < 0x80:
        return Answer.TAKEN
    return _REFUSALS[code][1] if code in _REFUSALS else Answer.NOT_NOW


def name(code: int) -> str:
    """The name of a reason code, such as ``Not authorized``."""
    if code < 0x80:
        return "Success"
    return _REFUSALS[code][0] if code in _REFUSALS else "a reason code that MQTT does not name"
