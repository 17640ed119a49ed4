"""What sits on a port when no reader of the configured family answered: a sentence for the operator."""

from __future__ import annotations

import re
from collections.abc import Callable

from drivers.serial.framing import Framer, Framing
from drivers.serial.m100.frames import M100Framing
from drivers.serial.mercury.frames import MercuryFraming, Op
from drivers.serial.r2000.frames import R2000Framing
from drivers.serial.uhf288.frames import Uhf288Framing

SHOWN = 60
"""Characters of foreign text in a message; untrusted text never gets longer than this."""

_NMEA = re.compile(rb"\$(?:G[A-Z]|P)[A-Z]{3},[^\r\n]*")
_LOGIN = re.compile(rb"(?i)(login|user ?name|password) ?: ?")
_LLRP_TYPES = {
    4: "a CLOSE_CONNECTION_RESPONSE",
    61: "an RO_ACCESS_REPORT",
    62: "a KEEPALIVE",
    63: "a READER_EVENT_NOTIFICATION",
}


def recognise(seen: bytes) -> str:
    """A sentence on the first bytes that came from the port."""
    if not seen:
        return "Nothing was received: check power, cable, the crossing of RX and TX, and the baud rate"
    return _llrp(seen) or _text(seen) or _other_family(seen) or _noise(seen)


def _llrp(seen: bytes) -> str | None:
    version, kind, length = seen[0] >> 2 & 7, (seen[0] & 3) << 8 | seen[1] if len(seen) > 1 else 0, seen[2:6]
    if len(seen) < 10 or seen[0] >> 5 or version not in (1, 2) or kind not in _LLRP_TYPES:
        return None
    if not 10 <= int.from_bytes(length, "big") <= 1 << 16:
        return None
    return f"It sent {_LLRP_TYPES[kind]} of LLRP: this is an LLRP reader, configure it with driver: llrp"


def _text(seen: bytes) -> str | None:
    sentence = _NMEA.search(seen)
    if sentence:
        return f"It sends NMEA sentences ({_shown(sentence[0])}): this is a GPS receiver, not a reader"
    printable = sum(32 <= byte < 127 or byte in b"\r\n\t\x1b" for byte in seen)
    if printable < 0.95 * len(seen):
        return None
    if _LOGIN.search(seen):
        return f"It shows a login prompt ({_shown(seen)}): this is a console port, not a reader"
    return f"It sends text ({_shown(seen)}): this is not a reader of this kind"


def _other_family(seen: bytes) -> str | None:
    for name, framing in _FAMILIES.items():
        framer = Framer(framing())
        frames = framer.feed(seen, 0) + framer.expire(1 << 60)
        if frames and sum(map(len, frames)) >= len(seen) // 2:
            return f"It sends frames of the family {name}: configure it with driver: {name}"
    return None


def _noise(seen: bytes) -> str:
    return f"It sends bytes of no known protocol ({seen[:12].hex(' ')}): is the baud rate right?"


def _shown(text: bytes) -> str:
    return repr(text.strip().decode("ascii", "replace")[-SHOWN:])


def _any_mercury() -> Framing:
    framing = MercuryFraming()
    framing.accepted = frozenset(Op)
    return framing


_FAMILIES: dict[str, Callable[[], Framing]] = {
    "mercury": _any_mercury,
    "uhf288": Uhf288Framing,
    "r2000": R2000Framing,
    "m100": M100Framing,
}
