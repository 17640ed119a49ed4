"""Frames of one type and length in a row are cut together; the result is that of cutting them one by one."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from drivers.api import ProtocolError
from drivers.llrp.protocol.framing import HEADER_SIZE, MAX_ALIKE, Frames

REPORT = 61

frames = st.builds(
    lambda version, kind, body, copies: (
        [struct.pack(">HII", version << 10 | kind, HEADER_SIZE + len(body), number) + body for number in range(copies)]
    ),
    st.sampled_from([1, 2]),
    st.sampled_from([REPORT, 62, 63]),
    st.sampled_from([b"", b"x" * 10, b"abc", b"defg"]),
    st.sampled_from([1, 2, 3, MAX_ALIKE + 2]),
)
streams = st.lists(frames, max_size=8).map(lambda runs: [frame for run in runs for frame in run])


def cut(data, chunk):
    """Bodies of reports and other frames, and whether the stream broke."""
    cutter, bodies, others = Frames(), [], []
    try:
        for at in range(0, len(data), chunk):
            cutter.take(data[at : at + chunk], REPORT, bodies, others)
    except ProtocolError:
        return bodies, others, True
    return bodies, others, False


@given(streams, st.integers(1, 200), st.sampled_from([b"", b"HTTP/1.1 400", b"\x04\x3d\x00\x00\x00\x09xxxx"]))
def test_cut_together_as_one_by_one(stream, chunk, broken):
    data = b"".join(stream) + broken
    bodies = [frame[HEADER_SIZE:] for frame in stream if frame[1] & 0xFF == REPORT]
    rest = [frame for frame in stream if frame[1] & 0xFF != REPORT]
    for size in (chunk, len(data) + 1):
        found, others, failed = cut(data, size)
        assert found == bodies
        assert [frame for *_, frame in others] == rest
        assert failed == bool(broken)


@given(streams, st.integers(1, 200))
def test_whole_frames_in_order(stream, chunk):
    data = b"".join(stream)
    cutter = Frames()
    assert [frame for at in range(0, len(data), chunk) for *_, frame in cutter.feed(data[at : at + chunk])] == stream
