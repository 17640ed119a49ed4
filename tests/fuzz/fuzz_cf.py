"""Newer Chafon readers: any bytes leave the session with well-formed reads or none."""

from __future__ import annotations

from drivers.serial.cf.frames import CfFraming, Cmd, Status, reply, tag_reply
from drivers.serial.cf.session import CfSession
from drivers.serial.cf.settings import CfSettings
from tests.fuzz import Target
from tests.support.serial_fuzz import deliver

EPC = bytes.fromhex("E2801160600002094C4C8B1A")


def frames() -> list[bytes]:
    tags = [
        tag_reply(0, EPC, 1, -3_200, 12),
        tag_reply(0, EPC[:2], 8, -32_768, 0),
        tag_reply(0, b"\xcf\x00" * 9, 0, 0, 1),
    ]
    return [*tags, reply(0, Cmd.INVENTORY, Status.ROUND_OVER), reply(0, Cmd.INFO, Status.OK, b"CF600")]


def stream(data: bytes) -> None:
    deliver(data, CfFraming, CfSession, CfSettings(device="/dev/ttyUSB0"))


TARGETS = {"stream": Target(stream, lambda: [b"\x10" + frame for frame in [*frames(), b"".join(frames())]])}
