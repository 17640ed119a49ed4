"""What must hold for every message and for every byte string."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from drivers.api import ProtocolError
from drivers.llrp.protocol.codec import Message, decode, encode
from drivers.llrp.protocol.framing import Frames
from tests.property.llrp_strategies import messages


@given(messages())
def test_what_is_encoded_is_decoded(message: Message) -> None:
    assert decode(encode(message)) == message


@given(st.lists(messages(), max_size=4), st.lists(st.integers(1, 40), min_size=1))
def test_chunking_does_not_matter(sent: list[Message], sizes: list[int]) -> None:
    stream = b"".join(map(encode, sent))
    frames = Frames()
    found = []
    at = turn = 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        found.extend(frames.feed(stream[at : at + size]))
        at += size
        turn += 1
    assert [decode(frame) for *_, frame in found] == sent


@given(messages(), st.data())
def test_a_damaged_frame_is_refused_or_decodes_and_goes_back_the_same_length(
    message: Message, data: st.DataObject
) -> None:
    frame = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ProtocolError):
        again = encode(decode(bytes(frame)))
        # Reserved bits are not kept, and text that is not UTF-8 grows; what is decoded stays what it is.
        assert decode(again).name == decode(bytes(frame)).name


@given(st.binary(max_size=300))
def test_any_bytes_end_in_frames_or_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        for *_, frame in Frames().feed(data):
            decode(frame)
