"""``python -m benchmarks.learn``: makes the training worlds, fits the learned layer and writes its weights."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import orjson

from benchmarks.learn.network import Network, Set, as_set
from benchmarks.learn.samples import Sample, Story, samples
from benchmarks.learn.sketches import drawn
from benchmarks.learn.worlds import KINDS, Kind
from gateway.floor import portals
from gateway.floor.portals.learned import WEIGHTS

EPOCHS = 400
"""Steps of the fit. The loss on other worlds is level from three hundred on."""

NETWORKS = 3
"""Networks that are fitted from different beginnings, and joined."""

SKETCHES, OF_A_PART = 300, 100
"""Parts of which the sketches are drawn, and how many to a part."""

Task: TypeAlias = tuple[Kind, str | tuple[int, int], bool]
"""A kind of world and its seed, or the seed and the part of the sketches; and whether they are held out."""

HELD = 5
"""One world in so many is not trained on and gives the figures in the file."""

CERTAIN = 0.9


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains, prints the figures and writes the file."""
    options = _options(arguments)
    began = time.monotonic()
    tasks: list[Task] = [
        (kind, f"{options.seed}/{number}", number % HELD == 0)
        for kind in KINDS
        for number in range(round(kind.trials * options.times))
    ]
    seed = int.from_bytes(options.seed.encode(), "big")
    tasks += [(KINDS[0], (seed, part), part % HELD == 0) for part in range(round(SKETCHES * options.times))]
    fitted: list[Sample] = []
    held: list[Sample] = []
    for found, is_held in _played(tasks, options.jobs):
        (held if is_held else fitted).extend(found)
        if sys.stderr.isatty():
            print(f"\r{len(fitted) + len(held)} samples", end="", file=sys.stderr)
    train, test = as_set(fitted), as_set(held)
    networks = [Network(train, seed) for seed in range(1, NETWORKS + 1)]
    for one in networks:
        one.fit(train, EPOCHS)
    network = networks[0].joined(networks[1:])
    figures = {"fitted": len(train.kinds), "seed": options.seed, **_figures(network, test)}
    print(f"{len(train.kinds)} samples fitted, {len(test.kinds)} held, {time.monotonic() - began:.0f} s")
    print(orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode())
    options.to.write_bytes(_as_json(figures, network))
    return 0


def _played(tasks: Sequence[Task], jobs: int) -> Iterator[tuple[list[Sample], bool]]:
    """The samples of every world, in the order of the tasks, however many processes make them."""
    if jobs == 1:
        yield from map(_play, tasks)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_play, tasks, chunksize=4)


def _play(task: Task) -> tuple[list[Sample], bool]:
    kind, seed, is_held = task
    found = drawn(*seed, OF_A_PART) if isinstance(seed, tuple) else samples(kind, seed)
    return list(found), is_held


def _figures(network: Network, held: Set) -> dict[str, Any]:
    """How well the network does, by itself, on worlds that it was not fitted to: by kind of world, how many passes it
    is certain of, and of how many others it is certain that they passed."""
    shares = network.likelihoods(held)
    way = shares[:, :2].argmax(axis=1)
    certain = shares[:, :2].max(axis=1) >= CERTAIN
    passes = held.story <= Story.OUT
    loss = -np.log(np.maximum(shares[np.arange(len(way)), held.story], 1e-9))
    kinds: dict[str, Any] = {}
    for kind in dict.fromkeys(held.kinds):
        mine = np.array([name == kind for name in held.kinds])
        right = certain & (way == held.story)
        kinds[kind] = {
            "passes": int((mine & passes).sum()),
            "right": int((mine & passes & right).sum()),
            "wrong_way": int((mine & passes & certain & ~right).sum()),
            "others": int((mine & ~passes).sum()),
            "others_said_to_pass": int((mine & ~passes & certain).sum()),
        }
    return {
        "held": len(held.kinds),
        "stories": {
            Story(number).name.lower(): count for number, count in sorted(Counter(held.story.tolist()).items())
        },
        "log_loss": round(float(np.mean([loss[held.story == story].mean() for story in Story])), 4),
        "certainty": CERTAIN,
        "kinds": kinds,
    }


def _as_json(figures: dict[str, Any], network: Network) -> bytes:
    """The file: a feature to a line, so that a change can be read."""
    weights = network.dump()
    lines = [f"  {_line(name)}: {_line(entry)}" for name, entry in weights.pop("features").items()]
    rest = "".join(f",\n{_line(name)}: {_line(value)}" for name, value in weights.items())
    text = f'{{"figures": {_line(figures)},\n"features": {{\n' + ",\n".join(lines) + "\n}" + rest + "}\n"
    return text.encode()


def _line(value: Any) -> str:
    return orjson.dumps(value).decode()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learn", description="Trains the learned layer.")
    parser.add_argument("--times", type=float, default=1.0, help="so many times the usual worlds")
    parser.add_argument("--seed", default="learn", help="another seed gives other worlds")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--to", type=Path, default=Path(portals.__path__[0]) / WEIGHTS, help="the file to write")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
