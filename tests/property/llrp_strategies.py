"""Hypothesis strategies for LLRP: any element that the tables allow, and tag reports as readers make them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from drivers.llrp.protocol.codec import Message
from drivers.llrp.protocol.element import E, Element
from drivers.llrp.protocol.tables import MESSAGES_BY_NAME, PARAMETERS_BY_NAME, Definition, Field

_DEPTH = 4


def _bit_arrays() -> st.SearchStrategy[tuple[int, bytes]]:
    return st.binary(max_size=12).flatmap(
        lambda content: st.integers(max(0, len(content) * 8 - 7), len(content) * 8).map(lambda bits: (bits, content))
    )


_KINDS: dict[str, st.SearchStrategy[Any]] = {
    "u1": st.booleans(),
    "u1v": _bit_arrays(),
    "u8v": st.binary(max_size=12),
    "u16v": st.lists(st.integers(0, 0xFFFF), max_size=5),
    "u32v": st.lists(st.integers(0, 0xFFFFFFFF), max_size=5),
    "utf8v": st.text(max_size=12),
    "u96": st.binary(min_size=12, max_size=12),
    "bytesToEnd": st.binary(max_size=20),
}


def _values(field: Field) -> st.SearchStrategy[Any]:
    if field.kind in _KINDS:
        return _KINDS[field.kind]
    if field.kind.startswith("s"):
        return st.integers(-(1 << field.bits - 1), (1 << field.bits - 1) - 1)
    return st.integers(0, (1 << field.bits) - 1)


@st.composite
def elements(draw: st.DrawFn, definition: Definition, depth: int = 0) -> Element:
    """An element with every field, and children as its slots want them."""
    element = Element(definition.name, {f.name: draw(_values(f)) for f in definition.fields if f.name})
    if definition.name == "Custom":
        element.fields["VendorIdentifier"] = draw(st.integers(30_000, 0xFFFFFFFF))  # a vendor not in the tables
    for slot in definition.slots:
        most = 0 if depth >= _DEPTH else 2 if slot.many else 1
        for _ in range(draw(st.integers(min(slot.least, most), most))):
            child = PARAMETERS_BY_NAME[draw(st.sampled_from(slot.names))]
            element.children.append(draw(elements(child, depth + 1)))
    return element


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """Any message."""
    definition = MESSAGES_BY_NAME[draw(st.sampled_from(sorted(MESSAGES_BY_NAME)))]
    body = draw(elements(definition))
    if definition.name == "CUSTOM_MESSAGE":
        body.fields["VendorIdentifier"] = draw(st.integers(30_000, 0xFFFFFFFF))
    return Message(definition.name, draw(st.integers(0, 0xFFFFFFFF)), body, draw(st.sampled_from((1, 2))))


@st.composite
def _epcs(draw: st.DrawFn) -> Element:
    if draw(st.booleans()):
        return E("EPC_96", EPC=draw(st.binary(min_size=12, max_size=12)))
    return E("EPCData", EPC=draw(_bit_arrays()))


_U16 = st.integers(0, 0xFFFF)
_S16 = st.integers(-0x8000, 0x7FFF)
_TIMES = st.integers(0, 2**63)

OPTIONAL = {
    "ROSpecID": st.builds(lambda n: E("ROSpecID", ROSpecID=n), st.integers(0, 0xFFFFFFFF)),
    "AntennaID": st.builds(lambda n: E("AntennaID", AntennaID=n), _U16),
    "PeakRSSI": st.builds(lambda n: E("PeakRSSI", PeakRSSI=n), st.integers(-128, 127)),
    "ChannelIndex": st.builds(lambda n: E("ChannelIndex", ChannelIndex=n), _U16),
    "FirstSeenTimestampUTC": st.builds(lambda n: E("FirstSeenTimestampUTC", Microseconds=n), _TIMES),
    "LastSeenTimestampUTC": st.builds(lambda n: E("LastSeenTimestampUTC", Microseconds=n), _TIMES),
    "TagSeenCount": st.builds(lambda n: E("TagSeenCount", TagCount=n), _U16),
    "C1G2_PC": st.builds(lambda n: E("C1G2_PC", PC_Bits=n), _U16),
    "C1G2ReadOpSpecResult": st.builds(
        lambda words: E("C1G2ReadOpSpecResult", Result=0, OpSpecID=1, ReadData=words), _KINDS["u16v"]
    ),
    "ImpinjPeakRSSI": st.builds(lambda n: E("ImpinjPeakRSSI", RSSI=n), _S16),
    "ImpinjRFPhaseAngle": st.builds(lambda n: E("ImpinjRFPhaseAngle", PhaseAngle=n), st.integers(0, 4095)),
    "ImpinjRFDopplerFrequency": st.builds(lambda n: E("ImpinjRFDopplerFrequency", DopplerFrequency=n), _S16),
    "ImpinjSerializedTID": st.builds(
        lambda words: E("ImpinjSerializedTID", TID=words), st.lists(_U16, min_size=6, max_size=6)
    ),
    "Custom": st.builds(
        lambda data: E("Custom", VendorIdentifier=31_000, ParameterSubtype=1, Data=data), st.binary(max_size=6)
    ),
    "Unknown": st.builds(lambda data: Element("Unknown", {"type": 700, "data": data}), st.binary(max_size=6)),
}


@st.composite
def records(draw: st.DrawFn, names: tuple[str, ...] | None = None) -> Element:
    """A TagReportData: with these optional parameters, or any, in any order."""
    if names is None:
        names = tuple(draw(st.permutations(sorted(OPTIONAL))))[: draw(st.integers(0, len(OPTIONAL)))]
    return E("TagReportData", draw(_epcs()), *[draw(OPTIONAL[name]) for name in names])


@st.composite
def reports(draw: st.DrawFn) -> list[Element]:
    """Tag reports of a few layouts, in stretches and mixed."""
    layouts = [
        tuple(draw(st.permutations(sorted(OPTIONAL))))[: draw(st.integers(0, len(OPTIONAL)))]
        for _ in range(draw(st.integers(1, 3)))
    ]
    found: list[Element] = []
    for _ in range(draw(st.integers(0, 4))):
        layout = draw(st.sampled_from(layouts))
        found.extend(draw(records(layout)) for _ in range(draw(st.integers(1, 6))))
    return found
