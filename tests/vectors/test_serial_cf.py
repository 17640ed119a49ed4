"""Published frames of newer Chafon readers (family cf of `serial.txt`): each decodes, and encodes to itself."""

from __future__ import annotations

import pytest

from drivers.serial.cf import frames as cf
from drivers.serial.framing import Framer
from drivers.serial.recognise import recognise
from tests.vectors.test_serial_vectors import GOOD, Vector, frame_with, name

VECTORS = [vector for vector in GOOD if vector.family == "cf"]
by_vector = pytest.mark.parametrize("vector", VECTORS, ids=name)


def test_there_are_vectors_of_both_sides() -> None:
    assert sum(vector.to_reader for vector in VECTORS) >= 5
    assert sum(not vector.to_reader for vector in VECTORS) >= 2


@by_vector
def test_decodes_and_encodes_as_written(vector: Vector) -> None:
    framer = Framer(cf.CfFraming(host=vector.to_reader))
    assert framer.feed(vector.frame, 0) == [vector.frame]
    again = cf.command(*cf.read_command(vector.frame)) if vector.to_reader else cf.reply(*cf.read_reply(vector.frame))
    assert again == vector.frame


@by_vector
def test_every_single_wrong_byte_is_noticed(vector: Vector) -> None:
    for index in range(len(vector.frame)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(vector.frame)
            damaged[index] ^= flip
            framer = Framer(cf.CfFraming(host=vector.to_reader))
            assert framer.feed(bytes(damaged), 0) + framer.expire(1 << 60) == []


@by_vector
def test_a_port_that_speaks_it_is_recognised(vector: Vector) -> None:
    assert "driver: cf" in recognise(vector.frame * 2, "mercury")


def test_tags_and_commands() -> None:
    tag = cf.read_tag(cf.read_reply(frame_with("cf", "CF0000011200FEC0")).data)
    assert (tag.epc.hex().upper(), tag.antenna, tag.rssi) == ("E2801160600002094C4C8B1A", 1, -3_200)
    assert cf.read_reply(frame_with("cf", "CF0000010112")).status == cf.Status.ROUND_OVER
    assert cf.command(cf.BROADCAST, cf.Cmd.INVENTORY, cf.INVENTORIES[0]) == frame_with("cf", "CFFF000105")
    assert cf.command(cf.BROADCAST, cf.Cmd.SET_POWER, b"\x1a\x00") == frame_with("cf", "CFFF0053")
    assert cf.tag_reply(0, tag.epc, 1, -3_200, tag.channel) == frame_with("cf", "CF0000011200FEC0")


@pytest.mark.parametrize(
    "data", [b"", b"\xfe\xc0\x01\x00\x00\x00", b"\xfe\xc0\x01\x00\x0c\xe2", b"\xfe\xc0\x01\x00\x01\xe2\x00"]
)
def test_tags_that_do_not_fill_their_report_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="length"):
        cf.read_tag(data)
