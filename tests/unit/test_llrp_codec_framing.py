"""Cutting a stream into frames, and naming what is not LLRP."""

from __future__ import annotations

import struct

import pytest

from drivers.api import ProtocolError
from drivers.llrp.protocol.framing import Frames


def frame(number: int, identity: int, size: int = 0, version: int = 1) -> bytes:
    return struct.pack(">HII", version << 10 | number, 10 + size, identity) + bytes(size)


def test_a_frame_comes_with_version_type_id_and_its_bytes() -> None:
    data = frame(62, 7, version=2) + frame(61, 8, 3)
    assert list(Frames().feed(data)) == [(2, 62, 7, data[:10]), (1, 61, 8, data[10:])]


def test_one_byte_at_a_time() -> None:
    frames = Frames()
    data = frame(61, 1, 300) + frame(62, 2)
    found = [each for at in range(len(data)) for each in frames.feed(data[at : at + 1])]
    assert found == list(Frames().feed(data))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_kind_of_buffer(kind: type) -> None:
    frames = Frames()
    data = frame(61, 1, 300)
    assert list(frames.feed(kind(data[:100]))) == []
    assert list(frames.feed(kind(data[100:] + data))) == [(1, 61, 1, data)] * 2


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n", r"HTTP \(a web server\): 'HTTP/1.1 400 Bad Request'"),
        (b"GET / HTTP/1.1\r\n", "a web client"),
        (b"SSH-2.0-dropbear_2019.78\r\n", "an SSH banner .*: 'SSH-2.0-dropbear_2019.78'"),
        (bytes.fromhex("15030300020228"), "a TLS record .*5085"),
        (bytes.fromhex("fffd18fffd20"), "telnet options"),
        (b"<?xml version='1.0'?><a/>", "XML or HTML"),
        (b'{"error": 1}', "JSON"),
        (b"\r\nWelcome to the reader\r\nlogin:", "text: 'Welcome to the reader'"),
        (b"S", "bytes of no protocol we know: 53"),
        (bytes(10), "bytes of no protocol we know: 00 00"),
        (bytes.fromhex("043e0000000900000000"), r"9 bytes long \(possible are 10 to 8388608\)"),
        (bytes.fromhex("043effffffff00000000"), "4294967295 bytes long"),
        (bytes.fromhex("143e0000000a00000000"), "bytes of no protocol we know"),
    ],
)
def test_who_is_not_an_llrp_reader_is_named(answer: bytes, named: str) -> None:
    with pytest.raises(ProtocolError, match=f"this is not an LLRP reader: it answered with .*{named}"):
        list(Frames().feed(answer))


def test_what_an_unknown_peer_sends_cannot_break_the_log_line() -> None:
    with pytest.raises(ProtocolError) as caught:
        list(Frames().feed(b"HTTP/1.1 \x1b[2J\x00" + b"x" * 500))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


def test_frames_in_front_of_garbage_come_out_before_the_error() -> None:
    frames = Frames()
    found = list(frames.feed(frame(62, 1)))
    with pytest.raises(ProtocolError, match="after 2 messages, at byte 30 of the connection: text: 'garbage garbage'"):
        found.extend(frames.feed(frame(61, 2, 10) + b"garbage garbage"))
    assert [number for _, number, _, _ in found] == [62, 61]


def test_a_frame_at_the_cap_is_taken_and_one_byte_more_is_refused_before_it_is_there() -> None:
    at_cap = frame(61, 1, 990)
    assert len(list(Frames(cap=1000).feed(at_cap))) == 1
    with pytest.raises(ProtocolError, match="1001 bytes long"):
        list(Frames(cap=1000).feed(frame(61, 1, 991)[:10]))


def test_a_large_frame_in_small_chunks_is_not_copied_again_and_again() -> None:
    frames = Frames()
    data = frame(61, 1, 4_000_000)
    found: list[object] = []
    for at in range(0, len(data), 1000):
        found.extend(frames.feed(data[at : at + 1000]))
    assert found == [(1, 61, 1, data)]
