"""LLRP messages to bytes and back, driven by the tables.

Whatever the tables do not know is kept as bytes and goes back out unchanged: an unknown message as
``UNKNOWN_<number>``, an unknown parameter as ``Unknown``, a vendor's as ``Custom``. A vendor's parameter that does not
fit its entry in the tables is ``Custom`` too, so that new firmware cannot end a session.

Tag reports in bulk do not come through here: see `drivers.llrp.reports.decoder`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from drivers.api import ProtocolError
from drivers.llrp.protocol.element import Element
from drivers.llrp.protocol.framing import HEADER_SIZE as HEADER_SIZE
from drivers.llrp.protocol.tables import (
    CUSTOM,
    MESSAGES_BY_NAME,
    MESSAGES_BY_NUMBER,
    PARAMETERS_BY_NAME,
    PARAMETERS_BY_NUMBER,
    TV_LIMIT,
    VENDOR_MESSAGES,
    VENDOR_PARAMETERS,
    Definition,
)
from drivers.llrp.protocol.wire import Layout, Malformed

MAX_DEPTH = 32
"""How deep parameters may nest. The standard needs 9; only ParameterError may hold itself."""

MAX_PARAMETERS = 200_000
"""How many parameters a frame may hold when it is decoded into elements, about 70 MB of them. A frame at the size limit
could hold four million; a reader's largest, its ROSpecs or capabilities, hold a few thousand."""

MAX_ODD = 20
"""Oddities of one message that are named; a message with more of them is only noise."""

_MESSAGE_HEADER = struct.Struct(">HII")
_TLV_HEADER = struct.Struct(">HH")
_VENDOR_MESSAGE = struct.Struct(">IB")
_VENDOR_PARAMETER = struct.Struct(">II")

_LAYOUTS: dict[str, Layout] = {
    name: Layout(definition) for name, definition in (MESSAGES_BY_NAME | PARAMETERS_BY_NAME).items()
}


@dataclass(slots=True)
class Message:
    """A message: `body` is named like the message. `version` is 1 for LLRP 1.0.1, 2 for 1.1."""

    name: str
    id: int
    body: Element
    version: int = 1
    odd: list[str] = field(default_factory=list, compare=False)
    """What of a message that came could not be read, in words; it was set aside (see `decode_tolerant`)."""

    readable: bool = True
    """False when not even the message's own fields could be read: `body` is empty then."""


def encode(message: Message) -> bytes:
    """The message as one frame. ValueError for a missing or unknown field, name, or a value out of range."""
    body = message.body
    if message.name.startswith("UNKNOWN_"):
        number, content = int(message.name.removeprefix("UNKNOWN_")), bytes(body["data"])
    else:
        definition = MESSAGES_BY_NAME.get(message.name)
        if definition is None:
            raise ValueError(f"LLRP has no message {message.name!r}")
        number, content = _numbered(definition, _VENDOR_MESSAGE, _content(body, _LAYOUTS[message.name], message.name))
    size = HEADER_SIZE + len(content)
    try:
        return _MESSAGE_HEADER.pack(message.version << 10 | number, size, message.id) + content
    except struct.error as error:
        raise ValueError(f"{message.name}: version {message.version}, id {message.id}: {error}") from error


def encode_parameter(element: Element, path: str = "") -> bytes:
    """A parameter with its children. ValueError as in `encode`."""
    path = f"{path} > {element.name}" if path else element.name
    if element.name == "Unknown":
        number, content = int(element["type"]), bytes(element["data"])
    else:
        definition = PARAMETERS_BY_NAME.get(element.name)
        if definition is None:
            raise ValueError(f"{path}: LLRP has no such parameter")
        number, content = _numbered(definition, _VENDOR_PARAMETER, _content(element, _LAYOUTS[element.name], path))
    if number < TV_LIMIT:
        return bytes((0x80 | number,)) + content
    size = _TLV_HEADER.size + len(content)
    if size > 0xFFFF:
        raise ValueError(f"{path} is {size} bytes long; a parameter can be at most 65535")
    return _TLV_HEADER.pack(number, size) + content


def decode(frame: bytes | memoryview) -> Message:
    """One whole frame. Raises ProtocolError that names message, parameter and byte."""
    return _decode(bytes(frame), None)


