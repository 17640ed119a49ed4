"""What the bulk decoder makes of reports, one property at a time; that it is quick and exact is tested elsewhere."""

from __future__ import annotations

import re
import struct

import pytest
from llrpkit.protocol import decode_message
from sllurp.llrp import LLRPMessage

from drivers.api import ProtocolError, Row, RssiUnit
from drivers.llrp.protocol.codec import Message, encode, encode_parameter
from drivers.llrp.protocol.element import E, Element
from drivers.llrp.reports.decoder import MAX_LAYOUTS, MAX_LEARNED, MAX_OTHERS, DecodedReport, ReportDecoder
from drivers.llrp.reports.layout import MAX_PARAMETERS

EPC = bytes.fromhex("1A4060300048D3D006913126")
OTHER_EPC = bytes.fromhex("1A4060300048D3D006913127")
T = 1_700_000_000_000_000


def epc(value: bytes = EPC) -> Element:
    return E("EPC_96", EPC=value)


def antenna(number: int) -> Element:
    return E("AntennaID", AntennaID=number)


def seen(first: int, last: int, clock: str = "UTC") -> list[Element]:
    return [E(f"FirstSeenTimestamp{clock}", Microseconds=first), E(f"LastSeenTimestamp{clock}", Microseconds=last)]


def record(*parts: Element) -> bytes:
    return encode_parameter(E("TagReportData", *parts))


def decode(*records: bytes, inherit: bool = True) -> DecodedReport:
    return ReportDecoder(inherit=inherit).decode(b"".join(records))


STANDARD = record(
    epc(),
    E("ROSpecID", ROSpecID=1),
    antenna(3),
    E("PeakRSSI", PeakRSSI=-61),
    E("ChannelIndex", ChannelIndex=12),
    *seen(T, T + 5),
    E("TagSeenCount", TagCount=2),
)


def test_a_standard_record() -> None:
    assert decode(STANDARD) == DecodedReport([(EPC, 3, -61, 12, T + 5, 2)], RssiUnit.DBM, clock="utc")


def test_an_empty_report() -> None:
    assert decode() == DecodedReport()
    assert ReportDecoder().decode_frames([]) == DecodedReport()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 100])
def test_known_layouts_give_the_same_as_unknown_ones(count: int) -> None:
    decoder = ReportDecoder()
    body = b"".join(record(epc(), antenna(n), E("PeakRSSI", PeakRSSI=-n)) for n in range(count))
    assert decoder.decode(body) == decoder.decode(body) == decode(body)
    assert [row[1] for row in decoder.decode(body).rows] == list(range(count))


def test_impinj_reports_rssi_in_hundredths_and_phase_and_doppler_and_tid() -> None:
    impinj = record(
        epc(),
        antenna(1),
        E("PeakRSSI", PeakRSSI=-46),
        *seen(T, T),
        E("ImpinjSerializedTID", TID=[0xE280, 0x1105, 1, 2, 3, 4]),
        E("ImpinjRFPhaseAngle", PhaseAngle=2592),
        E("ImpinjPeakRSSI", RSSI=-4650),
        E("ImpinjRFDopplerFrequency", DopplerFrequency=-33),
    )
    tid = bytes.fromhex("e280110500010002000300 04".replace(" ", ""))
    assert decode(impinj) == DecodedReport(
        [(EPC, 1, -4650, 0, T, 1, 2592, -33)], RssiUnit.CENTI_DBM, True, {EPC: tid}, "utc"
    )


def test_zebra_reports_phase_as_a_signed_fraction_of_half_a_turn() -> None:
    phases = [0, 0x4000, -0x8000, -0x4000, 0x7FFF]
    report = decode(*[record(epc(), *seen(T, T), E("MotoTagPhase", Phase=phase)) for phase in phases])
    assert report.phase
    assert [row[6:] for row in report.rows] == [(0, 0), (1024, 0), (2048, 0), (3072, 0), (2047, 0)]


@pytest.mark.parametrize(
    ("bits", "content"), [(0, b""), (16, b"\xe2\x80"), (95, bytes(11) + b"\xfe"), (496, bytes(range(62)))]
)
def test_an_epc_may_have_any_length(bits: int, content: bytes) -> None:
    report = decode(record(E("EPCData", EPC=(bits, content)), antenna(1)), STANDARD)
    assert [row[0] for row in report.rows] == [content, EPC]


