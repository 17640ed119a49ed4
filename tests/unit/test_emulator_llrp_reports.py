"""Tag reports of the emulated LLRP reader, read back with the codec: contents as the client chose them."""

from __future__ import annotations

import binascii
from itertools import combinations

import pytest

from drivers.emulators.llrp.reports import REPORT_LIMIT, Layout, Record, ReportBuffer
from drivers.emulators.scene import Seen, tid_of
from drivers.llrp.protocol.codec import decode
from drivers.llrp.protocol.element import E, Element
from tests.support.virtual_reader import rospec

EPC = bytes.fromhex("1A4060300048D3D006913126")
SEEN = Seen(EPC, antenna=3, rssi=-6149, channel=17, time=5, phase=1234, doppler=-19)
TIME = 1_700_000_000_123_456


def element(seen=SEEN, *, custom=(), memory=None, has_utc=True, **content) -> Element:
    """The TagReportData of a read with only `content` switched on."""
    off = {"EnableAntennaID": False, "EnablePeakRSSI": False, "EnableFirstSeenTimestamp": False}
    spec = rospec(custom=custom, **(off | content)).need("ROReportSpec")
    if memory is not None:
        spec.need("TagReportContentSelector").children.append(memory)
    layout = Layout(spec, rospec=77, spec_index=2, parameter_spec=9, has_utc=has_utc)
    data = layout.encode(seen, TIME)
    (report,) = decode(b"\x04\x3d" + (10 + len(data)).to_bytes(4, "big") + bytes(4) + data).body.children
    assert report.name == "TagReportData"
    return report


CONTENT = {
    "EnableROSpecID": E("ROSpecID", ROSpecID=77),
    "EnableSpecIndex": E("SpecIndex", SpecIndex=2),
    "EnableInventoryParameterSpecID": E("InventoryParameterSpecID", InventoryParameterSpecID=9),
    "EnableAntennaID": E("AntennaID", AntennaID=3),
    "EnablePeakRSSI": E("PeakRSSI", PeakRSSI=-61),
    "EnableChannelIndex": E("ChannelIndex", ChannelIndex=17),
    "EnableFirstSeenTimestamp": E("FirstSeenTimestampUTC", Microseconds=TIME),
    "EnableLastSeenTimestamp": E("LastSeenTimestampUTC", Microseconds=TIME),
    "EnableTagSeenCount": E("TagSeenCount", TagCount=1),
    "EnableAccessSpecID": E("AccessSpecID", AccessSpecID=0),
}


@pytest.mark.parametrize("chosen", [(), tuple(CONTENT), *combinations(CONTENT, 1), *combinations(CONTENT, 2)])
def test_exactly_what_the_selector_enables(chosen):
    report = element(**dict.fromkeys(chosen, True))
    assert report.children == [E("EPC_96", EPC=EPC), *(CONTENT[name] for name in CONTENT if name in chosen)]


@pytest.mark.parametrize("size", [2, 8, 12, 16, 62])
def test_epcs_of_any_length(size):
    long = bytes(range(size))
    report = element(SEEN._replace(epc=long), EnableAntennaID=True)
    expected = E("EPC_96", EPC=long) if size == 12 else E("EPCData", EPC=(8 * size, long))
    assert report.children == [expected, E("AntennaID", AntennaID=3)]


def test_uptime():
    report = element(has_utc=False, EnableFirstSeenTimestamp=True, EnableLastSeenTimestamp=True)
    names = [child.name for child in report.children]
    assert names == ["EPC_96", "FirstSeenTimestampUptime", "LastSeenTimestampUptime"]


def test_pc_bits_and_crc():
    report = element(memory=E("C1G2EPCMemorySelector", EnableCRC=True, EnablePCBits=True))
    crc = binascii.crc_hqx(b"\x30\x00" + EPC, 0xFFFF) ^ 0xFFFF
    assert report.children[1:] == [E("C1G2_PC", PC_Bits=0x3000), E("C1G2_CRC", CRC=crc)]


IMPINJ = {
    "ImpinjEnableSerializedTID": ("SerializedTIDMode", "ImpinjSerializedTID"),
    "ImpinjEnableRFPhaseAngle": ("RFPhaseAngleMode", "ImpinjRFPhaseAngle"),
    "ImpinjEnablePeakRSSI": ("PeakRSSIMode", "ImpinjPeakRSSI"),
    "ImpinjEnableRFDopplerFrequency": ("RFDopplerFrequencyMode", "ImpinjRFDopplerFrequency"),
}


@pytest.mark.parametrize("chosen", [*combinations(IMPINJ, 1), tuple(IMPINJ)])
def test_impinj_additions(chosen):
    switches = [E(name, {IMPINJ[name][0]: int(name in chosen)}) for name in IMPINJ]
    report = element(custom=[E("ImpinjTagReportContentSelector", *switches)])
    assert [child.name for child in report.children[1:]] == [IMPINJ[name][1] for name in chosen]
    tid = tid_of(EPC)
    values = {
        "ImpinjSerializedTID": [int.from_bytes(tid[at : at + 2], "big") for at in range(0, 12, 2)],
        "ImpinjRFPhaseAngle": 1234,
        "ImpinjPeakRSSI": -6149,
        "ImpinjRFDopplerFrequency": -19,
    }
    for child in report.children[1:]:
        assert [*child.fields.values()] == [values[child.name]]


def record(number: int, rospec: int = 1) -> Record:
    return Record(number.to_bytes(4, "big"), rospec)


def test_the_buffer_keeps_order_over_a_cut():
    buffer = ReportBuffer(10)
    assert all(buffer.append(record(number)) for number in range(10))
    assert not buffer.append(record(10))
    buffer.release(4)
    buffer.release(4)
    first, second = buffer.take(), buffer.take()
    assert (len(first), len(second), buffer.take()) == (4, 4, [])
    assert buffer.passed == 8
    buffer.put_back(second)
    buffer.put_back(first)
    assert (buffer.passed, buffer.unreleased) == (0, 2)
    buffer.withhold()
    buffer.release_all()
    assert buffer.take() == [record(number) for number in range(10)]


def test_a_backlog_goes_in_reports_of_bounded_size():
    buffer = ReportBuffer(5000)
    for number in range(1201):
        buffer.append(record(number))
    buffer.release_all()
    assert [len(buffer.take()) for _ in range(4)] == [REPORT_LIMIT, REPORT_LIMIT, 201, 0]


def test_discard_takes_one_rospecs_reads():
    buffer = ReportBuffer(10)
    for number in range(6):
        buffer.append(record(number, rospec=number % 2))
    buffer.release(5)
    assert buffer.discard(1) == 3
    assert buffer.take() == [record(number, 0) for number in (0, 2, 4)]
    assert buffer.passed == buffer.appended == 6
