"""The codec against recordings of readers, where they are: values as their XML tells them, bytes back unchanged."""

from __future__ import annotations

import base64
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from drivers.llrp.protocol.codec import decode, encode
from drivers.llrp.protocol.element import Element
from drivers.llrp.protocol.framing import Frames
from drivers.llrp.protocol.schema import problems
from drivers.llrp.protocol.tables import ENUMS, MESSAGES_BY_NAME, PARAMETERS_BY_NAME, Field
from tests.vectors import llrp_frames

DX101 = ["dx101/dx101_a.bin", "dx101/dx101_e.bin"]
MESSAGES = [
    "messages/ADD_ACCESSSPEC.bin",
    "messages/ADD_ROSPEC2.bin",
    "messages/CUSTOM_MESSAGE1.bin",
    "messages/GET_READER_CONFIG.bin",
    "messages/READER_EVENT_NOTIFICATION.bin",
    "messages/RO_ACCESS_REPORT.bin",
]
EDGEX = {
    "GetReaderCapabilitiesResponse-000": 11,
    "GetReaderConfigResponse-000": 12,
    "ReaderEventNotification-000": 63,
}

# The toolkit for Java writes a two-bit field with its bits swapped: its bytes say session 2, its XML 1.
WRONG_IN_XML = {("ADD_ROSPEC", "Session")}


@pytest.mark.parametrize("name", DX101 + MESSAGES)
def test_every_frame_goes_back_out_byte_for_byte(name: str) -> None:
    for frame in llrp_frames.frames(llrp_frames.folder() / name):
        assert encode(decode(frame)) == frame


@pytest.mark.parametrize("name", DX101 + MESSAGES)
def test_every_frame_keeps_to_the_schema(name: str) -> None:
    for frame in llrp_frames.frames(llrp_frames.folder() / name):
        assert problems(decode(frame).body) == []


@pytest.mark.parametrize("name", DX101)
def test_a_stream_is_cut_into_its_frames(name: str) -> None:
    path = llrp_frames.folder() / name
    assert [frame for *_, frame in Frames().feed(path.read_bytes())] == llrp_frames.frames(path)


@pytest.mark.parametrize("name", [name for name in DX101 + MESSAGES if name != "messages/CUSTOM_MESSAGE1.bin"])
def test_every_value_is_what_the_xml_tells(name: str) -> None:
    path = llrp_frames.folder() / name
    frames, messages = llrp_frames.frames(path), llrp_frames.told(path)
    assert len(frames) == len(messages)
    for frame, told in zip(frames, messages, strict=True):
        message = decode(frame)
        assert message.id == int(told.get("MessageID", ""))
        _compare(told, message.body, message.name, WRONG_IN_XML if name == "messages/ADD_ROSPEC2.bin" else set())


def test_a_vendors_message_that_the_xml_leaves_raw() -> None:
    (frame,) = llrp_frames.frames(llrp_frames.folder() / "messages/CUSTOM_MESSAGE1.bin")
    assert decode(frame).name == "IMPINJ_ENABLE_EXTENSIONS"


@pytest.mark.parametrize("name", EDGEX)
def test_recorded_bodies_of_an_impinj_reader_go_back_out(name: str) -> None:
    frame = llrp_frames.edgex(llrp_frames.folder() / f"edgex/{name}.bytes", EDGEX[name])
    message = decode(frame)
    assert encode(message) == frame
    assert problems(message.body) == []


def test_recorded_capabilities_say_what_the_json_says() -> None:
    body, told = _edgex("GetReaderCapabilitiesResponse-000")
    general, general_told = body.need("GeneralDeviceCapabilities"), told["GeneralDeviceCapabilities"]
    assert general["MaxNumberOfAntennaSupported"] == general_told["MaxSupportedAntennas"]
    assert general["HasUTCClockCapability"] is general_told["HasUTCClock"]
    assert general["DeviceManufacturerName"] == general_told["DeviceManufacturer"]
    assert general["ReaderFirmwareVersion"] == general_told["FirmwareVersion"]
    llrp, llrp_told = body.need("LLRPCapabilities"), told["LLRPCapabilities"]
    assert llrp["SupportsEventAndReportHolding"] is llrp_told["SupportsEventsAndReportHolding"]
    assert llrp["MaxNumROSpecs"] == llrp_told["MaxROSpecs"]
    band = body.need("RegulatoryCapabilities").need("UHFBandCapabilities")
    band_told = told["RegulatoryCapabilities"]["UHFBandCapabilities"]
    assert [(level["Index"], level["TransmitPowerValue"]) for level in band.all("TransmitPowerLevelTableEntry")] == [
        (level["Index"], level["TransmitPowerValue"]) for level in band_told["TransmitPowerLevels"]
    ]
    tables_told = band_told["FrequencyInformation"]["FrequencyHopTables"]
    tables = band.need("FrequencyInformation").all("FrequencyHopTable")
    assert [table["Frequency"] for table in tables] == [table["Frequencies"] for table in tables_told]
    modes = band.need("C1G2UHFRFModeTable").all("C1G2UHFRFModeTableEntry")
    assert [mode["ModeIdentifier"] for mode in modes] == [
        mode["ModeID"] for mode in band_told["C1G2RFModes"]["UHFC1G2RFModeTableEntries"]
    ]


