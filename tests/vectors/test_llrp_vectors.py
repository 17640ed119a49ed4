"""The codec against frames that other programs made (`llrp.txt`): bytes back unchanged, values as others read them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from llrpkit.protocol import decode_message

from drivers.llrp.protocol.codec import decode, decode_tolerant, encode
from drivers.llrp.protocol.framing import Frames
from drivers.llrp.protocol.schema import problems
from drivers.llrp.reports.decoder import ReportDecoder


class Vector(NamedTuple):
    program: str
    to_reader: bool
    name: str
    frame: bytes


def load() -> list[Vector]:
    lines = Path(__file__).with_name("llrp.txt").read_text().splitlines()
    parts = [line.split() for line in lines if line and not line.startswith("#")]
    return [Vector(program, way == ">", name, bytes.fromhex(digits)) for program, way, name, digits in parts]


ALL = load()
by_vector = pytest.mark.parametrize("vector", ALL, ids=lambda vector: f"{vector.program}-{vector.name}")


def test_the_file_is_whole() -> None:
    assert len(ALL) == 34
    assert {"RO_ACCESS_REPORT", "GET_READER_CAPABILITIES_RESPONSE", "ADD_ACCESSSPEC"} <= {each.name for each in ALL}


@by_vector
def test_goes_back_out_byte_for_byte_and_keeps_to_the_schema(vector: Vector) -> None:
    message = decode(vector.frame)
    assert message.name == vector.name
    assert encode(message) == vector.frame
    assert problems(message.body) == []
    assert decode_tolerant(vector.frame) == message
    assert decode_tolerant(vector.frame).odd == []


def test_a_stream_is_cut_into_its_frames() -> None:
    frames = [vector.frame for vector in ALL if not vector.to_reader]
    assert [frame for *_, frame in Frames().feed(b"".join(frames))] == frames


@pytest.mark.parametrize("vector", [vector for vector in ALL if vector.name == "RO_ACCESS_REPORT"])
def test_reads_are_those_that_its_own_program_reads(vector: Vector) -> None:
    report = ReportDecoder().decode(vector.frame[10:])
    theirs = decode_message(vector.frame).tag_report_datas
    assert len(report.rows) == len(theirs)
    for row, tag in zip(report.rows, theirs, strict=True):
        assert row[0] == bytes(tag.epc_parameter.epc)
        assert row[1] == tag.antenna_id.antenna_id
        assert row[4] == tag.last_seen_timestamp_utc.microseconds
    assert bool(report.access) == any(tag.access_command_op_spec_results for tag in theirs)


@by_vector
def test_a_frame_that_is_cut_short_costs_only_what_is_cut(vector: Vector) -> None:
    """Whatever is missing at the end, the message has its name and its id, and says what was odd."""
    whole = decode(vector.frame)
    for end in range(10, len(vector.frame)):
        cut = vector.frame[:2] + end.to_bytes(4, "big") + vector.frame[6:end]
        message = decode_tolerant(cut)
        assert message.id == whole.id
        assert (
            message.odd
            or not message.body.children
            or message.body.children == whole.body.children[: len(message.body.children)]
        )
