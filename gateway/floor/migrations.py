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

from gateway.clock import NEVER
from gateway.events import former

Content: TypeAlias = dict[str, Any]
"""A section as plain data: JSON values, and bytes for the table of the tags and their timers.

``time``: antennas, zones, windows, readers, reader_history, pending, number, position, columns (bytes).
``presence``: presence, foreign, tags (a list of chunks), waiting, rivals (bytes). ``portals``: portals.
``counts``: counts, expected. ``gate``: manifests, shipped, watch, docks, or nothing where the gateway had no gate.
"""

Step: TypeAlias = Callable[[Content], Content]


def rebuild(content: Content) -> NoReturn:
    """The step that cannot be written. Raises `ValueError`."""
    raise ValueError("this release cannot read what that release wrote")


_RIVAL_1 = (
    "against", "ahead", "antenna", "at", "came", "first", "known", "last", "lead", "leading", "level", "looks", "mask",
    "peak", "reads", "record", "spread", "strongest", "usual",
)  # fmt: skip
_RIVAL_2 = (
    "against", "antenna", "at", "came", "first", "last", "lead", "level", "looks", "mask", "reads", "strongest",
)  # fmt: skip


_RIVAL_3 = (
    "against", "antenna", "at", "came", "first", "last", "lead", "level", "mask", "reads", "strongest", "looks",
)  # fmt: skip


def presence_1(content: Content) -> Content:
    """Rivals know no usual lead any more, and those that see the tag no more are not kept (algorithm presence/3)."""
    presence = dict(content["presence"])
    del presence["resting"]
    presence["rivals"] = [[slot, [_rival_1(view) for view in views]] for slot, views in presence["rivals"]]
    return content | {"presence": presence}


def _rival_1(view: list[Any]) -> list[Any]:
    values = dict(zip(_RIVAL_1, view, strict=True))
    return [values[name] for name in _RIVAL_2]


def presence_2(content: Content) -> Content:
    """The windows in which a rival saw the tag, once called looks, stand where the alphabet puts them."""
    presence = dict(content["presence"])
    presence["rivals"] = [[slot, [_rival_2(view) for view in views]] for slot, views in presence["rivals"]]
    return content | {"presence": presence}


def _rival_2(view: list[Any]) -> list[Any]:
    values = dict(zip(_RIVAL_2, view, strict=True))
    return [values[name] for name in _RIVAL_3]


def presence_3(content: Content) -> Content:
    """Rivals are in a part of their own; before, they stood with the rest of presence."""
    return content | {"rivals": b""}


def presence_4(content: Content) -> Content:
    """Rivals are in pieces, each a part, which an older release would not find."""
    return content


def counts_1(content: Content) -> Content:
    """Running counts follow tags by EPC, no longer by slot (algorithm count/4): their rounds begin again."""
    again = {"tags": [[], []], "near": [], "fresh": [], "rounds": 0, "blind": 0, "quiet": 0, "too_many": False}
    running = [count | again for count in content["counts"]["running"]]
    return content | {"counts": content["counts"] | {"running": running}}


def counts_2(content: Content) -> Content:
    """Counts may belong to a session of somebody who counts by hand, and handhelds are remembered."""
    return content | {"counts": content["counts"] | {"sessions": [], "handhelds": []}}


def portals_1(content: Content) -> Content:
    """Portals keep phases, and tracks say what was said of them while they are still read."""
    portals = content["portals"]
    for portal in portals["portals"].values():
        for track in [*portal["tracks"], *(finding["track"] for finding in portal["waiting"])]:
            track |= {"pairs": [], "newest": [], "leads": None, "leads_since": 0, "way": None}
    portals["phases"] = []
    return content


def portals_2(content: Content) -> Content:
    """What the antennas saw of a track are its sightings."""
    for portal in content["portals"]["portals"].values():
        for track in [*portal["tracks"], *(finding["track"] for finding in portal["waiting"])]:
            track["sightings"] = track.pop("looks")
    return content


