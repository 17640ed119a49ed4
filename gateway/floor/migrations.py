"""How the sections of an older checkpoint become those of today: numbered steps, one list for each section.

A section is the saved state of one room of the floor, with a version of its own: ``1 + len(STEPS[section])``. Step
number n takes what `Checkpoint` opens of the section from version n to n + 1. A step that has been released is never
edited; the next one is added behind it. `rebuild` stands where no step can be written: that section is then built
again from the ledger's events. `tests/fixtures/releases` keeps a checkpoint of every release, and a test opens each.

To change the format of a section: write the step, add it to the list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn, TypeAlias

Content: TypeAlias = dict[str, Any]
"""A section as plain data: JSON values, and bytes for the table of the tags and their timers.

``time``: antennas, zones, windows, readers, timeline, pending, number, position. ``presence``: presence, foreign,
tags (a list of chunks), waiting. ``portals``: portals. ``counts``: counts, expected. ``gate``: manifests, shipped,
watch, docks, or nothing where the gateway had no gate.
"""

Step: TypeAlias = Callable[[Content], Content]


def rebuild(content: Content) -> NoReturn:
    """The step that cannot be written. Raises `ValueError`."""
    raise ValueError("this release cannot read what that release wrote")


STEPS: Final[Mapping[str, tuple[Step, ...]]] = {
    "time": (),
    "presence": (),
    "portals": (),
    "counts": (),
    "gate": (),
}
"""In the order in which the sections are loaded."""


def version(section: str) -> int:
    """The version that this release writes."""
    return 1 + len(STEPS[section])


def migrated(section: str, content: Content, written: int) -> Content:
    """`content` of version `written` as of today's version. Raises what a step raises."""
    for step in STEPS[section][written - 1 :]:
        content = step(content)
    return content
