"""What somebody typed or scanned, as the kind of name that it is.

A UID in hexadecimal, its last digits, or a Retail ID, the QR code on a retail unit: ``HTTPS://1A4.COM/…``, where
the code is the twelve bytes of the package's UID and the unit's index as a LEB128 number, big-endian in base 36; in
links of lower case it is the same in URL-safe base 64, and ``…/landingpage/<UID>/<index>`` is written out (Metrc's
Retail ID SDK, README). Anything else can be the state's identifier, a batch or part of a product's name.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

SHORTEST_END = 4
"""Digits of a UID's end that can be looked for: fewer are shared by too many."""

LONGEST = 200
"""Characters of a question."""

_HEX = re.compile(r"[0-9A-Fa-f]+")
_SPELLED = re.compile(r"/landingpage/([0-9A-Fa-f]{24})(?:/([0-9]{1,9}))?/?")


@dataclass(slots=True, frozen=True)
class Asked:
    """What is looked for. `uid` and `end` are upper-case hexadecimal; `index` is the unit's, of a Retail ID."""

    text: str
    uid: str | None = None
    end: str | None = None
    index: int | None = None


def identify(text: str) -> Asked:
    """What `text` may name. Scanners add spaces and a line's end; labels are printed with spaces and dashes."""
    text = text.strip()[:LONGEST]
    retail = retail_id(text)
    if retail is not None:
        return Asked(text, uid=retail[0], index=retail[1])
    digits = re.sub(r"[\s-]", "", text)
    if _HEX.fullmatch(digits) and len(digits) >= SHORTEST_END:
        return Asked(text, uid=digits.upper(), end=digits.upper())
    return Asked(text)


def retail_id(text: str) -> tuple[str, int] | None:
    """UID and index of a Retail ID; None for any other text."""
    if not (text.isascii() and text.isprintable() and text[:8].lower() == "https://"):
        return None
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        return None
    if host != "1a4.com" and not host.endswith(".1a4.com"):
        return None
    if spelled := _SPELLED.fullmatch(parts.path):
        return spelled[1].upper(), int(spelled[2] or 0)
    code = parts.path.strip("/")
    try:
        return _unpack(_base36(code) if text.startswith("HTTPS://") else _base64(code))
    except (ValueError, binascii.Error):
        return None


def _base36(code: str) -> bytes:
    if not 0 < len(code) <= 32 or not code.isalnum():
        raise ValueError("not the length of a Retail ID")
    number = int(code, 36)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _base64(code: str) -> bytes:
    return base64.b64decode(code + "=" * (-len(code) % 4), altchars=b"-_", validate=True)


def _unpack(content: bytes) -> tuple[str, int]:
    """Twelve bytes, then a LEB128 number of at most four bytes. Raises ValueError."""
    uid, rest = content[:12], content[12:]
    if not 1 <= len(rest) <= 4 or rest[-1] & 0x80 or any(not byte & 0x80 for byte in rest[:-1]):
        raise ValueError("no index behind the UID")
    return uid.hex().upper(), sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(rest))
