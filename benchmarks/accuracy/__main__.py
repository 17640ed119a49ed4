"""``python -m benchmarks.accuracy``: plays the scenes and prints the tables. Exit status 0 whatever they say."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path

from benchmarks.accuracy import scenes_counts, scenes_doors, scenes_rooms
from benchmarks.accuracy.report import as_json, tables
from benchmarks.accuracy.tally import Outcome, Tally, play
from benchmarks.accuracy.trial import Scene

SCENES: list[Scene] = [*scenes_doors.SCENES, *scenes_rooms.SCENES, *scenes_counts.SCENES]
_BY_NAME = {scene.name: scene for scene in SCENES}

_Task = tuple[str, int, str]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    if options.list:
        print("\n".join(f"{scene.family:<9} {scene.name}" for scene in SCENES))
        return 0
    words = options.scene
    chosen = [scene for scene in SCENES if not words or any(word in (scene.name, scene.family) for word in words)]
    if not chosen:
        print(f"no scene {', '.join(words)}: --list names them", file=sys.stderr)
        return 2
    began = time.monotonic()
    tallies = {scene.name: Tally(scene) for scene in chosen}
    tasks = list(_tasks(chosen, options.quick, options.trials, options.seed))
    for number, (name, outcome) in enumerate(_played(tasks, options.jobs), start=1):
        tallies[name].add(outcome)
        if sys.stderr.isatty():
            print(f"\r{number} of {len(tasks)} trials", end="", file=sys.stderr)
    done = [tally for tally in tallies.values() if tally.trials]
    print(
        f"{len(tasks)} trials, {sum(tally.reads for tally in done):,} reads, seed {options.seed!r}, "
        f"{time.monotonic() - began:.0f} s"
    )
    print("\n".join(tables(done)))
    if options.json is not None:
        options.json.write_text(json.dumps({"seed": options.seed, "scenes": as_json(done)}, indent=1) + "\n")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description="How right the floor is.")
    parser.add_argument("--quick", action="store_true", help="a few trials of each scene, and no whole days")
    parser.add_argument("--scene", action="append", default=[], help="only this scene or family (more than once)")
    parser.add_argument("--trials", type=int, help="so many trials of each scene")
    parser.add_argument("--seed", default="1", help="another seed gives other sites, walks and noise")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    parser.add_argument("--list", action="store_true", help="name the scenes")
    return parser.parse_args(arguments)


def _tasks(scenes: Sequence[Scene], quick: bool, trials: int | None, seed: str) -> Iterator[_Task]:
    """The slowest first, so that no process is left with a day at the end."""
    order = {"presence": 0, "counts": 1, "passes": 2}
    for scene in sorted(scenes, key=lambda scene: order[scene.family]):
        number = trials if trials is not None else scene.quick if quick else scene.full
        for trial in range(number):
            yield scene.name, trial, seed


def _played(tasks: Sequence[_Task], jobs: int) -> Iterator[tuple[str, Outcome]]:
    """In the order of the tasks, however many processes play them."""
    if jobs == 1:
        yield from map(_play, tasks)
        return
    with get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(_play, tasks, chunksize=2)


def _play(task: _Task) -> tuple[str, Outcome]:
    name, number, seed = task
    return name, play(_BY_NAME[name], number, seed)


if __name__ == "__main__":
    sys.exit(main())
