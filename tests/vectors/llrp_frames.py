"""The recorded LLRP frames that the codec is checked against: where they are, and how to read them.

They are not part of the project. RFID_SHARED names the folder that holds ``llrp/``; without it ``../shared`` beside the
project is looked at.
"""

from __future__ import annotations

import gzip
import os
import struct
import xml.etree.ElementTree as ET
from pathlib import Path

_PROJECT = Path(__file__).resolve().parents[2]


PATH = Path(os.environ.get("RFID_SHARED", _PROJECT.parent / "shared")) / "llrp"
"""The folder with the recordings, which need not be there."""


def folder() -> Path:
    """The folder with the recordings."""
    return PATH


def frames(path: Path) -> list[bytes]:
    """The frames of a ``.bin`` file, which lie back to back."""
    data = path.read_bytes()
    found = []
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at + 2)
        found.append(data[at : at + length])
        at += length
    return found


def told(path: Path) -> list[ET.Element]:
    """The messages of the XML beside a ``.bin`` file, in the order of its frames."""
    packed = path.with_suffix(".xml.gz")
    if packed.exists():
        return list(ET.fromstring(gzip.decompress(packed.read_bytes())))
    return [ET.fromstring(path.with_suffix(".xml").read_bytes())]


def edgex(path: Path, number: int) -> bytes:
    """A recorded body with the header that the file leaves out."""
    body = path.read_bytes()
    return struct.pack(">HII", 1 << 10 | number, 10 + len(body), 1) + body
