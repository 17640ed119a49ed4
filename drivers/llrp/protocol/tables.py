"""The protocol's tables, read once at import: what each message and parameter is made of, and the enumerations.

`tables_core`, `tables_vendors` and `tables_enums` hold the protocol as text; here it becomes `Definition`s, found by
name or by number. Everything that knows LLRP's numbers asks here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from drivers.llrp.protocol.tables_core import CHOICES, MESSAGES, PARAMETERS
from drivers.llrp.protocol.tables_enums import ENUMERATIONS
from drivers.llrp.protocol.tables_vendors import VENDORS

CUSTOM = 1023
"""The number of the message and of the parameter that vendors fill in."""

TV_LIMIT = 128
"""Parameters numbered below it have one byte of type and no length on the wire."""


@dataclass(slots=True, frozen=True)
class Field:
    """A field; with an empty name, reserved bits. `kind` is ``u16``, ``s8``, ``u1``, ``u8v``, ``utf8v``, ..."""

    name: str
    kind: str
    enum: str = ""
    optional: bool = False

    @property
    def bits(self) -> int:
        """The width on the wire, or 0 when the field's length depends on its value."""
        return int(self.kind[1:]) if self.kind[1:].isdigit() else 0


@dataclass(slots=True, frozen=True)
class Slot:
    """A place for children: any of `names`, at least `least` of them; at most one unless `many`."""

    names: tuple[str, ...]
    least: int
    many: bool


@dataclass(slots=True, frozen=True)
class Definition:
    """A message or a parameter. `number` is its type, or its subtype when it has a `vendor`."""

    name: str
    number: int
    vendor: int
    fields: tuple[Field, ...]
    slots: tuple[Slot, ...]


def _entries(text: str) -> Iterator[str]:
    entry = ""
    for line in text.splitlines():
        if line.startswith(" "):
            entry += " " + line.strip()
        else:
            if entry:
                yield entry
            entry = line
    if entry:
        yield entry


def _field(text: str) -> Field:
    if text.startswith("-"):
        return Field("", f"u{text[1:]}")
    name, kind = text.split()
    kind, _, enum = kind.partition("=")
    return Field(name.rstrip("?"), kind, enum, optional=name.endswith("?"))


def _slot(text: str) -> Slot:
    repeat = text[-1] if text[-1] in "?*+" else ""
    name = text.rstrip("?*+")
    names = _CHOICES[name[1:-1]] if name.startswith("<") else (name,)
    return Slot(names, least=int(repeat in ("", "+")), many=repeat in ("*", "+"))


def _definition(entry: str, vendor: int = 0) -> Definition:
    head, _, rest = entry.partition(":")
    name, number = head.split()
    fields, _, children = rest.partition(";")
    return Definition(
        name,
        int(number),
        vendor,
        tuple(_field(part.strip()) for part in fields.split(",") if part.strip()),
        tuple(_slot(part) for part in children.split()),
    )


def _enumeration(entry: str) -> tuple[str, dict[str, int]]:
    name, _, members = entry.partition(" = ")
    pairs = (member.split(":") for member in members.split())
    return name, {label: int(value) for value, label in pairs}


_CHOICES = {name: tuple(members.split()) for name, _, members in (e.partition(" = ") for e in _entries(CHOICES))}
_VENDOR_DEFINITIONS = [_definition(entry, vendor) for vendor, text in VENDORS.items() for entry in _entries(text)]

ENUMS: dict[str, dict[str, int]] = dict(_enumeration(entry) for entry in _entries(ENUMERATIONS))
"""Enumeration to (entry to value): ``ENUMS["ROSpecStartTriggerType"]["Immediate"]`` is 1."""

_ENUM_NAMES = {enum: {value: label for label, value in members.items()} for enum, members in ENUMS.items()}

MESSAGES_BY_NAME: dict[str, Definition] = {}
PARAMETERS_BY_NAME: dict[str, Definition] = {}
MESSAGES_BY_NUMBER: dict[int, Definition] = {}
PARAMETERS_BY_NUMBER: dict[int, Definition] = {}
VENDOR_MESSAGES: dict[tuple[int, int], Definition] = {}
VENDOR_PARAMETERS: dict[tuple[int, int], Definition] = {}

for _each in map(_definition, _entries(MESSAGES)):
    MESSAGES_BY_NAME[_each.name] = MESSAGES_BY_NUMBER[_each.number] = _each
for _each in map(_definition, _entries(PARAMETERS)):
    PARAMETERS_BY_NAME[_each.name] = PARAMETERS_BY_NUMBER[_each.number] = _each
for _each in _VENDOR_DEFINITIONS:
    if _each.name.isupper():
        MESSAGES_BY_NAME[_each.name] = VENDOR_MESSAGES[_each.vendor, _each.number] = _each
    else:
        PARAMETERS_BY_NAME[_each.name] = VENDOR_PARAMETERS[_each.vendor, _each.number] = _each


def enum_name(enum: str, value: int) -> str:
    """The entry's name, or the number as text when the enumeration has no such entry: for logs and messages."""
    return _ENUM_NAMES[enum].get(value, str(value))