def portals_3(content: Content) -> Content:
    """A tag that came and went back has turned back, one that stays is standing; photo-eyes are called that."""
    for portal in content["portals"]["portals"].values():
        portal["photo_eyes"] = portal.pop("beams")
        for crossing in portal["photo_eyes"]["crossings"]:
            crossing["direction"] = former.direction(crossing["direction"])
        for finding in portal["waiting"]:
            way = finding.pop("beams")
            finding["photo_eyes"] = None if way is None else former.direction(way)
    return content


def portals_4(content: Content) -> Content:
    """Portals weigh and judge in steps, so many tags in each: some are weighed ahead, and some wait for their turn."""
    for portal in content["portals"]["portals"].values():
        portal |= {"fired": 0, "ahead": [], "in_turn": []}
    return content


def portals_5(content: Content) -> Content:
    """Portals have learned how much better one side hears; of older ones nothing is known."""
    for portal in content["portals"]["portals"].values():
        portal |= {"balance": {"mean": 0.0, "number": 0}}
        portal["ahead"] = [[*entry, 0] for entry in portal["ahead"]]
    return content


def gate_1(content: Content) -> Content:
    """The passes that are kept with packages speak as passes do."""
    return {name: _proofs_1(value) for name, value in content.items()}


def _proofs_1(value: Any) -> Any:
    if isinstance(value, list):
        return [_proofs_1(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if value.get("source") == "portal" and "evidence" in value:
        return former.pass_proof(value)
    return {name: _proofs_1(entry) for name, entry in value.items()}


def time_1(content: Content) -> Content:
    """What is presumed of a reader, and its status now, are one word each; they were flags."""
    pasts = {reader: _past_of_flags(past) for reader, past in content["timeline"]["courses"].items()}
    history = {"antenna_clock": content["timeline"]["watch"], "readers": pasts}
    readers = {reader: _now_of_flags(entry) for reader, entry in content["readers"].items()}
    kept = {key: value for key, value in content.items() if key != "timeline"}
    return kept | {"reader_history": history, "readers": readers}


def time_2(content: Content) -> Content:
    """Open windows that are columns are in a part of their own; before, they stood with the others."""
    return content | {"columns": b""}


def time_3(content: Content) -> Content:
    """Antennas have habits; of older ones none is known yet."""
    habits = {"due": NEVER, "step": 60_000_000, "looked": 0, "habits": []}
    return content | {"reader_history": content["reader_history"] | {"habits": habits}}


def time_4(content: Content) -> Content:
    """Habits count bursts of others, no longer windows: what was known of the others' reads begins anew."""
    history = content["reader_history"]
    habits = [
        [antenna, place, last, last, at, 0, widest, 0.0, silent, 0, 0]
        for antenna, place, _, last, at, _, widest, _, silent in history["habits"]["habits"]
    ]
    return content | {"reader_history": history | {"habits": history["habits"] | {"habits": habits}}}


def _past_of_flags(past: Content) -> Content:
    kept = {key: value for key, value in past.items() if key not in ("announced", "up", "quiet", "alarm")}
    if past["up"]:
        presumed = "quiet" if past["quiet"] else "up" if past["announced"] else "reads-only"
    else:
        presumed = "alarmed" if past["alarm"] else "down" if past["announced"] else "unknown"
    return {"presumed": presumed} | kept


def _now_of_flags(entry: Content) -> Content:
    kept = {key: value for key, value in entry.items() if key not in ("up", "held")}
    status = "catching-up" if entry["held"] else {None: "unknown", True: "up", False: "down"}[entry["up"]]
    return {"status": status} | kept


STEPS: Final[Mapping[str, tuple[Step, ...]]] = {
    "time": (time_1, time_2, time_3, time_4),
    "presence": (presence_1, presence_2, presence_3, presence_4),
    "portals": (portals_1, portals_2, portals_3, portals_4, portals_5),
    "counts": (counts_1, counts_2),
    "books": (),
    "gate": (gate_1,),
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
