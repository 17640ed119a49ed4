"""The codec's rules, one at a time. Bulk and breadth are in tests/vectors and tests/property."""

from __future__ import annotations

import struct
import tracemalloc

import pytest

from drivers.api import ProtocolError
from drivers.llrp.protocol.codec import MAX_PARAMETERS, Message, decode, encode, encode_parameter
from drivers.llrp.protocol.element import E, Element
from drivers.llrp.protocol.schema import problems
from drivers.llrp.protocol.tables import ENUMS, enum_name


def frame(number: int, body: bytes, *, version: int = 1, identity: int = 7) -> bytes:
    return struct.pack(">HII", version << 10 | number, 10 + len(body), identity) + body


def tlv(number: int, content: bytes) -> bytes:
    return struct.pack(">HH", number, 4 + len(content)) + content


def custom(vendor: int, subtype: int, content: bytes) -> bytes:
    return tlv(1023, struct.pack(">II", vendor, subtype) + content)


ROSPEC = E(
    "ROSpec",
    E(
        "ROBoundarySpec",
        E("ROSpecStartTrigger", ROSpecStartTriggerType=1),
        E("ROSpecStopTrigger", ROSpecStopTriggerType=0, DurationTriggerValue=0),
    ),
    E(
        "AISpec",
        E("AISpecStopTrigger", AISpecStopTriggerType=0, DurationTrigger=0),
        E("InventoryParameterSpec", InventoryParameterSpecID=1, ProtocolID=1),
        AntennaIDs=[1, 2],
    ),
    ROSpecID=1,
    Priority=0,
    CurrentState=0,
)


def test_a_message_survives_the_wire() -> None:
    message = Message("ADD_ROSPEC", 42, E("ADD_ROSPEC", ROSPEC), version=2)
    data = encode(message)
    assert data[:10].hex() == "0814" + f"{len(data):08x}" + "0000002a"
    assert decode(data) == message


def test_what_an_element_gives() -> None:
    assert ROSPEC["ROSpecID"] == 1
    assert ROSPEC.need("AISpec")["AntennaIDs"] == [1, 2]
    assert ROSPEC.find("ROReportSpec") is None
    assert [child.name for child in ROSPEC.all("AISpec")] == ["AISpec"]
    with pytest.raises(ProtocolError, match="ROSpec came without ROReportSpec"):
        ROSPEC.need("ROReportSpec")


