"""Fields to bytes and back: each definition's fields compiled once into a few `struct` calls.

Reading is bounded by the `end` of the parameter that holds the field. `Malformed` says at which byte and why; the codec
adds where in the message that is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from drivers.llrp.protocol.tables import Definition, Field

_FORMATS = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "s8": "b", "s16": "h", "s32": "i", "u96": "12s"}
_GROUPS = {8: "B", 16: "H", 32: "I"}
_COUNT = struct.Struct(">H")

Bits: TypeAlias = tuple[int, bytes]
"""A bit array: how many bits, and the bytes that hold them, first bit highest, the last byte filled up."""


class Malformed(Exception):
    """Bytes that do not fit the definition. `at` counts from the start of the bytes that are being decoded."""

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(reason)
        self.at = at


class _Fixed:
    """A run of fields of known width. A group is the bit fields that share an integer: (name, shift, mask) each."""

    def __init__(self) -> None:
        self.format = ">"
        self.fields: list[Field] = []
        self.groups: list[str | list[tuple[Field, int, int]]] = []
        self.pending: list[Field] = []
        self.plain: list[str] = []  # the groups' names, when no bits are among them
        self.struct = struct.Struct(">")

    def add(self, field: Field) -> None:
        self.fields.append(field)
        if field.kind in _FORMATS and not self.pending and field.name:
            self.format += _FORMATS[field.kind]
            self.groups.append(field.name)
        else:
            self.pending.append(field)
            width = sum(each.bits for each in self.pending)
            if width % 8 == 0 and width in _GROUPS:
                self.format += _GROUPS[width]
                self.groups.append(_shifts(self.pending, width))
                self.pending = []
        self.struct = struct.Struct(self.format)
        self.plain = [group for group in self.groups if isinstance(group, str)]
        if len(self.plain) < len(self.groups):
            self.plain = []

    def read(self, data: bytes, at: int, end: int, into: dict[str, Any]) -> int:
        stop = at + self.struct.size
        if stop > end:
            names = ", ".join(field.name for field in self.fields if field.name)
            raise Malformed(
                at, f"{self.struct.size} bytes of {names or 'reserved bits'} expected, {end - at} are there"
            )
        values = self.struct.unpack_from(data, at)
        if self.plain:
            into.update(zip(self.plain, values, strict=True))
            return stop
        for group, value in zip(self.groups, values, strict=True):
            if isinstance(group, str):
                into[group] = value
            else:
                for field, shift, mask in group:
                    part = value >> shift & mask
                    into[field.name] = bool(part) if mask == 1 else part
        return stop

    def write(self, fields: Mapping[str, Any]) -> bytes:
        values = []
        for group in self.groups:
            if isinstance(group, str):
                values.append(fields[group])
            else:
                values.append(_packed(group, fields))
        try:
            return self.struct.pack(*values)
        except (struct.error, TypeError) as error:
            told = {field.name: fields[field.name] for field in self.fields if field.name in fields}
            raise ValueError(f"{error} in {told}") from error


def _shifts(fields: list[Field], width: int) -> list[tuple[Field, int, int]]:
    places = []
    for field in fields:
        width -= field.bits
        if field.name:
            places.append((field, width, (1 << field.bits) - 1))
    return places


def _packed(group: list[tuple[Field, int, int]], fields: Mapping[str, Any]) -> int:
    total = 0
    for field, shift, mask in group:
        value = int(fields.get(field.name, 0) if field.optional else fields[field.name])
        if not 0 <= value <= mask:
            raise ValueError(f"{field.name} is {value}; it can be 0 to {mask}")
        total |= value << shift
    return total


class _Variable:
    """A field whose length depends on its value: a count and that many items, or everything up to the end."""

    def __init__(self, field: Field) -> None:
        self.name = field.name
        self.kind = field.kind

    def read(self, data: bytes, at: int, end: int, into: dict[str, Any]) -> int:
        if self.kind == "bytesToEnd":
            into[self.name] = data[at:end]
            return end
        if at + 2 > end:
            raise Malformed(at, f"the count of {self.name} is cut off")
        (count,) = _COUNT.unpack_from(data, at)
        stop = at + 2 + _SIZES[self.kind](count)
        if stop > end:
            raise Malformed(at, f"{self.name} has {count} items by its count, but only {end - at - 2} bytes are left")
        into[self.name] = _READERS[self.kind](count, data[at + 2 : stop])
        return stop

    def write(self, fields: Mapping[str, Any]) -> bytes:
        value = fields[self.name]
        if self.kind == "bytesToEnd":
            return bytes(value)
        try:
            count, content = _WRITERS[self.kind](value)
            return _COUNT.pack(count) + content
        except (struct.error, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{self.name} cannot be {str(value)[:60]!r}: {error}") from error


def _bit_array(value: bytes | Bits) -> Bits:
    bits, content = (len(value) * 8, value) if isinstance(value, bytes) else value
    if len(content) != (bits + 7) // 8:
        raise ValueError(f"{bits} bits need {(bits + 7) // 8} bytes, not {len(content)}")
    return bits, content


def _text(_count: int, content: bytes) -> str:
    # Backslashes instead of surrogates: the text goes into logs and JSON, whatever a reader sends.
    return content.decode("utf-8", "backslashreplace")


def _counted(content: bytes) -> tuple[int, bytes]:
    return len(content), content


_SIZES: dict[str, Callable[[int], int]] = {
    "u1v": lambda count: (count + 7) // 8,
    "u8v": lambda count: count,
    "utf8v": lambda count: count,
    "u16v": lambda count: 2 * count,
    "u32v": lambda count: 4 * count,
}
_READERS: dict[str, Callable[[int, bytes], Any]] = {
    "u1v": lambda count, content: (count, content),
    "u8v": lambda _count, content: content,
    "utf8v": _text,
    "u16v": lambda count, content: list(struct.unpack(f">{count}H", content)),
    "u32v": lambda count, content: list(struct.unpack(f">{count}I", content)),
}
_WRITERS: dict[str, Callable[[Any], tuple[int, bytes]]] = {
    "u1v": _bit_array,
    "u8v": lambda value: _counted(bytes(value)),
    "utf8v": lambda value: _counted(value.encode()),
    "u16v": lambda value: (len(value), struct.pack(f">{len(value)}H", *value)),
    "u32v": lambda value: (len(value), struct.pack(f">{len(value)}I", *value)),
}


class Layout:
    """The fields of one definition, compiled. `size` is their whole width where it is fixed, else None."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.runs: list[_Fixed | _Variable] = []
        self.names = {field.name for field in definition.fields if field.name}
        self.required = {field.name for field in definition.fields if field.name and not field.optional}
        for field in definition.fields:
            if field.bits:
                if not self.runs or not isinstance(self.runs[-1], _Fixed):
                    self.runs.append(_Fixed())
                fixed = self.runs[-1]
                assert isinstance(fixed, _Fixed)
                fixed.add(field)
            else:
                self.runs.append(_Variable(field))
        self.size = self.runs[0].struct.size if len(self.runs) == 1 and isinstance(self.runs[0], _Fixed) else None

    def read(self, data: bytes, at: int, end: int) -> tuple[dict[str, Any], int]:
        """The fields, and where they end. Raises `Malformed`."""
        fields: dict[str, Any] = {}
        for run in self.runs:
            at = run.read(data, at, end, fields)
        return fields, at

    def write(self, fields: Mapping[str, Any]) -> bytes:
        """The fields' bytes. Raises ValueError for a field that is missing, unknown or out of range."""
        if missing := self.required - fields.keys():
            raise ValueError(f"{', '.join(sorted(missing))} missing")
        if unknown := fields.keys() - self.names:
            raise ValueError(
                f"no field {', '.join(sorted(unknown))}; there are {', '.join(sorted(self.names)) or 'none'}"
            )
        return b"".join([run.write(fields) for run in self.runs])
