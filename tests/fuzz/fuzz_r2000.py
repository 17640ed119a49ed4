"""R2000: any bytes leave the session with well-formed reads or none."""

from __future__ import annotations

from drivers.serial.r2000.frames import ROUNDS, Cmd, R2000Framing, frame_of, is_tag, read_tag
from drivers.serial.r2000.session import R2000Session
from drivers.serial.r2000.settings import R2000Settings
from tests.fuzz import Target
from tests.support.serial_fuzz import deliver

BODIES = [
    bytes.fromhex("8C3000300833B2DDD901400000000137"),
    bytes.fromhex("8F3000300833B2DDD9014000000001B7"),
    bytes.fromhex("8C3000300833B2DDD9014000000001371234"),
    bytes.fromhex("00001100000005"),
    bytes.fromhex("0122"),
    bytes.fromhex("36"),
]


def frames() -> list[bytes]:
    sent = [frame_of(1, cmd, body) for cmd in sorted(ROUNDS) for body in BODIES]
    return [*sent, frame_of(1, Cmd.FIRMWARE, b"\x01\x09"), frame_of(7, Cmd.REALTIME, BODIES[0])]


def stream(data: bytes) -> None:
    deliver(data, R2000Framing, R2000Session, R2000Settings(device="/dev/ttyUSB0"))


def round_(data: bytes) -> None:
    """A frame whose check is right, so that what is inside is reached."""
    frame = frame_of(1, Cmd.FAST_SWITCH, data[:200])
    if frame[1] >= 4 and R2000Framing().intact(frame) and is_tag(frame):
        try:
            tag = read_tag(frame)
        except ValueError:
            return
        assert tag.epc
        assert 1 <= tag.antenna <= 8


TARGETS = {
    "stream": Target(stream, lambda: [b"\x10" + frame for frame in [*frames(), b"".join(frames())]]),
    "round": Target(round_, lambda: list(BODIES)),
}
