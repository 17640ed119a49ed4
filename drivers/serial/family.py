"""What a family of serial readers is: one object in the family's folder, found there by whoever needs the families.

A folder of `drivers.serial` whose package has a `FAMILY` is a family: its driver is what the entry point names
(`FAMILY`'s factory, as `FACTORY`), its frames are recognised on a port that is configured as something else.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import drivers.serial as home
from drivers.serial.framing import Framing
from drivers.serial.session import Session
from drivers.serial.settings import SerialSettings


@dataclass(slots=True, frozen=True)
class Family:
    """One family of readers.

    `framing` makes the frames that the driver works with. `probe` gives the size of the frame that is whole at a place
    of some bytes with a right check, of either side and of any command, 0 if none is: it tells a port that speaks it.
    """

    name: str
    settings: type[SerialSettings]
    framing: Callable[[], Framing]
    session: type[Session[Any]]
    probe: Callable[[bytes, int], int]


@cache
def families() -> dict[str, Family]:
    """The families by name."""
    return {family.name: family for family in _found()}


def _found() -> Iterator[Family]:
    for module in pkgutil.iter_modules(home.__path__):
        if module.ispkg:
            family = getattr(importlib.import_module(f"{home.__name__}.{module.name}"), "FAMILY", None)
            if isinstance(family, Family):
                yield family
