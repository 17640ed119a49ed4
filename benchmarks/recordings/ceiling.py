"""The ceiling: what the features of real passes would show to a network of the same kind that has seen the truth.

The learned layer of the product is fitted to simulated doors alone. Here a network of the same shape is fitted to the
recordings themselves, with a part of them left out, and judges that part: by the files (an eighth in turn; so too what
has no orientation), or by all that is of one speed, axis or orientation. Both are asked in the same way: a pass is
decided where the prior of the judge times the network's likelihood is CERTAIN. What neither decides is not in these
features of the reads; what only the second one decides is to be had from better worlds to train on.
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
EPOCHS = 300
FILES = 8
"""Parts into which the files are divided."""

_STORIES = {"in": Story.IN, "out": Story.OUT}

Says: TypeAlias = Callable[[Features], Likelihood]


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
    judged = {"product": _scores(everything, lambda _: learned().likelihood)}
    for name, fold in folds.items():
        networks = {
            part: _fitted(everything, fold, part) for part in sorted({fold(one.recording) for one in everything})
        }
        judged[f"- {name}"] = _scores(everything, lambda one, n=networks, f=fold: n[f(one)])  # type: ignore[misc]
    yield f"\nThe ceiling: passes decided at {CERTAIN} by the learned layer alone, right and wrong"
    kinds = list(dict.fromkeys(one.recording.kind for one in everything))
    yield "  " + " " * 28 + "".join(f"{kind:>16}" for kind in kinds)
    labels = {"product": "fitted to simulations"} | {f"- {name}": f"truth seen, {name} left out" for name in folds}
    for name, score in judged.items():
        cells = (f"{score[kind, 'right']} / {score[kind, 'wrong']} of {score[kind, 'all']}" for kind in kinds)
        yield f"  {labels[name]:<28}" + "".join(f"{cell:>16}" for cell in cells)


def _known(part: str) -> str:
    return "" if part == "-" else f"orientation {part}"


def _scores(everything: Sequence[Seen], network: Callable[[Recording], Says]) -> Counter[tuple[str, str]]:
    """How many of each kind were decided rightly and wrongly: of what does not pass, every decision is wrong."""
    found: Counter[tuple[str, str]] = Counter()
    for one in everything:
        kind, says = one.recording.kind, network(one.recording)
        found[kind, "all"] += 1
        ways = Counter(way for stay in one.stays if (way := _way(says(stay))) is not None)
        way = Story.IN if ways[Story.IN] > ways[Story.OUT] else Story.OUT
        if ways[Story.IN] != ways[Story.OUT]:
            found[kind, "right" if way is one.story else "wrong"] += 1
    return found


def _way(story: Likelihood) -> Story | None:
    """The way that a likelihood decides, with what the judge expects beforehand."""
    shares = [
        USUAL.inward * story.inward,
        USUAL.outward * story.outward,
        USUAL.turned_back * story.turned_back,
        USUAL.standing * story.standing,
    ]
    best = max(range(2), key=lambda way: shares[way])
    return Story(best) if shares[best] >= CERTAIN * sum(shares) else None


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