@pytest.mark.parametrize(
    ("parts", "row", "clock"),
    [
        ([], (EPC, 0, -128, 0, 0, 1), "none"),
        (seen(T, T + 9), (EPC, 0, -128, 0, T + 9, 1), "utc"),
        (seen(T, T + 9)[:1], (EPC, 0, -128, 0, T, 1), "utc"),
        (seen(70, 90, "Uptime"), (EPC, 0, -128, 0, 90, 1), "uptime"),
        (seen(70, 90, "Uptime") + seen(T, T + 9), (EPC, 0, -128, 0, T + 9, 1), "utc"),
        (seen(0, 0), (EPC, 0, -128, 0, 0, 1), "none"),
        ([E("TagSeenCount", TagCount=0)], (EPC, 0, -128, 0, 0, 1), "none"),
        ([antenna(1), antenna(2)], (EPC, 1, -128, 0, 0, 1), "none"),
        ([Element("Unknown", {"type": 99, "data": b"\x81\x00\x05"})], (EPC, 0, -128, 0, 0, 1), "none"),
        ([E("C1G2ReadOpSpecResult", Result=0, OpSpecID=1, ReadData=[1]), antenna(4)], (EPC, 4, -128, 0, 0, 1), "none"),
    ],
)
def test_what_a_record_may_have_or_lack(parts: list[Element], row: Row, clock: str) -> None:
    report = decode(record(epc(), *parts))
    access = {0} if any(part.name == "C1G2ReadOpSpecResult" for part in parts) else set()
    assert report == DecodedReport([row], clock=clock, access=access)  # type: ignore[arg-type]
    assert decode(record(epc(), *parts), record(epc(), *parts), inherit=False).rows == [row, row]


def test_what_a_record_leaves_out_is_as_in_the_one_before() -> None:
    later = record(epc(OTHER_EPC), E("ChannelIndex", ChannelIndex=13))
    assert decode(STANDARD, later).rows[1] == (OTHER_EPC, 3, -61, 13, T + 5, 2)
    assert decode(STANDARD, later, inherit=False).rows[1][:4] == (OTHER_EPC, 0, -128, 13)


def test_that_holds_across_reports_and_units_too() -> None:
    decoder = ReportDecoder()
    decoder.decode(record(epc(), antenna(1)) + record(epc(), antenna(2)))
    assert decoder.decode(record(epc())).rows == [(EPC, 2, -128, 0, 0, 1)]
    decoder.decode(record(epc(), antenna(5), *seen(T, T), E("ImpinjPeakRSSI", RSSI=-4650)))
    report = decoder.decode(record(epc(OTHER_EPC)))
    assert report == DecodedReport([(OTHER_EPC, 5, -47, 0, T, 1)], RssiUnit.DBM, clock="utc")


def test_different_units_in_one_report_become_the_finer_one() -> None:
    report = decode(STANDARD, record(epc(OTHER_EPC), antenna(1), *seen(T, T), E("ImpinjPeakRSSI", RSSI=-4650)))
    assert report.rssi_unit is RssiUnit.CENTI_DBM
    assert [row[2] for row in report.rows] == [-6100, -4650]


def test_phase_that_only_some_rows_have_is_dropped_rather_than_made_up() -> None:
    report = decode(STANDARD, record(epc(OTHER_EPC), *seen(T, T), E("ImpinjRFPhaseAngle", PhaseAngle=1)))
    assert not report.phase
    assert [len(row) for row in report.rows] == [6, 6]


def test_a_row_without_a_time_among_others_is_not_from_1970() -> None:
    report = decode(record(epc(OTHER_EPC)), STANDARD, record(epc(OTHER_EPC), *seen(7, 8, "Uptime")), inherit=False)
    assert report.clock == "utc"
    assert [row[4] for row in report.rows] == [T + 5] * 3


def test_reports_that_arrive_together_become_one() -> None:
    assert ReportDecoder().decode_frames([STANDARD, STANDARD * 2, b""]).rows == decode(STANDARD * 3).rows
    decoder = ReportDecoder()
    decoder.decode(STANDARD)
    survey = encode_parameter(E("Custom", VendorIdentifier=30_000, ParameterSubtype=1, Data=b""))
    report = decoder.decode_frames([STANDARD, survey, memoryview(STANDARD)])
    assert report.rows == decode(STANDARD * 2).rows
    assert [each.name for each in report.other] == ["Custom"]


def test_a_record_cannot_go_on_in_the_next_report() -> None:
    decoder = ReportDecoder()
    decoder.decode(STANDARD)
    report = decoder.decode_frames([STANDARD[:20], STANDARD[20:]])
    assert (report.rows, report.odd) == ([], 2)


def test_a_result_of_an_access_spec_is_told_from_a_plain_read() -> None:
    spec = E("AccessSpecID", AccessSpecID=7)
    result = E("C1G2WriteOpSpecResult", Result=0, OpSpecID=1, NumWordsWritten=6)
    written = record(epc(), antenna(1), spec, result)
    assert decode(STANDARD).access == set()
    assert decode(STANDARD, written, written, STANDARD).access == {7}
    decoder = ReportDecoder()
    assert [decoder.decode(written * count).access for count in (1, 2, 9)] == [{7}] * 3


def test_a_read_without_antenna_is_of_the_only_one() -> None:
    assert ReportDecoder(antenna=4).decode(record(epc())).rows == [(EPC, 4, -128, 0, 0, 1)]
    assert ReportDecoder(antenna=4).decode(record(epc(), antenna(2))).rows == [(EPC, 2, -128, 0, 0, 1)]


