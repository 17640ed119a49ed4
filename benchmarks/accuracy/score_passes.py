"""What a trial at doors says about passes: one outcome for each attempt of each tag at each door."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from benchmarks.accuracy.judge import Said, Verdict
from benchmarks.accuracy.match import Weighed, weigh
from benchmarks.accuracy.rules import RULES
from benchmarks.accuracy.site import Door
from benchmarks.accuracy.trial import Trial
from benchmarks.radio import Run, Transit
from drivers.emulators.scene import SECOND, Seen

_BESIDE = 6.0
"""Seconds before and after a transit in which its reads may lie: the radio sees further than the doorway reaches."""


@dataclass(slots=True)
class PassOutcome:
    """`row`: which line of the scene it belongs to. `confidences`: of each decided verdict, and whether it held.
    `rules`: right, wrong or abstained for each simple rule. `delay`: from the last
    crossing to the publication, in seconds. `taken_back`: the false passage was, by a `revised`."""

    row: str
    weight: int
    result: str
    false_passage: bool
    confidences: list[tuple[float, bool]] = field(default_factory=list)
    rules: dict[str, str] = field(default_factory=dict)
    delay: float | None = None
    taken_back: bool = False


@dataclass(slots=True)
class GroupOutcome:
    """A convoy: how many of its read members are in the best group of the floor, and how many in there are not its."""

    members: int
    listed: int
    foreign: int


def score_passes(trial: Trial, run: Run, said: Said) -> list[PassOutcome]:
    """What became of each pass of a trial, held against the way that its tag went."""
    found: list[PassOutcome] = []
    for door in trial.doors:
        name = door.doorway.name
        reads = _by_tag(run.reads[door.reader.name])
        transits = _by(run.truth.transits, name)
        verdicts = {
            uid: list(group)
            for uid, group in groupby(
                sorted((v for v in said.verdicts if v.portal == name), key=lambda v: (v.uid, v.first)),
                key=lambda v: v.uid,
            )
        }
        for tag in trial.world.tags:
            mine = reads.get(tag.uid, [])
            true = transits.get(tag.uid, [])
            found += _tag(trial, door, mine, true, verdicts.get(tag.uid, []), said.judged)
    return found


def _tag(
    trial: Trial, door: Door, reads: list[Seen], transits: list[Transit], verdicts: list[Verdict], judged: bool
) -> Iterator[PassOutcome]:
    windows = _windows(transits, reads)
    read = [transit for transit in transits if windows[transit]]
    for transit in transits:
        if transit not in read:
            yield PassOutcome(_row(transit), 1, "unread", False)
    if not transits and reads and trial.neighbours:
        claims = [verdict for verdict in verdicts if verdict.direction in ("in", "out")]
        result = "wrong" if claims else "right" if judged else "unjudged"
        yield PassOutcome("at the other door", 1, result, bool(claims), rules=_rules(door, "turned_back", reads))
        return
    for weighed in weigh(read, verdicts):
        if not weighed.transits:
            claims = [verdict for verdict in weighed.verdicts if verdict.direction in ("in", "out")]
            if claims:
                yield PassOutcome(
                    "beside any attempt", len(claims), "wrong", True, [(v.confidence, False) for v in claims]
                )
            continue
        yield _outcome(door, weighed, windows, judged)


def _outcome(door: Door, weighed: Weighed, windows: dict[Transit, list[Seen]], judged: bool) -> PassOutcome:
    row = _row(weighed.transits[0])
    result = weighed.result
    if not judged:
        result = "unjudged"
    elif result == "silent" and row == "standing":
        result = "right"  # what stands there is muted
    held = result == "right"
    outcome = PassOutcome(
        row=row,
        weight=len(weighed.transits),
        result=result,
        false_passage=weighed.false_passage,
        taken_back=weighed.taken_back,
        confidences=[(v.confidence, held) for v in weighed.verdicts if v.direction != "undetermined"],
        rules={}
        if len(weighed.transits) > 1
        else _rules(door, weighed.transits[0].direction, windows[weighed.transits[0]]),
    )
    if weighed.passage and held and weighed.transits[-1].crossings:
        outcome.delay = weighed.verdicts[-1].said - weighed.transits[-1].crossings[-1][0]
    return outcome


def _rules(door: Door, truth: str, reads: Sequence[Seen]) -> dict[str, str]:
    results = {}
    for name, rule in RULES.items():
        claim = rule(reads, door.sides)
        same = claim == truth or (claim == "turned_back" and truth == "standing")
        results[name] = "abstained" if claim is None else "right" if same else "wrong"
    return results


def _row(transit: Transit) -> str:
    return {"in": "passing", "out": "passing", "turned_back": "turning", "standing": "standing"}[transit.direction]


def _windows(transits: Sequence[Transit], reads: Sequence[Seen]) -> dict[Transit, list[Seen]]:
    """The reads of each transit: those about it, up to half way to the next one."""
    windows = {}
    for number, transit in enumerate(transits):
        low, high = transit.start - _BESIDE, transit.end + _BESIDE
        if number:
            low = max(low, (transits[number - 1].end + transit.start) / 2)
        if number + 1 < len(transits):
            high = min(high, (transit.end + transits[number + 1].start) / 2)
        windows[transit] = [read for read in reads if low * SECOND <= read.time < high * SECOND]
    return windows


def _by_tag(reads: Sequence[Seen]) -> dict[str, list[Seen]]:
    by: dict[str, list[Seen]] = {}
    for read in reads:
        by.setdefault(read.epc.hex().upper(), []).append(read)
    return by


def _by(transits: Sequence[Transit], door: str) -> dict[str, list[Transit]]:
    by: dict[str, list[Transit]] = {}
    for transit in transits:
        if transit.doorway == door:
            by.setdefault(transit.uid, []).append(transit)
    return by


def score_groups(trial: Trial, run: Run, said: Said) -> list[GroupOutcome]:
    """Each true convoy against the published group that shares most of it."""
    read = {seen.epc.hex().upper() for reads in run.reads.values() for seen in reads}
    found = []
    for convoy in trial.groups:
        there = convoy & read
        if len(there) < 2:
            continue
        best = max(
            (set(group["members"]) for group in said.groups), key=lambda group: len(group & there), default=set()
        )
        found.append(GroupOutcome(len(there), len(best & there), len(best - convoy) if best & there else 0))
    return found