def decode_tolerant(frame: bytes | memoryview) -> Message:
    """One whole frame, of which whatever cannot be read is set aside and named in `odd` of the message.

    A parameter that is cut off or does not fit its definition becomes ``Unknown``; bytes where no parameter can begin
    are left out. Raises ProtocolError only for what is no frame, or is hostile (too deep, too many parameters).
    """
    return _decode(bytes(frame), [])


def _decode(data: bytes, odd: list[str] | None) -> Message:
    if len(data) < HEADER_SIZE:
        raise ProtocolError(f"an LLRP message has at least {HEADER_SIZE} bytes, this one has {len(data)}")
    head, length, identity = _MESSAGE_HEADER.unpack_from(data)
    if length != len(data):
        raise ProtocolError(f"an LLRP message of {len(data)} bytes says that it has {length}")
    number, version = head & 0x3FF, head >> 10 & 7
    definition, start = _message_definition(number, data)
    if definition is None:
        name = f"UNKNOWN_{number}"
        return Message(name, identity, Element(name, {"data": data[HEADER_SIZE:]}), version)
    readable = True
    try:
        strict = definition.vendor  # what does not fit a vendor's entry in the tables is raw, and no oddity
        body = _Decoder(data, definition.name, None if strict else odd).element(definition, start, len(data), 0)
    except _TooMuch:
        raise
    except ProtocolError as error:
        if definition.vendor:
            definition = MESSAGES_BY_NAME["CUSTOM_MESSAGE"]
            body = _Decoder(data, definition.name, odd).element(definition, HEADER_SIZE, len(data), 0)
        elif odd is not None:
            odd.append(str(error))
            body, readable = Element(definition.name), False
        else:
            raise
    return Message(definition.name, identity, body, version, odd or [], readable)


def decode_parameters(data: bytes, spans: Iterable[tuple[int, int]], what: str) -> list[Element]:
    """The parameters in `spans` (from, to) of a message called `what`. Raises ProtocolError."""
    decoder = _Decoder(data, what)
    return [element for at, end in spans for element in decoder.children(at, end, 0)]


def tv_size(number: int) -> int | None:
    """How many bytes follow the type byte of a TV parameter, or None when the tables do not know it."""
    definition = PARAMETERS_BY_NUMBER.get(number)
    return _LAYOUTS[definition.name].size if definition else None


def _message_definition(number: int, data: bytes) -> tuple[Definition | None, int]:
    if number == CUSTOM and len(data) >= HEADER_SIZE + _VENDOR_MESSAGE.size:
        known = VENDOR_MESSAGES.get(_VENDOR_MESSAGE.unpack_from(data, HEADER_SIZE))
        if known:
            return known, HEADER_SIZE + _VENDOR_MESSAGE.size
    return MESSAGES_BY_NUMBER.get(number), HEADER_SIZE


def _numbered(definition: Definition, header: struct.Struct, content: bytes) -> tuple[int, bytes]:
    if definition.vendor:
        return CUSTOM, header.pack(definition.vendor, definition.number) + content
    return definition.number, content


def _content(element: Element, layout: Layout, path: str) -> bytes:
    try:
        fields = layout.write(element.fields)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return b"".join([fields, *[encode_parameter(child, path) for child in element.children]])


class _TooMuch(ProtocolError):
    """A message that no reader sends: only worth an end."""


