"""Whether an element has the children that the standard asks for. Decoding does not insist on it; an answer may."""

from __future__ import annotations

from drivers.llrp.protocol.element import Element
from drivers.llrp.protocol.tables import MESSAGES_BY_NAME, PARAMETERS_BY_NAME, Definition

_ALIENS = ("Unknown", "Custom")


def problems(element: Element) -> list[str]:
    """What is missing from, too many in, or has no place in a message's body or a parameter; empty when all is well.

    A vendor's parameters may stand wherever ``Custom`` may; what is unknown is not judged.
    """
    definition = MESSAGES_BY_NAME.get(element.name) or PARAMETERS_BY_NAME.get(element.name)
    if definition is None:
        return []
    found = [f"{element.name}: {text}" for text in _own_problems(definition, element)]
    return found + [problem for child in element.children for problem in problems(child)]


def _own_problems(definition: Definition, element: Element) -> list[str]:
    found = []
    names = [child.name for child in element.children]
    allowed = {name for slot in definition.slots for name in slot.names}
    for slot in definition.slots:
        count = sum(name in slot.names for name in names)
        if count < slot.least:
            found.append(f"{' or '.join(slot.names)} missing")
        elif count > 1 and not slot.many:
            found.append(f"{count} of {' or '.join(slot.names)}, one is possible")
    strangers = [name for name in dict.fromkeys(names) if name not in allowed and not _alien(name, allowed)]
    return found + [f"{name} has no place here" for name in strangers]


def _alien(name: str, allowed: set[str]) -> bool:
    return name in _ALIENS or ("Custom" in allowed and PARAMETERS_BY_NAME[name].vendor != 0)
