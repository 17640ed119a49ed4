"""Records: bytes of one format that become rows when somebody asks."""

from __future__ import annotations

import pickle
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.records import DEFAULTS, MAX_SIZE, RecordFormat, Records

FIELDS = [("epc", 2, "12s"), ("antenna", 14, "H"), ("rssi", 16, "b"), ("time", 18, "Q"), ("count", 26, "H")]
FORMAT = RecordFormat(28, FIELDS)
RECORD = struct.Struct(">2x12sHbxQH")


def test_records_are_rows_with_the_columns_in_order() -> None:
    body = RECORD.pack(b"A" * 12, 3, -61, 1_700, 2) + RECORD.pack(b"B" * 12, 4, -62, 1_701, 0)
    records = Records(FORMAT, body)
    assert len(records) == 2
    assert records == [(b"A" * 12, 3, -61, 0, 1_700, 2), (b"B" * 12, 4, -62, 0, 1_701, 1)]
    assert [records[0], *records[1:]] == list(records)
    assert FORMAT.newest(body) == 1_701
    assert FORMAT.absent == ("channel",)


def test_what_a_record_leaves_out_is_filled_in() -> None:
    format = RecordFormat(4, [("epc", 0, "4s")])
    assert format.rows(b"abcd") == [(b"abcd", *DEFAULTS[1:6])]
    assert format.rows(b"abcd", (b"", 7, -50, 9, 11, 3)) == [(b"abcd", 7, -50, 9, 11, 3)]
    assert format.newest(b"abcd") == 0


def test_phase_and_doppler_make_eight_columns() -> None:
    format = RecordFormat(6, [("epc", 0, "4s"), ("phase", 4, "H")])
    assert format.phase
    assert format.rows(b"abcd\x01\x02") == [(b"abcd", *DEFAULTS[1:6], 258, 0)]


def test_a_format_is_one_object_and_its_key_makes_it_again() -> None:
    assert RecordFormat(28, reversed(FIELDS)) is FORMAT  # type: ignore[arg-type]
    assert RecordFormat.from_key(FORMAT.key) is FORMAT
    assert pickle.loads(pickle.dumps(FORMAT)) is FORMAT
    key = b"30 epc:2:12s antenna:14:H"
    assert RecordFormat.from_key(key).key == key


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"28",
        b"28 antenna:14:H",
        b"28 epc:2:12s epc:14:12s",
        b"28 epc:2:12s antenna:13:H",
        b"28 epc:2:12s antenna:27:H",
        b"28 epc:2:H",
        b"28 epc:2:12s colour:14:H",
        b"28 epc:2:12s antenna:14:4s",
        b"28 epc:2:12s antenna:14:x",
        b"%d epc:2:12s" % (MAX_SIZE + 1),
        b"99999999 epc:2:12s",
        b"28 epc:2:12s\n",
    ],
)
def test_a_key_that_is_no_format_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="record"):
        RecordFormat.from_key(key)


@given(st.lists(st.sampled_from([0, 1, 2, 255, 256, 257, 65_280]), min_size=1, max_size=8), st.sampled_from("HB"))
def test_whether_a_record_names_no_antenna_is_seen_without_making_rows(antennas: list[int], code: str) -> None:
    antennas = [antenna if code == "H" else antenna & 0xFF for antenna in antennas]
    format = RecordFormat(16, [("epc", 4, "12s"), ("antenna", 1, code)])
    size = struct.calcsize(f">{code}")
    body = b"".join(b"\0" + antenna.to_bytes(size, "big") + bytes(15 - size) for antenna in antennas)
    records = Records(format, body)
    assert records.lacks_antenna is (0 in antennas)
    assert records._rows is None


def test_records_that_have_no_antenna_lack_it() -> None:
    assert Records(RecordFormat(12, [("epc", 0, "12s")]), bytes(12)).lacks_antenna
