"""Readers that are good but for one thing: it costs that thing, is said, and they are read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import pytest

from drivers.api import DriverFactory, ReaderAlive, ReaderCondition
from drivers.serial import cf, m100, mercury, r2000, uhf288
from drivers.serial.cf import frames as chafon
from drivers.serial.framing import Framing, gen2_crc
from drivers.serial.m100 import frames as m1
from drivers.serial.mercury import frames as mc
from drivers.serial.r2000 import frames as r2
from drivers.serial.uhf288 import frames as uf
from tests.integration.test_serial_odd import EPC, Answer, OddReader, a0, module, talking, uhf


class Oddity(NamedTuple):
    """How a reader answers, what it sends by itself, and the conditions that must be said of it."""

    answer: Answer
    unasked: Callable[[], bytes] = lambda: b""
    told: frozenset[str] = frozenset()
    region: str = ""


def but(good: Answer, command_of: Callable[[bytes], int], **odd: Callable[[bytes], list[bytes]]) -> Answer:
    """`good`, but for the commands named in `odd` by their number in hex."""
    other = {int(name[1:], 16): answer for name, answer in odd.items()}
    return lambda frame: other.get(command_of(frame), good)(frame)


REFUSED = frozenset({"settings-refused"})

# UHFReader

uhf_ = uhf(0x86)


def of_uhf(frame: bytes) -> int:
    return frame[2]


def ends(status: int, tags: bytes = b"\x01\x0c" + EPC) -> list[bytes]:
    return [uf.reply(0, uf.Cmd.INVENTORY, status, tags)]


UHF = {
    "refuses its power": Oddity(but(uhf_, of_uhf, x2F=lambda _: [uf.reply(0, 0x2F, 0x77)]), told=REFUSED),
    "says nothing to its power": Oddity(but(uhf_, of_uhf, x2F=lambda _: []), told=REFUSED),
    "does not know who it is": Oddity(but(uhf_, of_uhf, x21=lambda _: [uf.reply(0, 0, 0xFE)])),
    "does not say who it is": Oddity(but(uhf_, of_uhf, x21=lambda _: [])),
    "answers to all": Oddity(but(uhf_, of_uhf, x01=lambda _: [uf.reply(255, 1, 1, b"\x01\x0c" + EPC)])),
    "ends a round with statistics": Oddity(but(uhf_, of_uhf, x01=lambda _: ends(3) + ends(0x26, bytes(7)))),
    "ends a round with a status of its own": Oddity(but(uhf_, of_uhf, x01=lambda _: ends(0x1A))),
    "has bytes behind its tags": Oddity(but(uhf_, of_uhf, x01=lambda _: ends(1, b"\x01\x01\x0c" + EPC + b"\x40\x07"))),
    "has phase and frequency": Oddity(
        but(uhf_, of_uhf, x01=lambda _: ends(1, b"\x01\x01\x4c" + EPC + b"\x40" + bytes(7)))
    ),
}

# Mercury


def of_mercury(frame: bytes) -> int:
    return frame[2]


def refuses(op: int, status: int) -> Callable[[bytes], list[bytes]]:
    return lambda _: [mc.reply(mc.Op(op), status)]


MERCURY = {
    "refuses its power": Oddity(but(module(), of_mercury, x92=refuses(0x92, 0x0103)), told=REFUSED),
    "is in its region for good": Oddity(but(module(), of_mercury, x97=refuses(0x97, 0x0109)), region="NA"),
    "names its region at length": Oddity(
        but(module(), of_mercury, x97=refuses(0x97, 0x0109), x67=lambda _: [mc.reply(mc.Op(0x67), 0, b"\x01\0\0")]),
        region="NA",
    ),
    "refuses its region and has none": Oddity(
        but(module(), of_mercury, x97=refuses(0x97, 0x010B), x67=refuses(0x67, 0x0109)), told=REFUSED, region="NA"
    ),
    "streams with a status of its own": Oddity(but(module(), of_mercury, x2F=refuses(0x2F, 0x7F00))),
    "says nothing to streams": Oddity(but(module(), of_mercury, x2F=lambda _: [])),
    "names no range of power": Oddity(but(module(), of_mercury, x62=lambda _: [mc.reply(mc.Op(0x62), 0, bytes(9))])),
    "says nothing to its region": Oddity(
        but(module(), of_mercury, x97=lambda _: [], x67=lambda _: []), told=REFUSED, region="NA"
    ),
    **{
        f"{words} {op:02X}": Oddity(but(module(), of_mercury, **{f"x{op:02X}": answer}))
        for op in (0x0C, 0x2A, 0x62, 0x67, 0x91, 0x93, 0x9A, 0x9B)  # none of which reading needs
        for words, answer in (("refuses", refuses(op, 0x0101)), ("says nothing to", lambda _: []))
    },
}

# R2000

SESSION = a0(r2.Cmd.SESSION)


def of_r2000(frame: bytes) -> int:
    return frame[3]


def round_of(tag: bytes, end: bytes = bytes(7), address: int = 1) -> Callable[[bytes], list[bytes]]:
    return lambda _: [r2.frame_of(address, r2.Cmd.SESSION, tag), r2.frame_of(address, r2.Cmd.SESSION, end)]


TAG = b"\x8c\x30\x00" + EPC


def says(code: int) -> Callable[[bytes], list[bytes]]:
    return lambda frame: [r2.frame_of(1, frame[3], bytes([code]))]


def buffered(stale: bytes) -> Callable[[bytes], list[bytes]]:
    """A reader with a buffer alone, in which there is something from before."""
    buffer = [stale]

    def answer(frame: bytes) -> list[bytes]:
        if frame[3] == r2.Cmd.BUFFERED:
            buffer.extend((EPC, EPC))
            return [r2.frame_of(1, r2.Cmd.BUFFERED, bytes(9))]
        taken = [
            len(buffer).to_bytes(2, "big") + bytes([len(epc) + 4]) + b"\x30\x00" + epc + b"\x12\x34\x40\x8c\x02"
            for epc in buffer
        ]
        buffer.clear()
        return [r2.frame_of(1, r2.Cmd.TAKE_BUFFER, record) for record in taken or [b"\x38"]]

    return answer


R2000 = {
    "reads into its buffer alone": Oddity(
        but(SESSION, of_r2000, x8B=says(0x41), x89=says(0x41), **dict.fromkeys(("x80", "x91"), buffered(EPC[::-1])))
    ),
    "reads into its buffer and says nothing to the rest": Oddity(
        but(SESSION, of_r2000, x8B=lambda _: [], x89=lambda _: [], **dict.fromkeys(("x80", "x91"), buffered(b"")))
    ),
    "has no RSSI": Oddity(but(SESSION, of_r2000, x8B=round_of(TAG))),
    "has phase": Oddity(but(SESSION, of_r2000, x8B=round_of(TAG + b"\x37\x01\x02"))),
    "ends a round with more than others": Oddity(but(SESSION, of_r2000, x8B=round_of(TAG + b"\x37", bytes(9)))),
    "answers to all": Oddity(but(SESSION, of_r2000, x8B=round_of(TAG + b"\x37", address=255))),
    "does not tell its firmware": Oddity(but(SESSION, of_r2000, x72=lambda _: [])),
    "says nothing to antennas": Oddity(but(SESSION, of_r2000, x74=lambda _: [])),
    "refuses its power": Oddity(
        but(SESSION, of_r2000, x66=says(0x48), x76=says(0x48), x77=says(0x11)), told=REFUSED,
    ),
    "has no region to set": Oddity(
        but(SESSION, of_r2000, x78=says(0x49), x79=says(0x49)),
        told=REFUSED, region="FCC",
    ),
}  # fmt: skip

# M100


def m1_answer(frame: bytes) -> list[bytes]:
    replies = {m1.Cmd.INFO: b"\x00M100", m1.Cmd.STOP: b"\0", m1.Cmd.GET_POWER: b"\x08\xfc", m1.Cmd.SET_POWER: b"\0"}
    if frame[2] == m1.Cmd.POLL:
        return [m1.tag_notice(EPC, -55)]
    reply = replies.get(m1.Cmd(frame[2]))
    return [] if reply is None else [m1.frame_of(m1.RESPONSE, frame[2], reply)]


def error(code: int) -> Callable[[bytes], list[bytes]]:
    return lambda _: [m1.frame_of(m1.RESPONSE, m1.Cmd.ERROR, bytes([code]))]


def streaming(param: bytes) -> Callable[[], bytes]:
    return lambda: m1.frame_of(m1.NOTICE, m1.Cmd.POLL, param)


M100 = {
    "says nothing to endless polls": Oddity(m1_answer),
    "refuses endless polls in its own way": Oddity(but(m1_answer, of_uhf, x27=error(0x42))),
    "says nothing of itself": Oddity(but(m1_answer, of_uhf, x03=lambda _: [])),
    "refuses its power": Oddity(but(m1_answer, of_uhf, xB7=error(0x17), xB6=error(0x17)), told=REFUSED),
    "has tags without a CRC": Oddity(
        but(m1_answer, of_uhf, x22=lambda _: [streaming(b"\xc9\x30\0" + EPC)()])
    ),
    "has tags with a CRC of zeros": Oddity(
        but(m1_answer, of_uhf, x22=lambda _: [streaming(b"\xc9\x30\0" + EPC + b"\0\0")()])
    ),
}  # fmt: skip

# Chafon


def of_cf(frame: bytes) -> int:
    return frame[2] << 8 | frame[3]


CF_TAG = (-320).to_bytes(2, "big", signed=True)


def cf_answer(frame: bytes) -> list[bytes]:
    cmd = of_cf(frame)
    over = chafon.reply(0, chafon.Cmd.INVENTORY, chafon.Status.ROUND_OVER)
    tag = chafon.tag_reply(0, EPC, 1, -3200, 0)
    return [tag, tag, tag, tag, over] if cmd == chafon.Cmd.INVENTORY else [chafon.reply(0, cmd, 0)]


def rounds_only(frame: bytes) -> list[bytes]:
    return cf_answer(frame) if frame[5:6] == b"\x01" else [chafon.reply(0, chafon.Cmd.INVENTORY, 1)]


def cf_tag(data: bytes) -> Callable[[bytes], list[bytes]]:
    return lambda _: [chafon.reply(0, 1, 0, data)] * 4 + [chafon.reply(0, 1, chafon.Status.ROUND_OVER)]


CF = {
    "has no inventory without an end": Oddity(but(cf_answer, of_cf, x01=rounds_only)),
    "has no channel": Oddity(but(cf_answer, of_cf, x01=cf_tag(CF_TAG + b"\x01\x0c" + EPC))),
    "has no antenna": Oddity(but(cf_answer, of_cf, x01=cf_tag(CF_TAG + b"\x0c" + EPC))),
    "says nothing of itself": Oddity(but(cf_answer, of_cf, x70=lambda _: [])),
    "refuses its power": Oddity(but(cf_answer, of_cf, x53=lambda _: [chafon.reply(0, 0x53, 1)]), told=REFUSED),
}

FAMILIES: list[tuple[DriverFactory, Framing, dict[str, Oddity]]] = [
    (uhf288.FACTORY, uf.Uhf288Framing(host=True), UHF),
    (mercury.FACTORY, mc.MercuryFraming(host=True), MERCURY),
    (r2000.FACTORY, r2.R2000Framing(host=True), R2000),
    (m100.FACTORY, m1.M100Framing(host=True), M100),
    (cf.FACTORY, chafon.CfFraming(host=True), CF),
]


@pytest.mark.parametrize(("factory", "framing", "oddities"), FAMILIES, ids=["uhf288", "mercury", "r2000", "m100", "cf"])
async def test_one_oddity_costs_only_itself(factory, framing, oddities):
    short = {uhf288.FACTORY: {"scan_time": 0.1}, mercury.FACTORY: {"on": 0.1}}

    async def read(name: str, oddity: Oddity) -> None:
        settings = dict(short.get(factory, {})) | ({"region": oddity.region} if oddity.region else {})
        async with talking(factory, OddReader(framing, oddity.answer, oddity.unasked), **settings) as talk:
            await talk.until(lambda: len(talk.rows()) > 3, 60)
            await talk.until(lambda: talk.of(ReaderAlive), 60)
            said = {item.condition for item in talk.items if isinstance(item, ReaderCondition) and item.active}
            assert {row[0] for row in talk.rows()} == {EPC}, name
            assert said - {"unreadable-reports"} == oddity.told, name
            assert not talk.failures, name

    await asyncio.gather(*(read(name, oddity) for name, oddity in oddities.items()))


BLANK_RECORD = bytes.fromhex("00200000AAAA")
BLANKS = [
    (uhf288.FACTORY, uf.Uhf288Framing(host=True), but(uhf_, of_uhf, x01=lambda _: ends(1, b"\x01\x01\x00\x40"))),
    (uhf288.FACTORY, uf.Uhf288Framing(host=True), but(uhf_, of_uhf, x01=lambda _: ends(1, b"\x01\x00"))),
    (mercury.FACTORY, mc.MercuryFraming(host=True), module(records=b"\0\0" + BLANK_RECORD)),
    (r2000.FACTORY, r2.R2000Framing(host=True), but(SESSION, of_r2000, x8B=round_of(b"\x8c\0\0\x37"))),
    (
        m100.FACTORY, m1.M100Framing(host=True),
        but(m1_answer, of_uhf, x22=lambda _: [streaming(b"\xc9\0\0" + gen2_crc(b"\0\0").to_bytes(2, "big"))()]),
    ),
    (cf.FACTORY, chafon.CfFraming(host=True), but(cf_answer, of_cf, x01=cf_tag(CF_TAG + b"\x01\x00\x00"))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("factory", "framing", "answer"), BLANKS, ids=["uhf288", "uhf288 bare", "mercury", "r2000", "m100", "cf"]
)
async def test_a_tag_without_an_epc_is_a_tag(factory, framing, answer):
    """A label that nobody has written yet, alone before the reader, is no report that cannot be read."""
    async with talking(factory, OddReader(framing, answer)) as talk:
        await talk.until(lambda: len(talk.rows()) > 3, 60)
        await talk.until(lambda: talk.of(ReaderAlive), 60)
        assert {row[0] for row in talk.rows()} == {b""}
        assert not talk.of(ReaderCondition)
        assert not talk.failures


@pytest.mark.parametrize(("factory", "framing", "answer", "name"), [
    (uhf288.FACTORY, uf.Uhf288Framing(host=True),
     lambda frame: [uf.reply(5, frame[2], 0)] if frame[1] == 255 else [], "write address: 5"),
    (r2000.FACTORY, r2.R2000Framing(host=True),
     lambda frame: [r2.frame_of(5, frame[3], b"\x01\x09")] if frame[2] == 255 else [], "write address: 5"),
])  # fmt: skip
async def test_a_reader_of_another_address_is_named(factory, framing, answer, name):
    async with talking(factory, OddReader(framing, answer)) as talk:
        await talk.until(lambda: talk.failures, 60)
        assert name in str(talk.failures[0])
