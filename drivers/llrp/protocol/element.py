"""The one shape of everything in LLRP: a name, fields, and children in the order in which they are on the wire.

Messages' bodies and parameters alike are `Element`s; `tables` says which fields and children each has.
A field's value is an ``int`` (also for enumerations), a ``bool`` (one bit), ``bytes``, ``(bits, bytes)`` for a bit
array, a ``str``, or a ``list[int]`` for a vector. A parameter that the tables do not know is named ``Unknown`` and has
the fields ``type`` and ``data``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from drivers.api import ProtocolError


@dataclass(slots=True)
class Element:
    """A message's body or a parameter."""

    name: str
    fields: dict[str, Any] = field(default_factory=dict)
    children: list[Element] = field(default_factory=list)

    def __getitem__(self, name: str) -> Any:
        """The value of a field. KeyError when the element has no such field."""
        return self.fields[name]

    def find(self, name: str) -> Element | None:
        """The first direct child of that name, or None."""
        for child in self.children:
            if child.name == name:
                return child
        return None

    def all(self, name: str) -> list[Element]:
        """The direct children of that name, in order."""
        return [child for child in self.children if child.name == name]

    def need(self, name: str) -> Element:
        """The first direct child of that name. ProtocolError when the peer left it out."""
        child = self.find(name)
        if child is None:
            raise ProtocolError(f"{self.name} came without {name}, which the protocol requires")
        return child


def E(name: str, /, *parts: dict[str, Any] | Element, **fields: Any) -> Element:  # noqa: N802
    """Builds an element: ``E("ROSpec", E("ROBoundarySpec", ...), ROSpecID=1, Priority=0, CurrentState=0)``.

    Dictionaries and keywords give fields, elements give children, in order.
    """
    element = Element(name)
    for part in parts:
        if isinstance(part, Element):
            element.children.append(part)
        else:
            element.fields.update(part)
    element.fields.update(fields)
    return element