def test_a_record_after_an_odd_one_takes_nothing_over_from_before_it() -> None:
    odd = record(antenna(2))
    report = decode(record(epc(), antenna(3)), odd, record(epc(OTHER_EPC)))
    assert [row[:2] for row in report.rows] == [(EPC, 3), (OTHER_EPC, 0)]
    assert report.odd == 1


def test_what_is_not_a_tag_report_is_kept_aside() -> None:
    entry = E(
        "FrequencyRSSILevelEntry",
        E("UTCTimestamp", Microseconds=T),
        Frequency=1,
        Bandwidth=1,
        AverageRSSI=-9,
        PeakRSSI=-8,
    )
    survey = E("RFSurveyReportData", E("ROSpecID", ROSpecID=1), entry)
    report = decode(STANDARD, encode_parameter(survey), STANDARD)
    assert report.other == [survey]
    assert len(report.rows) == 2


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (STANDARD + b"\x00", f"byte {len(STANDARD)} of the body: a parameter with length should begin"),
        (STANDARD + STANDARD[:-1], f"byte {len(STANDARD)} of the body: a parameter with length should begin"),
        (b"\x8d" + bytes(12), "byte 0 of the body"),
        (struct.pack(">HH", 240, 3), "byte 0 of the body"),
        (struct.pack(">HH", 240, 4), "a TagReportData without an EPC"),
        (struct.pack(">HHBH", 240, 7, 0x81, 1), "a TagReportData without an EPC"),
        (
            STANDARD + struct.pack(">HHB", 240, 5, 0x8D),
            f"byte {len(STANDARD)} of the body: parameter type 13 at byte 4",
        ),
        (struct.pack(">HHHHH", 240, 10, 241, 6, 9), "an EPC of 9 bits"),
        (struct.pack(">HHHHH", 240, 10, 241, 7, 0), "a parameter of 7 bytes at byte 4 of its record, 6 left"),
        (struct.pack(">HHHHH", 240, 10, 1023, 6, 0), "has no vendor"),
        (record(epc(), *[antenna(1)] * MAX_PARAMETERS), f"more than {MAX_PARAMETERS} parameters"),
    ],
)
def test_what_cannot_be_read_is_left_out_and_named_with_its_place(body: bytes, complaint: str) -> None:
    report = ReportDecoder().decode(body)
    assert re.search(complaint, report.example)
    assert report.odd == 1
    assert report.rows == ReportDecoder().decode(STANDARD if body.startswith(STANDARD) else b"").rows
    behind = ReportDecoder().decode_frames([body, STANDARD])
    assert behind.rows[-1] == ReportDecoder().decode(STANDARD).rows[0], "the next report is read"


def test_a_report_that_costs_too_much_to_look_at_is_refused() -> None:
    with pytest.raises(ProtocolError, match=f"more than {MAX_OTHERS} parameters that are no tag reports"):
        ReportDecoder().decode(struct.pack(">HH", 300, 4) * (MAX_OTHERS + 1))


def strange(number: int) -> bytes:
    return record(epc(), Element("Unknown", {"type": 300 + number % 700, "data": bytes(number // 700)}))


def test_the_memory_for_layouts_is_bounded() -> None:
    decoder = ReportDecoder()
    for number in range(2 * MAX_LAYOUTS):
        assert len(decoder.decode(strange(number) + STANDARD).rows) == 2
    assert sum(map(len, decoder._layouts.values())) <= MAX_LAYOUTS
    with pytest.raises(ProtocolError, match=f"more than {MAX_LEARNED} layouts"):
        decoder.decode(b"".join(map(strange, range(MAX_LEARNED + MAX_LAYOUTS + 1))))


def test_other_decoders_agree() -> None:
    parts = [
        E(
            "TagReportData",
            epc(bytes([n]) * 12),
            antenna(n),
            E("PeakRSSI", PeakRSSI=-40 - n),
            E("ChannelIndex", ChannelIndex=n * 2),
            *seen(T + n, T + 2 * n),
            E("TagSeenCount", TagCount=n),
        )
        for n in range(1, 50)
    ]
    frame = encode(Message("RO_ACCESS_REPORT", 1, E("RO_ACCESS_REPORT", *parts)))
    rows = ReportDecoder().decode(frame[10:]).rows

    theirs = LLRPMessage(msgbytes=frame).msgdict["RO_ACCESS_REPORT"]["TagReportData"]
    assert rows == [
        (
            bytes.fromhex(tag["EPC-96"].decode()),
            tag["AntennaID"],
            tag["PeakRSSI"],
            tag["ChannelIndex"],
            tag["LastSeenTimestampUTC"],
            tag["TagSeenCount"],
        )
        for tag in theirs
    ]
    assert rows == [
        (
            tag.epc_parameter.epc,
            tag.antenna_id.antenna_id,
            tag.peak_rssi.peak_rssi,
            tag.channel_index.channel_index,
            tag.last_seen_timestamp_utc.microseconds,
            tag.tag_seen_count.tag_count,
        )
        for tag in decode_message(frame).tag_report_datas
    ]
