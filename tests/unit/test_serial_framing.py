"""Finding frames in bytes: any chunking, noise around them, silence, hostile lengths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.serial.framing import Framer, lrc8, mcrf4xx, sum8, tm16
from drivers.serial.m100 import frames as m100
from drivers.serial.m100.frames import tag_notice
from drivers.serial.mercury import frames as mercury
from drivers.serial.r2000 import frames as r2000
from drivers.serial.uhf288 import frames as uhf288

EPC = bytes.fromhex("E2801160600002094C4C8B1A")


def mercury_framing():
    framing = mercury.MercuryFraming()
    framing.expect(mercury.Op.VERSION)
    return framing


FAMILIES = {
    "mercury": (
        mercury_framing,
        [
            bytes.fromhex("FF0022040084E0"),
            bytes.fromhex("FF012F00000230E6"),
            mercury.reply(mercury.Op.VERSION, 0, bytes(range(20))),
            mercury.reply(mercury.Op.READ_MULTIPLE, 0, b"\xff\x03\x22" * 20),
        ],
    ),
    "uhf288": (
        uhf288.Uhf288Framing,
        [
            uhf288.reply(0, uhf288.Cmd.INVENTORY, 3, b"\x01\x01\x0c" + EPC + b"\x40"),
            uhf288.reply(0, uhf288.Cmd.INVENTORY, 0xFB),
            uhf288.reply(0, uhf288.Cmd.REALTIME, 0, b"\x05\x00\x01" * 20),
        ],
    ),
    "r2000": (
        r2000.R2000Framing,
        [
            bytes.fromhex("A013018974300 0E2004074850A0103163070E13629".replace(" ", "")),
            bytes.fromhex("A00A018900001100000005B6"),
            bytes.fromhex("A004018922B0"),
        ],
    ),
    "m100": (
        m100.M100Framing,
        [tag_notice(EPC, -55), tag_notice(b"\xbb\x02\x22\x00\x11\x7e" * 2, -1), bytes.fromhex("BB01FF000115167E")],
    ),
}
by_family = pytest.mark.parametrize("family", FAMILIES)
pieces = st.lists(st.one_of(st.integers(0, 3), st.binary(min_size=1, max_size=12)), max_size=14)
cuts = st.lists(st.integers(1, 40), min_size=1, max_size=30)


def assemble(family, parts):
    """Bytes made of whole frames (a number) and noise."""
    frames = FAMILIES[family][1]
    whole = [frames[part % len(frames)] for part in parts if isinstance(part, int)]
    data = b"".join(part if isinstance(part, bytes) else frames[part % len(frames)] for part in parts)
    return data, whole


def feed(framer, data, sizes):
    frames, at, now = [], 0, 0
    while at < len(data):
        size = sizes[now % len(sizes)]
        frames += framer.feed(data[at : at + size], now)
        at += size
        now += 1
    return frames


@by_family
@given(parts=pieces, sizes=cuts)
def test_chunking_changes_nothing(family, parts, sizes):
    data, _ = assemble(family, parts)
    make = FAMILIES[family][0]
    at_once, in_pieces = Framer(make()), Framer(make())
    first = at_once.feed(data, 0) + at_once.expire(1 << 60)
    second = feed(in_pieces, data, sizes) + in_pieces.expire(1 << 60)
    assert first == second
    assert (at_once.skipped, at_once.frames) == (in_pieces.skipped, in_pieces.frames)
    # More where an implausible frame has a true one inside.
    assert at_once.skipped + sum(map(len, first)) >= len(data)


@by_family
@given(parts=pieces, sizes=cuts)
def test_every_whole_frame_is_found(family, parts, sizes):
    data, whole = assemble(family, parts)
    framer = Framer(FAMILIES[family][0]())
    found = feed(framer, data, sizes) + framer.expire(1 << 60)
    # Noise may by chance be a frame, or the beginning of one that ends in a true one: its check says that it is one.
    assert all(FAMILIES[family][0]().intact(frame) for frame in found)
    rest = iter(found)
    missing = [frame for frame in whole if frame not in rest]
    assert not missing or len(found) + len(missing) > len(whole)


@by_family
@given(data=st.binary(max_size=3000), sizes=cuts)
def test_no_more_than_a_frame_is_ever_kept(family, data, sizes):
    framer = Framer(FAMILIES[family][0]())
    at = 0
    for index in range(len(data)):
        framer.feed(data[at : at + sizes[index % len(sizes)]], index)
        at += sizes[index % len(sizes)]
        assert len(framer._rest) < framer.framing.longest


@by_family
def test_a_false_beginning_does_not_hold_frames_back_for_ever(family):
    make, frames = FAMILIES[family]
    false = {
        "mercury": b"\xff\xf0\x22",
        "uhf288": b"\xf0\x00\x01",
        "r2000": b"\xa0\xf0\x01\x89",
        "m100": b"\xbb\x02\x22\x00\xf0",
    }
    framer = Framer(make())
    assert framer.feed(false[family] + frames[0], 1_000_000) == []
    assert framer.deadline == 1_000_000 + framer.framing.gap
    assert framer.expire(framer.deadline - 1) == []
    assert framer.expire(framer.deadline) == [frames[0]]
    assert framer.deadline is None


def test_a_damaged_frame_of_sixteen_bits_of_check_does_not_cost_the_next():
    """As it came over a noisy line: a zero of the time is lost, and the CRC holds with the FF of the next frame."""
    damaged = bytes.fromhex("ff2222000010001b001f0101cc110e20360000f100803000e2000000010000000000007d12346ed5")
    following = mercury.reply(mercury.Op.READ_MULTIPLE, mercury.Status.NO_TAGS)
    for cut in range(len(damaged), len(damaged + following)):
        framer = Framer(mercury.MercuryFraming())
        data = damaged + following
        found = framer.feed(data[:cut], 0) + framer.feed(data[cut:], 1) + framer.expire(1 << 60)
        assert found == [damaged + b"\xff", following]
        assert framer.skipped == 0


@by_family
def test_a_frame_that_comes_late_is_still_one(family):
    """This process was held up: the bytes were there all the time."""
    make, frames = FAMILIES[family]
    framer = Framer(make())
    assert framer.feed(frames[0][:5], 0) == []
    assert framer.feed(frames[0][5:], 60_000_000) == [frames[0]]


def test_a_wake_up_preamble_is_no_frame():
    framer = Framer(mercury.MercuryFraming(host=True))
    assert framer.feed(mercury.PREAMBLE + mercury.STOP_READING, 0) == [mercury.STOP_READING]
    assert framer.skipped == len(mercury.PREAMBLE)


CHECKS = [
    (tm16, 0x1D0F ^ 0x0003, b"\x00\x03"),
    (mcrf4xx, 0x906E ^ 0xFFFF, b"123456789"),
    (sum8, 0x16, b"\x01\xff\x00\x01\x15"),
    (lrc8, 0xEA, b"\xa0\x03\x01\x72"),
]


@pytest.mark.parametrize(("check", "value", "data"), CHECKS)
def test_check_functions(check, value, data):
    assert check(data) == value


@given(data=st.binary(min_size=2, max_size=300))
def test_tm16_is_the_definition_bit_by_bit(data):
    crc = 0xFFFF
    for byte in data:
        for bit in range(7, -1, -1):
            top = crc & 0x8000
            crc = (crc << 1 | byte >> bit & 1) & 0xFFFF
            if top:
                crc ^= 0x1021
    assert tm16(data) == crc


@given(data=st.binary(max_size=300))
def test_mcrf4xx_is_the_definition_bit_by_bit(data):
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    assert mcrf4xx(data) == crc