@pytest.mark.parametrize(
    ("element", "complaint"),
    [
        (E("KeepaliveSpec", KeepaliveTriggerType=1), "PeriodicTriggerValue missing"),
        (E("KeepaliveSpec", KeepaliveTriggerType=1, PeriodicTriggerValue=1, Period=1), "no field Period; there are"),
        (E("KeepaliveSpec", KeepaliveTriggerType=256, PeriodicTriggerValue=1), "'KeepaliveTriggerType': 256"),
        (E("C1G2SingulationControl", Session=4, TagPopulation=1, TagTransitTime=0), "Session is 4; it can be 0 to 3"),
        (E("EPCData", EPC=(9, b"\x00")), "9 bits need 2 bytes, not 1"),
        (E("EPCData", EPC="not bytes"), "EPC cannot be 'not bytes'"),
        (E("FixedFrequencyTable", Frequency=[2**32]), "Frequency cannot be"),
        (E("KeepAliveSpec"), "LLRP has no such parameter"),
        (E("Identification", IDType=0, ReaderID=bytes(65_532)), "at most 65535"),
        (E("ROSpec", E("AISpec"), ROSpecID=1, Priority=0, CurrentState=0), "ROSpec > AISpec: AntennaIDs missing"),
    ],
)
def test_what_cannot_be_encoded_is_said_with_its_place(element: Element, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        encode_parameter(element)


def test_a_message_that_there_is_not_cannot_be_encoded() -> None:
    with pytest.raises(ValueError, match="LLRP has no message 'GET_TAGS'"):
        encode(Message("GET_TAGS", 1, E("GET_TAGS")))
    with pytest.raises(ValueError, match="KEEPALIVE: version 1, id -1"):
        encode(Message("KEEPALIVE", -1, E("KEEPALIVE")))


def test_a_field_that_llrp_1_1_added_may_be_left_out() -> None:
    old = E(
        "C1G2LLRPCapabilities", CanSupportBlockErase=True, CanSupportBlockWrite=False, MaxNumSelectFiltersPerQuery=2
    )
    assert encode_parameter(old).hex() == "01470007800002"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"\x01", "READER_EVENT_NOTIFICATION at byte 10: 1 stray bytes"),
        (tlv(246, b"\x00\x80"), "ReaderEventNotificationData at byte 14: 2 stray bytes"),
        (struct.pack(">HH", 246, 3), "type 246 says it is 3 bytes long, 4 are there"),
        (struct.pack(">HH", 246, 99), "type 246 says it is 99 bytes long, 4 are there"),
        (tlv(246, tlv(128, b"\x00")), "UTCTimestamp at byte 18: 8 bytes of Microseconds expected, 1 are there"),
        (tlv(246, tlv(252, b"\x00\x09abc")), "Message has 9 items by its count, but only 3 bytes are left"),
        (tlv(246, tlv(252, b"\x00")), "the count of Message is cut off"),
        (tlv(246, b"\x86"), "PeakRSSI at byte 15: 1 bytes of PeakRSSI expected, 0 are there"),
        (tlv(246, tlv(13, b"")), "type 13 where a parameter should begin"),
        (tlv(246, tlv(1023, b"\x00\x00\x64")), "Custom at byte 18: 8 bytes of VendorIdentifier, ParameterSubtype"),
    ],
)
def test_what_cannot_be_decoded_is_said_with_its_place(body: bytes, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        decode(frame(63, body))


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"\x04\x3e", "at least 10 bytes, this one has 2"),
        (frame(62, b"") + b"\x00", "of 11 bytes says that it has 10"),
    ],
)
def test_a_frame_is_as_long_as_it_says(data: bytes, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        decode(data)


def test_unknown_things_are_kept_and_go_back_out() -> None:
    strange = frame(999, b"\x01\x02\x03")
    message = decode(strange)
    assert (message.name, message.id, message.body.fields) == ("UNKNOWN_999", 7, {"data": b"\x01\x02\x03"})
    assert encode(message) == strange

    inside = frame(63, tlv(246, tlv(128, bytes(8)) + tlv(900, b"new") + custom(9999, 3, b"other")))
    unknown, vendor = decode(inside).body.need("ReaderEventNotificationData").children[1:]
    assert unknown == Element("Unknown", {"type": 900, "data": b"new"})
    assert vendor == Element("Custom", {"VendorIdentifier": 9999, "ParameterSubtype": 3, "Data": b"other"})
    assert encode(decode(inside)) == inside


def test_an_unknown_tv_parameter_takes_the_rest_of_its_parent_with_it() -> None:
    data = frame(61, tlv(240, b"\x8d" + bytes(12) + b"\xe3abc\x81\x00\x01") + tlv(240, b"\x8d" + bytes(12)))
    first, second = decode(data).body.all("TagReportData")
    assert first.children[1] == Element("Unknown", {"type": 99, "data": b"abc\x81\x00\x01"})
    assert second.find("EPC_96") is not None
    assert encode(decode(data)) == data


def test_vendors_parameters_have_their_own_names() -> None:
    data = frame(61, tlv(240, b"\x8d" + bytes(12) + custom(25882, 57, b"\xf0\x60") + custom(161, 709, b"\xa0\xd4")))
    record = decode(data).body.need("TagReportData")
    assert record.need("ImpinjPeakRSSI")["RSSI"] == -4000
    assert record.need("MotoTagPhase")["Phase"] == -24364
    assert encode(decode(data)) == data


@pytest.mark.parametrize("content", [b"", b"\x01", b"\xf0\x60stray", b"\xf0\x60" + tlv(5, b"")])
def test_a_vendors_parameter_that_does_not_fit_stays_raw(content: bytes) -> None:
    data = frame(61, tlv(240, b"\x8d" + bytes(12) + custom(25882, 57, content) + b"\x81\x00\x03"))
    record = decode(data).body.need("TagReportData")
    assert record.need("Custom")["Data"] == content
    assert record.need("AntennaID")["AntennaID"] == 3
    assert encode(decode(data)) == data


def test_vendors_messages_too() -> None:
    data = encode(Message("IMPINJ_ENABLE_EXTENSIONS", 5, E("IMPINJ_ENABLE_EXTENSIONS")))
    assert data.hex() == "07ff00000013000000050000651a1500000000"
    assert decode(data).name == "IMPINJ_ENABLE_EXTENSIONS"
    odd = frame(1023, struct.pack(">IB", 25882, 21) + b"\x00")
    assert decode(odd).body.fields == {"VendorIdentifier": 25882, "MessageSubtype": 21, "Data": b"\x00"}
    assert encode(decode(odd)) == odd
    with pytest.raises(ProtocolError, match="CUSTOM_MESSAGE at byte 10"):
        decode(frame(1023, b"\x00\x00"))


def test_text_that_is_not_utf8_cannot_hurt_whoever_logs_it() -> None:
    data = frame(100, tlv(287, struct.pack(">HH", 401, 3) + b"a\xff\x00"))
    text = decode(data).body.need("LLRPStatus")["ErrorDescription"]
    assert text == "a\\xff\x00"
    assert text.encode()


def test_nesting_is_bounded() -> None:
    error = b""
    for _ in range(40):
        error = tlv(289, b"\x00\x00\x00\x64" + error)
    with pytest.raises(ProtocolError, match="nested more than 32 deep"):
        decode(frame(100, tlv(287, struct.pack(">HH", 100, 0) + error)))


def test_memory_is_bounded_for_a_frame_full_of_the_smallest_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.llrp.protocol.codec.MAX_PARAMETERS", MAX_PARAMETERS // 10)
    data = frame(63, b"\x86\x00" * 400_000)
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match=f"more than {MAX_PARAMETERS // 10} parameters"):
            decode(data)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_enumerations_have_names() -> None:
    assert ENUMS["ROSpecStartTriggerType"]["Immediate"] == 1
    assert enum_name("StatusCode", 101) == "M_FieldError"
    assert enum_name("StatusCode", 12345) == "12345"


@pytest.mark.parametrize(
    ("element", "found"),
    [
        (ROSPEC, []),
        (E("ADD_ROSPEC"), ["ADD_ROSPEC: ROSpec missing"]),
        (E("ADD_ROSPEC", E("KeepaliveSpec"), ROSPEC), ["ADD_ROSPEC: KeepaliveSpec has no place here"]),
        (E("ADD_ROSPEC", ROSPEC, ROSPEC), ["ADD_ROSPEC: 2 of ROSpec, one is possible"]),
        (E("ROReportSpec"), ["ROReportSpec: TagReportContentSelector missing"]),
        (E("ROReportSpec", E("TagReportContentSelector"), E("ImpinjTagReportContentSelector")), []),
        (E("ROBoundarySpec", E("ImpinjLowDutyCycle")), None),
    ],
)
def test_the_schema_says_what_is_missing_and_what_is_too_much(element: Element, found: list[str] | None) -> None:
    if found is None:
        assert "ROBoundarySpec: ImpinjLowDutyCycle has no place here" in problems(element)
    else:
        assert problems(element) == found
