"""What is said of a reader beside its events: what its configuration told, what it refused, what others do to it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from drivers.api import AntennaStatus, Item, ReaderCondition, ReaderUp
from drivers.comprehension import UNREADABLE_REPORTS
from drivers.llrp.capabilities import Capabilities
from drivers.llrp.commands import NO_ANSWER, Refusal, text
from drivers.llrp.memory import Memory
from drivers.llrp.protocol.element import Element
from drivers.llrp.setup import Setup

FOREIGN_ACCESS_SPEC = "foreign-access-spec"
"""AccessSpecs that are not ours are in the reader and stay there."""

FOREIGN_ACCESS = "foreign-access"
"""Reports carry results of AccessSpecs that are not ours."""

FOREIGN_ROSPEC = "foreign-rospec"
"""ROSpecs that are not ours are in the reader and stay there: it may read as they say, not as we say."""

SETTINGS_REFUSED = "settings-refused"
"""Something that the reader was to do, it refused."""


def up(reader: str, now: int, what: Capabilities, *, held: bool) -> ReaderUp:
    """The reader is set up. `held`: reads of before come first."""
    return ReaderUp(reader, now, held, what.model_name, text(what.firmware))


def antennas(reader: str, now: int, found: Element, used: Collection[int]) -> list[Item]:
    """The antennas in use as the reader reported them when it was asked for its configuration."""
    items: list[Item] = []
    for antenna in found.all("AntennaProperties"):
        if antenna["AntennaID"] in used:
            up = bool(antenna["AntennaConnected"])
            reason = "" if up else "the reader reports it disconnected"
            items.append(AntennaStatus(reader, now, antenna["AntennaID"], up, reason))
    return items


def conditions(reader: str, now: int, setup: Setup, memory: Memory) -> list[Item]:
    """Settings that the reader refused, and specs of others that stay; and that they do so no more."""
    items: list[Item] = []
    for name, what in (
        (SETTINGS_REFUSED, ", ".join(setup.left_out)),
        (FOREIGN_ROSPEC, ", ".join(map(str, sorted(setup.specs.foreign)))),
        (FOREIGN_ACCESS_SPEC, ", ".join(map(str, setup.specs.foreign_access))),
    ):
        if what or name in memory.lasting:
            items.append(ReaderCondition(reader, now, name, bool(what), what))
            (memory.lasting.add if what else memory.lasting.discard)(name)
    return items


def not_switched(refusal: Refusal) -> str:
    """What became of an output that the reader was told to switch, behind its name: without an answer nobody knows."""
    if refusal is NO_ANSWER:
        return "may or may not have switched: no answer from the reader"
    return f"was not switched: {refusal}"


def unreadable(reader: str, now: int) -> ReaderCondition:
    """Some of the reader's reports cannot be read."""
    return ReaderCondition(reader, now, UNREADABLE_REPORTS, True, "tag reports cannot be read; the log has an example")


def inputs(found: Element) -> list[tuple[int, bool]]:
    """The general purpose inputs of which the reader knows the level, and that."""
    return [
        (port["GPIPortNum"], bool(port["State"]))
        for port in found.all("GPIPortCurrentState")
        if port["State"] in (0, 1)  # 2 is unknown
    ]


def foreign_access(reader: str, now: int, specs: Iterable[int]) -> ReaderCondition:
    """Another program acts on tags while we read."""
    named = ", ".join(map(str, sorted(specs)))
    detail = f"another program's AccessSpec ({named}) reads or writes tags while we read: remove it"
    return ReaderCondition(reader, now, FOREIGN_ACCESS, True, detail)
