"""LLRP: any bytes end in frames, messages and rows, or in a ProtocolError."""

from __future__ import annotations

import struct

from drivers.api import ProtocolError
from drivers.llrp.protocol.codec import Message, decode, encode
from drivers.llrp.protocol.element import E, Element
from drivers.llrp.protocol.framing import Frames
from drivers.llrp.reports.decoder import ReportDecoder
from tests.fuzz import Target

HEADER = 10
SMALL_CAP = 1 << 20


def _tag(number: int, *more: Element) -> Element:
    return E(
        "TagReportData",
        E("EPC_96", EPC=bytes([number]) * 12),
        E("AntennaID", AntennaID=number),
        E("PeakRSSI", PeakRSSI=-50),
        E("LastSeenTimestampUTC", Microseconds=1_700_000_000_000_000),
        *more,
    )


def _messages() -> list[Message]:
    now = E("UTCTimestamp", Microseconds=1_700_000_000_000_000)
    selector = E("ImpinjTagReportContentSelector", E("ImpinjEnablePeakRSSI", PeakRSSIMode=1))
    error = E("FieldError", FieldNum=1, ErrorCode=101)
    return [
        Message("KEEPALIVE", 1, E("KEEPALIVE")),
        Message("RO_ACCESS_REPORT", 2, E("RO_ACCESS_REPORT", *[_tag(n) for n in range(9)])),
        Message(
            "RO_ACCESS_REPORT",
            3,
            E(
                "RO_ACCESS_REPORT",
                _tag(1, E("ImpinjSerializedTID", TID=[1, 2, 3]), E("ImpinjPeakRSSI", RSSI=-4500)),
                E("TagReportData", E("EPCData", EPC=(95, bytes(12))), E("MotoTagPhase", Phase=-3)),
                _tag(2, E("C1G2ReadOpSpecResult", Result=0, OpSpecID=1, ReadData=[1, 2])),
            ),
        ),
        Message(
            "READER_EVENT_NOTIFICATION",
            4,
            E(
                "READER_EVENT_NOTIFICATION",
                E("ReaderEventNotificationData", now, E("ReaderExceptionEvent", Message="x")),
            ),
        ),
        Message(
            "ERROR_MESSAGE",
            5,
            E("ERROR_MESSAGE", E("LLRPStatus", error, StatusCode=101, ErrorDescription="no")),
            version=2,
        ),
        Message("SET_READER_CONFIG", 6, E("SET_READER_CONFIG", selector, ResetToFactoryDefault=False)),
        Message("IMPINJ_ENABLE_EXTENSIONS", 7, E("IMPINJ_ENABLE_EXTENSIONS")),
    ]


def seeds() -> list[bytes]:
    """Frames of each kind, and all of them in a row."""
    frames = [encode(message) for message in _messages()]
    return [*frames, b"".join(frames)]


def stream(data: bytes) -> None:
    """The first byte says how the rest is chunked."""
    frames = Frames(cap=SMALL_CAP)
    size = data[0] + 1 if data else 1
    try:
        for at in range(1, len(data), size):
            for *_, frame in frames.feed(data[at : at + size]):
                _there_and_back(frame)
    except ProtocolError:
        return


def message(data: bytes) -> None:
    """A frame whose length is right, so that what is inside is reached."""
    if len(data) >= HEADER:
        try:
            _there_and_back(data[:2] + struct.pack(">I", len(data)) + data[6:])
        except ProtocolError:
            return


def _there_and_back(frame: bytes) -> None:
    decoded = decode(frame)
    assert decode(encode(decoded)).name == decoded.name


def report(data: bytes) -> None:
    """A report's body, to a decoder that knows the usual layouts and to one that knows none."""
    body = data[HEADER:]
    try:
        rows = ReportDecoder().decode(body).rows
    except ProtocolError:
        rows = []
    try:
        assert _DECODER.decode(body).rows is not None
    except ProtocolError:
        return
    assert all(row[5] >= 1 for row in rows)


_DECODER = ReportDecoder()

TARGETS = {
    "stream": Target(stream, lambda: [b"\x10" + seed for seed in seeds()]),
    "message": Target(message, seeds),
    "report": Target(report, seeds),
}
