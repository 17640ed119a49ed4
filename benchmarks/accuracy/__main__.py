"""``python -m benchmarks.accuracy``: plays the scenes and prints the tables. Exit status 0 whatever they say."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.accuracy import required
from benchmarks.accuracy.report import as_json, tables
from benchmarks.accuracy.run import SCENES, played, tasks_of
from benchmarks.accuracy.tally import Tally
from benchmarks.accuracy.trial import Scene
from benchmarks.accuracy.write import write_trial


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the scenes that are asked for and prints the report; returns the exit status."""
    options = _options(arguments)
    if options.list:
        print("\n".join(f"{scene.family:<9} {scene.name}" for scene in SCENES))
        return 0
    words = options.scene
    chosen = [scene for scene in SCENES if not words or any(word in (scene.name, scene.family) for word in words)]
    if not chosen:
        print(f"no scene {', '.join(words)}: --list names them", file=sys.stderr)
        return 2
    if options.write is not None:
        for name, number, seed in tasks_of(chosen, options.quick, options.trials, options.times, options.seed):
            scene = next(scene for scene in chosen if scene.name == name)
            print(write_trial(scene, number, seed, options.write))
        return 0
    runs = {"other_physics" if options.other_physics else "scenes": chosen}
    if not words and not options.other_physics:
        runs["other_physics"] = [scene for scene in SCENES if scene.family == "passes"]
    figures = {where: as_json(_weighed(scenes, where == "other_physics", options)) for where, scenes in runs.items()}
    if options.json is not None:
        options.json.write_text(json.dumps({"seed": options.seed, **figures}, indent=1) + "\n")
    return 0


def _weighed(scenes: Sequence[Scene], elsewhere: bool, options: argparse.Namespace) -> list[Tally]:
    """Plays the scenes, `elsewhere` with other physics, and prints what was found."""
    began = time.monotonic()
    tallies = {scene.name: Tally(scene) for scene in scenes}
    tasks = list(tasks_of(scenes, options.quick, options.trials, options.times, options.seed))
    for number, (name, outcome) in enumerate(played(tasks, options.jobs, elsewhere=elsewhere), start=1):
        tallies[name].add(outcome)
        if sys.stderr.isatty():
            print(f"\r{number} of {len(tasks)} trials", end="", file=sys.stderr)
    done = [tally for tally in tallies.values() if tally.trials]
    where = "with other physics, " if elsewhere else ""
    print(
        f"{len(tasks)} trials, {where}{sum(tally.reads for tally in done):,} reads, seed {options.seed!r}, "
        f"{time.monotonic() - began:.0f} s"
    )
    print("\n".join([*tables(done), *required.lines(done)]))
    return done


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description="How right the floor is.")
    parser.add_argument("--quick", action="store_true", help="a few trials of each scene, and no whole days")
    parser.add_argument("--scene", action="append", default=[], help="only this scene or family (more than once)")
    parser.add_argument("--trials", type=int, help="so many trials of each scene")
    parser.add_argument("--times", type=int, default=1, help="so many times the usual trials")
    parser.add_argument("--seed", default="1", help="another seed gives other sites, walks and noise")
    parser.add_argument(
        "--other-physics", action="store_true", help="play the scenes at sites with other physics, and nothing else"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    parser.add_argument(
        "--write", type=Path, help="judge nothing: write configuration, reads and truth to this directory"
    )
    parser.add_argument("--list", action="store_true", help="name the scenes")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
