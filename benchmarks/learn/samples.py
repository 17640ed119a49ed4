"""What the floor saw of each tag at the portal of a training world, and what the tag really did meanwhile."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from random import Random
from typing import Any
from unittest.mock import patch

from benchmarks.learn.worlds import Kind, build
from benchmarks.radio import RadioTag, Run, run
from benchmarks.radio.world import EPOCH
from drivers.api import Batch, Item, Row
from gateway.clock import SECOND
from gateway.config import Config
from gateway.floor.portals import finding as finding_module
from gateway.floor.portals import portal as portal_module
from gateway.floor.portals.features import Features
from gateway.floor.portals.finding import Finding, Scales
from gateway.floor.portals.walk_model import NOTHING, Likelihood
from gateway.replay import replay_facts

_SLACK = 1.5
"""Seconds before the first read and after the last in which a crossing still belongs to them."""

SHARES = (1.0, 0.5, 0.25, 0.12, 0.12)
"""Shares of the reads that are kept, each as often as the others."""

BLURS = (0.03, 0.1, 0.2, 0.3)
"""Standard deviations of what is added to the phases, in turns, each as often as the others: real phases are rougher
than those of a few paths, so that only just more than half of the pairs lie less than a quarter of a turn apart."""

FIT_DOPPLERS = (None, 0.2, 0.4, 0.6, 1.0)
"""Shares of the Doppler shifts that are true to some five hertz, each as often as the others; None where the reader
reports none. The others are those of reads that were over too soon."""

SKETCHED = "sketch"
"""How the names of the kinds begin that are drawn and not played."""

STAYS = 0.5
"""Metres from end to end of the way of a tag that stands or turns where it is."""

_MOVES = 0.05
"""Metres a second that are more than standing."""


class _Unlearned:
    """In place of the learned layer: what is trained on must not depend on what was learned before."""

    def likelihood(self, found: Features) -> Likelihood:
        return NOTHING

    def decided_by(self, found: Features) -> dict[str, float]:
        return {}


class Story(IntEnum):
    """What a tag did, in the order of the learned layer's outputs."""

    IN = 0
    OUT = 1
    BACK = 2
    STILL = 3


@dataclass(slots=True, frozen=True)
class Sample:
    """One tag at a portal, from first read to last. `kind` names its world."""

    kind: str
    story: Story
    features: Features


def samples(kind: Kind, seed: str) -> Iterator[Sample]:
    """The samples of one world."""
    trial = build(kind, Random(f"{seed}/{kind.name}"))
    played = run(trial.world, f"{seed}/{kind.name}")
    tags = {tag.epc: tag for tag in trial.world.tags}
    kept = {tag.epc for tag in trial.world.tags[: kind.kept]}
    items = _thinned(played.items, Random(f"{seed}/{kind.name}/thinned"))
    for scales, finding, gone in _weighed(Config.model_validate(trial.config), items):
        track = finding.track
        if not track.sightings or finding.case.cut or track.epc not in kept:
            continue
        start, end = ((t - EPOCH) / SECOND for t in (track.since, track.last))
        story = _story(tags[track.epc], played, start, end)
        if story is not None and not (kind.walk == "loop" and story <= Story.OUT):  # half a loop is no pass
            yield Sample(kind.name, story, scales.shape(track, finding.case.walk, gone=gone))


def _thinned(items: Sequence[Item], random: Random) -> Iterator[Item]:
    """The items with only a share of their reads and with rougher phases, as rough in all of a world: readers differ in
    how fast they read, and rooms in how many tags share the air."""
    share, blur = random.choice(SHARES), random.choice(BLURS)
    good = random.choice(FIT_DOPPLERS)
    for item in items:
        if isinstance(item, Batch):
            rows = [row for row in item.rows if random.random() < share]
            item = replace(item, rows=[_blurred(row, blur, good, random) for row in rows] if item.phase else rows)
        yield item


def _blurred(row: Row, blur: float, good: float | None, random: Random) -> Row:
    """The same read with a rougher phase and Doppler shift."""
    phase = round(row[6] + random.gauss(0.0, blur) * 4096) % 4096
    shift = 0 if good is None else round(row[7] + 16 * random.gauss(0.0, 5.0 if random.random() < good else 100.0))
    return (*row[:6], phase, shift)


def _weighed(config: Config, items: Iterable[Item]) -> list[tuple[Scales, Finding, bool]]:
    """Everything that the portals of a floor weighed, as they did it."""
    found: list[tuple[Scales, Finding, bool]] = []
    weigh = Scales.weigh

    def seen(scales: Scales, track: Any, t: int, *, gone: bool) -> Finding:
        finding = weigh(scales, track, t, gone=gone)
        copy = replace(track, sightings=list(track.sightings))  # the portal goes on with its own
        found.append((scales, replace(finding, track=copy), gone))
        return finding

    whole_only = patch.object(portal_module, "is_watched", lambda track, tags: False)
    with patch.object(Scales, "weigh", seen), patch.object(finding_module, "learned", _Unlearned), whole_only:
        for _ in replay_facts(config, items):
            pass
    return found


def _story(tag: RadioTag, played: Run, start: float, end: float) -> Story | None:
    """What a tag did between two times; None where that is no single story."""
    if _extent(tag) < STAYS:
        return Story.STILL
    signs = [
        sign
        for transit in played.truth.transits
        if transit.uid == tag.uid
        for when, sign in transit.crossings
        if start - _SLACK <= when <= end + _SLACK
    ]
    if abs(sum(signs)) > 1:
        return None
    if sum(signs):
        return Story.IN if sum(signs) > 0 else Story.OUT
    speeds = (math.hypot(*tag.path.velocity(start + (end - start) * share / 20)[:2]) for share in range(21))
    return Story.BACK if signs or max(speeds) > _MOVES else Story.STILL


def _extent(tag: RadioTag) -> float:
    """Metres from end to end of the way of a tag."""
    _, xs, ys, _ = zip(*tag.path.points, strict=True)
    return float(max(max(xs) - min(xs), max(ys) - min(ys)))