class _Decoder:
    """Walks one frame. `path` is where it is, for the error. With `odd`, a list, what cannot be read is set aside and
    named there instead of raising."""

    def __init__(self, data: bytes, what: str, odd: list[str] | None = None) -> None:
        self.data = data
        self.path = [what]
        self.budget = MAX_PARAMETERS
        self.odd = odd

    def element(self, definition: Definition, at: int, end: int, depth: int) -> Element:
        try:
            fields, at = _LAYOUTS[definition.name].read(self.data, at, end)
        except Malformed as error:
            raise self._error(error.at, str(error)) from None
        return Element(definition.name, fields, self.children(at, end, depth) if at < end else [])

    def children(self, at: int, end: int, depth: int) -> list[Element]:
        if depth > MAX_DEPTH:
            raise self._too_much(at, f"parameters are nested more than {MAX_DEPTH} deep")
        found = []
        while at < end:
            self.budget -= 1
            if self.budget < 0:
                raise self._too_much(at, f"the message holds more than {MAX_PARAMETERS} parameters")
            above = len(self.path)
            try:
                if self.data[at] & 0x80:
                    element, at = self._short(at, end)
                else:
                    element, at = self._long(at, end, depth)
            except ProtocolError as error:
                if self.odd is None or isinstance(error, _TooMuch):
                    raise
                del self.path[above:]
                if len(self.odd) < MAX_ODD:
                    self.odd.append(str(error))
                element, at = self._set_aside(at, end)
            found.append(element)
        return found

    def _set_aside(self, at: int, end: int) -> tuple[Element, int]:
        """What could not be read at `at`, raw: one parameter where its length can be believed, else all the rest."""
        if not self.data[at] & 0x80 and end - at >= _TLV_HEADER.size:
            number, length = _TLV_HEADER.unpack_from(self.data, at)
            number &= 0x3FF
            if number >= TV_LIMIT and _TLV_HEADER.size <= length <= end - at:
                return Element("Unknown", {"type": number, "data": self.data[at + _TLV_HEADER.size : at + length]}), (
                    at + length
                )
        return Element("Unreadable", {"data": self.data[at:end]}), end

    def _short(self, at: int, end: int) -> tuple[Element, int]:
        """A TV parameter: one byte of type and fields of known width."""
        number = self.data[at] & 0x7F
        definition = PARAMETERS_BY_NUMBER.get(number)
        if definition is None:
            # It says no length, so nothing behind it can be found: the rest of the enclosing parameter goes with it.
            return Element("Unknown", {"type": number, "data": self.data[at + 1 : end]}), end
        try:
            fields, stop = _LAYOUTS[definition.name].read(self.data, at + 1, end)
        except Malformed as error:
            self.path.append(definition.name)
            raise self._error(error.at, str(error)) from None
        return Element(definition.name, fields), stop

    def _long(self, at: int, end: int, depth: int) -> tuple[Element, int]:
        """A TLV parameter: type, length, fields, children."""
        if end - at < _TLV_HEADER.size:
            raise self._error(at, f"{end - at} stray bytes where a parameter should begin")
        number, length = _TLV_HEADER.unpack_from(self.data, at)
        number &= 0x3FF
        stop = at + length
        if number < TV_LIMIT:
            raise self._error(at, f"parameter type {number} where a parameter should begin")
        if length < _TLV_HEADER.size or stop > end:
            raise self._error(at, f"parameter type {number} says it is {length} bytes long, {end - at} are there")
        start = at + _TLV_HEADER.size
        if number == CUSTOM:
            return self._custom(start, stop, depth), stop
        definition = PARAMETERS_BY_NUMBER.get(number)
        if definition is None:
            return Element("Unknown", {"type": number, "data": self.data[start:stop]}), stop
        self.path.append(definition.name)
        element = self.element(definition, start, stop, depth + 1)
        self.path.pop()
        return element, stop

    def _custom(self, start: int, stop: int, depth: int) -> Element:
        """A vendor's parameter: by its entry in the tables, or raw."""
        raw = PARAMETERS_BY_NAME["Custom"]
        if stop - start < _VENDOR_PARAMETER.size:
            self.path.append(raw.name)
            return self.element(raw, start, stop, depth + 1)  # raises, naming what is cut off
        known = VENDOR_PARAMETERS.get(_VENDOR_PARAMETER.unpack_from(self.data, start))
        if known:
            above, odd = len(self.path), self.odd
            self.odd = None  # new firmware may put anything there
            try:
                return self.element(known, start + _VENDOR_PARAMETER.size, stop, depth + 1)
            except _TooMuch:
                raise
            except ProtocolError:
                del self.path[above:]
            finally:
                self.odd = odd
        return self.element(raw, start, stop, depth + 1)

    def _too_much(self, at: int, reason: str) -> ProtocolError:
        return _TooMuch(f"bad LLRP message: {' > '.join(self.path)} at byte {at}: {reason}")

    def _error(self, at: int, reason: str) -> ProtocolError:
        return ProtocolError(f"bad LLRP message: {' > '.join(self.path)} at byte {at}: {reason}")
