"""Published frames of serial readers (`serial.txt`): each decodes, and encodes to the bytes that it came as."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from drivers.serial.framing import Framer, Framing, mcrf4xx, tm16
from drivers.serial.m100 import frames as m100
from drivers.serial.mercury import frames as mercury
from drivers.serial.r2000 import frames as r2000
from drivers.serial.uhf288 import frames as uhf288


class Vector(NamedTuple):
    family: str
    to_reader: bool
    frame: bytes
    wrong: bool


def load() -> list[Vector]:
    vectors = []
    for line in Path(__file__).with_name("serial.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            family, direction, digits, kind, *_ = line.split(" ", 4)
            vectors.append(Vector(family, direction == ">", bytes.fromhex(digits), kind == "wrong"))
    return vectors


def name(vector: Vector) -> str:
    return f"{vector.family}-{'to' if vector.to_reader else 'from'}-{vector.frame.hex()[:24]}"


ALL = load()
GOOD = [vector for vector in ALL if not vector.wrong]
WRONG = [vector for vector in ALL if vector.wrong]
FAMILIES = ("mercury", "uhf288", "r2000", "m100")


def framing(vector: Vector) -> Framing:
    if vector.family == "mercury":
        made = mercury.MercuryFraming(host=vector.to_reader)
        made.accepted = frozenset(mercury.Op)
        return made
    kinds: dict[str, Callable[..., Framing]] = {
        "uhf288": uhf288.Uhf288Framing,
        "r2000": r2000.R2000Framing,
        "m100": m100.M100Framing,
    }
    return kinds[vector.family](host=vector.to_reader)


def again(vector: Vector) -> bytes:
    """The frame, decoded and encoded."""
    frame, host = vector.frame, vector.to_reader
    match vector.family:
        case "mercury":
            return mercury.command(*mercury.read_command(frame)) if host else mercury.reply(*mercury.read_reply(frame))
        case "uhf288":
            return uhf288.command(*uhf288.read_command(frame)) if host else uhf288.reply(*uhf288.read_reply(frame))
        case "r2000":
            return r2000.frame_of(*r2000.read_frame(frame))
        case _:
            return m100.frame_of(*m100.read_frame(frame))


def test_the_file_is_whole():
    assert len(GOOD) == 113
    assert len(WRONG) == 5


@pytest.mark.parametrize("vector", [vector for vector in GOOD if vector.family in FAMILIES], ids=name)
def test_decodes_and_encodes_as_written(vector):
    framer = Framer(framing(vector))
    assert framer.feed(vector.frame, 0) == [vector.frame]
    assert again(vector) == vector.frame


@pytest.mark.parametrize("vector", [vector for vector in GOOD if vector.family in FAMILIES], ids=name)
def test_every_single_wrong_byte_is_noticed(vector):
    for index in range(len(vector.frame)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(vector.frame)
            damaged[index] ^= flip
            framer = Framer(framing(vector))
            frames = framer.feed(bytes(damaged), 0) + framer.expire(1 << 60)
            assert frames == []


@pytest.mark.parametrize("vector", WRONG, ids=name)
def test_wrong_frames_are_rejected_and_the_next_good_one_is_found(vector):
    good = next(other for other in GOOD if other.family == vector.family and other.to_reader == vector.to_reader)
    framer = Framer(framing(vector))
    frames = framer.feed(vector.frame + good.frame, 0) + framer.expire(1 << 60)
    assert frames == [good.frame]


@pytest.mark.parametrize("vector", [vector for vector in GOOD if vector.family in ("silion", "cf")], ids=name)
def test_check_bytes_are_those_that_were_captured(vector):
    body, check = vector.frame[:-2], int.from_bytes(vector.frame[-2:], "big")
    assert check == (tm16(body[1:]) if vector.family == "silion" else mcrf4xx(body))


def frame_with(family: str, start: str) -> bytes:
    return next(
        vector.frame for vector in ALL if vector.family == family and vector.frame.hex().upper().startswith(start)
    )


MERCURY_TAGS = [
    ("FF2822000010001B01FF", (1, -60, 1, 923_200, 295, "000000000000000000001545")),
    ("FF2B22000010001B0FFF", (1, -52, 1, 915_250, 0, "E2801160600002094C4C8B01")),
]


@pytest.mark.parametrize(("start", "fields"), MERCURY_TAGS)
def test_mercury_tags(start, fields):
    tag = mercury.read_tag(frame_with("mercury", start))
    assert tag is not None
    assert (*tag[:5], tag.epc.hex().upper()) == fields


def test_mercury_commands():
    assert frame_with("mercury", "FF032F") == mercury.STOP_READING
    assert mercury.command(mercury.Op.SET_CONFIG, b"\x01\x0c\x00") == frame_with("mercury", "FF039A")
    ours, theirs = mercury.start_reading(250, 0), frame_with("mercury", "FF102F")
    assert ours[:17] == theirs[:17]  # all but META, of which we ask for less


UHF288_TAGS = [
    ("1500010301010C00000000000000000000", False, [("000000000000000000000313", 1, 0x6B)]),
    ("1500010301010C3039", False, [("3039606303C74380001A0559", 1, 0x40)]),
    ("1500010304010C", False, [("49440000000000000A000334", 3, 0x64)]),
    ("230001030102", False, [("000000000000000000000313", 1, 0x6B), ("000000000000000000000314", 1, 0x6C)]),
    ("0700010101", False, []),
    ("20000103020C", True, [("000000000000000000000313", 1, 0), ("000000000000000000000314", 1, 0)]),
]


@pytest.mark.parametrize(("start", "one_antenna", "tags"), UHF288_TAGS)
def test_uhf288_tags(start, one_antenna, tags):
    data = uhf288.read_reply(frame_with("uhf288", start)).data
    read = uhf288.read_tags(data, antenna=not one_antenna, rssi=not one_antenna)
    assert [(tag.epc.hex().upper(), tag.antenna or 1, tag.rssi) for tag in read] == tags


def test_uhf288_real_time_reports():
    old = uhf288.read_reply(frame_with("uhf288", "1100EE00E20000162004025612"))
    assert uhf288.read_realtime(old.data, bare=True).epc.hex().upper() == "E200001620040256128099C2"
    new = uhf288.read_reply(frame_with("uhf288", "1400EE"))
    tag = uhf288.read_realtime(new.data, bare=False)
    assert (tag.epc.hex().upper(), tag.antenna, tag.rssi) == ("E2801160600002094C4C8B1A", 1, 0x5A)
    assert uhf288.read_reply(frame_with("uhf288", "1500EE28")).status == uhf288.Status.HEARTBEAT


def test_uhf288_information_and_commands():
    info = uhf288.read_info(uhf288.read_reply(frame_with("uhf288", "11002100")).data)
    assert (info.firmware, info.kind, info.band, info.first, info.last) == ("2.11", 0x3D, 3, 0, 5)
    assert (info.power, info.scan_time, info.antennas, info.antenna_check) == (10, 0x3C, 1, True)
    assert uhf288.inventory(0, 1, 0, 1, 10) == frame_with("uhf288", "0900010100")
    us = uhf288.BANDS["US"]
    assert uhf288.command(0, uhf288.Cmd.SET_BAND, uhf288.band_data(us.number, 0, us.last)) == frame_with(
        "uhf288", "060022"
    )


R2000_TAGS = [
    ("A01301898C", ("300833B2DDD9014000000001", 1, -74, 35)),
    ("A013018974", ("E2004074850A0103163070E1", 1, -75, 29)),
]


@pytest.mark.parametrize(("start", "fields"), R2000_TAGS)
def test_r2000_tags(start, fields):
    tag = r2000.read_tag(frame_with("r2000", start))
    assert (tag.epc.hex().upper(), tag.antenna, tag.rssi, tag.channel) == fields


def test_r2000_rounds():
    assert r2000.session_round(1, 1) == frame_with("r2000", "A006018B")
    assert r2000.fast_switch(1, [1]) == frame_with("r2000", "A00D018A")


def test_m100_tags_and_commands():
    tag = m100.read_tag(frame_with("m100", "BB022200"))
    assert (tag.epc.hex().upper(), tag.rssi) == ("30751FEB705C5904E3D50D70", -55)
    assert m100.frame_of(m100.COMMAND, m100.Cmd.POLLS, m100.FOREVER) == frame_with("m100", "BB0027000322FFFF")
    assert m100.read_frame(frame_with("m100", "BB0103")).param[1:] == b"M100 26dBm V1.0"
