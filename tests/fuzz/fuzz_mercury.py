"""Mercury: any bytes leave the session with well-formed reads or none."""

from __future__ import annotations

from drivers.serial.mercury.frames import MercuryFraming, Op, read_tag, reply
from drivers.serial.mercury.session import MercurySession
from drivers.serial.mercury.settings import MercurySettings
from tests.fuzz import Target
from tests.support.serial_fuzz import deliver

RECORDS = [
    bytes.fromhex("10001B001F010ACC110DF7320000002A00803000E2801160600002094C4C8B1A1234"),
    bytes.fromhex("8810001B001F0101CC110DF7320000002A00803000E2801160600002094C4C8B1A1234"),
    bytes.fromhex(
        "10001B0FFF0101CC110DF73200000000002D05000000040000008030 00E2801160600002094C4C8B011234".replace(" ", "")
    ),
    bytes.fromhex("10001B30FF0101CC110DF73200000000002D0500101234000181020080320081020102E2801160600002094C4C8B011234"),
]


def frames() -> list[bytes]:
    sent = [reply(Op.READ_MULTIPLE, 0, record) for record in RECORDS]
    sent += [reply(Op.READ_MULTIPLE, status) for status in (0x0400, 0x0503, 0x0504, 0x0505, 0x7F01)]
    return [*sent, reply(Op.STREAM, 0, b"\x02"), reply(Op.BOOT, 0, bytes(20)), reply(Op.AUTONOMOUS)]


def stream(data: bytes) -> None:
    deliver(data, MercuryFraming, MercurySession, MercurySettings(device="/dev/ttyUSB0", region="NA"))


def record(data: bytes) -> None:
    """A frame whose check is right, so that what is inside is reached."""
    try:
        tag = read_tag(reply(Op.READ_MULTIPLE, 0, data[:0xF8].ljust(1, b"\0")))
    except ValueError:
        return
    assert tag is None or tag.epc


TARGETS = {
    "stream": Target(stream, lambda: [b"\x10" + frame for frame in [*frames(), b"".join(frames())]]),
    "record": Target(record, lambda: list(RECORDS)),
}
