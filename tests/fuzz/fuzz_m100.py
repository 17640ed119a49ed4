"""M100: any bytes leave the session with well-formed reads or none."""

from __future__ import annotations

from drivers.serial.m100.frames import RESPONSE, Cmd, M100Framing, frame_of, tag_notice
from drivers.serial.m100.session import M100Session
from drivers.serial.m100.settings import M100Settings
from tests.fuzz import Target
from tests.support.serial_fuzz import deliver

EPC = bytes.fromhex("30751FEB705C5904E3D50D70")


def frames() -> list[bytes]:
    notices = [tag_notice(EPC, -55), tag_notice(EPC[:2], -1), tag_notice(b"\xbb\x7e" * 8, -128)]
    return [*notices, frame_of(RESPONSE, Cmd.ERROR, b"\x15"), frame_of(RESPONSE, Cmd.INFO, b"\x00M100 26dBm V1.0")]


def stream(data: bytes) -> None:
    deliver(data, M100Framing, M100Session, M100Settings(device="/dev/ttyUSB0"))


TARGETS = {"stream": Target(stream, lambda: [b"\x10" + frame for frame in [*frames(), b"".join(frames())]])}
