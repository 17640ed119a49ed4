"""What sits on a port when no reader of the configured family answered: a sentence for the operator.

Whole frames with right checks say that line and baud rate are good, whoever sends them: then the baud rate is not to
blame, and is not named.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from drivers.serial.family import families
from drivers.serial.strangers import STRANGERS

SHOWN = 60
"""Characters of foreign text in a message; untrusted text never gets longer than this."""

ENOUGH = 0.25
ALWAYS_ENOUGH = 24
"""A share, or a number, of bytes in whole frames that noise does not have: the checks have 8 or 16 bits."""

_NMEA = re.compile(rb"\$(?:G[A-Z]|P)[A-Z]{3},[^\r\n]*")
_LOGIN = re.compile(rb"(?i)(login|user ?name|password) ?: ?")
_LLRP_TYPES = {
    4: "a CLOSE_CONNECTION_RESPONSE",
    61: "an RO_ACCESS_REPORT",
    62: "a KEEPALIVE",
    63: "a READER_EVENT_NOTIFICATION",
}


def recognise(seen: bytes, configured: str = "") -> str:
    """A sentence on the first bytes that came from a port on which a reader of the family `configured` is expected."""
    if not seen:
        return "Nothing was received: check power, cable, the crossing of RX and TX, and the baud rate"
    return _llrp(seen) or _text(seen) or _framed(seen, configured) or _noise(seen)


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


def _framed(seen: bytes, configured: str) -> str | None:
    """Of a family, with a driver or without: the one of which most of the bytes are whole frames."""
    known = {name: _covered(seen, probe) for name, probe in STRANGERS.items()}
    known |= {name: _covered(seen, family.probe) for name, family in families().items()}
    name = max(known, key=lambda name: known[name])
    if known[name] < min(len(seen) * ENOUGH, ALWAYS_ENOUGH):
        return None
    if name in STRANGERS:
        return f"It sends whole frames of {name}: the gateway has no driver for it"
    if name != configured:
        return f"It sends frames of the family {name}: configure it with driver: {name}"
    return (
        f"It sends whole frames of the family {name} and does not answer as one: is its address right, and does "
        "another program or another reader use the same line?"
    )


def _covered(seen: bytes, probe: Callable[[bytes, int], int]) -> int:
    """How many of the bytes are in whole frames with a right check."""
    at = covered = 0
    while at < len(seen):
        size = probe(seen, at)
        covered += size
        at += size or 1
    return covered


def _noise(seen: bytes) -> str:
    return f"It sends bytes of no known protocol ({seen[:12].hex(' ')}): is the baud rate right?"


def _shown(text: bytes) -> str:
    return repr(text.strip().decode("ascii", "replace")[-SHOWN:])
