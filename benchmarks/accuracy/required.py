"""What must hold at doors, beside what was found: the last table of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.accuracy.figures import quantile
from benchmarks.accuracy.tally import Row, Tally

BY_HAND = ("by hand, slow (0.3-0.8 m/s)", "by hand, brisk (0.8-1.6 m/s)", "by hand, fast (1.6-2.5 m/s)")
TURNING = ("comes near, goes back", "half across, goes back", "across and back", "in circles")

DECIDED = (
    ("carried by hand: decided", 80, BY_HAND),
    ("two docks side by side", 75, ("adjacent docks",)),
    ("one dead antenna of four", 65, ("one dead antenna of 4",)),
    ("pallets of 60", 70, ("pallet of 60",)),
)
"""What is measured, the percentage that must be decided, and the scenes that it is measured in."""


def lines(tallies: Sequence[Tally]) -> Iterator[str]:
    """The table, for as much of it as was played."""
    rows = [*_decided(tallies), *_turning(tallies), *_in_time(tallies)]
    if rows:
        yield "\n| what | must be | is |\n|---|---|---|"
        yield from (f"| {what} | {must} | {found} |" for what, must, found in rows)


def _decided(tallies: Sequence[Tally]) -> Iterator[tuple[str, str, str]]:
    right = wrong = 0
    for what, must, scenes in DECIDED:
        row = _together(tallies, scenes, "passing")
        if row.passes:
            right, wrong = right + row.results["right"], wrong + row.results["wrong"]
            yield what, f"{must} %", f"{100 * row.decided / row.passes:.1f} % of {row.passes}"
    if right + wrong:
        yield "- right, of those", "99.5 %", f"{100 * right / (right + wrong):.2f} %, {wrong} wrong"


def _turning(tallies: Sequence[Tally]) -> Iterator[tuple[str, str, str]]:
    row = _together(tallies, TURNING, "turning")
    if row.passes:
        said = f"{100 * row.false_passages / row.passes:.1f} %, {row.false_passages} of {row.passes}"
        yield "turned around: said to pass", "at most 1 %", said
        left = row.false_passages - row.taken_back
        yield "- and not taken back by a `revised`", "", f"{100 * left / row.passes:.1f} %, {left}"


def _in_time(tallies: Sequence[Tally]) -> Iterator[tuple[str, str, str]]:
    delays = _together(tallies, BY_HAND, "passing").delays
    if delays:
        found = f"{quantile(delays, 0.5):.1f} s, {quantile(delays, 0.9):.1f} s"
        yield "by hand, from the crossing to the statement: median, 90 %", "4 s, 8 s", found


def _together(tallies: Sequence[Tally], scenes: Sequence[str], kind: str) -> Row:
    total = Row()
    for tally in tallies:
        if tally.scene.name in scenes and kind in tally.rows:
            total.join(tally.rows[kind])
    return total
