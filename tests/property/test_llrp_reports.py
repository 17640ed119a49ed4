"""The bulk decoder gives the same rows as a plain reading of each record, whatever the layouts and their order."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from drivers.api import ProtocolError, Row, RssiUnit
from drivers.llrp.protocol.codec import encode_parameter
from drivers.llrp.protocol.element import Element
from drivers.llrp.reports.decoder import DecodedReport, ReportDecoder
from tests.property.llrp_strategies import reports


def plain(records: list[Element], *, inherit: bool) -> DecodedReport:
    """A reading of the records one by one, with none of the decoder's tricks."""
    unit = RssiUnit.CENTI_DBM if any(each.find("ImpinjPeakRSSI") for each in records) else RssiUnit.DBM
    scale = 100 if unit is RssiUnit.CENTI_DBM else 1
    phase = bool(records) and all(_number(r, "ImpinjRFPhaseAngle", "ImpinjRFDopplerFrequency") for r in records)
    row: Row = (b"", 0, -128, 0, 0, 1)
    clock = "none"
    rows: list[Row] = []
    clocks: list[str] = []
    tids: dict[bytes, bytes] = {}
    for record in records:
        epc = record.children[0]["EPC"]
        epc = epc if isinstance(epc, bytes) else epc[1]
        last = row if inherit else (b"", 0, -128, 0, 0, 1)
        if not inherit:
            clock = "none"
        rssi = last[2]
        if found := _number(record, "ImpinjPeakRSSI"):
            rssi = found[0] / 100
        elif found := _number(record, "PeakRSSI"):
            rssi = found[0]
        elif record.children:
            rssi = last[2] // 1 if isinstance(last[2], float) else last[2]
        antenna = (_number(record, "AntennaID") or [last[1]])[0]
        channel = (_number(record, "ChannelIndex") or [last[3]])[0]
        stamp = _number(record, "LastSeenTimestampUTC", "FirstSeenTimestampUTC")
        time = stamp[0] if stamp else last[4]
        clock = "utc" if stamp else clock
        count = max(1, (_number(record, "TagSeenCount") or [last[5]])[0])
        row = (epc, antenna, rssi, channel, time, count)
        angle = (_number(record, "ImpinjRFPhaseAngle") or [0])[0]
        doppler = (_number(record, "ImpinjRFDopplerFrequency") or [0])[0]
        shown = (epc, antenna, round(rssi * scale), channel, time, count)
        rows.append((*shown, angle, doppler) if phase else shown)
        clocks.append(clock if time else "none")
        if tid := record.find("ImpinjSerializedTID"):
            tids[epc] = b"".join(word.to_bytes(2, "big") for word in tid["TID"])
    return DecodedReport(rows, unit, phase, tids, "utc" if "utc" in clocks else "none")


def _number(record: Element, *names: str) -> list[int]:
    """The value of the first of these parameters that the record has, in a list; empty when it has none."""
    for name in names:
        if found := record.find(name):
            return [next(iter(found.fields.values()))]
    return []


def without_times(report: DecodedReport) -> DecodedReport:
    return replace(report, access=set(), rows=[(*row[:4], 0, *row[5:]) for row in report.rows])


def bodies(records: list[Element], cut: int) -> list[bytes]:
    """The records as report bodies of `cut` records each."""
    encoded = [encode_parameter(record) for record in records]
    return [b"".join(encoded[at : at + cut]) for at in range(0, len(encoded), cut)]


@given(reports(), st.booleans())
def test_bulk_decoding_is_plain_decoding(records: list[Element], inherit: bool) -> None:
    body = b"".join(map(encode_parameter, records))
    expected = plain(records, inherit=inherit)
    decoder = ReportDecoder(inherit=inherit)
    found = decoder.decode(body)
    # Rows without a time get one when others of the report have it; the plain reading leaves them at 0.
    assert without_times(found) == without_times(expected)
    for ours, theirs in zip(found.rows, expected.rows, strict=True):
        assert ours[4] == theirs[4] or theirs[4] == 0
    if not inherit:
        assert decoder.decode(body) == found  # with the layouts known


@given(reports(), st.integers(1, 5))
def test_joining_reports_is_decoding_them_one_after_the_other(records: list[Element], cut: int) -> None:
    decoder = ReportDecoder()
    parts = bodies(records, cut)
    one_by_one = [decoder.decode(part) for part in parts]
    joined = ReportDecoder().decode_frames(parts)
    assert [row[0] for row in joined.rows] == [row[0] for part in one_by_one for row in part.rows]
    assert [(row[1], *row[3:4], row[5]) for row in joined.rows] == [
        (row[1], *row[3:4], row[5]) for part in one_by_one for row in part.rows
    ]
    centi = joined.rssi_unit is RssiUnit.CENTI_DBM
    assert [row[2] for row in joined.rows] == [
        row[2] * 100 if centi and part.rssi_unit is RssiUnit.DBM else row[2] for part in one_by_one for row in part.rows
    ]
    assert joined.tids == {epc: tid for part in one_by_one for epc, tid in part.tids.items()}


@given(reports(), st.data())
def test_damaged_reports_end_in_rows_or_a_protocol_error(records: list[Element], data: st.DataObject) -> None:
    body = b"".join(map(encode_parameter, records))
    decoder = ReportDecoder()
    decoder.decode(body)
    damaged = bytearray(body)
    for _ in range(data.draw(st.integers(0, 4))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
    with contextlib.suppress(ProtocolError):
        report = decoder.decode(bytes(damaged))
        width = 8 if report.phase else 6
        assert all(len(row) == width and row[5] >= 1 for row in report.rows)


@given(st.binary(max_size=200))
def test_any_bytes_end_in_rows_or_a_protocol_error(body: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        ReportDecoder().decode(body)
