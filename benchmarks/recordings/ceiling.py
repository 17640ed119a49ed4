"""The ceiling: what the features of real passes would show to a network of the same kind that has seen the truth.

The learned layer of the product is fitted to simulated doors alone. Here a network of the same shape is fitted to the
recordings themselves, with a part of them left out, and judges that part: by the files (an eighth in turn; so too what
has no orientation), or by all that is of one speed, axis or orientation. Both are asked in the same way: a pass is
decided where the prior of the judge times the network's likelihood is CERTAIN. What neither decides is not in these
features of the reads; what only the second one decides is to be had from better worlds to train on. The second table
asks how many walks each decides if it must be as certain as lets at most one circle and nothing that stands through.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from benchmarks.learn.network import Network, as_set
from benchmarks.learn.samples import Sample, Story
from benchmarks.recordings.passes import Recording
from benchmarks.recordings.weighed import looks
from gateway.floor.portals.features import Features
from gateway.floor.portals.judge import USUAL
from gateway.floor.portals.learned import learned
from gateway.floor.portals.walk_model import Likelihood

CERTAIN = 0.9
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 0.998, 0.999, 2.0)
"""Certainties that are tried; at the last one nothing is decided."""

EPOCHS = 300
FILES = 8
"""Parts into which the files are divided."""

_STORIES = {"in": Story.IN, "out": Story.OUT}

Says: TypeAlias = Callable[[Features], Likelihood]

Judged: TypeAlias = tuple[str, Story, list[tuple[Story, float]]]
"""Of a recording: its kind, what the tag did, and for each stay the likelier way with its certainty."""


@dataclass(slots=True, frozen=True)
class Seen:
    """A recording with the features of each stay of its tag, judged when it was over."""

    recording: Recording
    stays: list[Features]

    @property
    def story(self) -> Story:
        """What the tag did."""
        moved = Story.BACK if self.recording.kind == "circle" else Story.STILL
        return _STORIES.get(self.recording.truth, moved)


def seen(recordings: Sequence[Recording]) -> list[Seen]:
    """The features of every recording in which the tag was read."""
    return [Seen(one, [look.features for look in looks(one, whole_only=True)[1]]) for one in recordings]


def lines(everything: Sequence[Seen]) -> Iterator[str]:
    """The table: for each kind, right and wrong of the product's network and of those that have seen the truth."""
    files = sorted({one.recording.name.split(" ")[0] for one in everything})
    part_of = {name: str(number % FILES) for number, name in enumerate(files)}
    folds: dict[str, Callable[[Recording], str]] = {
        "files": lambda one: part_of[one.name.split(" ")[0]],
        "speed": lambda one: one.parts["speed"],
        "axis": lambda one: one.parts["axis"],
        "orientation": lambda one: _known(one.parts["orientation"]) or part_of[one.name.split(" ")[0]],
    }
    judged = {"product": _judged(everything, lambda _: learned().likelihood)}
    for name, fold in folds.items():
        networks = {
            part: _fitted(everything, fold, part) for part in sorted({fold(one.recording) for one in everything})
        }
        judged[f"- {name}"] = _judged(everything, lambda one, n=networks, f=fold: n[f(one)])  # type: ignore[misc]
    yield f"\nThe ceiling: passes decided at {CERTAIN} by the learned layer alone, right and wrong"
    kinds = list(dict.fromkeys(one.recording.kind for one in everything))
    yield "  " + " " * 28 + "".join(f"{kind:>16}" for kind in kinds)
    labels = {"product": "fitted to simulations"} | {f"- {name}": f"truth seen, {name} left out" for name in folds}
    for name, those in judged.items():
        yield f"  {labels[name]:<28}" + _cells(_scores(those, CERTAIN), kinds)
    yield "  the same, as certain as it takes to let one circle through and nothing that stands"
    for name, those in judged.items():
        certain = next(certain for certain in THRESHOLDS if _lets_little_through(_scores(those, certain)))
        yield f"  {labels[name]:<28}" + _cells(_scores(those, certain), kinds) + f"   from {certain}"


def _known(part: str) -> str:
    return "" if part == "-" else f"orientation {part}"


def _cells(score: Counter[tuple[str, str]], kinds: Sequence[str]) -> str:
    return "".join(
        f"{score[kind, 'right']} / {score[kind, 'wrong']} of {score[kind, 'all']}".rjust(16) for kind in kinds
    )


def _judged(everything: Sequence[Seen], network: Callable[[Recording], Says]) -> list[Judged]:
    """What a network says of every recording."""
    return [
        (one.recording.kind, one.story, [_way(network(one.recording)(stay)) for stay in one.stays])
        for one in everything
    ]


def _scores(those: Sequence[Judged], certain: float) -> Counter[tuple[str, str]]:
    """How many of each kind are decided rightly and wrongly: of what does not pass, every decision is wrong."""
    found: Counter[tuple[str, str]] = Counter()
    for kind, story, stays in those:
        found[kind, "all"] += 1
        ways = Counter(way for way, certainty in stays if certainty >= certain)
        way = Story.IN if ways[Story.IN] > ways[Story.OUT] else Story.OUT
        if ways[Story.IN] != ways[Story.OUT]:
            found[kind, "right" if way is story else "wrong"] += 1
    return found


def _lets_little_through(score: Counter[tuple[str, str]]) -> bool:
    return score["circle", "wrong"] <= 1 and not score["standing", "wrong"] and not score["piece", "wrong"]


def _way(story: Likelihood) -> tuple[Story, float]:
    """The likelier way through, and how certain it is with what the judge expects beforehand."""
    shares = [
        USUAL.inward * story.inward,
        USUAL.outward * story.outward,
        USUAL.turned_back * story.turned_back,
        USUAL.standing * story.standing,
    ]
    best = max(range(2), key=lambda way: shares[way])
    return Story(best), shares[best] / sum(shares)


def _fitted(everything: Sequence[Seen], fold: Callable[[Recording], str], without: str) -> Says:
    """A network that was fitted to all but one part."""
    samples = [
        Sample(one.recording.kind, one.story, stay)
        for one in everything
        if fold(one.recording) != without
        for stay in one.stays
    ]
    data = as_set(samples)
    network = Network(data, 1)
    network.fit(data, EPOCHS)

    def says(stay: Features) -> Likelihood:
        shares = network.likelihoods(as_set([Sample("", Story.STILL, stay)]))
        return Likelihood(*np.asarray(shares)[0].tolist())

    return says
