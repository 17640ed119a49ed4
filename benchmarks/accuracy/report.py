"""The tables, for people and as JSON."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.accuracy.figures import calibration_error, quantile, reliability, wilson
from benchmarks.accuracy.rules import RULES
from benchmarks.accuracy.tally import Row, Tally

_ROWS = ("passing", "turning", "standing", "at the other door", "beside any attempt")


def tables(tallies: Sequence[Tally]) -> Iterator[str]:
    """The lines of the report; tables of families that were not played are left out."""
    doors = [tally for tally in tallies if tally.rows]
    if doors:
        yield from _passes(doors)
        yield from _rules(doors)
        yield from _calibration(doors)
        yield from _groups(doors)
        yield from _summary(doors)
    rooms = [tally for tally in tallies if tally.presence]
    if rooms:
        yield from _presence(rooms)
    if any(tally.counts for tally in tallies):
        yield from _counts([tally for tally in tallies if tally.counts])


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]
    yield ""
    yield title
    for line in (head, ["-" * width for width in widths], *rows):
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        yield "  ".join(cells).rstrip()


def _kinds(tally: Tally) -> Iterator[tuple[str, Row]]:
    for kind in _ROWS:
        if kind in tally.rows:
            yield kind, tally.rows[kind]


def _passes(tallies: Sequence[Tally]) -> Iterator[str]:
    rows = []
    for tally in tallies:
        for kind, row in _kinds(tally):
            results = row.results
            rows.append(
                [
                    f"{'* ' if tally.scene.ordinary else '  '}{tally.scene.name}",
                    kind,
                    f"{row.passes}",
                    f"{results['unread']}",
                    *_judged(row),
                ]
            )
    head = [
        "  scene",
        "tags",
        "passes",
        "unread",
        "decided %",
        "right %",
        "(95 %)",
        "wrong",
        "undet.",
        "silent",
        "false",
        "after s (90 %)",
    ]
    yield from _table(
        "Passes (* ordinary scene; passes: read at all; false: published, but none; after: crossing to publication)",
        head,
        rows,
    )


def _judged(row: Row) -> list[str]:
    results = row.results
    if results["unjudged"]:
        return ["-"] * 8
    low, high = wilson(results["right"], row.decided)
    return [
        _share(row.decided, row.passes),
        _share(results["right"], row.decided),
        f"{100 * low:.1f}-{100 * high:.1f}",
        f"{results['wrong']}",
        f"{results['abstained']}",
        f"{results['silent']}",
        f"{row.false_passages}",
        f"{quantile(row.delays, 0.5):.1f} ({quantile(row.delays, 0.9):.1f})" if row.delays else "-",
    ]


def _rules(tallies: Sequence[Tally]) -> Iterator[str]:
    rows = []
    for tally in tallies:
        for kind, row in _kinds(tally):
            if row.rules:
                rows.append([f"  {tally.scene.name}", kind, *(_rule(row.rules[rule]) for rule in RULES)])
    title = "Simple rules on the same reads: right % of what they decided (decided %)"
    yield from _table(title, ["  scene", "tags", *RULES], rows)


def _rule(results: Counter[str]) -> str:
    decided = results["right"] + results["wrong"]
    return f"{_share(results['right'], decided)} ({_share(decided, decided + results['abstained'], 0)})"


def _calibration(tallies: Sequence[Tally]) -> Iterator[str]:
    bins = reliability(one for tally in tallies for row in tally.rows.values() for one in row.confidences)
    if not bins:
        return
    rows = []
    for one in bins:
        low, high = wilson(one.right, one.number)
        rows.append(
            [
                f"  {one.low:.3f}-{one.high:.3f}",
                f"{one.number}",
                f"{one.confidence:.4f}",
                f"{one.right / one.number:.4f}",
                f"{low:.3f}-{high:.3f}",
            ]
        )
    yield from _table(
        "Calibration of decided passes, all scenes", ["  confidence", "number", "mean", "right", "(95 %)"], rows
    )
    yield f"  expected calibration error {calibration_error(bins):.4f}"


def _groups(tallies: Sequence[Tally]) -> Iterator[str]:
    rows = []
    for tally in tallies:
        if tally.groups:
            members, listed = sum(g.members for g in tally.groups), sum(g.listed for g in tally.groups)
            foreign = sum(g.foreign for g in tally.groups)
            rows.append(
                [
                    f"  {tally.scene.name}",
                    f"{len(tally.groups)}",
                    f"{members}",
                    _share(listed, members),
                    f"{foreign}",
                    _share(foreign, listed + foreign),
                ]
            )
    if rows:
        head = ["  scene", "convoys", "members read", "listed %", "foreign", "foreign %"]
        yield from _table("Groups: the published group that has most of each convoy", head, rows)


def _summary(tallies: Sequence[Tally]) -> Iterator[str]:
    ordinary, still, other = Row(), Row(), Row()
    for tally in tallies:
        for kind, row in _kinds(tally):
            into = other if kind == "at the other door" else still if kind in ("turning", "standing") else None
            if kind == "passing" and tally.scene.ordinary:
                into = ordinary
            if into is not None:
                into.join(row)
    yield ""
    yield "Together"
    if not ordinary.results["unjudged"]:
        yield f"  ordinary scenes:             {_line(ordinary)}"
        yield f"  turning and standing:        {still.passes} passes, {still.false_passages} published as a passage"
        yield f"  heard at the other dock too: {other.passes} tags, {other.false_passages} published as passing there"
    else:
        yield "  the floor has no portals yet: only the simple rules were weighed"


def _line(row: Row) -> str:
    low, high = wilson(row.results["right"], row.decided)
    return (
        f"{row.passes} passes, {_share(row.decided, row.passes)} % decided, "
        f"{_share(row.results['right'], row.decided, 2)} % of them right ({100 * low:.2f}-{100 * high:.2f})"
    )


def _presence(tallies: Sequence[Tally]) -> Iterator[str]:
    rows = []
    for tally in tallies:
        for judge, one in tally.presence.items():
            hours = max(one.tag_hours, 1e-9)
            rows.append(
                [
                    f"  {tally.scene.name}",
                    judge,
                    f"{one.tag_hours:.0f}",
                    f"{one.false_departed} ({one.false_departed / hours:.3f})",
                    f"{one.false_moved} ({one.false_moved / hours:.3f})",
                    f"{one.false_not_seen} ({one.false_not_seen / hours:.3f})",
                    f"{one.leavings}" if one.leavings else "-",
                    *_delays(one.noticed, one.leavings, one.delays),
                    *_delays(one.departed, one.leavings, one.departed_delays),
                ]
            )
    head = [
        "  scene",
        "judge",
        "tag-hours",
        "false departed (/h)",
        "false moved (/h)",
        "not seen (/h)",
        "leavings",
        "noticed %",
        "after s (90 %)",
        "departed %",
        "after s (90 %)",
    ]
    title = "Presence (/h: for each tag-hour; not seen: while it was there, which is no error where nothing read it)"
    yield from _table(title, head, rows)


def _delays(found: int, leavings: int, delays: Sequence[float]) -> list[str]:
    if not leavings:
        return ["-", "-"]
    return [_share(found, leavings), f"{quantile(delays, 0.5):.0f} ({quantile(delays, 0.9):.0f})" if delays else "-"]


def _counts(tallies: Sequence[Tally]) -> Iterator[str]:
    rows = []
    for tally in tallies:
        counts = tally.counts
        number = len(counts)
        estimates = [(c.true, *c.estimate) for c in counts if c.estimate is not None]
        covered = sum(1 for true, _, least, most in estimates if least <= true <= most)
        low, high = wilson(covered, len(estimates))
        rows.append(
            [
                f"  {tally.scene.name}",
                f"{number}",
                f"{sum(c.true for c in counts) / number:.0f}",
                f"{sum(c.read - c.true for c in counts) / number:+.1f}",
                f"{sum(c.population - c.true for c in counts) / number:+.1f}",
                f"{sum(value - true for true, value, _, _ in estimates) / len(estimates):+.1f}" if estimates else "-",
                f"{sum(most - least for _, _, least, most in estimates) / len(estimates):.1f}" if estimates else "-",
                f"{_share(covered, len(estimates), 0)} ({100 * low:.0f}-{100 * high:.0f})" if estimates else "-",
                f"{sum(c.lasted for c in counts) / number:.0f}",
            ]
        )
    head = ["  scene", "counts", "true", "read", "population", "estimate", "interval", "covered %", "lasted s"]
    yield from _table(
        "Counts (mean error against the truth; width of the interval and how often it holds the truth)", head, rows
    )


def _share(part: int, whole: int, digits: int = 1) -> str:
    return f"{100 * part / whole:.{digits}f}" if whole else "-"


def as_json(tallies: Sequence[Tally]) -> dict[str, Any]:
    """Every figure of the tables, by scene; shares are left to the reader."""
    return {
        tally.scene.name: {
            "family": tally.scene.family,
            "ordinary": tally.scene.ordinary,
            "trials": tally.trials,
            "reads": tally.reads,
            "passes": {
                kind: {
                    "results": dict(row.results),
                    "false_passages": row.false_passages,
                    "rules": {rule: dict(results) for rule, results in row.rules.items()},
                    "delay_median": _number(quantile(row.delays, 0.5)),
                    "reliability": [
                        [one.low, one.high, one.number, one.right, one.confidence]
                        for one in reliability(row.confidences)
                    ],
                }
                for kind, row in tally.rows.items()
            },
            "groups": [[one.members, one.listed, one.foreign] for one in tally.groups],
            "presence": {
                judge: {
                    "tag_hours": one.tag_hours,
                    "false_departed": one.false_departed,
                    "false_moved": one.false_moved,
                    "false_not_seen": one.false_not_seen,
                    "leavings": one.leavings,
                    "noticed": one.noticed,
                    "departed": one.departed,
                    "delay": [_number(quantile(one.delays, share)) for share in (0.5, 0.9)],
                    "departed_delay": [_number(quantile(one.departed_delays, share)) for share in (0.5, 0.9)],
                }
                for judge, one in tally.presence.items()
            },
            "counts": [[one.true, one.read, one.population, one.estimate, one.lasted] for one in tally.counts],
        }
        for tally in tallies
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 3)