def test_recorded_configuration_says_what_the_json_says() -> None:
    body, told = _edgex("GetReaderConfigResponse-000")
    assert body.need("Identification")["ReaderID"] == base64.b64decode(told["Identification"]["ReaderID"])
    assert [(a["AntennaID"], a["AntennaConnected"], a["AntennaGain"]) for a in body.all("AntennaProperties")] == [
        (a["AntennaID"], a["AntennaConnected"], a["AntennaGain"]) for a in told["AntennaProperties"]
    ]
    powers = [each.need("RFTransmitter")["TransmitPower"] for each in body.all("AntennaConfiguration")]
    assert powers == [each["RFTransmitter"]["TransmitPowerIndex"] for each in told["AntennaConfigurations"]]


def test_recorded_event_is_a_closed_connection() -> None:
    body, told = _edgex("ReaderEventNotification-000")
    data = body.need("ReaderEventNotificationData")
    assert data.need("UTCTimestamp")["Microseconds"] == told["ReaderEventNotificationData"]["UTCTimestamp"]
    assert data.find("ConnectionCloseEvent") is not None
    assert data.find("ConnectionAttemptEvent") is None


def _edgex(name: str) -> tuple[Element, dict[str, Any]]:
    path = llrp_frames.folder() / f"edgex/{name}"
    frame = llrp_frames.edgex(path.with_suffix(".bytes"), EDGEX[name])
    told: dict[str, Any] = json.loads(Path(path.with_suffix(".json")).read_text())
    return decode(frame).body, told


def _compare(told: ET.Element, element: Element, path: str, wrong: set[tuple[str, str]]) -> None:
    """Walks the XML and the element together: fields first, then parameters, as both have them.

    Fields that 1.1 put where 1.0.1 has reserved bits are not told in the XML.
    """
    assert told.tag.partition("}")[2] == element.name, path
    definition = MESSAGES_BY_NAME.get(element.name) or PARAMETERS_BY_NAME[element.name]
    fields = [field for field in definition.fields if field.name and not field.optional]
    for field, text in zip(fields, told, strict=False):
        assert text.tag.partition("}")[2] == field.name, path
        if (path.partition(" ")[0], field.name) not in wrong:
            assert element[field.name] == _value(field, text), f"{path} {field.name}"
    children = list(told)[len(fields) :]
    assert len(children) == len(element.children), path
    for told_child, child in zip(children, element.children, strict=True):
        _compare(told_child, child, f"{path} > {child.name}", wrong)


def _value(field: Field, told: ET.Element) -> Any:
    text = (told.text or "").strip()
    if field.enum:
        values = [_number(field.enum, part) for part in text.split()]
        return bytes(values) if field.kind == "u8v" else values[0]
    if field.kind == "u1v":
        content = bytes.fromhex(text)
        return int(told.get("Count") or len(content) * 8), content
    if field.kind == "u16v" and field.name in ("ReadData", "WriteData"):
        content = bytes.fromhex(text)
        return [int.from_bytes(content[at : at + 2], "big") for at in range(0, len(content), 2)]
    if field.kind == "u64" and "T" in text:
        return _micros(text)
    reader: Callable[[str], Any] = _READERS.get(field.kind, int)
    return reader(text) if field.kind != "utf8v" else told.text or ""


_READERS: dict[str, Callable[[str], Any]] = {
    "u1": lambda text: text in ("true", "1"),
    "u8v": bytes.fromhex,
    "u96": bytes.fromhex,
    "bytesToEnd": bytes.fromhex,
    "u16v": lambda text: [int(part) for part in text.split()],
    "u32v": lambda text: [int(part) for part in text.split()],
}


def _number(enum: str, text: str) -> int:
    if text in ("true", "false"):
        return int(text == "true")
    return int(text) if text.isdigit() else ENUMS[enum][text]


def _micros(text: str) -> int:
    """Exact, which a float of seconds is not."""
    head, _, fraction = text.partition(".")
    digits = fraction[:6] if fraction else "0"
    zone = text[len(head) + 1 + len(digits) :] if fraction else "Z"
    whole = datetime.fromisoformat(head + zone)
    return int(whole.timestamp()) * 1_000_000 + int(digits)
