"""UHFReader: any bytes leave the session with well-formed reads or none."""

from __future__ import annotations

from contextlib import suppress

from drivers.serial.uhf288.dialect import Dialect
from drivers.serial.uhf288.frames import (
    Cmd,
    Status,
    Uhf288Framing,
    read_info,
    read_tags,
    reply,
    without_pc,
)
from drivers.serial.uhf288.session import Uhf288Session
from drivers.serial.uhf288.settings import Uhf288Settings
from tests.fuzz import Target
from tests.support.serial_fuzz import deliver

EPC = bytes.fromhex("E2801160600002094C4C8B1A")
TAGS = [
    b"\x01\x01\x0c" + EPC + b"\x40",
    b"\x04\x02\x0c" + EPC + b"\x40\x0e\x30\x00" + EPC + b"\x41",
    b"\x01\x01\x98" + EPC + EPC + b"\x42",
    b"\x01\x00",
]


def frames() -> list[bytes]:
    sent = [reply(0, Cmd.INVENTORY, status, tags) for tags in TAGS for status in (1, 3, 4)]
    sent += [reply(0, Cmd.REALTIME, Status.OK, b"\x01\x0c" + EPC + b"\x40")]
    sent += [reply(0, Cmd.REALTIME, Status.HEARTBEAT, bytes(9)), reply(0, Cmd.INVENTORY, Status.ANTENNA)]
    return sent


def stream(data: bytes) -> None:
    for mode in ("answer", "realtime"):
        settings = Uhf288Settings(device="/dev/ttyUSB0", mode=mode, epc_with_pc=mode == "answer")
        deliver(data, Uhf288Framing, Uhf288Session, settings)


def report(data: bytes) -> None:
    """What is inside frames."""
    for antenna in (False, True):
        for rssi in (False, True):
            with suppress(ValueError):
                for tag in read_tags(data, antenna=antenna, rssi=rssi):
                    assert bool(tag.epc) == bool(without_pc(tag.epc))
        dialect = Dialect(names_antenna=antenna)
        with suppress(ValueError):
            tags = dialect.tags(data)
            assert len(tags) == 1 or all(tag.epc for tag in tags)
        with suppress(ValueError):
            assert len(dialect.report(data).epc) <= len(data)
    band = read_info(data).band
    assert band is None or 0 <= band < 16


TARGETS = {
    "stream": Target(stream, lambda: [b"\x10" + frame for frame in [*frames(), b"".join(frames())]]),
    "report": Target(report, lambda: [*TAGS, bytes.fromhex("020B3D0205C00A3C01010001")]),
}
